//! Who is let in, with which codebook, and who is refused.

use raq_shared::codebook::CodebookDigest;

use super::*;

#[test]
fn another_version_is_named_on_both_sides() {
    let mut session = Session::new(settings(), ms(0));
    session.handle(ms(1), Input::Control(&[0, 9, 1, 2, 3]));
    let all = outputs(&mut session);
    assert_eq!(
        all[0],
        Output::Control(PROTOCOL_VERSION.to_be_bytes().to_vec())
    );
    let [_, Output::End(End::Refused(reason))] = &all[..] else {
        panic!("{all:?}")
    };
    assert!(reason.contains("protocol 9, this program 1"), "{reason}");
}

#[test]
fn another_model_is_refused_with_both_named() {
    let mut session = Session::new(settings(), ms(0));
    let (model_id, model_name) = (ModelId([8; 32]), Text::new("night"));
    let other = Hello {
        model_id,
        model_name,
        ..hello()
    };
    session.handle(ms(1), Input::Control(&greeting(other)));
    let (messages, rest) = split(outputs(&mut session));
    let refusal = Refusal::Model {
        id: ModelId([7; 32]),
        name: Text::new("base"),
    };
    assert_eq!(messages, [Message::Refuse(refusal)]);
    let [Output::End(End::Refused(reason))] = &rest[..] else {
        panic!("{rest:?}")
    };
    for part in [
        "night (0808080808080808…)",
        "base (0707070707070707…)",
        "--model",
    ] {
        assert!(reason.contains(part), "{reason}");
    }
}

#[test]
fn too_large_frames_are_refused_before_anything_is_made() {
    for (width, height) in [(641, 1), (1, 481), (u32::MAX, u32::MAX), (0, 10)] {
        let mut session = Session::new(settings(), ms(0));
        let video = VideoFormat {
            width,
            height,
            ..video()
        };
        session.handle(ms(1), Input::Control(&greeting(Hello { video, ..hello() })));
        let (messages, rest) = split(outputs(&mut session));
        let refusal = Refusal::Size {
            max_width: 640,
            max_height: 480,
        };
        assert_eq!(messages, [Message::Refuse(refusal)]);
        assert!(matches!(rest[..], [Output::End(End::Refused(_))]));
    }
}

#[test]
fn another_format_than_that_of_the_file_is_refused() {
    for (width, refused) in [(SIZE.0, false), (SIZE.0 - 1, true)] {
        let only = Settings {
            format: Some(video()),
            ..settings()
        };
        let mut session = Session::new(only, ms(0));
        let video = VideoFormat { width, ..video() };
        session.handle(ms(1), Input::Control(&greeting(Hello { video, ..hello() })));
        let (messages, rest) = split(outputs(&mut session));
        if !refused {
            assert_eq!(
                (messages, &rest[..]),
                (vec![], &[Output::Prepare(video)][..])
            );
            continue;
        }
        let [Message::Refuse(Refusal::Format(text))] = &messages[..] else {
            panic!("{messages:?}")
        };
        assert!(text.as_str().contains("25 frames per second"), "{text}");
        assert!(matches!(rest[..], [Output::End(End::Refused(_))]));
    }
}

/// A session whose Hello fits and that waits for its place.
fn waiting() -> Session {
    let mut session = Session::new(settings(), ms(0));
    session.handle(ms(1), Input::Control(&greeting(hello())));
    let (_, rest) = split(outputs(&mut session));
    assert_eq!(rest, [Output::Prepare(video())]);
    session
}

#[test]
fn one_that_waits_for_its_place_can_still_be_refused() {
    let mut session = waiting();
    session.restrict(None);
    session.restrict(Some(video()));
    assert_eq!(outputs(&mut session), []);
    session.refuse_busy();
    let (messages, rest) = split(outputs(&mut session));
    assert_eq!(messages, [Message::Refuse(Refusal::Busy)]);
    assert!(matches!(rest[..], [Output::End(End::Refused(_))]));

    let mut session = waiting();
    let width = SIZE.0 - 1;
    session.restrict(Some(VideoFormat { width, ..video() }));
    let (messages, rest) = split(outputs(&mut session));
    assert!(matches!(
        messages[..],
        [Message::Refuse(Refusal::Format(_))]
    ));
    assert!(matches!(rest[..], [Output::End(End::Refused(_))]));
    session.refuse_busy();
    assert_eq!(outputs(&mut session), [], "it is over");
}

#[test]
fn messages_out_of_turn_end_the_session() {
    let wrong = [
        Message::Bye { frames_sent: 0 },
        Message::Done { frames_decoded: 0 },
        Message::Welcome {
            codebook: CodebookOffer::Same,
        },
        Message::Refuse(Refusal::Busy),
    ];
    for wrong in &wrong {
        let mut session = Session::new(settings(), ms(0));
        session.handle(ms(0), Input::Control(&PROTOCOL_VERSION.to_be_bytes()));
        session.handle(ms(0), Input::Control(&message(wrong)));
        assert!(matches!(end(&mut session), End::Broken(_)), "{wrong:?}");
    }
    let mut session = streaming();
    session.handle(ms(5), Input::Control(&message(&Message::Hello(hello()))));
    session.handle(ms(5), Input::Drained { frames_decoded: 0 });
    assert!(
        matches!(end(&mut session), End::Broken(_)),
        "a second Hello"
    );
    let mut session = streaming();
    session.handle(ms(5), Input::ControlEnd);
    session.handle(ms(5), Input::Drained { frames_decoded: 0 });
    assert!(matches!(end(&mut session), End::Broken(_)), "no Bye");
}

#[test]
fn a_silent_sender_is_let_go() {
    let mut session = Session::new(settings(), ms(0));
    let due = session.deadline().unwrap();
    session.handle(due - ms(1), Input::Timeout);
    assert_eq!(outputs(&mut session), []);
    session.handle(due, Input::Timeout);
    assert!(matches!(end(&mut session), End::Broken(_)));
}

/// A receiver whose regeneration went wrong takes the sender's codebook.
fn wants_codebook(digest: CodebookDigest) -> Session {
    let settings = Settings {
        codebooks: codebooks(1),
        temporal: temporal(&codebooks(1)),
        ..settings()
    };
    let mut session = Session::new(settings, ms(0));
    let hello = Hello {
        codebook_digest: digest,
        ..hello()
    };
    session.handle(ms(1), Input::Control(&greeting(hello)));
    outputs(&mut session);
    session.handle(ms(2), Input::Prepared);
    let (messages, rest) = split(outputs(&mut session));
    assert_eq!(
        messages,
        [Message::Welcome {
            codebook: CodebookOffer::Send
        }]
    );
    assert_eq!(rest, []);
    session
}

#[test]
fn an_unequal_codebook_is_taken_from_the_sender() {
    let mut session = wants_codebook(codebooks(0).digest());
    // What overtakes the codebooks cannot be decoded.
    for datagram in datagrams(0, 3) {
        session.handle(ms(3), Input::Datagram(&datagram));
    }
    assert_eq!(outputs(&mut session), []);
    for piece in shipment::encode(&codebooks(0)).chunks(700) {
        session.handle(ms(4), Input::Codebook(piece));
    }
    assert_eq!(outputs(&mut session), []);
    session.handle(ms(5), Input::CodebookEnd);
    let all = outputs(&mut session);
    assert_eq!(
        all[0],
        Output::Codebooks {
            codebooks: codebooks(0),
            shipped: true
        }
    );
    assert_eq!(all.len(), 1);
    for datagram in datagrams(1, 3) {
        session.handle(ms(6), Input::Datagram(&datagram));
    }
    // Checked against the sender's codebooks.
    let [frame] = &frames(outputs(&mut session))[..] else {
        panic!("one frame")
    };
    assert!(frame.is_complete());
}

#[test]
fn codebooks_that_are_not_what_hello_said_are_refused() {
    let good = shipment::encode(&codebooks(0));
    let mut wild = good.clone();
    wild[8..10].copy_from_slice(&300i16.to_le_bytes());
    let mut flipped = good.clone();
    flipped[8] ^= 1;
    let short = good[..good.len() - 2].to_vec();
    for bytes in [wild, flipped, short, Vec::new()] {
        let mut session = wants_codebook(codebooks(0).digest());
        session.handle(ms(4), Input::Codebook(&bytes));
        session.handle(ms(5), Input::CodebookEnd);
        assert!(matches!(end(&mut session), End::Broken(_)));
    }
    // Too long is noticed before it is kept.
    let mut session = wants_codebook(codebooks(0).digest());
    session.handle(ms(4), Input::Codebook(&good));
    session.handle(ms(5), Input::Codebook(&[0]));
    assert!(matches!(end(&mut session), End::Broken(_)));
    // Unasked for.
    let mut session = streaming();
    session.handle(ms(4), Input::Codebook(&good));
    session.handle(ms(5), Input::Drained { frames_decoded: 0 });
    assert!(matches!(end(&mut session), End::Broken(_)));
    // Never sent.
    let mut session = wants_codebook(codebooks(0).digest());
    let due = session.deadline().unwrap();
    let seconds = good.len() as f64 / f64::from(32 << 10);
    assert!(due > ms(10_000) + Duration::from_secs_f64(seconds));
    session.handle(due, Input::Timeout);
    assert!(matches!(end(&mut session), End::Broken(_)));
}
