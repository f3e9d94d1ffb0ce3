//! What flows carry, as `raq-sim run` shows it: sizes, raq on a clip, x264 on a clip.

mod support;

use std::{
    fs,
    process::{Command, Output},
};

use raq_shared::{paths, video::ColourRange};
use raq_sim::record::{FrameRow, PolicyRun, Run};
use tempfile::{TempDir, tempdir};

/// A link of 1 Mbit/s on which nothing gets lost.
const SCENARIO: &str = r#"
description = "for tests"
duration = "4s"
[link.down]
rate = "1Mbit"
delay = "25ms"
queue = "300ms"
[link.up]
rate = "10Mbit"
delay = "25ms"
"#;

fn program(folder: &TempDir, sets: &[&str], out: &str) -> Command {
    program_with(folder, "", sets, out)
}

/// The same with more in the scenario.
fn program_with(folder: &TempDir, more: &str, sets: &[&str], out: &str) -> Command {
    let scenario = folder.path().join("test.toml");
    fs::write(&scenario, format!("{SCENARIO}{more}")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_raq-sim"));
    command.arg("run").arg(scenario).arg("--no-report");
    command.arg("--out").arg(folder.path().join(out));
    command.args(sets.iter().flat_map(|set| ["--set", set]));
    command.env("RAQ_MODEL", paths::repository().join("onnx/models/base"));
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs one policy to its end and reads what it recorded.
fn run(folder: &TempDir, policy: &str, sets: &[&str], more: &[&str]) -> PolicyRun {
    let mut command = program(folder, sets, "out");
    let output = command
        .args(["--policies", policy])
        .args(more)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let mut run = Run::read(&folder.path().join("out")).unwrap();
    run.policies.pop().unwrap()
}

/// A small clip of waves that move, 25 frames a second, as a setting.
fn clip(folder: &TempDir) -> String {
    let size = (160, 96);
    let (path, _) = support::clip(folder.path(), "waves.y4m", size, 30, ColourRange::Limited);
    format!("media.clip={}", path.display())
}

fn mean(frames: &[FrameRow], value: fn(&FrameRow) -> Option<f64>) -> f64 {
    let values: Vec<_> = frames.iter().filter_map(value).collect();
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn recorded_sizes_are_kept_and_cut_to_what_a_frame_may_take() {
    let folder = tempdir().unwrap();
    let sizes = [500, 2500, 0, 1200];
    let text: Vec<_> = sizes.iter().map(u64::to_string).collect();
    let path = folder.path().join("sizes.txt");
    fs::write(&path, text.join("\n")).unwrap();
    let sets = [
        "media.source=sizes",
        &format!("media.sizes={}", path.display()),
    ];
    let free = run(&folder, "fixed:900", &sets, &[]).frames;
    assert_eq!(free.len(), 120);
    for (frame, size) in free.iter().zip(sizes.iter().cycle()) {
        assert_eq!((frame.bytes, frame.skipped), (*size, *size == 0));
        assert!(frame.skipped || frame.shown_us.is_some() || frame.frame > 110);
    }
    let narrow = run(&folder, "fixed:240", &sets, &[]).frames;
    let mut cut = 0;
    for (frame, &size) in narrow.iter().zip(sizes.iter().cycle()) {
        let budget = frame.budget.unwrap_or(0);
        assert_eq!(frame.bytes, size.min(budget), "{frame:?}");
        cut += u32::from(frame.bytes < size);
    }
    assert_eq!(cut, 60);
}

/// How far frames are from following each other as they were captured, in the mean, ms.
fn judder(frames: &[FrameRow]) -> f64 {
    let shown: Vec<_> = frames
        .iter()
        .filter_map(|frame| Some(frame.shown_us? as f64 - frame.captured_us as f64))
        .collect();
    let differences = shown.windows(2).map(|pair| (pair[1] - pair[0]).abs());
    differences.sum::<f64>() / 1e3 / (shown.len() - 1) as f64
}

#[test]
fn frames_wait_no_longer_than_the_latency_and_follow_each_other_evenly() {
    let folder = tempdir().unwrap();
    let sizes = folder.path().join("sizes.txt");
    fs::write(&sizes, "500").unwrap();
    let sizes = format!("media.sizes={}", sizes.display());
    let with = |latency: &str, jitter: &str| {
        let latency = format!("media.latency={latency}");
        let jitter = format!("link.down.jitter={jitter}");
        let sets = ["media.source=sizes", &sizes, &latency, &jitter];
        run(&folder, "fixed:500", &sets, &[]).frames
    };
    let longest = |frames: &[FrameRow]| {
        let waits = frames
            .iter()
            .filter_map(|frame| Some(frame.shown_us? - frame.closed_us?));
        waits.max().unwrap()
    };
    let (at_once, even) = (with("0ms", "20ms"), with("100ms", "20ms"));
    assert_eq!(longest(&at_once), 0);
    assert!(
        (1..=100_000).contains(&longest(&even)),
        "{}",
        longest(&even)
    );
    let (before, after) = (judder(&at_once), judder(&even));
    assert!(before > 5.0 && after < before / 2.0, "{before} {after}");
    let steady = longest(&with("100ms", "0ms"));
    assert!(steady < 1000, "{steady}");
}

#[test]
fn raq_shows_every_frame_over_a_clean_link() {
    let folder = tempdir().unwrap();
    let clip = clip(&folder);
    let sets = ["media.source=raq", &clip];
    let at = |policy: &str| run(&folder, policy, &sets, &[]);
    let (poor, good) = (at("fixed:100"), at("fixed:700"));
    assert_eq!(good.frames.len(), 100);
    // The last ones are still on their way at the end.
    for frame in &good.frames[..95] {
        assert!(
            frame.shown_us.is_some() && frame.arrived == frame.datagrams,
            "{frame:?}"
        );
        assert_eq!(frame.updates_applied, frame.updates_due);
        assert!(
            frame.level.is_some() && frame.codewords.len() >= 3,
            "{frame:?}"
        );
        assert!(frame.bytes <= frame.budget.unwrap());
    }
    assert!(good.frames.iter().any(|frame| frame.updates_due > Some(5)));
    // What is on the screen at the deadline is the frame itself.
    for frame in &good.frames[..85] {
        assert_eq!(frame.psnr_due_db, frame.psnr_y_db, "frame {}", frame.frame);
        assert_eq!(frame.ssim_due, frame.ssim, "frame {}", frame.frame);
    }
    let psnr = |run: &PolicyRun| mean(&run.frames, |frame| frame.psnr_y_db);
    assert!(psnr(&poor) > 12.0 && psnr(&good) > psnr(&poor) + 2.0);
    assert!(
        good.cpu
            .is_some_and(|cpu| cpu.frames == 100 && cpu.cpu_ms_per_frame > 0.0)
    );
    let frames: Vec<_> = good.pictures.iter().map(|picture| picture.frame).collect();
    assert_eq!(frames, [0, 50]);
    let png = fs::read(&good.pictures[1].path).unwrap();
    let mut reader = png::Decoder::new(std::io::Cursor::new(png))
        .read_info()
        .unwrap();
    let mut rgb = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut rgb).unwrap();
    assert_eq!((info.width, info.height), (160, 96));
}

#[test]
fn raq_lives_with_loss_and_the_seed_says_which() {
    let folder = tempdir().unwrap();
    let clip = clip(&folder);
    let sets = ["media.source=raq", &clip, "link.down.loss=0.2"];
    // An update that cannot be decoded, or a picture that is not what the sender takes it for, ends
    // a run with a failure.
    let seeded = |seed: &str| run(&folder, "fixed:400", &sets, &["--seed", seed]).frames;
    let (first, again, other) = (seeded("1"), seeded("1"), seeded("2"));
    assert!(first == again && first != other);
    for frames in [&first, &other] {
        let count = |test: &dyn Fn(&FrameRow) -> bool| frames.iter().filter(|f| test(f)).count();
        let partial = |f: &FrameRow| f.shown_us.is_some() && f.arrived < f.datagrams;
        assert!(count(&partial) > 20, "{}", count(&partial));
        assert!(count(&|f| f.shown_us.is_some()) > 85);
        assert!(count(&|f| f.updates_applied < f.updates_due) > 20);
        assert!(mean(frames, |f| f.psnr_due_db) > 12.0);
    }
}

#[test]
fn flows_of_raq_share_a_link_and_their_screens_are_their_own() {
    let folder = tempdir().unwrap();
    let clip = clip(&folder);
    let flows = "[[flow]]\n[[flow]]\nstart = \"1s\"\n";
    let mut command = program_with(&folder, flows, &["media.source=raq", &clip], "out");
    let output = command.args(["--policies", "fixed:300"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let run = Run::read(&folder.path().join("out")).unwrap();
    let frames = &run.policies[0].frames;
    let of = |flow| {
        frames
            .iter()
            .filter(move |f| f.flow == flow && f.frame < 60)
    };
    assert_eq!((of(0).count(), of(1).count()), (60, 60));
    // The same pictures at the same rate, a second later: no state of one is the other's.
    for (a, b) in of(0).zip(of(1)) {
        assert_eq!(
            (a.bytes, &a.psnr_y_db),
            (b.bytes, &b.psnr_y_db),
            "{}",
            a.frame
        );
        assert!(a.shown_us.is_some() && b.shown_us.is_some());
    }
}

#[test]
fn x264_shows_every_frame_over_a_clean_link() {
    if !support::ffmpeg() {
        return;
    }
    let folder = tempdir().unwrap();
    let clip = clip(&folder);
    let sets = ["media.source=x264", &clip, "media.max-rate=800kbit"];
    let at = |policy: &str| run(&folder, policy, &sets, &[]);
    let (poor, good) = (at("fixed:200"), at("fixed:700"));
    for (run, kbps) in [(&poor, 200.0), (&good, 700.0)] {
        let sent: Vec<_> = run.frames.iter().filter(|frame| !frame.skipped).collect();
        assert!(sent.len() > 90, "{kbps}: {}", sent.len());
        for frame in sent.iter().filter(|frame| frame.frame < 95) {
            assert!(frame.shown_us.is_some(), "{frame:?}");
        }
        // With what the path adds to a datagram.
        let bytes: u64 = sent
            .iter()
            .map(|f| f.bytes + 64 * u64::from(f.datagrams))
            .sum();
        let rate = bytes as f64 * 8.0 / 4000.0;
        assert!((0.85..1.05).contains(&(rate / kbps)), "{rate} of {kbps}");
    }
    let psnr = |run: &PolicyRun| mean(&run.frames, |frame| frame.psnr_due_db);
    assert!(
        psnr(&good) > psnr(&poor) + 2.0,
        "{} {}",
        psnr(&good),
        psnr(&poor)
    );
    assert!(good.cpu.is_some_and(|cpu| cpu.cpu_ms_per_frame > 0.0));
    assert_eq!(good.pictures.len(), 2);
}

#[test]
fn x264_stands_still_after_a_loss_until_a_key_frame_comes() {
    if !support::ffmpeg() {
        return;
    }
    let folder = tempdir().unwrap();
    let clip = clip(&folder);
    let sets = [
        "media.source=x264",
        &clip,
        "link.down.loss=0.03",
        "media.max-rate=800kbit",
    ];
    let frames = run(&folder, "fixed:500", &sets, &[]).frames;
    assert_eq!(frames, run(&folder, "fixed:500", &sets, &[]).frames);
    let sent: Vec<_> = frames
        .iter()
        .filter(|f| !f.skipped && f.frame < 95)
        .collect();
    let shown = |frame: &FrameRow| frame.shown_us.is_some();
    // Nothing that missed a datagram is shown.
    assert!(sent.iter().all(|f| !shown(f) || f.arrived == f.datagrams));
    // Freezes: from a frame shown to the next one that is.
    let mut freezes = Vec::new();
    let mut last = sent.iter().position(|f| shown(f)).unwrap();
    for (at, frame) in sent.iter().enumerate().skip(last + 1) {
        if shown(frame) {
            if at > last + 1 {
                freezes.push(last + 1..at);
            }
            last = at;
        }
    }
    assert!(freezes.len() >= 2, "{freezes:?}");
    let (mut whole, mut stale) = (0, Vec::new());
    for freeze in &freezes {
        let (hit, key) = (sent[freeze.start], sent[freeze.end]);
        assert!(hit.arrived < hit.datagrams, "{hit:?}");
        // A request takes half a round trip, a key frame another half; either may get lost.
        let stood = key.captured_us - hit.captured_us;
        assert!((50_000..1_500_000).contains(&stood), "{stood}");
        for frame in &sent[freeze.clone()] {
            assert_eq!(frame.psnr_y_db, None);
            whole += u32::from(frame.arrived == frame.datagrams);
            stale.extend(frame.psnr_due_db);
        }
    }
    assert!(whole > 0, "frames that came whole were lost with them");
    let stale = stale.iter().sum::<f64>() / stale.len() as f64;
    assert!(stale < mean(&frames, |f| f.psnr_y_db) - 3.0, "{stale}");
}

#[test]
fn what_is_missing_is_named_before_anything_is_written() {
    let folder = tempdir().unwrap();
    let clip = clip(&folder);
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let broken = folder.path().join("sizes.txt");
    fs::write(&broken, "100\nmany\n").unwrap();
    let sizes = format!("media.sizes={}", broken.display());
    // Frames of this clip last 40 ms, those of other sources 33 ms.
    let (fast, slow) = ("media.encode-time=39ms", "media.encode-time=41ms");
    for (sets, emptied, code, says) in [
        (
            vec!["media.source=sizes", &sizes],
            None,
            1,
            "sizes.txt:2: \"many\"",
        ),
        (
            vec!["media.source=raq", &clip, slow],
            None,
            2,
            "longer than a frame, 40ms",
        ),
        (
            vec!["media.source=raq", &clip, fast],
            Some("RAQ_MODEL"),
            5,
            "manifest.json",
        ),
        (
            vec!["media.source=raq", "media.clip=no.y4m"],
            None,
            1,
            "name a video",
        ),
        (
            vec!["media.source=raq", "media.clip=$RAQ_DATA/no.y4m"],
            None,
            1,
            "set RAQ_DATA",
        ),
        (
            vec!["media.source=raq", &clip],
            Some("RAQ_MODEL"),
            5,
            "manifest.json",
        ),
        (
            vec!["media.source=x264", &clip],
            Some("PATH"),
            1,
            "needs ffmpeg with libx264",
        ),
        (
            vec!["media.source=x264", "media.fps=30"],
            None,
            2,
            "needs media.clip",
        ),
    ] {
        let mut command = program(&folder, &sets, "none");
        command.envs(emptied.map(|name| (name, &empty)));
        let output = command.output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(code),
            "{sets:?}: {}",
            said(&output)
        );
        assert!(said(&output).contains(says), "{sets:?}: {}", said(&output));
        assert!(!folder.path().join("none").exists(), "{sets:?}");
    }
}
