use std::fs::File;
use std::path::Path;

use raq_shared::y4m::Reader;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::super::stage::sample::{format, record};
use super::*;
use crate::present::Target;

fn file(path: &Path) -> Output {
    Output::Stream(Target::File {
        path: path.to_owned(),
        overwrite: false,
    })
}

struct Run {
    presenter: Presenter,
    presenting: Presenting,
    events: UnboundedReceiver<Event>,
}

fn run(outputs: &[Output]) -> Run {
    let (sender, events) = unbounded_channel();
    let stop = watch::channel(false).0;
    let figures = watch::channel(Figures::default()).1;
    let (presenter, presenting) = start(outputs, Duration::ZERO, &sender, &stop, &figures).unwrap();
    Run {
        presenter,
        presenting,
        events,
    }
}

impl Run {
    fn begin(&self) {
        self.presenter.begin(format(), Duration::ZERO);
    }

    /// Shows a frame whose pixels are its number.
    fn show(&mut self, number: u32) {
        let fill = |frame: &mut Frame| {
            frame.tensors_mut().0.fill(number as u8);
            Ok::<(), ()>(())
        };
        let size = FrameSize::new(32, 32).unwrap();
        let frame = self.presenter.fill(size, fill).unwrap();
        self.presenter.show(Shown {
            capture: 333 * number,
            ready: now(),
            frame,
            record: record(number),
        });
    }

    /// Numbers that were told, up to the end of the session.
    fn told(&mut self) -> Vec<u32> {
        let mut numbers = Vec::new();
        loop {
            match self.events.blocking_recv().unwrap() {
                Event::Shown { record, .. } => numbers.push(record.frame),
                Event::Drained { .. } => return numbers,
                other => panic!("{other:?}"),
            }
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "nothing here waits for its time")]
fn now() -> Instant {
    Instant::now()
}

fn lumas(path: &Path) -> Vec<u8> {
    let mut reader = Reader::new(File::open(path).unwrap()).unwrap();
    let mut frame = Frame::new(reader.size());
    let mut lumas = Vec::new();
    while reader.read(&mut frame).unwrap() {
        lumas.push(frame.luma_tensor()[0]);
    }
    lumas
}

#[test]
fn every_output_gets_every_frame_and_one_tells_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let paths = ["a.y4m", "b.y4m"].map(|name| dir.path().join(name));
    let mut run = run(&[file(&paths[0]), Output::Null, file(&paths[1])]);
    run.begin();
    (0..20).for_each(|number| run.show(number));
    run.presenter.finish(20, 20);
    assert_eq!(run.told(), Vec::from_iter(0..20));
    for path in &paths {
        assert_eq!(lumas(path), Vec::from_iter(0..20));
    }
    drop(run.presenter);
    run.presenting.join();
    assert_eq!(run.presenting.failure(), None);
}

#[test]
fn frames_are_filled_again_when_every_output_has_let_go() {
    let mut run = run(&[Output::Null]);
    let size = |side| FrameSize::new(side, side).unwrap();
    let mut fill = |side| {
        run.presenter
            .fill(size(side), |_| Ok::<(), ()>(()))
            .unwrap()
    };
    let (first, second) = (fill(32), fill(32));
    assert!(!Arc::ptr_eq(&first, &second), "it is in use");
    let place = Arc::as_ptr(&first);
    drop(first);
    assert_eq!(Arc::as_ptr(&fill(32)), place);
    let other = fill(64);
    assert_eq!(other.size(), size(64));
    drop((other, second));
    fill(64);
    assert_eq!(
        run.presenter.frames.len(),
        1,
        "nothing of another size is kept"
    );
}

/// A pipe that nobody reads: it takes 64 KiB, and a frame has 1.5.
#[test]
fn an_output_that_is_stuck_does_not_hold_up_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let (pipe, path) = (dir.path().join("pipe.y4m"), dir.path().join("file.y4m"));
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    // Open for reading, so that the writer gets past opening it.
    let reader = File::options().read(true).write(true).open(&pipe).unwrap();
    let stuck = Output::Stream(Target::File {
        path: pipe,
        overwrite: true,
    });
    let mut run = run(&[file(&path), stuck]);
    run.begin();
    let mut told = Vec::new();
    for number in 0..200 {
        run.show(number);
        // The file keeps up, as a decoder would let it.
        match run.events.blocking_recv().unwrap() {
            Event::Shown { record, .. } => told.push(record.frame),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(told, Vec::from_iter(0..200));
    drop(reader);
    run.presenter.finish(200, 200);
    run.told();
    assert_eq!(lumas(&path), Vec::from_iter(0..200));
}

#[test]
fn an_output_that_fails_leaves_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file.y4m");
    let full = Output::Stream(Target::File {
        path: "/dev/full".into(),
        overwrite: true,
    });
    let mut run = run(&[full, file(&path)]);
    run.begin();
    (0..9).for_each(|number| run.show(number));
    run.presenter.finish(9, 9);
    assert_eq!(run.told(), Vec::from_iter(0..9), "it still tells");
    assert_eq!(lumas(&path), Vec::from_iter(0..9));
    let failure = run.presenting.failure().unwrap();
    assert!(failure.message.contains("free space"), "{failure}");
}
