//! What a peer may do, and for how long nothing.

use raq_shared::wire::report::Report;

use super::*;

#[test]
fn a_flood_of_reports_or_garbage_is_cut_off() {
    let mut good = Vec::new();
    Report::default().encode(&mut good);
    for (datagram, most, word) in [(&good[..], 2, "reports"), (b"x", 1, "malformed")] {
        let mut session = streaming();
        for number in 0..60_000 * most {
            session.handle(at(1000 + number / most), Input::Datagram(datagram));
            assert!(!matches!(session.poll_output(), Some(Output::End(_))));
        }
        for _ in 0..=1000 * most {
            session.handle(at(61_000), Input::Datagram(datagram));
        }
        let End::Broken(reason) = end_of(&mut session) else {
            panic!()
        };
        assert!(reason.contains(word), "{reason}");
        session.handle(at(61_001), Input::Datagram(datagram));
        assert_eq!(
            outputs(&mut session),
            [],
            "what comes later is not looked at"
        );
    }
}

#[test]
fn a_receiver_that_never_reports_is_left() {
    let mut session = streaming();
    assert_eq!(session.deadline(), None, "a source may be slow to begin");
    session.handle(at(1000), encoded(0, 990));
    allowed(&mut session);
    code(&mut session, 1010, &[b"datagram"]);
    outputs(&mut session);
    let deadline = at(1010) + REPORT_PATIENCE;
    session.handle(deadline - at(1), Input::Timeout);
    outputs(&mut session);
    session.handle(deadline, Input::Timeout);
    assert!(matches!(end_of(&mut session), End::Silent(_)));
}

#[test]
fn a_receiver_may_ask_somebody_before_it_answers() {
    let mut session = Session::new(settings(), at(0)).unwrap();
    outputs(&mut session);
    assert_eq!(session.deadline(), Some(ANSWER));
    session.handle(ANSWER, Input::Timeout);
    assert_eq!(outputs(&mut session), []);
    assert_eq!(session.deadline(), Some(ANSWER_PATIENCE));
    let late = ANSWER_PATIENCE - at(1);
    session.handle(late, Input::Control(&PROTOCOL_VERSION.to_be_bytes()));
    assert_eq!(session.deadline(), Some(late + WELCOME_PATIENCE));

    let mut session = Session::new(settings(), at(0)).unwrap();
    outputs(&mut session);
    for due in [ANSWER, ANSWER_PATIENCE] {
        session.handle(due, Input::Timeout);
    }
    assert!(matches!(end_of(&mut session), End::Silent(_)));
}
