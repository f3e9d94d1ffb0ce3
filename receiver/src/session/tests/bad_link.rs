//! Loss, reordering, repetition and forgery, in virtual time.

use proptest::prelude::*;
use raq_shared::coding::Coding;
use raq_shared::wire::update::UpdateHeader;

use std::collections::BTreeMap;

use raq_shared::wire::report::FrameReport;

use super::*;

/// What reports tell of frames, and what came of a session.
#[derive(Default)]
struct Heard {
    frames: Vec<ReceivedFrame>,
    closed: BTreeMap<u16, FrameReport>,
    arrivals: BTreeMap<(u16, u8), u32>,
    bytes: usize,
}

impl Heard {
    /// Takes outputs; no report contradicts one before.
    fn take(&mut self, outputs: Vec<Output>) {
        for output in &outputs {
            if let Output::Datagram(bytes) = output {
                self.bytes += bytes.len();
            }
        }
        for report in reports(&outputs) {
            for (back, frame) in report
                .closed
                .iter()
                .flat_map(|it| it.frames.iter().enumerate())
            {
                let number = report.closed.as_ref().unwrap().newest - back as u16;
                assert_eq!(self.closed.insert(number, *frame).unwrap_or(*frame), *frame);
            }
            for arrival in report.arrivals {
                let key = (arrival.frame, arrival.index);
                let at = *self.arrivals.entry(key).or_insert(arrival.at);
                // The same time in other units: of 150 ms in 255 parts of 2^10 µs, or exact.
                assert!(apart(at, arrival.at) <= 1024, "{at} {arrival:?}");
            }
        }
        self.frames.extend(frames(outputs));
    }
}

/// What a link does to one datagram.
#[derive(Clone, Copy, Debug)]
struct Fate {
    lost: bool,
    twice: bool,
    delay_ms: u64,
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = (
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.1),
        0u64..150,
    )
        .prop_map(|(lost, twice, delay_ms)| Fate {
            lost,
            twice,
            delay_ms,
        });
    prop::collection::vec(fate, 60)
}

proptest! {
    /// Loss, reordering and repetition in virtual time: frames come out once each, in order, soon,
    /// and show nothing but what was sent.
    #[test]
    fn a_bad_link_costs_tiles_but_never_order(
        fates in fates(), count in 1u8..6,
    ) {
        let mut session = streaming();
        let mut arrivals: Vec<(Duration, u32, Vec<u8>)> = Vec::new();
        let mut fates = fates.iter().cycle();
        for frame in 0..20 {
            for datagram in datagrams(frame, count) {
                let fate = fates.next().unwrap();
                if !fate.lost {
                    let at = FRAME * frame + ms(fate.delay_ms);
                    arrivals.push((at, frame, datagram.clone()));
                    if fate.twice {
                        arrivals.push((at + ms(1), frame, datagram));
                    }
                }
            }
        }
        arrivals.sort();
        let mut heard = Heard::default();
        for (at, _, datagram) in &arrivals {
            while let Some(due) = session.deadline().filter(|due| due <= at) {
                session.handle(due, Input::Timeout);
                heard.take(outputs(&mut session));
            }
            session.handle(*at, Input::Datagram(datagram));
            heard.take(outputs(&mut session));
            // Buffers circulate as in the driver.
            if let Some(frame) = heard.frames.last() {
                session.recycle(frame.clone());
            }
        }
        session.handle(ms(5000), Input::Control(&message(&Message::Bye { frames_sent: 20 })));
        heard.take(outputs(&mut session));
        session.handle(ms(6000), Input::Timeout);
        heard.take(outputs(&mut session));
        let given = &heard.frames;
        prop_assert!(given.windows(2).all(|pair| pair[0].number < pair[1].number));
        let counts = session.counts();
        prop_assert_eq!((counts.frames - counts.overtaken) as usize, given.len());
        prop_assert_eq!(counts.datagrams as usize, arrivals.len());
        // Reports tell the fate of every datagram, and when it came.
        let used = |frame: &FrameReport| frame.arrived(frame_count(frame, count)).unwrap().len();
        let used: u64 = heard.closed.values().map(|frame| u64::from(used(frame))).sum();
        prop_assert_eq!(used + counts.stale + counts.duplicates, counts.datagrams);
        let first = |frame: u32, index: usize| {
            let is = |(_, of, bytes): &&(Duration, u32, Vec<u8>)| {
                *of == frame && usize::from(bytes[9]) == index
            };
            arrivals.iter().find(is).map(|(at, ..)| at.as_micros() as u32)
        };
        for (&(frame, index), &at) in &heard.arrivals {
            let first = first(frame.into(), index.into()).unwrap();
            prop_assert!(apart(at, first) <= 512, "{} of {}: {} {}", index, frame, at, first);
        }
        let sent = (0..20).flat_map(|frame| (0..count).map(move |index| (frame, index.into())));
        let came = sent.filter(|&(frame, index)| first(frame, index).is_some()).count();
        prop_assert_eq!(heard.arrivals.len(), came);
        prop_assert_eq!(counts.malformed, 0);
    }

    /// Whatever a peer sends on any channel: no panic, bounded output.
    #[test]
    fn any_bytes_never_panic(
        hello_first: bool,
        inputs in prop::collection::vec(
            (0u8..8, prop::collection::vec(any::<u8>(), 0..120), 0u64..100), 0..60),
    ) {
        let mut session = if hello_first { streaming() } else { Session::new(settings(), ms(0)) };
        let mut now = ms(10);
        let mut frames_out = 0;
        for (kind, bytes, wait) in &inputs {
            now += ms(*wait);
            session.handle(now, match kind {
                0 => Input::Control(bytes),
                1 => Input::Codebook(bytes),
                2 => Input::CodebookEnd,
                3 => Input::Timeout,
                4 => Input::Prepared,
                5 => Input::Drained { frames_decoded: 0 },
                _ => Input::Datagram(bytes),
            });
            frames_out += frames_count(&mut session);
        }
        prop_assert!(frames_out <= inputs.len());
    }

    /// Headers that are well formed but forged, with bodies that are not.
    #[test]
    fn forged_headers_never_panic(
        forged in prop::collection::vec(
            (any::<u16>(), 1u8..=255, any::<u8>(), any::<u8>(), 0u8..=96, 0u64..50), 0..80),
        body in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let mut session = streaming();
        let mut now = ms(10);
        let mut last = None;
        for (frame, count, at, floor, level, wait) in forged {
            now += ms(wait);
            let header = UpdateHeader {
                coding: if wait % 2 == 0 { Coding::Range } else { Coding::Plain },
                names_codewords: wait % 3 == 0,
                level,
                frame,
                capture: 0,
                send_delay: 0,
                index: at % count,
                count,
                floor,
            };
            let bytes = [&header.encode()[..], &body[..body.len().min(at.into())]].concat();
            session.handle(now, Input::Datagram(&bytes));
            for output in outputs(&mut session) {
                if let Output::Frame(frame) = output {
                    prop_assert!(last.is_none_or(|last| last < frame.number));
                    last = Some(frame.number);
                }
            }
        }
    }
}

/// Microseconds between two times that wrap.
fn apart(one: u32, other: u32) -> u32 {
    (one.wrapping_sub(other) as i32).unsigned_abs()
}

/// The number of datagrams that a report means.
fn frame_count(frame: &FrameReport, sent: u8) -> u8 {
    match frame {
        FrameReport::Some { count, .. } => *count,
        _ => sent,
    }
}

fn frames_count(session: &mut Session) -> usize {
    outputs(session)
        .iter()
        .filter(|output| matches!(output, Output::Frame(_)))
        .count()
}
