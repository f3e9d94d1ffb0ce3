//! Video in, video out.

use std::{fs::File, io::Read as _, process::Stdio};

use raq_shared::y4m::Reader;
use raq_tests::{
    clips,
    sandbox::{PATIENCE, Sandbox},
    transfer::{Receiver, Transfer, start_sender},
};
use xtask::{program::Ended, stats};

#[test]
fn a_larger_rate_is_a_better_picture() {
    let sandbox = Sandbox::new();
    // Few frames a second: a busy machine has time for all that fits the bytes.
    let clip = clips::generate(&sandbox, &clips::format(160, 96, 4), 6);
    let mut before = 0.0;
    for kilobits in [12u64, 20, 34, 60] {
        let rate = format!("{kilobits}k");
        let transfer = Transfer::run(&sandbox, &clip, &["--max-rate", &rate]);
        for frame in &transfer.sent {
            assert!(frame.bytes <= frame.budget, "frame {}", frame.frame);
        }
        // Four frames a second, and one frame's share may be saved.
        let most = (transfer.sent.len() as u64 + 1) * kilobits * 1000 / 8 / 4;
        assert!(transfer.sender.bytes <= most, "{kilobits} kbit/s");
        let psnr = transfer.psnr(&clip);
        assert!(
            psnr > before + 0.25,
            "{psnr:.2} dB with {kilobits} kbit/s, {before:.2} before"
        );
        before = psnr;
    }
    assert!(before > 30.0, "{before:.2} dB with 60 kbit/s");
}

#[test]
fn codewords_are_limited_in_every_stage() {
    let sandbox = Sandbox::new();
    let clip = clips::generate(&sandbox, &clips::format(48, 48, 10), 3);
    for most in [1u16, 3, 1000, 4095] {
        let transfer = Transfer::run(&sandbox, &clip, &["--codewords", &most.to_string()]);
        assert!(!transfer.decoded.is_empty());
        for (sent, decoded) in transfer.sent.iter().zip(&transfer.decoded) {
            assert!(sent.codewords.iter().all(|&codewords| codewords <= most));
            assert_eq!(sent.codewords, decoded.codewords, "both ends know them");
        }
    }
}

#[test]
fn loopback_has_room_for_good_pictures() {
    let sandbox = Sandbox::new();
    let clip = clips::generate(&sandbox, &clips::format(160, 96, 4), 6);
    let transfer = Transfer::run(&sandbox, &clip, &[]);
    assert!(transfer.sent.iter().all(|frame| frame.level <= 96));
    assert!(transfer.sent.iter().any(|frame| frame.codewords[0] > 256));
    assert!(transfer.psnr(&clip) > 26.0);
}

#[test]
fn real_clips_arrive() {
    // Some way below what the model gives: a floor against breakage, no measure of it.
    let names = [
        ("foreman_qcif_176x144_30fps_30f.y4m", 28.0),
        ("mobile_cif_352x288_30fps_30f.y4m", 17.5),
        ("lp_d0_256x256_25fps_78f.y4m", 38.0),
    ];
    for (name, least) in names {
        let Some(clip) = clips::real(name) else {
            return;
        };
        let sandbox = Sandbox::new();
        // Slow enough that a busy machine codes every frame, with the bytes that a frame has at
        // 30 frames a second and 400 kbit/s.
        let clip = clips::slowed(&sandbox, &clip, 5, 20);
        let transfer = Transfer::run(&sandbox, &clip, &["--max-rate", "67k"]);
        let psnr = transfer.psnr(&clip);
        assert!(psnr > least, "{name}: {psnr:.2} dB");
        // The received file has a place for every frame that was sent.
        assert_eq!(
            clips::read(&transfer.output).1.len(),
            clips::read(&clip).1.len()
        );
    }
}

#[test]
fn nothing_but_video_passes_through_pipes() {
    let sandbox = Sandbox::new();
    let format = clips::format(64, 64, 10);
    let clip = clips::generate(&sandbox, &format, 5);
    let mut recv = sandbox.recv();
    let recv = recv
        .args(["--once", "--output", "-"])
        .stdout(Stdio::piped());
    let mut recv = Receiver::start(recv);
    let mut send = sandbox.send();
    send.args(["--input", "-"])
        .stdin(File::open(&clip).unwrap())
        .stdout(Stdio::piped());
    let mut send = start_sender(&mut send, recv.address);
    let (mut video, mut nothing) = (Vec::new(), Vec::new());
    recv.program
        .stdout()
        .unwrap()
        .read_to_end(&mut video)
        .unwrap();
    send.stdout().unwrap().read_to_end(&mut nothing).unwrap();
    send.finish(PATIENCE).and_then(Ended::well).unwrap();
    recv.finish().well().unwrap();
    assert_eq!(
        nothing, b"",
        "raq-send has nothing to say on standard output"
    );
    let mut reader = Reader::new(&video[..]).unwrap();
    assert_eq!(reader.format(), format);
    while reader.skip().unwrap() {}
    assert!(reader.frames() > 0);
}

#[test]
fn frames_limit_what_is_sent() {
    let sandbox = Sandbox::new();
    let clip = clips::generate(&sandbox, &clips::format(32, 32, 30), 9);
    let transfer = Transfer::run(&sandbox, &clip, &["--frames", "4", "--codewords", "2"]);
    assert_eq!(
        transfer.sender.frames_sent + transfer.sender.frames_skipped,
        4
    );
    let (format, _) = clips::read(&transfer.output);
    assert_eq!(format, clips::format(32, 32, 30));
}

#[test]
fn libwebrtcs_estimator_can_be_chosen() {
    let sandbox = Sandbox::new();
    let clip = clips::generate(&sandbox, &clips::format(32, 32, 30), 30);
    let default = Transfer::run(&sandbox, &clip, &[]);
    assert_eq!(default.sender.estimator, "burst");
    let chosen = Transfer::run(&sandbox, &clip, &["--estimator", "gcc"]);
    assert_eq!(chosen.sender.estimator, "gcc");
    assert!(chosen.sender.frames_sent > 0);
    assert!(!clips::read(&chosen.output).1.is_empty());
}

#[test]
fn the_built_in_scenes_can_be_sent() {
    for scene in ["motion", "bars", "noise"] {
        let sandbox = Sandbox::new();
        let output = sandbox.path("received.y4m");
        let mut recv = sandbox.recv();
        let recv = Receiver::start(recv.args(["--once", "--output"]).arg(&output));
        let mut send = sandbox.send();
        let send = send.args([
            "--test-pattern",
            scene,
            "--size",
            "96x64",
            "--frames",
            "3",
            "--codewords",
            "64",
        ]);
        let send = start_sender(send, recv.address);
        send.finish(PATIENCE).and_then(Ended::well).unwrap();
        recv.finish().well().unwrap();
        assert!(!clips::read(&output).1.is_empty(), "{scene}");
    }
}

#[test]
fn a_receiver_takes_one_sender_after_the_other() {
    let sandbox = Sandbox::new();
    let clip = clips::generate(&sandbox, &clips::format(32, 32, 10), 2);
    let mut recv = sandbox.recv();
    let recv = Receiver::start(recv.args(["--output", "null"]));
    for _ in 0..2 {
        let mut send = sandbox.send();
        let send = start_sender(send.arg("--input").arg(&clip), recv.address);
        send.finish(PATIENCE).and_then(Ended::well).unwrap();
    }
    raq_tests::sandbox::interrupt(&recv.program);
    recv.finish().well().unwrap();
}

#[test]
fn a_generator_of_the_paper_makes_the_codebook_at_both_ends() {
    let sandbox = Sandbox::new();
    let model = raq_tests::paper();
    let (sent, decoded) = (sandbox.path("sent.jsonl"), sandbox.path("decoded.jsonl"));
    let mut recv = sandbox.recv();
    recv.args(["--once", "--output", "null", "--model"])
        .arg(&model);
    let recv = Receiver::start(recv.arg("--stats").arg(&decoded));
    let mut send = sandbox.send();
    send.args(["--test-pattern", "motion", "--size", "96x64"])
        .args(["--fps", "10", "--frames", "10", "--model"])
        .arg(&model);
    let send = start_sender(send.arg("--stats").arg(&sent), recv.address);
    send.finish(PATIENCE).and_then(Ended::well).unwrap();
    recv.finish().well().unwrap();
    let (frames, sender) = stats::sender(&sent).unwrap();
    let (_, receiver) = stats::receiver(&decoded).unwrap();
    assert_eq!(sender.codebook_digest, receiver.codebook_digest);
    assert!(
        !sender.codebook_shipped,
        "one machine computes floats alike"
    );
    assert_eq!(receiver.frames_decoded, sender.frames_sent);
    assert!(frames.iter().any(|frame| frame.codewords.contains(&32)));
}
