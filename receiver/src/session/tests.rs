//! A whole session in virtual time, over a link that loses, reorders and repeats datagrams.

use proptest::prelude::*;
use raq_shared::codebook::CodebookDigest;
use raq_shared::frame::FrameSize;
use raq_shared::interleave::Interleave;
use raq_shared::packing::pack;
use raq_shared::video::{ChromaSiting, ColourRange, Fraction, FrameRate};
use raq_shared::wire::datagram::Header;

use super::*;

const SIZE: (u32, u32) = (100, 60);
const FRAME: Duration = Duration::from_millis(40);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn codebook(seed: i16) -> Arc<Codebook> {
    let rows = (0..256 * 4).map(|i| (i % 97) as i16 - 48 + seed).collect();
    Arc::new(Codebook::new(4, rows).unwrap())
}

fn settings() -> Settings {
    Settings {
        model_id: ModelId([7; 32]),
        model_name: "base".to_owned(),
        codebook: codebook(0),
        codeword_limit: 200,
        max_width: 640,
        max_height: 480,
    }
}

fn video() -> VideoFormat {
    VideoFormat {
        width: SIZE.0,
        height: SIZE.1,
        frame_rate: FrameRate::new(25, 1).unwrap(),
        aspect: Fraction::new(1, 1),
        chroma_siting: ChromaSiting::Jpeg,
        colour_range: ColourRange::Full,
    }
}

fn hello() -> Hello {
    Hello {
        protocol: PROTOCOL_VERSION,
        program: Text::new("raq-send test"),
        model_id: ModelId([7; 32]),
        model_name: Text::new("base"),
        codebook_digest: codebook(0).digest(),
        video: video(),
    }
}

fn message(message: &Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    wire::encode_message(message, &mut bytes).unwrap();
    bytes
}

fn greeting(hello: Hello) -> Vec<u8> {
    let mut bytes = Vec::new();
    wire::encode_preface(&mut bytes);
    bytes.extend(message(&Message::Hello(hello)));
    bytes
}

/// The index that the test sender gives to a position.
fn index(frame: u32, position: usize, codewords: u16) -> u16 {
    ((frame as usize * 31 + position * 7) % usize::from(codewords)) as u16
}

/// The datagrams of a frame.
fn datagrams(frame: u32, codewords: u16, count: u8) -> Vec<Vec<u8>> {
    let grid = FrameSize::new(SIZE.0, SIZE.1).unwrap().grid();
    let spread = Interleave::new(grid, count);
    let one = |at: u8| {
        let header = Header {
            codewords,
            frame: frame as u16,
            capture_us: frame * 40_000,
            send_delay: 0,
            index: at,
            count,
        };
        let mut bytes = header.encode().to_vec();
        let indices = spread
            .positions(at.into())
            .map(|p| index(frame, p, codewords));
        pack(indices, codewords.into(), &mut bytes);
        bytes
    };
    (0..count).map(one).collect()
}

/// Everything that the session wants done now.
fn outputs(session: &mut Session) -> Vec<Output> {
    std::iter::from_fn(|| session.poll_output()).collect()
}

/// The control messages among outputs, and the other outputs.
fn split(outputs: Vec<Output>) -> (Vec<Message>, Vec<Output>) {
    let (mut messages, mut rest) = (Vec::new(), Vec::new());
    for output in outputs {
        match output {
            Output::Control(bytes) if bytes.len() == 2 => {
                assert_eq!(bytes, PROTOCOL_VERSION.to_be_bytes());
            }
            Output::Control(bytes) => messages.push(wire::decode_message(&bytes[4..]).unwrap()),
            other => rest.push(other),
        }
    }
    (messages, rest)
}

/// A session that has said Welcome.
fn streaming() -> Session {
    let mut session = Session::new(settings(), ms(0));
    session.handle(ms(1), Input::Control(&greeting(hello())));
    let (messages, rest) = split(outputs(&mut session));
    assert_eq!(messages, []);
    assert_eq!(rest, [Output::Prepare(video())]);
    session.handle(ms(2), Input::Prepared);
    let (messages, rest) = split(outputs(&mut session));
    assert_eq!(
        messages,
        [Message::Welcome {
            codebook: CodebookOffer::Same
        }]
    );
    assert_eq!(
        rest,
        [Output::Codebook {
            codebook: codebook(0),
            shipped: false
        }]
    );
    session
}

/// The frames among outputs; each checked against what was sent.
fn frames(outputs: Vec<Output>) -> Vec<ReceivedFrame> {
    let frames: Vec<_> = outputs
        .into_iter()
        .filter_map(|output| match output {
            Output::Frame(frame) => Some(frame),
            _ => None,
        })
        .collect();
    for frame in &frames {
        for (position, &got) in frame.indices.iter().enumerate() {
            let sent = index(frame.number, position, frame.codewords);
            assert!(
                got == crate::assembly::MISSING || got == sent,
                "position {position}"
            );
        }
    }
    frames
}

fn end(session: &mut Session) -> End {
    let (_, rest) = split(outputs(session));
    match rest.into_iter().next_back() {
        Some(Output::End(end)) => end,
        other => panic!("not at the end: {other:?}"),
    }
}

#[test]
fn frames_arrive_and_the_session_ends_in_good_order() {
    let mut session = streaming();
    let mut received = Vec::new();
    for frame in 0..30 {
        for datagram in datagrams(frame, 64, 5) {
            session.handle(FRAME * frame + ms(10), Input::Datagram(&datagram));
        }
        received.extend(frames(outputs(&mut session)));
    }
    assert_eq!(received.len(), 30);
    assert!(received.iter().all(ReceivedFrame::is_complete));
    assert!(
        received
            .iter()
            .zip(0..)
            .all(|(frame, number)| frame.number == number)
    );
    let bye = message(&Message::Bye { frames_sent: 30 });
    session.handle(ms(2000), Input::Control(&bye));
    assert_eq!(outputs(&mut session), [Output::Drain { frames_sent: 30 }]);
    session.handle(ms(2010), Input::ControlEnd);
    session.handle(ms(2020), Input::Drained { frames_decoded: 30 });
    let (messages, rest) = split(outputs(&mut session));
    assert_eq!(messages, [Message::Done { frames_decoded: 30 }]);
    assert_eq!(rest, [Output::End(End::Done)]);
    assert_eq!(session.deadline(), None);
}

#[test]
fn control_bytes_may_come_one_by_one() {
    let mut session = Session::new(settings(), ms(0));
    for byte in greeting(hello()) {
        session.handle(ms(1), Input::Control(&[byte]));
    }
    let (_, rest) = split(outputs(&mut session));
    assert_eq!(rest, [Output::Prepare(video())]);
}

#[test]
fn any_one_datagram_makes_a_frame() {
    for alone in 0..5 {
        let mut session = streaming();
        session.handle(ms(10), Input::Datagram(&datagrams(0, 16, 5)[alone]));
        assert_eq!(outputs(&mut session), []);
        let due = session.deadline().unwrap();
        session.handle(due, Input::Timeout);
        let [frame] = &frames(outputs(&mut session))[..] else {
            panic!("one frame")
        };
        assert_eq!((frame.datagrams_received, frame.datagrams_expected), (1, 5));
        let got = frame
            .indices
            .iter()
            .filter(|&&i| i != crate::assembly::MISSING)
            .count();
        assert!(got > 0 && got < frame.indices.len());
    }
}

#[test]
fn a_late_datagram_does_not_hold_up_a_newer_frame() {
    let mut session = streaming();
    let (old, new) = (datagrams(0, 16, 5), datagrams(1, 16, 5));
    for datagram in &old[..4] {
        session.handle(ms(10), Input::Datagram(datagram));
    }
    for datagram in &new {
        session.handle(ms(20), Input::Datagram(datagram));
    }
    let received = frames(outputs(&mut session));
    assert_eq!(
        received.iter().map(|f| f.number).collect::<Vec<_>>(),
        [0, 1]
    );
    assert_eq!(received[0].datagrams_received, 4);
    session.handle(ms(30), Input::Datagram(&old[4]));
    session.handle(ms(30), Input::Datagram(&new[4]));
    assert_eq!(outputs(&mut session), []);
    assert_eq!(session.counts().stale, 2);
}

#[test]
fn datagrams_may_trail_behind_the_bye() {
    let mut session = streaming();
    let sent = datagrams(0, 16, 3);
    let bye = message(&Message::Bye { frames_sent: 1 });
    session.handle(ms(10), Input::Control(&bye));
    session.handle(ms(10), Input::ControlEnd);
    assert_eq!(outputs(&mut session), []);
    for datagram in &sent {
        session.handle(ms(30), Input::Datagram(datagram));
    }
    let received = outputs(&mut session);
    assert_eq!(received[1], Output::Drain { frames_sent: 1 });
    assert!(frames(received)[0].is_complete());
}

#[test]
fn a_lost_tail_is_not_waited_for_long() {
    let mut session = streaming();
    let bye = message(&Message::Bye { frames_sent: 3 });
    session.handle(ms(10), Input::Control(&bye));
    let due = session.deadline().unwrap();
    assert!(due <= ms(500));
    session.handle(due, Input::Timeout);
    assert_eq!(outputs(&mut session), [Output::Drain { frames_sent: 3 }]);
}

#[test]
fn a_forged_total_is_refused() {
    for frames_sent in [u32::MAX, 20_000] {
        let mut session = streaming();
        session.handle(
            ms(10),
            Input::Control(&message(&Message::Bye { frames_sent })),
        );
        assert_eq!(outputs(&mut session), [Output::Drain { frames_sent: 0 }]);
        session.handle(ms(11), Input::Drained { frames_decoded: 0 });
        assert!(matches!(end(&mut session), End::Broken(_)));
    }
}

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
        codebook: codebook(1),
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
    let mut session = wants_codebook(codebook(0).digest());
    // A frame that overtakes the codebook waits for it.
    for datagram in datagrams(0, 16, 3) {
        session.handle(ms(3), Input::Datagram(&datagram));
    }
    assert_eq!(outputs(&mut session), []);
    for piece in shipment::encode(&codebook(0)).chunks(700) {
        session.handle(ms(4), Input::Codebook(piece));
    }
    assert_eq!(outputs(&mut session), []);
    session.handle(ms(5), Input::CodebookEnd);
    let all = outputs(&mut session);
    assert_eq!(
        all[0],
        Output::Codebook {
            codebook: codebook(0),
            shipped: true
        }
    );
    assert!(frames(all)[0].is_complete());
}

#[test]
fn codebooks_that_are_not_what_hello_said_are_refused() {
    let good = shipment::encode(&codebook(0));
    let mut wild = good.clone();
    wild[8..10].copy_from_slice(&300i16.to_le_bytes());
    let mut flipped = good.clone();
    flipped[8] ^= 1;
    let short = good[..good.len() - 2].to_vec();
    for bytes in [wild, flipped, short, Vec::new()] {
        let mut session = wants_codebook(codebook(0).digest());
        session.handle(ms(4), Input::Codebook(&bytes));
        session.handle(ms(5), Input::CodebookEnd);
        assert!(matches!(end(&mut session), End::Broken(_)));
    }
    // Too long is noticed before it is kept.
    let mut session = wants_codebook(codebook(0).digest());
    session.handle(ms(4), Input::Codebook(&good));
    session.handle(ms(5), Input::Codebook(&[0]));
    assert!(matches!(end(&mut session), End::Broken(_)));
    // Unasked for.
    let mut session = streaming();
    session.handle(ms(4), Input::Codebook(&good));
    session.handle(ms(5), Input::Drained { frames_decoded: 0 });
    assert!(matches!(end(&mut session), End::Broken(_)));
    // Never sent.
    let mut session = wants_codebook(codebook(0).digest());
    let due = session.deadline().unwrap();
    session.handle(due, Input::Timeout);
    assert!(matches!(end(&mut session), End::Broken(_)));
}

#[test]
fn what_came_before_the_connection_was_lost_is_kept() {
    let mut session = streaming();
    session.handle(ms(10), Input::Datagram(&datagrams(2, 16, 4)[1]));
    session.handle(ms(11), Input::Lost);
    let all = outputs(&mut session);
    assert_eq!(all[1], Output::Drain { frames_sent: 3 });
    assert_eq!(frames(all)[0].number, 2);
    session.handle(ms(12), Input::Drained { frames_decoded: 1 });
    let (messages, rest) = split(outputs(&mut session));
    assert_eq!(messages, [], "nobody is there to hear Done");
    assert_eq!(rest, [Output::End(End::Lost)]);
}

#[test]
fn the_busy_reply_is_a_whole_answer() {
    let bytes = busy_reply();
    assert_eq!(bytes[..2], PROTOCOL_VERSION.to_be_bytes());
    assert_eq!(
        wire::decode_message(&bytes[6..]).unwrap(),
        Message::Refuse(Refusal::Busy)
    );
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
    /// and with exactly the indices that were sent.
    #[test]
    fn a_bad_link_costs_positions_but_never_order(
        fates in fates(), count in 1u8..6, codewords in 1u16..=256,
    ) {
        let mut session = streaming();
        let mut arrivals: Vec<(Duration, u32, Vec<u8>)> = Vec::new();
        let mut fates = fates.iter().cycle();
        for frame in 0..20 {
            for datagram in datagrams(frame, codewords, count) {
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
        let mut received: Vec<ReceivedFrame> = Vec::new();
        for (at, _, datagram) in &arrivals {
            while let Some(due) = session.deadline().filter(|due| due <= at) {
                session.handle(due, Input::Timeout);
                received.extend(frames(outputs(&mut session)));
            }
            session.handle(*at, Input::Datagram(datagram));
            received.extend(frames(outputs(&mut session)));
            // Buffers circulate as in the driver.
            if let Some(frame) = received.last() {
                session.recycle(frame.clone());
            }
        }
        session.handle(ms(5000), Input::Control(&message(&Message::Bye { frames_sent: 20 })));
        received.extend(frames(outputs(&mut session)));
        session.handle(ms(6000), Input::Timeout);
        received.extend(frames(outputs(&mut session)));
        prop_assert!(received.windows(2).all(|pair| pair[0].number < pair[1].number));
        let counts = session.counts();
        prop_assert_eq!(counts.frames as usize, received.len());
        prop_assert_eq!(counts.datagrams as usize, arrivals.len());
        let used: u64 = received.iter().map(|f| u64::from(f.datagrams_received)).sum();
        prop_assert_eq!(used + counts.stale + counts.duplicates, counts.datagrams);
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

    /// Headers that are well formed but forged, with payloads of the right length.
    #[test]
    fn forged_headers_never_panic(
        forged in prop::collection::vec(
            (1u16..=4096, any::<u16>(), any::<u32>(), 1u8..=255, any::<u8>(), 0u64..50), 0..80),
    ) {
        let grid = FrameSize::new(SIZE.0, SIZE.1).unwrap().grid();
        let mut session = streaming();
        let mut now = ms(10);
        let mut last = None;
        for (codewords, frame, capture_us, count, at, wait) in forged {
            now += ms(wait);
            let index = at % count;
            let header = Header { codewords, frame, capture_us, send_delay: 0, index, count };
            let mut bytes = header.encode().to_vec();
            let positions = Interleave::new(grid, count).len(index.into());
            pack(std::iter::repeat_n(0, positions), codewords.into(), &mut bytes);
            session.handle(now, Input::Datagram(&bytes));
            for output in outputs(&mut session) {
                if let Output::Frame(frame) = output {
                    prop_assert!(last.is_none_or(|last| last < frame.number));
                    prop_assert!(frame.codewords <= 256);
                    last = Some(frame.number);
                }
            }
        }
    }
}

fn frames_count(session: &mut Session) -> usize {
    outputs(session)
        .iter()
        .filter(|output| matches!(output, Output::Frame(_)))
        .count()
}
