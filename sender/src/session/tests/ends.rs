//! How sessions begin and end.

use super::*;

#[test]
fn it_says_hello_first() {
    let mut session = session();
    let said = outputs(&mut session);
    let [Output::Control(preface), Output::Control(hello)] = &said[..] else {
        panic!("{said:?}")
    };
    assert_eq!(preface, &[0, 1]);
    let Ok(Message::Hello(hello)) = wire::decode_message(&hello[4..]) else {
        panic!()
    };
    let ours = settings();
    assert_eq!(hello.video, ours.video);
    assert_eq!((hello.protocol, hello.model_id), (1, ours.model_id));
    assert_eq!(hello.codebook_digest, ours.codebooks.digest());
}

#[test]
fn a_welcome_may_come_in_pieces() {
    let welcome = welcome(CodebookOffer::Same);
    for cut in 0..=welcome.len() {
        let mut session = session();
        outputs(&mut session);
        session.handle(at(1), Input::Control(&welcome[..cut]));
        session.handle(at(2), Input::Control(&welcome[cut..]));
        assert_eq!(outputs(&mut session), [Output::Start]);
    }
}

#[test]
fn the_codebook_is_shipped_when_asked_for() {
    let mut session = session();
    outputs(&mut session);
    session.handle(at(1), Input::Control(&welcome(CodebookOffer::Send)));
    let shipped = shipment::encode(&settings().codebooks);
    assert_eq!(outputs(&mut session), [Output::Shipment(shipped)]);
    assert!(session.counts().codebook_shipped);
    assert!(session.deadline().is_some(), "it does not wait for ever");
    session.handle(at(500), Input::Shipped);
    assert_eq!(outputs(&mut session), [Output::Start]);
    assert_eq!(session.deadline(), None);
}

#[test]
fn a_stop_ends_like_the_end_of_the_source() {
    let mut session = streaming();
    session.handle(at(10), Input::Stop);
    assert_eq!(outputs(&mut session), [Output::StopSource]);
    session.handle(at(11), encoded(0, 10));
    assert_eq!(
        outputs(&mut session),
        [Output::Discard {
            number: 0,
            skip: None
        }]
    );
    session.handle(at(12), Input::SourceEnd { next: 1 });
    session.handle(at(12), Input::Flushed);
    let done = bytes(&Message::Done { frames_decoded: 0 });
    session.handle(at(40), Input::Control(&done));
    assert_eq!(end_of(&mut session), End::Stopped);

    let mut early = self::session();
    early.handle(at(1), Input::Stop);
    assert_eq!(end_of(&mut early), End::Stopped);
}

#[test]
fn a_source_that_does_not_end_is_not_waited_for() {
    let mut session = streaming();
    session.handle(at(10), Input::Stop);
    outputs(&mut session);
    let deadline = session.deadline().unwrap();
    session.handle(deadline - at(1), Input::Timeout);
    assert_eq!(outputs(&mut session), []);
    session.handle(deadline, Input::Timeout);
    assert_eq!(outputs(&mut session), [Output::Flush]);
}

#[test]
fn a_stop_does_not_wait_for_what_takes_too_long() {
    let mut session = streaming();
    for number in 0..2 {
        session.handle(at(10 + 34 * u64::from(number)), encoded(number, 10));
        allowed(&mut session);
    }
    code(&mut session, 45, &[b"here"]);
    session.handle(at(46), Input::SourceEnd { next: 2 });
    outputs(&mut session);
    let said = loop {
        let deadline = session.deadline().unwrap();
        session.handle(deadline, Input::Timeout);
        match outputs(&mut session) {
            said if matches!(said[..], [Output::Heartbeat(_)]) => {}
            said => break said,
        }
    };
    assert_eq!(said, [Output::Flush]);
    code(&mut session, 9000, &[b"far too late"]);
    assert_eq!(outputs(&mut session), []);
}

#[test]
fn nothing_leaves_after_the_end() {
    let mut session = streaming();
    session.handle(at(10), encoded(0, 10));
    allowed(&mut session);
    code(&mut session, 12, &[&[0; 500][..]; 3]);
    outputs(&mut session);
    session.handle(at(13), Input::Lost);
    assert_eq!(end_of(&mut session), End::Lost);
    assert_eq!(session.deadline(), None);
}

#[test]
fn silence_ends_the_session() {
    // Before the receiver says anything it has longer; see `patience`.
    let mut session = session();
    outputs(&mut session);
    session.handle(at(10), Input::Control(&PROTOCOL_VERSION.to_be_bytes()));
    let deadline = session.deadline().unwrap();
    session.handle(deadline, Input::Timeout);
    assert!(matches!(end_of(&mut session), End::Silent(_)));

    let mut session = streaming();
    session.handle(at(10), Input::SourceEnd { next: 0 });
    session.handle(at(10), Input::Flushed);
    outputs(&mut session);
    let deadline = session.deadline().unwrap();
    session.handle(deadline, Input::Timeout);
    assert!(matches!(end_of(&mut session), End::Silent(_)));
}

#[test]
fn refusals_name_both_sides() {
    let refused = |refusal: Refusal| {
        let mut session = session();
        let said = [vec![0, 1], bytes(&Message::Refuse(refusal))].concat();
        session.handle(at(1), Input::Control(&said));
        end_of(&mut session)
    };
    let other = Refusal::Model {
        id: ModelId([2; 32]),
        name: Text::new("other"),
    };
    let End::Model(text) = refused(other) else {
        panic!()
    };
    assert!(
        text.contains("other (0202") && text.contains("base (0101"),
        "{text}"
    );
    let End::Refused(text) = refused(Refusal::Size {
        max_width: 320,
        max_height: 240,
    }) else {
        panic!()
    };
    assert!(
        text.contains("320x240") && text.contains("640x360"),
        "{text}"
    );
    assert!(matches!(refused(Refusal::Busy), End::Busy(_)));

    let mut session = session();
    session.handle(at(1), Input::Control(&[0, 7]));
    let End::Refused(text) = end_of(&mut session) else {
        panic!()
    };
    assert!(text.contains("protocol 7, this program 1"), "{text}");
}

#[test]
fn a_receiver_that_leaves_is_told_from_one_that_breaks_the_protocol() {
    let mut session = streaming();
    session.handle(at(10), Input::ControlEnd);
    assert_eq!(outputs(&mut session), []);
    let deadline = session.deadline().unwrap();
    session.handle(deadline, Input::Timeout);
    assert_eq!(end_of(&mut session), End::Left);

    let mut session = streaming();
    session.handle(at(10), Input::ControlEnd);
    session.handle(at(11), Input::Lost);
    assert_eq!(end_of(&mut session), End::Lost);

    for bad in [
        bytes(&Message::Done { frames_decoded: 1 }),
        vec![0xff; 4],
        vec![0, 0, 0, 1, 9],
    ] {
        let mut session = streaming();
        session.handle(at(10), Input::Control(&bad));
        assert!(matches!(end_of(&mut session), End::Broken(_)), "{bad:?}");
    }
}

#[test]
fn what_is_under_way_is_sent_before_the_bye() {
    let mut session = streaming();
    session.handle(at(10), encoded(0, 5));
    session.handle(at(11), Input::SourceEnd { next: 1 });
    allowed(&mut session);
    code(&mut session, 20, &[b"frame", b"of two"]);
    assert_eq!(outputs(&mut session), [datagram(0, 0, b"frame")]);
    let given = until(&mut session, 29);
    let [
        (_, Output::Datagram { .. }),
        (_, Output::Sent(_)),
        (_, Output::Flush),
    ] = given[..]
    else {
        panic!("{given:?}")
    };
    session.handle(at(30), Input::Flushed);
    let bye = bytes(&Message::Bye { frames_sent: 1 });
    assert_eq!(outputs(&mut session), [Output::Control(bye)]);
    let done = bytes(&Message::Done { frames_decoded: 1 });
    session.handle(at(40), Input::Control(&done));
    assert_eq!(outputs(&mut session), [Output::End(End::Done)]);
    assert_eq!(session.deadline(), None);
}

#[test]
fn frames_under_way_at_the_end_are_counted() {
    let mut session = streaming();
    session.handle(at(40), encoded(0, 33));
    allowed(&mut session);
    code(&mut session, 50, &[b"one", b"two"]);
    assert_eq!(outputs(&mut session), [datagram(0, 0, b"one")]);
    session.handle(at(50), encoded(1, 49));
    allowed(&mut session);
    session.handle(at(50), Input::Lost);
    let rest = outputs(&mut session);
    assert!(
        matches!(
            rest[..],
            [Output::Sent(Sent { left: 1, .. }), Output::End(End::Lost)]
        ),
        "{rest:?}"
    );
    let counts = session.counts();
    assert_eq!((counts.frames_sent, counts.frames_skipped), (1, 1));
}

#[test]
fn frames_that_come_when_nothing_is_sent_any_more_are_skipped() {
    let mut session = streaming();
    // The receiver says no more: the reason comes with the end of the connection.
    session.handle(at(10), Input::ControlEnd);
    session.handle(at(20), encoded(0, 15));
    let discard = Output::Discard {
        number: 0,
        skip: None,
    };
    assert_eq!(outputs(&mut session), [discard]);
    session.handle(at(30), Input::Lost);
    let counts = session.counts();
    assert_eq!((counts.frames_sent, counts.frames_skipped), (0, 1));
}
