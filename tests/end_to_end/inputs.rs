//! Files other than y4m, and what can be made of a file.

use std::{fs, process::Command};

use raq_shared::video::{Fraction, FrameRate};
use raq_tests::{
    clips,
    sandbox::{Sandbox, assert_error, run},
    skip,
    transfer::Transfer,
};

#[test]
fn another_file_comes_through_ffmpeg_again_and_again_in_another_size_at_another_rate() {
    let sandbox = Sandbox::new();
    let clip = clips::generate(&sandbox, &clips::format(64, 48, 4), 3);
    let film = sandbox.path("film.mkv");
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-v", "error", "-i"]).arg(clip);
    ffmpeg.args(["-c:v", "ffv1"]).arg(&film);
    let Ok(status) = ffmpeg.status() else {
        return skip("ffmpeg is not installed (Debian, Ubuntu: apt-get install ffmpeg)");
    };
    assert!(status.success());
    let wishes = [
        "--loop",
        "--size",
        "48x48",
        "--fps",
        "8",
        "--frames",
        "14",
        "--min-rate",
        "2M",
    ];
    let transfer = Transfer::run(&sandbox, &film, &wishes);
    let frames = transfer.sender.frames_sent + transfer.sender.frames_skipped;
    assert_eq!(frames, 14, "more than two rounds");
    let (format, _) = clips::read(&transfer.output);
    assert_eq!((format.width, format.height), (48, 48));
    assert_eq!(format.frame_rate, FrameRate::new(8, 1).unwrap());
    assert_eq!(format.aspect, Fraction::new(16, 11), "the picture's shape");
}

#[test]
fn without_ffmpeg_it_is_said_what_is_missing() {
    let sandbox = Sandbox::new();
    let path = sandbox.path("clip.y4m");
    for (contents, cause) in [
        ("RIFF\0\0\0\0AVI ", "not a y4m stream"),
        ("YUV4MPEG2 W64 H48 F25:1 C444\nFRAME\n", "C444"),
    ] {
        fs::write(&path, contents).unwrap();
        let mut send = sandbox.send();
        send.args(["--peer", "127.0.0.1:9", "--input"]).arg(&path);
        let nowhere = sandbox.path("nowhere");
        let ended = run(send.env("PATH", nowhere));
        let words = [
            "clip.y4m",
            cause,
            "ffmpeg",
            "not installed",
            "apt-get install ffmpeg",
        ];
        assert_error(&ended, 1, &words);
    }
}
