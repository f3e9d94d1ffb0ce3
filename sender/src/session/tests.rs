mod departures;
mod ends;
mod feedback;
mod forged;
mod parity;
mod patience;

use bytes::BytesMut;
use raq_shared::stage::MAX_STAGES;
use raq_shared::wire::datagram::MAX_JUMP;

use super::*;
use crate::frame_coder::Allowance;
use crate::rate::{Limit, Skip};
use crate::stand::{ms as at, settings, welcome};

const CODEWORDS: [u16; MAX_STAGES] = [9; MAX_STAGES];

fn path() -> Path {
    Path {
        queued: 0,
        max_datagram: 1162,
        budget: None,
    }
}

fn session() -> Session {
    Session::new(settings(), Duration::ZERO).unwrap()
}

fn outputs(session: &mut Session) -> Vec<Output> {
    std::iter::from_fn(|| session.poll_output()).collect()
}

fn bytes(message: &Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    wire::encode_message(message, &mut bytes).unwrap();
    bytes
}

fn streaming() -> Session {
    let mut session = session();
    session.handle(at(1), Input::Control(&welcome(CodebookOffer::Same)));
    assert_eq!(outputs(&mut session).pop(), Some(Output::Start));
    session
}

fn encoded(number: u32, millis: u64) -> Input<'static> {
    Input::Encoded {
        number,
        captured: at(millis),
        path: path(),
    }
}

fn end_of(session: &mut Session) -> End {
    match outputs(session).pop() {
        Some(Output::End(end)) => end,
        other => panic!("{other:?} instead of the end"),
    }
}

/// Has the frame that is being coded take these bytes.
fn code(session: &mut Session, millis: u64, datagrams: &[&[u8]]) {
    let mut datagrams = datagrams.iter().map(|&it| BytesMut::from(it)).collect();
    let coded = Input::Coded {
        datagrams: &mut datagrams,
        level: 50,
        codewords: CODEWORDS,
    };
    session.handle(at(millis), coded);
    assert!(datagrams.is_empty(), "they are taken");
}

fn datagram(frame: u32, index: u8, bytes: &[u8]) -> Output {
    Output::Datagram {
        frame,
        index,
        bytes: bytes.to_vec().into(),
    }
}

/// Calls the session when it wants to be called, up to a time; what comes out and when.
fn until(session: &mut Session, millis: u64) -> Vec<(Duration, Output)> {
    let mut all = Vec::new();
    while let Some(now) = session.deadline().filter(|&it| it <= at(millis)) {
        session.handle(now, Input::Timeout);
        all.extend(outputs(session).into_iter().map(|output| (now, output)));
    }
    all
}

/// The allowance that a frame is given now.
fn allowed(session: &mut Session) -> Allowance {
    match outputs(session)[..] {
        [Output::Code { allowance, .. }] => allowance,
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn a_backlog_skips_and_the_total_says_so() {
    let mut session = streaming();
    let behind = Path {
        queued: 50_000,
        ..path()
    };
    for number in 0..5 {
        let input = Input::Encoded {
            number,
            captured: at(0),
            path: behind,
        };
        session.handle(at(u64::from(number) * 33), input);
        let skip = Some(Skip::Room);
        assert_eq!(outputs(&mut session), [Output::Discard { number, skip }]);
    }
    session.handle(at(200), Input::Skipped { frames: 2 });
    assert_eq!(session.counts().frames_skipped, 7);
    session.handle(at(210), Input::SourceEnd { next: 7 });
    assert_eq!(outputs(&mut session), [Output::Flush]);
    session.handle(at(220), Input::Flushed);
    // Seven numbers were used up, so the other end's file is seven frames long.
    let bye = bytes(&Message::Bye { frames_sent: 7 });
    assert_eq!(outputs(&mut session), [Output::Control(bye)]);
}

#[test]
fn frame_numbers_never_jump_further_than_the_receiver_follows() {
    let mut session = streaming();
    let mut last = 0;
    for number in 0..40_000u32 {
        let input = Input::Encoded {
            number,
            captured: at(0),
            path: Path {
                queued: 50_000,
                ..path()
            },
        };
        session.handle(at(u64::from(number) * 33), input);
        match outputs(&mut session)[..] {
            [Output::Discard { .. }] => {}
            [Output::Code { number, allowance }] => {
                assert!(allowance.bytes < 200, "there is no room to fill");
                assert!(number - last <= MAX_JUMP);
                last = number;
            }
            ref other => panic!("{other:?}"),
        }
    }
    assert!(last > 20_000);
}
