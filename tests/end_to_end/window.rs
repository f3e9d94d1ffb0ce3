//! raq-recv's window, on a display without a screen.

use std::process::Command;

use raq_tests::{
    display::{Display, xdotool},
    sandbox::{PATIENCE, Sandbox, assert_error, interrupt},
    transfer::{Receiver, scene, start_sender},
    watched::{Watched, said},
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
    let mut send = scene(&sandbox, "320x240");
    send.args(["--frames", "30", "--codewords", "256"]);
    let send = start_sender(&mut send, recv.address);
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

/// Whether the upper left of a window of 320x240 pixels in the middle of the screen holds text on a dark
/// ground, sharp as no decoded picture is.
fn has_overlay(pixels: &[u32]) -> bool {
    let (left, top) = ((640 - 320) / 2, (480 - 240) / 2);
    let rows = pixels.chunks(640).skip(top + 4).take(80);
    let corner: Vec<u32> = rows
        .flat_map(|row| &row[left + 4..left + 180])
        .copied()
        .collect();
    let is_dark = |pixel: u32| pixel & 0xc0_c0c0 == 0;
    let count = |colour| corner.iter().filter(|&&pixel| pixel == colour).count();
    let (labels, values) = (count(0xa8_b4c4), count(0xff_ffff));
    let dark = corner.iter().filter(|&&pixel| is_dark(pixel)).count();
    labels > 200 && values > 200 && labels + values + dark == corner.len()
}

#[test]
fn keys_show_figures_save_a_picture_and_end() {
    let sandbox = Sandbox::new();
    if !xdotool() {
        return;
    }
    let Some(display) = Display::start(&sandbox) else {
        return;
    };
    let mut recv = sandbox.recv();
    recv.args(["--snapshot", "album", "--snapshot-interval", "1h"]);
    let mut recv = Receiver::start(recv.env("DISPLAY", display.name()));
    let mut send = scene(&sandbox, "320x240");
    let send = start_sender(send.arg("--no-reconnect"), recv.address);
    let (mut pressed, mut shown) = (false, false);
    let blank = display.colours();
    let send = send.finish_with(PATIENCE, || {
        if shown || display.colours() < blank + 100 {
            return;
        }
        if !std::mem::replace(&mut pressed, true) {
            assert!(!has_overlay(&display.pixels()));
            display.press("o");
        }
        shown = has_overlay(&display.pixels());
        if shown {
            display.press("s");
            let saved = |line: &str| line.contains("saved").then_some(());
            let waited = recv.program.wait_for("that it saved", PATIENCE, saved);
            waited.unwrap_or_else(|e| panic!("{e}"));
            display.press("q");
        }
    });
    assert!(shown, "the figures were never shown");
    assert_eq!(send.unwrap().code(), Some(4), "the receiver left");
    recv.finish().well().unwrap();
    // One by itself and one by hand.
    let album = std::fs::read_dir(sandbox.path("album")).unwrap();
    assert_eq!(album.count(), 2);
}

/// Has another program do something with raq-recv's window.
fn with_window(display: &Display, action: &str) {
    let mut command = Command::new("xdotool");
    command.args(["search", "--name", "raq-recv", action]);
    let status = command.env("DISPLAY", display.name()).status().unwrap();
    assert!(status.success(), "xdotool ends with {status}");
}

#[test]
fn the_end_of_the_display_leaves_the_other_outputs() {
    let sandbox = Sandbox::new();
    let Some(display) = Display::start(&sandbox) else {
        return;
    };
    let mut recv = sandbox.recv();
    recv.args(["--output", "window", "--output", "clip.y4m"]);
    let mut recv = Watched::start(recv.env("DISPLAY", display.name()));
    let mut send = scene(&sandbox, "320x240");
    let send = start_sender(&mut send, recv.receiver.address);
    recv.frames(3);
    drop(display);
    said(&mut recv.receiver.program, "the other outputs go on");
    recv.frames(5);
    interrupt(&send);
    send.finish(PATIENCE).unwrap().well().unwrap();
    let recv = recv.receiver.finish();
    assert_error(&recv, 1, &["cannot show a frame", "the display has ended"]);
    assert!(std::fs::metadata(sandbox.path("clip.y4m")).unwrap().len() > 8 * 320 * 240);
}

#[test]
fn the_end_of_the_display_is_noticed_while_nobody_sends() {
    let sandbox = Sandbox::new();
    let Some(display) = Display::start(&sandbox) else {
        return;
    };
    let recv = Receiver::start(sandbox.recv().env("DISPLAY", display.name()));
    drop(display);
    assert_error(&recv.finish(), 1, &["the display has ended"]);
}

#[test]
fn a_window_whose_display_has_ended_leaves_the_other_outputs_to_later_senders() {
    let sandbox = Sandbox::new();
    let Some(display) = Display::start(&sandbox) else {
        return;
    };
    let mut recv = sandbox.recv();
    recv.args(["--output", "window", "--output", "null"]);
    let mut recv = Receiver::start(recv.env("DISPLAY", display.name()));
    drop(display);
    said(&mut recv.program, "the other outputs go on");
    for _ in 0..2 {
        let mut send = scene(&sandbox, "64x48");
        let send = start_sender(send.args(["--frames", "5"]), recv.address);
        send.finish(PATIENCE).and_then(Ended::well).unwrap();
    }
    interrupt(&recv.program);
    assert_error(&recv.finish(), 1, &["the display has ended"]);
}

#[test]
fn a_window_that_another_program_closes_is_an_error_that_both_ends_tell() {
    let sandbox = Sandbox::new();
    if !xdotool() {
        return;
    }
    // One takes the window away, the other the connection to the display.
    for action in ["windowclose", "windowkill"] {
        let Some(display) = Display::start(&sandbox) else {
            return;
        };
        let recv = Receiver::start(sandbox.recv().env("DISPLAY", display.name()));
        let mut send = scene(&sandbox, "320x240");
        let send = start_sender(send.arg("--no-reconnect"), recv.address);
        let blank = display.colours();
        let mut closed = false;
        let send = send.finish_with(PATIENCE, || {
            if !closed && display.colours() > blank + 100 {
                with_window(&display, action);
                closed = true;
            }
        });
        let send = send.unwrap();
        assert!(closed, "it was never shown");
        assert_error(&send, 4, &["its window has gone"]);
        assert_error(
            &recv.finish(),
            1,
            &["another program has closed the window"],
        );
    }
}
