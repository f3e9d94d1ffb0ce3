use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use raq_shared::video::VideoFormat;

use super::sample::{format, picture_at};
use super::*;
use crate::figures::Figures;
use crate::options::{Output, Target};
use crate::present::mailbox::Full;

const LATENCY: Duration = Duration::from_millis(100);
const HOUR: Duration = Duration::from_secs(3600);

/// A stage onto nothing and what it tells.
fn stage() -> (Stage, UnboundedReceiver<Event>) {
    let (sender, events) = unbounded_channel();
    let sink = Sink::open(&Output::Null, watch::channel(Figures::default()).1).unwrap();
    let working = Arc::new(Working::new(1));
    let stage = Stage::new(
        sink,
        false,
        LATENCY,
        working,
        sender,
        watch::channel(false).0,
    );
    (stage, events)
}

fn frame(number: u32, ready: Instant) -> Show {
    Show::Frame(picture_at(number, ready))
}

fn finish() -> Show {
    Show::Finish {
        frames_sent: 3,
        finishing: Arc::new(Finishing::new(1, 3)),
    }
}

/// Number, whether it was shown, and when; -1 for the end of the session.
fn told(events: &mut UnboundedReceiver<Event>) -> Vec<(i64, bool, u64)> {
    std::iter::from_fn(|| events.try_recv().ok())
        .map(|event| match event {
            Event::Shown { record: it, .. } => (it.frame.into(), !it.superseded, it.shown_unix_us),
            Event::Drained { .. } => (-1, true, 0),
            other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn a_file_gets_every_frame_when_it_is_decoded() {
    let (stage, mut events) = stage();
    let mailbox = Mailbox::new(9);
    for number in 0..3 {
        mailbox.put(frame(number, stage.start + HOUR), Full::Wait);
    }
    mailbox.put(finish(), Full::Wait);
    mailbox.close();
    stage.run(&mailbox);
    let shown = [0, 1, 2].map(|number| (number, true, 7));
    assert_eq!(told(&mut events), [&shown[..], &[(-1, true, 0)]].concat());
}

#[test]
fn of_frames_that_are_due_only_the_newest_comes_onto_a_screen() {
    let (mut stage, mut events) = stage();
    stage.playout = Some(Playout::new(LATENCY));
    // Three came together, before its beginning; the last is yet to be due.
    for number in 0..3 {
        stage.take(frame(number, stage.start));
    }
    stage.take(frame(3, stage.start + HOUR));
    stage.start -= Duration::from_secs(1);
    stage.take(finish());
    stage.play();
    stage.finish();
    let told: Vec<_> = told(&mut events).iter().map(|it| (it.0, it.1)).collect();
    assert_eq!(told, [(0, false), (1, false), (2, true)]);
}

#[test]
fn a_session_ends_after_the_frames_that_wait() {
    let (mut stage, mut events) = stage();
    stage.playout = Some(Playout::new(LATENCY));
    stage.take(frame(0, stage.start + HOUR));
    stage.take(finish());
    stage.play();
    stage.finish();
    assert!(told(&mut events).is_empty());
    stage.start -= 2 * HOUR;
    stage.play();
    stage.finish();
    let told: Vec<_> = told(&mut events).iter().map(|it| (it.0, it.1)).collect();
    assert_eq!(told, [(0, true), (-1, true)]);
}

#[test]
fn only_one_output_tells_of_a_frame() {
    let (mut stage, mut events) = stage();
    let mut picture = picture_at(0, stage.start);
    picture.record = None;
    stage.take(Show::Frame(picture));
    assert!(told(&mut events).is_empty());
}

#[test]
fn an_output_that_has_failed_is_not_begun_again() {
    let (sender, mut events) = unbounded_channel();
    let folder = tempfile::tempdir().unwrap();
    let file = Output::Stream(Target::File {
        path: folder.path().join("a.y4m"),
        overwrite: false,
    });
    let sink = Sink::open(&file, watch::channel(Figures::default()).1).unwrap();
    let (working, stop) = (Arc::new(Working::new(2)), watch::channel(false).0);
    let mut stage = Stage::new(sink, false, LATENCY, working, sender, stop);
    let begin = |width| Show::Begin {
        format: VideoFormat { width, ..format() },
        gap: Duration::ZERO,
    };
    stage.take(begin(32));
    stage.take(frame(0, stage.start));
    for _ in 0..3 {
        // Another format than the file's.
        stage.take(begin(64));
        assert!(stage.failed);
        stage.take(finish());
        stage.finish();
    }
    while let Ok(event) = events.try_recv() {
        assert!(!matches!(event, Event::Failed(_)), "another one works");
    }
}
