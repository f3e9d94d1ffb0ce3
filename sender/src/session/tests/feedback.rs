//! What reports change.

use raq_shared::wire::report::{Audit, Closed, FrameReport, Report};

use super::*;
use crate::closings::Closings;

/// A report that these frames are closed.
fn report(newest: u16, frames: usize) -> Report {
    Report {
        closed: Some(Closed {
            newest,
            frames: vec![FrameReport::All; frames],
        }),
        audit: Some(Audit {
            tile: 1,
            fingerprint: 2,
        }),
        ..Report::default()
    }
}

fn hear(session: &mut Session, report: &Report) -> Vec<Output> {
    let mut bytes = Vec::new();
    report.encode(&mut bytes);
    session.handle(at(400), Input::Datagram(&bytes));
    outputs(session)
}

#[test]
fn news_of_closed_frames_go_to_the_coder_and_nothing_else_does() {
    let mut session = streaming();
    let first = report(0, 1);
    assert_eq!(hear(&mut session, &first), [], "nothing was sent");
    session.handle(at(205), encoded(0, 205));
    session.handle(at(305), encoded(3, 305));
    assert_eq!(outputs(&mut session).len(), 2, "both are coded");
    let told = |report: &Report, newest| {
        let frames = report.closed.clone().unwrap().frames;
        [Output::Closings(Closings {
            newest,
            frames,
            audit: report.audit,
        })]
    };
    assert_eq!(hear(&mut session, &first), told(&first, 0));
    let again = [first.clone(), report(4, 5), report(0xffff, 16)];
    for old_or_impossible in again.iter().chain([&Report::default()]) {
        assert_eq!(hear(&mut session, old_or_impossible), []);
    }
    let last = report(3, 4);
    assert_eq!(hear(&mut session, &last), told(&last, 3));
    assert_eq!(hear(&mut session, &first), []);
    let counts = session.counts();
    assert_eq!((counts.reports, counts.malformed), (8, 0));
    for garbage in [&[0x20, 1, 2][..], &[0x30; 6], &[]] {
        session.handle(at(400), Input::Datagram(garbage));
    }
    assert_eq!(outputs(&mut session), []);
    assert_eq!(session.counts().malformed, 3);
}
