//! A sender's session and a receiver that says anything.

use std::time::Duration;

use bytes::BytesMut;
use raq_send::bandwidth::EstimatorName;
use raq_send::fec::Fec;
use raq_send::rate::Path;
use raq_send::session::{Input, Output, Session, Settings};
use raq_shared::stage::MAX_STAGES;
use raq_shared::wire::message::{CodebookOffer, Message};
use raq_shared::wire::report::{Arrival, Echo, Report};

use crate::sample;
use crate::tape::Tape;

/// Calls at one moment above which a session keeps its driver busy.
const CALLS: u32 = 1000;
/// Outputs of one input: the datagrams of some frames.
const OUTPUTS: usize = 20_000;

struct Sender {
    session: Session,
    now: Duration,
    number: u32,
    over: bool,
    /// Frame and index of the datagrams that left.
    left: Vec<(u32, u8)>,
    /// The receiver's clock.
    clock: u32,
}

/// Plays bytes to a session. The first says how it is set, and whether it is welcome at once.
pub fn sender(bytes: &[u8]) {
    let mut tape = Tape(bytes);
    let first = tape.byte();
    let settings = Settings {
        program: "raq-send".into(),
        model_id: sample::MODEL,
        model_name: "base".into(),
        codebooks: sample::codebooks(),
        video: sample::video(),
        max_rate: None,
        min_rate: None,
        estimator: [EstimatorName::Burst, EstimatorName::Gcc][usize::from(first >> 1 & 1)],
        latency: Duration::from_millis(100),
        fec: [Fec::Off, Fec::Auto][usize::from(first >> 2 & 1)],
    };
    let mut sender = Sender {
        session: Session::new(settings, Duration::ZERO).expect("a small picture"),
        now: Duration::ZERO,
        number: 0,
        over: false,
        left: Vec::new(),
        clock: u32::MAX - 1_000_000,
    };
    sender.drain();
    if first & 1 != 0 {
        sender.tell(Input::Control(&sample::welcome(CodebookOffer::Same)));
    }
    while !tape.is_over() && !sender.over {
        sender.step(&mut tape);
    }
    sender.tell(Input::Lost);
    assert!(sender.over, "a lost session ends");
}

impl Sender {
    fn step(&mut self, tape: &mut Tape<'_>) {
        match tape.byte() % 16 {
            0..=3 => self.frame(tape),
            4..=7 => self.report(tape),
            8 | 9 => self.wait(Duration::from_micros(u64::from(tape.short()) * 10)),
            10 => self.wait(Duration::from_millis(tape.short().into())),
            11 => self.tell(Input::Datagram(tape.some())),
            12 => self.tell(Input::Control(tape.some())),
            13 => self.tell(Input::Held(tape.byte() & 1 == 1)),
            14 => {
                let frames = tape.byte().into();
                self.number += frames;
                self.tell(Input::Skipped { frames });
            }
            _ => self.rarely(tape),
        }
        let estimate = self.session.bandwidth().estimate().bits_per_second();
        assert!(
            (1_000..2_000_000_000).contains(&estimate),
            "{estimate} bit/s"
        );
    }

    fn rarely(&mut self, tape: &mut Tape<'_>) {
        match tape.byte() % 9 {
            0 => self.tell(Input::ControlEnd),
            1 => self.tell(Input::Shipped),
            2 => self.tell(Input::SourceEnd { next: self.number }),
            3 => self.tell(Input::Flushed),
            4 => self.tell(Input::Lost),
            5 => self.tell(Input::Stop),
            6 => self.tell(Input::Control(&sample::welcome(CodebookOffer::Send))),
            7 => self.tell(Input::Control(&sample::welcome(CodebookOffer::Same))),
            _ => {
                let frames_decoded = tape.word();
                let done = sample::message(&Message::Done { frames_decoded });
                self.tell(Input::Control(&done));
            }
        }
    }

    fn frame(&mut self, tape: &mut Tape<'_>) {
        let path = Path {
            queued: usize::from(tape.byte()) * 16,
            max_datagram: 1162,
            budget: None,
        };
        let (number, captured) = (self.number, self.now);
        self.number += 1;
        self.tell(Input::Encoded {
            number,
            captured,
            path,
        });
    }

    /// A report of datagrams that left, or of others, and of frames.
    fn report(&mut self, tape: &mut Tape<'_>) {
        let end = self.left.len().saturating_sub((tape.byte() % 40).into());
        let told = &self.left[end.saturating_sub((tape.byte() % 64).into())..end];
        let flags = tape.byte();
        let off = if flags & 1 == 0 { 0 } else { tape.short() };
        let gap = u32::from(tape.byte()) * 40;
        self.clock = self.clock.wrapping_add(u32::from(tape.byte()) * 400);
        let mut arrivals = Vec::new();
        for &(frame, index) in told {
            arrivals.push(Arrival {
                frame: (frame as u16).wrapping_add(off),
                index,
                at: self.clock,
            });
            self.clock = self.clock.wrapping_add(gap);
        }
        let honest = self.now.as_micros() as u32 / 100;
        let sent = if flags & 2 == 0 { honest } else { tape.word() };
        let mut bytes = Vec::new();
        Report {
            number: tape.byte(),
            backlog: if flags & 4 == 0 { 0 } else { tape.byte() },
            echo: Echo {
                sent: sent & 0x00ff_ffff,
                held: Duration::from_micros(u64::from(tape.byte()) * 100),
            },
            arrivals,
            ..Report::default()
        }
        .encode(&mut bytes);
        self.tell(Input::Datagram(&bytes));
    }

    fn tell(&mut self, input: Input<'_>) {
        self.session.handle(self.now, input);
        self.drain();
    }

    /// Does what the session wants done; frames take all bytes that they may.
    fn drain(&mut self) {
        let mut coded = None;
        let mut count = 0;
        while let Some(output) = self.session.poll_output() {
            count += 1;
            assert!(count < OUTPUTS, "an input causes only so much");
            match output {
                Output::Code { allowance, .. } => coded = Some(allowance),
                Output::Datagram { frame, index, .. } => self.left.push((frame, index)),
                Output::End(_) => self.over = true,
                _ => {}
            }
        }
        if let Some(allowance) = coded {
            assert!(allowance.count > 0, "a frame has datagrams");
            let each = allowance.bytes.min(6000) / usize::from(allowance.count);
            let mut datagrams = vec![BytesMut::zeroed(each.max(12)); allowance.count.into()];
            self.tell(Input::Coded {
                datagrams: &mut datagrams,
                level: 50,
                codewords: [9; MAX_STAGES],
            });
        }
    }

    /// Time goes by, in which the session is called when it wants to be.
    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        let mut calls = 0;
        while let Some(due) = self.session.deadline().filter(|&due| due <= end) {
            if self.over {
                break;
            }
            calls = if due > self.now { 0 } else { calls + 1 };
            assert!(calls < CALLS, "it wants to be called again and again");
            self.now = self.now.max(due);
            self.tell(Input::Timeout);
        }
        self.now = end;
    }
}
