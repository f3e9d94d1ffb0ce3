//! Several outputs of raq-recv at once, and files that ffmpeg encodes.

use std::{os::unix::fs::symlink, path::Path, process::Command, process::Stdio};

use raq_shared::frame::Plane;
use raq_tests::{
    clips,
    sandbox::{PATIENCE, Sandbox, assert_error, interrupt, run},
    skip,
    transfer::{Receiver, scene, start_sender},
};
use xtask::program::Ended;

/// Whether ffmpeg is installed; skips the test where not.
fn ffmpeg() -> bool {
    let mut command = Command::new("ffmpeg");
    command.arg("-version").stdout(Stdio::null());
    let found = command.stderr(Stdio::null()).status().is_ok();
    if !found {
        skip("ffmpeg is not installed (Debian, Ubuntu: apt-get install ffmpeg)");
    }
    found
}

/// What ffmpeg makes of a file: size and number of frames, and the mean of the first frame's luma.
fn decoded(sandbox: &Sandbox, name: &str) -> ((u32, u32), usize, f64) {
    let clip = sandbox.path(format!("{name}.y4m"));
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-y", "-i"]);
    command.arg(sandbox.path(name)).arg(&clip);
    run(command.stdin(Stdio::null())).well().unwrap();
    let (format, frames) = clips::read(&clip);
    let (width, height) = (format.width, format.height);
    ((width, height), frames.len(), luma(&frames[0]))
}

fn luma(frame: &raq_shared::frame::Frame) -> f64 {
    let (width, height) = frame.plane_size(Plane::Y);
    let rows = (0..height).flat_map(|y| frame.row(Plane::Y, y));
    let sum: f64 = rows.map(|&sample| f64::from(sample)).sum();
    sum / (width * height) as f64
}

#[test]
fn one_session_goes_into_several_files() {
    let sandbox = Sandbox::new();
    if !ffmpeg() {
        return;
    }
    let mut recv = sandbox.recv();
    recv.args(["--once", "--snapshot", "album", "--snapshot-interval", "1s"]);
    for name in ["a.y4m", "a.mp4", "a.mkv", "null"] {
        recv.args(["--output", name]);
    }
    let recv = Receiver::start(&mut recv);
    // Sides that the encoder cannot halve.
    let mut send = scene(&sandbox, "161x95");
    let send = start_sender(send.args(["--frames", "25"]), recv.address);
    send.finish(PATIENCE).and_then(Ended::well).unwrap();
    recv.finish().well().unwrap();
    let (format, frames) = clips::read(&sandbox.path("a.y4m"));
    assert_eq!((format.width, format.height, frames.len()), (161, 95, 25));
    let light = luma(&frames[0]);
    for name in ["a.mp4", "a.mkv"] {
        let (size, count, encoded) = decoded(&sandbox, name);
        assert_eq!((size, count), ((162, 96), 25), "{name}");
        // The edge is padded with black.
        assert!(
            (encoded - light).abs() < 4.0,
            "{name}: {encoded}, not {light}"
        );
    }
    let album = std::fs::read_dir(sandbox.path("album")).unwrap();
    let pictures: Vec<_> = album.map(|it| it.unwrap().file_name()).collect();
    assert!((1..=3).contains(&pictures.len()), "{pictures:?}");
    assert!(
        pictures
            .iter()
            .all(|it| Path::new(it).extension().unwrap() == "png")
    );
}

#[test]
fn an_interrupted_recording_can_be_played() {
    let sandbox = Sandbox::new();
    if !ffmpeg() {
        return;
    }
    let mut recv = sandbox.recv();
    let stats = sandbox.path("stats");
    recv.args(["--output", "a.mp4", "--stats"]).arg(&stats);
    let recv = Receiver::start(&mut recv);
    let mut send = scene(&sandbox, "160x96");
    let send = start_sender(send.arg("--no-reconnect"), recv.address);
    let mut interrupted = false;
    let ended = send.finish_with(PATIENCE, || {
        let frames = std::fs::read_to_string(&stats).unwrap_or_default();
        if !interrupted && frames.lines().count() > 5 {
            interrupted = true;
            interrupt(&recv.program);
        }
    });
    assert_eq!(ended.unwrap().code(), Some(4), "the receiver left");
    recv.finish().well().unwrap();
    let (size, frames, _) = decoded(&sandbox, "a.mp4");
    assert!(size == (160, 96) && frames > 5, "{frames} frames");
}

#[test]
fn a_full_disk_ends_the_session_and_the_sender_is_told_why() {
    let sandbox = Sandbox::new();
    let mut names = vec!["full.y4m"];
    if ffmpeg() {
        names.extend(["full.mp4", "full.mkv"]);
    }
    for name in names {
        symlink("/dev/full", sandbox.path(name)).unwrap();
        let mut recv = sandbox.recv();
        let recv = recv
            .args(["--overwrite", "--output"])
            .arg(sandbox.path(name));
        let recv = Receiver::start(recv);
        let mut send = sandbox.send();
        send.args(["--test-pattern", "noise", "--size", "160x96", "--fps", "10"]);
        let mut send = start_sender(&mut send, recv.address);
        assert_error(&recv.finish(), 1, &[name, "No space left", "free space"]);
        // It goes on trying, as a receiver may be started again.
        let why = "failed: it could not write its output: no space left on device; trying again";
        let told = |line: &str| line.contains(why).then_some(());
        let waited = send.wait_for("the reason", PATIENCE, told);
        waited.unwrap_or_else(|e| panic!("{name}: {e}"));
        interrupt(&send);
        let ended = send.finish(PATIENCE).unwrap();
        let folder = sandbox.path("");
        assert!(!ended.stderr.contains(folder.to_str().unwrap()), "{name}");
    }
}

#[test]
fn a_full_disk_ends_a_recording_and_leaves_the_other_outputs() {
    let sandbox = Sandbox::new();
    if !ffmpeg() {
        return;
    }
    symlink("/dev/full", sandbox.path("full.mp4")).unwrap();
    let mut recv = sandbox.recv();
    recv.args([
        "--once",
        "--overwrite",
        "--output",
        "full.mp4",
        "--output",
        "a.y4m",
    ]);
    let recv = Receiver::start(&mut recv);
    let mut send = scene(&sandbox, "160x96");
    let send = start_sender(send.args(["--frames", "25"]), recv.address);
    send.finish(PATIENCE).and_then(Ended::well).unwrap();
    assert_error(
        &recv.finish(),
        1,
        &["full.mp4", "No space left", "free space"],
    );
    assert_eq!(clips::read(&sandbox.path("a.y4m")).1.len(), 25);
}

#[test]
fn without_ffmpeg_there_is_no_mp4() {
    let sandbox = Sandbox::new();
    let mut recv = sandbox.recv();
    recv.env("PATH", sandbox.path("nothing"));
    let ended = run(recv.args(["--listen", "127.0.0.1:0", "--output", "a.mp4"]));
    assert_error(&ended, 1, &["ffmpeg", "not installed", "FILE.y4m"]);
    assert!(!sandbox.path("a.mp4").exists());
}
