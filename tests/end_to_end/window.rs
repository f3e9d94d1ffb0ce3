//! raq-recv's window, on a display without a screen.

use raq_tests::{
    display::Display,
    sandbox::{PATIENCE, Sandbox},
    transfer::{Receiver, start_sender},
};
use xtask::{program::Ended, stats};

#[test]
fn the_window_shows_the_video() {
    let sandbox = Sandbox::new();
    let Some(display) = Display::start(&sandbox) else {
        return;
    };
    let blank = display.colours();
    let mut recv = sandbox.recv();
    let stats = sandbox.path("stats.jsonl");
    recv.arg("--once").arg("--stats").arg(&stats);
    let recv = Receiver::start(recv.env("DISPLAY", display.name()));
    let mut send = sandbox.send();
    send.args([
        "--test-pattern",
        "motion",
        "--size",
        "320x240",
        "--fps",
        "10",
        "--frames",
        "30",
    ]);
    let send = start_sender(send.args(["--codewords", "256"]), recv.address);
    let mut most = blank;
    let send = send.finish_with(PATIENCE, || most = most.max(display.colours()));
    send.and_then(Ended::well).unwrap();
    recv.finish().well().unwrap();
    // The scene is not flat: hundreds of colours, where the empty screen has one.
    assert!(
        most > blank + 100,
        "at most {most} colours, {blank} without the window"
    );
    // Each decoded frame was shown in turn, or gave way.
    let (frames, summary) = stats::receiver(&stats).unwrap();
    assert_eq!(frames.len(), summary.frames_decoded as usize);
    let gone = frames.iter().filter(|frame| frame.superseded).count();
    assert_eq!(gone, summary.frames_superseded as usize);
    let shown: Vec<_> = frames.iter().filter(|frame| !frame.superseded).collect();
    assert!(!shown.is_empty() && shown.is_sorted_by(|a, b| a.frame < b.frame));
}
