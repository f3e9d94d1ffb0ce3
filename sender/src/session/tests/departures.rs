//! When datagrams of frames leave.

use super::*;
use crate::bandwidth::START;

#[test]
fn a_frame_is_coded_given_out_and_counted() {
    let mut session = streaming();
    session.handle(at(40), encoded(0, 33));
    let allowance = allowed(&mut session);
    code(&mut session, 50, &[b"one", b"three"]);
    let sent = Sent {
        number: 0,
        captured: at(33),
        level: 50,
        codewords: CODEWORDS,
        budget: allowance.bytes as u64,
        limit: Limit::Rate,
        estimate: START,
        queue: Duration::ZERO,
        datagrams: 2,
        parity: 0,
        left: 2,
        bytes: 8,
    };
    assert_eq!(outputs(&mut session), [datagram(0, 0, b"one")]);
    assert_eq!(session.counts().frames_sent, 0);
    // 3 and 64 bytes at twice the estimate, which is 300 kbit/s as long as no report has come.
    let then = at(50) + Duration::from_secs_f64(67.0 * 8.0 / 600e3);
    let outputs = until(&mut session, 90);
    let rest = [datagram(0, 1, b"three"), Output::Sent(sent)];
    assert!(outputs.into_iter().eq(rest.map(|output| (then, output))));
    let counts = session.counts();
    assert_eq!((counts.frames_sent, counts.bytes), (1, 8));
    assert_eq!((counts.frames_skipped, counts.datagrams_dropped), (0, 0));
}

#[test]
fn a_budget_leaves_at_once() {
    let mut session = streaming();
    let path = Path {
        budget: Some(900),
        ..path()
    };
    let frame = Input::Encoded {
        number: 0,
        captured: at(33),
        path,
    };
    session.handle(at(40), frame);
    allowed(&mut session);
    code(&mut session, 50, &[b"one", b"three"]);
    let all = outputs(&mut session);
    assert_eq!(all[..2], [datagram(0, 0, b"one"), datagram(0, 1, b"three")]);
    let [Output::Sent(sent)] = all[2..] else {
        panic!("{all:?}")
    };
    assert_eq!(sent.limit, Limit::Given);
}

/// The `left` of frames as they are done with.
fn left(outputs: Vec<(Duration, Output)>) -> Vec<(u128, u32, u8)> {
    let sent = outputs
        .into_iter()
        .filter_map(|(now, output)| match output {
            Output::Sent(sent) => Some((now.as_millis(), sent.number, sent.left)),
            _ => None,
        });
    sent.collect()
}

#[test]
fn what_is_too_old_does_not_leave() {
    let mut session = streaming();
    session.handle(at(10), encoded(0, 10));
    allowed(&mut session);
    // At twice the estimate 536 and 64 bytes take 8 ms, 7436 and 64 bytes 100 ms.
    code(&mut session, 12, &[&[0; 536], &[0; 7436], &[0; 36]]);
    outputs(&mut session);
    let done = left(until(&mut session, 800));
    assert_eq!(done, [(110, 0, 2)], "100 ms after its capture");
    let counts = session.counts();
    assert_eq!((counts.frames_sent, counts.bytes), (1, 7972));
    assert_eq!((counts.frames_skipped, counts.datagrams_dropped), (0, 1));
    // What the program says at its end is the sum over its connections.
    let mut sum = Counts::default();
    sum.add(&counts);
    sum.add(&counts);
    assert_eq!(sum.datagrams_dropped, 2);
    // Nothing else is awaited, only asked for.
    let reports = at(12) + REPORT_PATIENCE;
    let mut asked = 0;
    while let Some(due) = session.deadline().filter(|&due| due < reports) {
        session.handle(due, Input::Timeout);
        assert!(matches!(outputs(&mut session)[..], [Output::Heartbeat(_)]));
        asked += 1;
    }
    assert!(asked > 1000, "{asked}");
    assert_eq!(session.deadline(), Some(reports));
}

#[test]
fn a_frame_that_never_leaves_counts_as_skipped() {
    let mut session = streaming();
    for number in 0..2 {
        session.handle(at(10 + 34 * u64::from(number)), encoded(number, 10));
        allowed(&mut session);
    }
    code(&mut session, 45, &[&[0; 7436]]);
    outputs(&mut session);
    code(&mut session, 46, &[b"never"]);
    assert_eq!(left(until(&mut session, 800)), [(110, 1, 0)]);
    let counts = session.counts();
    assert_eq!((counts.frames_sent, counts.frames_skipped), (1, 1));
}

#[test]
fn a_frame_coded_late_still_has_a_frame_time_to_leave() {
    let mut session = streaming();
    session.handle(at(10), encoded(0, 10));
    allowed(&mut session);
    code(&mut session, 300, &[b"late", &[0; 7436], b"too late"]);
    assert_eq!(outputs(&mut session), [datagram(0, 0, b"late")]);
    assert_eq!(left(until(&mut session, 800)), [(333, 0, 2)]);
}

#[test]
fn nothing_leaves_while_quic_has_no_room() {
    let mut session = streaming();
    session.handle(at(10), encoded(0, 10));
    allowed(&mut session);
    session.handle(at(11), Input::Held(true));
    code(&mut session, 12, &[b"one", b"two", b"three"]);
    assert_eq!(outputs(&mut session), []);
    assert_eq!(session.deadline(), Some(at(110)), "the frame's");
    session.handle(at(50), Input::Held(false));
    assert_eq!(session.poll_output(), Some(datagram(0, 0, b"one")));
    // Late enough for the second one, had it not been for this.
    session.handle(at(60), Input::Held(true));
    assert_eq!(session.poll_output(), None);
    assert_eq!(left(until(&mut session, 800)), [(110, 0, 1)]);
}

#[test]
fn what_waits_here_counts_as_queued() {
    let mut session = streaming();
    session.handle(at(10), encoded(0, 10));
    allowed(&mut session);
    code(&mut session, 12, &[&[0; 1000][..]; 6]);
    outputs(&mut session);
    // 300 kbit/s for 143 ms are 5375 bytes, of which 1064 are under way.
    session.handle(at(13), encoded(1, 13));
    let skip = Some(Skip::Room);
    let number = 1;
    assert_eq!(outputs(&mut session), [Output::Discard { number, skip }]);
}

#[test]
fn a_frame_without_room_counts_as_skipped() {
    let mut session = streaming();
    session.handle(at(40), encoded(0, 33));
    allowed(&mut session);
    code(&mut session, 50, &[]);
    assert_eq!(outputs(&mut session), []);
    let counts = session.counts();
    assert_eq!((counts.frames_sent, counts.frames_skipped), (0, 1));
}
