//! A receiver's session and a sender that says and does anything.

use std::time::Duration;

use raq_recv::session::{Input, Output, Session, Settings};
use raq_shared::wire::heartbeat::Heartbeat;
use raq_shared::wire::message::Message;
use raq_shared::wire::parity::ParityHeader;
use raq_shared::wire::shipment;

use crate::sample;
use crate::tape::Tape;

/// Calls at one moment above which a session keeps its driver busy.
const CALLS: u32 = 1000;
/// Outputs of one input: each closes no more frames than are open.
const OUTPUTS: usize = 2000;

struct Receiver {
    session: Session,
    now: Duration,
    frame: u32,
}

/// Plays bytes to a session. The first says whether the handshake is a true one.
pub fn receiver(bytes: &[u8]) {
    let mut tape = Tape(bytes);
    let first = tape.byte();
    let settings = Settings {
        model_id: sample::MODEL,
        model_name: "base".to_owned(),
        codebooks: sample::codebooks(),
        temporal: sample::temporal().clone(),
        codeword_limit: 200,
        max_width: 640,
        max_height: 480,
        format: None,
    };
    let mut receiver = Receiver {
        session: Session::new(settings, Duration::ZERO),
        now: Duration::ZERO,
        frame: 0,
    };
    if first & 2 != 0 {
        receiver.session.give_in_order();
    }
    if first & 1 != 0 {
        receiver.tell(Input::Control(&sample::greeting()));
    }
    while !tape.is_over() {
        receiver.step(&mut tape);
    }
    // Whatever came, it ends once nothing more comes.
    receiver.tell(Input::Stop);
    receiver.tell(Input::Lost);
    receiver.wait(Duration::from_secs(60));
    assert!(receiver.session.is_over(), "a lost session ends");
}

impl Receiver {
    fn step(&mut self, tape: &mut Tape<'_>) {
        match tape.byte() % 16 {
            0..=2 => {
                self.frame = self.frame.wrapping_add(tape.byte().into());
                let count = tape.byte() % 8 + 1;
                let index = tape.byte() % count;
                let frame = self.frame.wrapping_sub(u32::from(tape.byte() % 4));
                let datagram = sample::updates(frame, index, count, tape.byte());
                self.tell(Input::Datagram(&datagram));
            }
            3 => {
                let mut datagram = sample::updates(self.frame, 0, tape.byte().max(1), 0xff);
                for _ in 0..tape.byte() % 8 {
                    let at = usize::from(tape.byte()) % datagram.len();
                    datagram[at] ^= tape.byte();
                }
                datagram.extend_from_slice(tape.some());
                self.tell(Input::Datagram(&datagram));
            }
            4 | 5 => {
                let count = tape.byte() % 8 + 1;
                let parity = tape.byte() % 4 + 1;
                let header = ParityHeader {
                    frame: (self.frame as u16).wrapping_add(u16::from(tape.byte() % 4)),
                    capture: tape.word(),
                    send_delay: tape.short(),
                    index: tape.byte() % parity,
                    count,
                    parity,
                };
                let mut shard = tape.some().to_vec();
                shard.resize(shard.len().next_multiple_of(2).max(10), 0);
                let datagram = [&header.encode()[..], &shard].concat();
                self.tell(Input::Datagram(&datagram));
            }
            6 => self.tell(Input::Datagram(tape.some())),
            7 => {
                let sent = tape.word();
                self.tell(Input::Datagram(&Heartbeat { sent }.encode()));
            }
            8 | 9 => self.wait(Duration::from_micros(u64::from(tape.short()) * 10)),
            10 => self.wait(Duration::from_millis(tape.short().into())),
            11 => self.tell(Input::Control(tape.some())),
            12 => {
                let frames_sent = tape.word();
                let bye = sample::message(&Message::Bye { frames_sent });
                self.tell(Input::Control(&bye));
            }
            13 => self.tell(Input::Codebook(tape.some())),
            14 => self.session.set_backlog(tape.short().into()),
            _ => self.rarely(tape),
        }
    }

    fn rarely(&mut self, tape: &mut Tape<'_>) {
        match tape.byte() % 10 {
            0 => self.tell(Input::ControlEnd),
            1 => self.tell(Input::CodebookEnd),
            2 => self.tell(Input::Codebook(&shipment::encode(&sample::codebooks()))),
            3 => self.tell(Input::Prepared),
            4 => self.tell(Input::Lost),
            5 => self.tell(Input::Stop),
            6 => self.tell(Input::Superseded),
            7 => self.session.refuse_busy(),
            8 => self.session.restrict(Some(sample::video())),
            _ => {
                let frames_decoded = tape.word();
                self.tell(Input::Drained { frames_decoded });
            }
        }
        self.drain();
    }

    fn tell(&mut self, input: Input<'_>) {
        self.session.handle(self.now, input);
        self.drain();
    }

    /// Does what the session wants done.
    fn drain(&mut self) {
        let mut ready = false;
        let mut count = 0;
        while let Some(output) = self.session.poll_output() {
            count += 1;
            assert!(count < OUTPUTS, "an input causes only so much");
            match output {
                Output::Prepare(_) => ready = true,
                Output::Datagram(report) => assert!(report.len() <= 1150),
                Output::Frame(frame) => {
                    assert!(frame.depths.iter().all(|depth| depth.is_finite()));
                    self.session.recycle(frame);
                }
                _ => {}
            }
        }
        if ready {
            self.tell(Input::Prepared);
        }
    }

    /// Time goes by, in which the session is called when it wants to be.
    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        let mut calls = 0;
        while let Some(due) = self.session.deadline().filter(|&due| due <= end) {
            calls = if due > self.now { 0 } else { calls + 1 };
            assert!(calls < CALLS, "it wants to be called again and again");
            self.now = self.now.max(due);
            self.tell(Input::Timeout);
        }
        self.now = end;
    }
}
