use bytes::BytesMut;
use raq_shared::codebook::Codebook;
use raq_shared::stage::MAX_STAGES;
use raq_shared::video::{ChromaSiting, ColourRange, Fraction, FrameRate};
use raq_shared::wire::datagram::MAX_JUMP;
use raq_shared::wire::report::{Audit, Closed, FrameReport, Report};

use super::*;
use crate::closings::Closings;
use crate::frame_coder::Allowance;

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
        latency: at(100),
        fec: Fec::Off,
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
fn a_frame_is_coded_given_out_and_counted() {
    let mut session = streaming();
    session.handle(at(40), encoded(0, 33, 1000));
    let allowance = allowed(&mut session);
    code(&mut session, 50, &[b"one", b"three"]);
    let sent = Sent {
        number: 0,
        captured: at(33),
        level: 50,
        codewords: CODEWORDS,
        budget: allowance.bytes as u64,
        datagrams: 2,
        left: 2,
        bytes: 8,
    };
    assert_eq!(outputs(&mut session), [datagram(0, 0, b"one")]);
    assert_eq!(session.counts().frames_sent, 0);
    // 3 and 64 bytes at twice the estimate.
    let then = at(50) + Duration::from_micros(67 * 8 / 2);
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
        ..path(1)
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
    assert!(matches!(all[2..], [Output::Sent(_)]));
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
    session.handle(at(10), encoded(0, 10, 50));
    allowed(&mut session);
    // At twice the estimate 36 and 64 bytes take 8 ms, 1186 and 64 bytes 100 ms.
    code(&mut session, 12, &[&[0; 36], &[0; 1186], &[0; 36]]);
    outputs(&mut session);
    let done = left(until(&mut session, 800));
    assert_eq!(done, [(110, 0, 2)], "100 ms after its capture");
    let counts = session.counts();
    assert_eq!((counts.frames_sent, counts.bytes), (1, 1222));
    assert_eq!((counts.frames_skipped, counts.datagrams_dropped), (0, 1));
    assert_eq!(session.deadline(), None);
}

#[test]
fn a_frame_that_never_leaves_counts_as_skipped() {
    let mut session = streaming();
    for number in 0..2 {
        session.handle(at(10 + 34 * u64::from(number)), encoded(number, 10, 50));
        allowed(&mut session);
    }
    code(&mut session, 45, &[&[0; 1186]]);
    outputs(&mut session);
    code(&mut session, 46, &[b"never"]);
    assert_eq!(left(until(&mut session, 800)), [(110, 1, 0)]);
    let counts = session.counts();
    assert_eq!((counts.frames_sent, counts.frames_skipped), (1, 1));
}

#[test]
fn a_frame_coded_late_still_has_a_frame_time_to_leave() {
    let mut session = streaming();
    session.handle(at(10), encoded(0, 10, 50));
    allowed(&mut session);
    code(&mut session, 300, &[b"late", &[0; 1186], b"too late"]);
    assert_eq!(outputs(&mut session), [datagram(0, 0, b"late")]);
    assert_eq!(left(until(&mut session, 800)), [(333, 0, 2)]);
}

#[test]
fn nothing_leaves_while_quic_has_no_room() {
    let mut session = streaming();
    session.handle(at(10), encoded(0, 10, 1000));
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
    session.handle(at(10), encoded(0, 10, 100));
    allowed(&mut session);
    code(&mut session, 12, &[&[0; 1000][..]; 3]);
    outputs(&mut session);
    // 2000 bytes take 160 ms.
    session.handle(at(13), encoded(1, 13, 100));
    assert_eq!(
        outputs(&mut session),
        [Output::Discard {
            number: 1,
            skip: None
        }]
    );
}

#[test]
fn a_frame_without_room_counts_as_skipped() {
    let mut session = streaming();
    session.handle(at(40), encoded(0, 33, 1000));
    allowed(&mut session);
    code(&mut session, 50, &[]);
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
    session.handle(at(205), encoded(0, 205, 1000));
    session.handle(at(305), encoded(3, 305, 1000));
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
        assert_eq!(
            outputs(&mut session),
            [Output::Discard { number, skip: None }]
        );
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
fn a_stop_ends_like_the_end_of_the_source() {
    let mut session = streaming();
    session.handle(at(10), Input::Stop);
    assert_eq!(outputs(&mut session), [Output::StopSource]);
    session.handle(at(11), encoded(0, 10, 1000));
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
        session.handle(at(10 + 34 * u64::from(number)), encoded(number, 10, 1000));
        allowed(&mut session);
    }
    code(&mut session, 45, &[b"here"]);
    session.handle(at(46), Input::SourceEnd { next: 2 });
    outputs(&mut session);
    let deadline = session.deadline().unwrap();
    session.handle(deadline, Input::Timeout);
    assert_eq!(outputs(&mut session), [Output::Flush]);
    code(&mut session, 9000, &[b"far too late"]);
    assert_eq!(outputs(&mut session), []);
}

#[test]
fn nothing_leaves_after_the_end() {
    let mut session = streaming();
    session.handle(at(10), encoded(0, 10, 50));
    allowed(&mut session);
    code(&mut session, 12, &[&[0; 500][..]; 3]);
    outputs(&mut session);
    session.handle(at(13), Input::Lost);
    assert_eq!(end_of(&mut session), End::Lost);
    assert_eq!(session.deadline(), None);
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
