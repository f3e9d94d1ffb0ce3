use raq_shared::codebook::Codebook;
use raq_shared::tile::scene::Arrivals;
use raq_shared::video::{ChromaSiting, ColourRange, Fraction, FrameRate};
use raq_shared::wire::report::{Audit, FrameReport};

use super::*;

const CODEWORDS: [u16; MAX_STAGES] = [9; MAX_STAGES];

fn settings() -> Settings {
    let codebook = Codebook::new(2, (0..8192).map(|i| i as i16).collect()).unwrap();
    Settings {
        program: "test".into(),
        model_id: ModelId([1; 32]),
        model_name: "base".into(),
        codebooks: Arc::new(codebook.into()),
        video: VideoFormat {
            width: 640,
            height: 360,
            frame_rate: FrameRate::new(30, 1).unwrap(),
            aspect: Fraction::new(1, 1),
            chroma_siting: ChromaSiting::Mpeg2,
            colour_range: ColourRange::Limited,
        },
        max_rate: None,
    }
}

fn path(kilobits: u64) -> Path {
    let estimate = Bitrate::from_kilobits_per_second(kilobits);
    Path {
        estimate,
        queued: 0,
        max_datagram: 1162,
        budget: None,
    }
}

fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
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

/// What the receiver says to be welcome.
fn welcome(codebook: CodebookOffer) -> Vec<u8> {
    [vec![0, 1], bytes(&Message::Welcome { codebook })].concat()
}

fn streaming() -> Session {
    let mut session = session();
    session.handle(at(1), Input::Control(&welcome(CodebookOffer::Same)));
    assert_eq!(outputs(&mut session).pop(), Some(Output::Start));
    session
}

fn encoded(number: u32, millis: u64, kilobits: u64) -> Input<'static> {
    Input::Encoded {
        number,
        captured: at(millis),
        path: path(kilobits),
    }
}

fn end_of(session: &mut Session) -> End {
    match outputs(session).pop() {
        Some(Output::End(end)) => end,
        other => panic!("{other:?} instead of the end"),
    }
}

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

fn coded(datagrams: &[Bytes]) -> Input<'_> {
    Input::Coded {
        datagrams,
        level: 50,
        codewords: CODEWORDS,
    }
}

/// The allowance that a frame is given now.
fn allowed(session: &mut Session) -> Allowance {
    match outputs(session)[..] {
        [Output::Code { allowance, .. }] => allowance,
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn a_frame_is_coded_given_out_and_counted() {
    let mut session = streaming();
    session.handle(at(40), encoded(0, 33, 1000));
    let allowance = allowed(&mut session);
    let datagrams = [Bytes::from_static(b"one"), Bytes::from_static(b"three")];
    session.handle(at(50), coded(&datagrams));
    let sent = Sent {
        number: 0,
        captured: at(33),
        level: 50,
        codewords: CODEWORDS,
        budget: allowance.bytes as u64,
        datagrams: 2,
        bytes: 8,
    };
    let [one, three] = datagrams.map(Output::Datagram);
    assert_eq!(outputs(&mut session), [one, three, Output::Sent(sent)]);
    let counts = session.counts();
    assert_eq!((counts.frames_sent, counts.bytes), (1, 8));
}

#[test]
fn a_frame_without_room_counts_as_skipped() {
    let mut session = streaming();
    session.handle(at(40), encoded(0, 33, 1000));
    allowed(&mut session);
    session.handle(at(50), coded(&[]));
    assert_eq!(outputs(&mut session), []);
    let counts = session.counts();
    assert_eq!((counts.frames_sent, counts.frames_skipped), (0, 1));
}

#[test]
fn the_allowance_follows_the_estimate() {
    let mut session = streaming();
    let mut bytes = |number: u32, kilobits| {
        let due = u64::from(number) * 33;
        session.handle(at(due), encoded(number, due, kilobits));
        allowed(&mut session).bytes
    };
    let rising: Vec<usize> = (0..6)
        .map(|n| bytes(n, [200, 400, 700, 1000, 1400, 9000][n as usize]))
        .collect();
    assert!(rising.is_sorted() && rising[0] < rising[5], "{rising:?}");
    assert!(bytes(6, 200) <= 2 * rising[0] + 100, "down at once");
}

#[test]
fn reports_go_to_the_coder_and_nothing_else_does() {
    let mut session = streaming();
    let report = Report {
        newest: 3,
        frames: vec![FrameReport {
            count: 1,
            arrived: Arrivals::default(),
        }],
        audit: Audit {
            tile: 1,
            fingerprint: 2,
        },
    };
    let mut bytes = Vec::new();
    report.encode(&mut bytes);
    session.handle(at(10), Input::Datagram(&bytes));
    assert_eq!(outputs(&mut session), [Output::Report(report)]);
    for end in 0..bytes.len() {
        session.handle(at(10), Input::Datagram(&bytes[..end]));
    }
    assert_eq!(outputs(&mut session), []);
    let counts = session.counts();
    assert_eq!((counts.reports, counts.malformed), (1, bytes.len() as u64));
}

#[test]
fn a_backlog_skips_and_the_total_says_so() {
    let mut session = streaming();
    let behind = Path {
        queued: 50_000,
        ..path(1000)
    };
    for number in 0..5 {
        let input = Input::Encoded {
            number,
            captured: at(0),
            path: behind,
        };
        session.handle(at(u64::from(number) * 33), input);
        assert_eq!(outputs(&mut session), [Output::Discard { number }]);
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
        session.handle(at(u64::from(number) * 33), encoded(number, 0, 0));
        match outputs(&mut session)[..] {
            [Output::Discard { .. }] => {}
            [Output::Code { number, allowance }] => {
                assert!(allowance.bytes < 200, "there is no estimate to spend");
                assert!(number - last <= MAX_JUMP);
                last = number;
            }
            ref other => panic!("{other:?}"),
        }
    }
    assert!(last > 20_000);
}

#[test]
fn what_is_under_way_is_sent_before_the_bye() {
    let mut session = streaming();
    session.handle(at(10), encoded(0, 5, 1000));
    session.handle(at(11), Input::SourceEnd { next: 1 });
    allowed(&mut session);
    session.handle(at(20), coded(&[Bytes::from_static(b"frame")]));
    let given = outputs(&mut session);
    assert_eq!(given.last(), Some(&Output::Flush));
    assert!(matches!(given[given.len() - 2], Output::Sent(_)));
    session.handle(at(30), Input::Flushed);
    let bye = bytes(&Message::Bye { frames_sent: 1 });
    assert_eq!(outputs(&mut session), [Output::Control(bye)]);
    let done = bytes(&Message::Done { frames_decoded: 1 });
    session.handle(at(40), Input::Control(&done));
    assert_eq!(outputs(&mut session), [Output::End(End::Done)]);
    assert_eq!(session.deadline(), None);
}

#[test]
fn a_stop_ends_like_the_end_of_the_source() {
    let mut session = streaming();
    session.handle(at(10), Input::Stop);
    assert_eq!(outputs(&mut session), [Output::StopSource]);
    session.handle(at(11), encoded(0, 10, 1000));
    assert_eq!(outputs(&mut session), [Output::Discard { number: 0 }]);
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
fn silence_ends_the_session() {
    let mut session = session();
    outputs(&mut session);
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
fn a_flood_of_reports_or_garbage_is_cut_off() {
    let report = Report {
        newest: 0,
        frames: vec![FrameReport::default()],
        audit: Audit {
            tile: 0,
            fingerprint: 0,
        },
    };
    let mut good = Vec::new();
    report.encode(&mut good);
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
    session.handle(at(1000), encoded(0, 990, 1000));
    allowed(&mut session);
    session.handle(at(1010), coded(&[Bytes::from_static(b"datagram")]));
    outputs(&mut session);
    let deadline = session.deadline().unwrap();
    assert_eq!(deadline, at(1010) + REPORT_PATIENCE);
    session.handle(deadline, Input::Timeout);
    assert!(matches!(end_of(&mut session), End::Silent(_)));
}
