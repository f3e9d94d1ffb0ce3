use std::sync::mpsc::{Receiver, channel, sync_channel};

use raq_shared::frame::FrameSize;
use raq_shared::stats::FrameDecoded;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::*;
use crate::options::Output;

const LATENCY: Duration = Duration::from_millis(100);
const HOUR: Duration = Duration::from_secs(3600);

/// A stage onto nothing, what it tells and the frames it gives back.
fn stage() -> (Stage, UnboundedReceiver<Event>, Receiver<Frame>) {
    let (spare, spares) = channel();
    let (sender, events) = unbounded_channel();
    let sink = Sink::open(&Output::Null).unwrap();
    let stage = Stage::new(sink, LATENCY, spare, sender, watch::channel(false).0);
    (stage, events, spares)
}

/// Frame `number`, captured when a thirtieth of a second's frames are, decoded at `ready`.
fn frame(number: u32, ready: Instant) -> Show {
    Show::Frame {
        capture: number * 333,
        ready,
        picture: Picture {
            frame: Frame::new(FrameSize::new(32, 32).unwrap()),
            record: FrameDecoded {
                frame: number,
                shown_unix_us: 7,
                playout_wait_ms: 0.0,
                late: false,
                superseded: false,
                level: 1,
                codewords: Vec::new(),
                datagrams_received: 1,
                datagrams_expected: 1,
                concealed_tiles: 0,
                decode_ms: 1.0,
            },
        },
    }
}

/// Number, whether it was shown, and when; -1 for the end of the session.
fn told(events: &mut UnboundedReceiver<Event>) -> Vec<(i64, bool, u64)> {
    std::iter::from_fn(|| events.try_recv().ok())
        .map(|event| match event {
            Event::Shown(it) => (it.frame.into(), !it.superseded, it.shown_unix_us),
            Event::Drained { .. } => (-1, true, 0),
            other => panic!("{other:?}"),
        })
        .collect()
}

const FINISH: Show = Show::Finish {
    frames_sent: 3,
    frames_decoded: 3,
};

#[test]
fn a_file_gets_every_frame_when_it_is_decoded() {
    let (stage, mut events, spares) = stage();
    let (shows, receiver) = sync_channel(9);
    let start = stage.start;
    for number in 0..3 {
        shows.send(frame(number, start + HOUR)).unwrap();
    }
    shows.send(FINISH).unwrap();
    drop(shows);
    stage.run(&receiver);
    let shown = [0, 1, 2].map(|number| (number, true, 7));
    assert_eq!(told(&mut events), [&shown[..], &[(-1, true, 0)]].concat());
    assert_eq!(spares.try_iter().count(), 3);
}

#[test]
fn of_frames_that_are_due_only_the_newest_comes_onto_a_screen() {
    let (mut stage, mut events, spares) = stage();
    stage.playout = Some(Playout::new(LATENCY));
    // Three came together, before its beginning; the last is yet to be due.
    for number in 0..3 {
        stage.take(frame(number, stage.start));
    }
    stage.take(frame(3, stage.start + HOUR));
    stage.start -= Duration::from_secs(1);
    stage.take(FINISH);
    stage.play();
    stage.finish();
    let told: Vec<_> = told(&mut events).iter().map(|it| (it.0, it.1)).collect();
    assert_eq!(told, [(0, false), (1, false), (2, true)]);
    assert_eq!(spares.try_iter().count(), 3);
}

#[test]
fn a_session_ends_after_the_frames_that_wait() {
    let (mut stage, mut events, _spares) = stage();
    stage.playout = Some(Playout::new(LATENCY));
    stage.take(frame(0, stage.start + HOUR));
    stage.take(FINISH);
    stage.play();
    stage.finish();
    assert!(told(&mut events).is_empty());
    stage.start -= 2 * HOUR;
    stage.play();
    stage.finish();
    let told: Vec<_> = told(&mut events).iter().map(|it| (it.0, it.1)).collect();
    assert_eq!(told, [(0, true), (-1, true)]);
}
