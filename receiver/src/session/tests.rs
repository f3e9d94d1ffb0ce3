//! A whole session in virtual time.

use raq_shared::units::Bitrate;
use raq_shared::video::{ChromaSiting, ColourRange, Fraction, FrameRate};
use raq_shared::wire::report::Report;

use super::*;
use crate::assembly::ReceivedFrame;
use crate::sample::{self, codebooks, temporal};

mod bad_link;
mod handshake;

const SIZE: (u32, u32) = (100, 60);
const FRAME: Duration = Duration::from_millis(40);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Tiles of the video.
const GRID: TileGrid = TileGrid {
    columns: 4,
    rows: 2,
};

fn settings() -> Settings {
    Settings {
        model_id: ModelId([7; 32]),
        model_name: "base".to_owned(),
        codebooks: codebooks(0),
        temporal: temporal(&codebooks(0)),
        codeword_limit: 200,
        max_width: 640,
        max_height: 480,
        format: None,
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
        codebook_digest: codebooks(0).digest(),
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

/// The datagrams of a frame.
fn datagrams(frame: u32, count: u8) -> Vec<Vec<u8>> {
    sample::datagrams(GRID, frame, count)
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
        [Output::Codebooks {
            codebooks: codebooks(0),
            shipped: false
        }]
    );
    session
}

/// The reports among outputs.
fn reports(outputs: &[Output]) -> Vec<Report> {
    let reports = outputs.iter().filter_map(|output| match output {
        Output::Datagram(bytes) => Some(Report::parse(bytes).unwrap()),
        _ => None,
    });
    reports.collect()
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
        sample::check(GRID, frame);
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
        for datagram in datagrams(frame, 5) {
            session.handle(FRAME * frame + ms(10), Input::Datagram(&datagram));
        }
        let all = outputs(&mut session);
        let reports = reports(&all);
        assert_eq!(reports.len(), 1, "every closed frame is reported");
        assert_eq!(reports[0].closed.as_ref().unwrap().newest, frame as u16);
        assert_eq!(reports[0].number, frame as u8);
        let arrivals = if frame == 0 { 5 } else { 10 };
        assert_eq!(reports[0].arrivals.len(), arrivals);
        received.extend(frames(all));
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

/// Reports on 10 s of 30 frames a second in 4 datagrams each, 5 ms apart, of which one in `lost` gets
/// lost, and their bytes.
fn reporting(lost: usize) -> (usize, usize) {
    let mut session = streaming();
    let (mut count, mut bytes, mut sent) = (0, 0, 0);
    for frame in 0..300u32 {
        for (n, datagram) in (0..).zip(datagrams(frame, 4)) {
            sent += 1;
            let at = ms(10) + Duration::from_micros(33_333) * frame + ms(5) * n;
            while let Some(due) = session.deadline().filter(|&due| due <= at) {
                session.handle(due, Input::Timeout);
            }
            if sent % lost != 0 {
                session.handle(at, Input::Datagram(&datagram));
            }
            for output in outputs(&mut session) {
                match output {
                    Output::Datagram(report) => (count, bytes) = (count + 1, bytes + report.len()),
                    Output::Frame(frame) => session.recycle(frame),
                    other => panic!("{other:?}"),
                }
            }
        }
    }
    (count, bytes)
}

#[test]
fn reports_take_less_than_a_fiftieth_of_the_media() {
    // Of 500 kbit/s.
    let most = 500_000 / 8 * 10 / 50;
    let (count, bytes) = reporting(usize::MAX);
    assert_eq!(count, 300);
    assert!(bytes < most, "{bytes} of {most} bytes");
    let (count, bytes) = reporting(10);
    let mean = bytes as f64 / count as f64;
    assert!(mean < 45.0 && bytes < 2 * most, "{count} of {mean} bytes");
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
        session.handle(ms(10), Input::Datagram(&datagrams(0, 5)[alone]));
        assert_eq!(outputs(&mut session), []);
        session.set_backlog(1000);
        assert_eq!(session.deadline(), Some(ms(30)));
        session.handle(ms(30), Input::Timeout);
        let [report] = &reports(&outputs(&mut session))[..] else {
            panic!("one report")
        };
        assert_eq!((report.arrivals.len(), report.backlog), (1, 255));
        assert_eq!((&report.closed, report.echo.held), (&None, ms(20)));
        session.handle(session.deadline().unwrap(), Input::Timeout);
        let [frame] = &frames(outputs(&mut session))[..] else {
            panic!("one frame")
        };
        assert_eq!((frame.datagrams_received, frame.datagrams_expected), (1, 5));
        assert!((1..8).contains(&frame.concealed_tiles));
        assert!(sample::check(GRID, frame) > 0);
    }
}

#[test]
fn a_late_datagram_does_not_hold_up_a_newer_frame() {
    let mut session = streaming();
    let (old, new) = (datagrams(0, 5), datagrams(1, 5));
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
    let sent = datagrams(0, 3);
    let bye = message(&Message::Bye { frames_sent: 1 });
    session.handle(ms(10), Input::Control(&bye));
    session.handle(ms(10), Input::ControlEnd);
    assert_eq!(outputs(&mut session), []);
    for datagram in &sent {
        session.handle(ms(30), Input::Datagram(datagram));
    }
    let received = outputs(&mut session);
    let [
        Output::Frame(_),
        Output::Datagram(_),
        Output::Drain { frames_sent: 1 },
    ] = received[..]
    else {
        panic!("{received:?}")
    };
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
    for frames_sent in [u32::MAX, 70_000] {
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
fn what_came_before_the_connection_was_lost_is_kept() {
    let mut session = streaming();
    session.handle(ms(10), Input::Datagram(&datagrams(2, 4)[1]));
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
fn a_slow_output_does_not_change_how_the_session_ended() {
    for (input, expected) in [
        (Input::Lost, End::Lost),
        (Input::Superseded, End::Superseded),
        (Input::Stop, End::Stopped),
    ] {
        let mut session = streaming();
        session.handle(ms(11), input);
        outputs(&mut session);
        let due = session.deadline().unwrap();
        session.handle(due, Input::Timeout);
        assert_eq!(end(&mut session), expected);
    }
}

#[test]
fn a_sender_that_has_come_back_leaves_what_it_sent_before() {
    let mut session = Session::new(settings(), ms(0));
    session.handle(ms(1), Input::Superseded);
    assert_eq!(end(&mut session), End::Superseded);
    let mut session = streaming();
    for datagram in datagrams(0, 2) {
        session.handle(ms(5), Input::Datagram(&datagram));
    }
    session.handle(ms(6), Input::Superseded);
    let given = outputs(&mut session);
    assert!(matches!(
        given.last(),
        Some(Output::Drain { frames_sent: 1 })
    ));
    session.handle(ms(7), Input::Drained { frames_decoded: 1 });
    assert_eq!(end(&mut session), End::Superseded);
}

#[test]
fn what_the_sender_notes_is_kept_and_nothing_follows() {
    let mut session = streaming();
    assert_eq!(session.note(), None);
    let note = |kilobits| Note {
        estimate: Bitrate::from_kilobits_per_second(kilobits),
        target: Bitrate::from_kilobits_per_second(kilobits / 2),
    };
    for (at, kilobits) in [(10, 900), (1010, 300)] {
        session.handle(ms(at), Input::Datagram(&note(kilobits).encode()));
        assert_eq!(session.note(), Some(note(kilobits)));
    }
    let cut = &note(50).encode()[..6];
    session.handle(ms(1020), Input::Datagram(cut));
    assert_eq!(session.note(), Some(note(300)));
    assert_eq!(session.counts().malformed, 1);
    assert_eq!(outputs(&mut session), []);
}

#[test]
fn a_flood_of_garbage_is_cut_off() {
    let mut session = streaming();
    let datagram = datagrams(0, 1).remove(0);
    for number in 0..60_000 {
        let now = ms(1000 + number);
        session.handle(now, Input::Datagram(&[0x20, 1]));
        // Late and double ones are the network's doing.
        session.handle(now, Input::Datagram(&datagram));
        session.handle(now, Input::Datagram(&datagram));
    }
    assert!(
        frames(outputs(&mut session)).len() == 1,
        "a thousand a second"
    );
    for _ in 0..1001 {
        session.handle(ms(61_000), Input::Datagram(b""));
    }
    session.handle(ms(61_000), Input::Drained { frames_decoded: 1 });
    let End::Broken(reason) = end(&mut session) else {
        panic!()
    };
    assert!(reason.contains("1000 malformed"), "{reason}");
}

#[test]
fn an_output_that_takes_nothing_does_not_hold_the_session_for_ever() {
    // Stopped while streaming, and stopped while what came is being written.
    for bye_first in [false, true] {
        let mut session = streaming();
        if bye_first {
            let bye = message(&Message::Bye { frames_sent: 0 });
            session.handle(ms(10), Input::Control(&bye));
            assert_eq!(outputs(&mut session), [Output::Drain { frames_sent: 0 }]);
            assert_eq!(session.deadline(), None, "a slow reader is waited for");
        }
        session.handle(ms(20), Input::Stop);
        outputs(&mut session);
        let due = session.deadline().expect("patience ends");
        session.handle(due, Input::Timeout);
        assert_eq!(end(&mut session), End::Stopped);
    }
}
