//! Records made by hand, and the page that `raq-sim report` makes of them.

mod support;

use std::{
    fs::{self, File, OpenOptions},
    io::BufReader,
    path::Path,
    process::{Command, Stdio},
};

use png::{ColorType, Decoder, Encoder};
use raq_sim::{
    record::{
        BIN, CpuRecord, DatagramRow, Direction, FrameRow, Kind, LinkRow, Loss, Mode,
        PolicyRecorder, Recorder, Run, RunRecord, VERSION,
    },
    report, summary,
};
use tempfile::{TempDir, tempdir};

const FPS: u64 = 25;
const FRAME_US: u64 = 1_000_000 / FPS;
const LINK_BYTES: u64 = 12_500;

/// A policy of the example: datagrams of 1000 bytes per frame, and the time each spends in the queue.
struct Example {
    name: &'static str,
    datagrams: u32,
    queued_us: u64,
    codec: bool,
}

const POLICIES: [Example; 3] = [
    Example {
        name: "raq",
        datagrams: 4,
        queued_us: 10_000,
        codec: true,
    },
    Example {
        name: "gcc",
        datagrams: 3,
        queued_us: 25_000,
        codec: false,
    },
    Example {
        name: "fixed:600",
        datagrams: 3,
        queued_us: 60_000,
        codec: false,
    },
];

/// Records over a link of 1 Mbit/s with 20 ms of delay: each frame is displayed 30 ms after it left
/// the queue, but for 2 s of every 20 in which nothing is.
fn write(folder: &Path, seconds: u64) {
    let record = RunRecord {
        version: VERSION,
        scenario: "steady <1 Mbit/s>".to_owned(),
        description: "A steady link & freezes".to_owned(),
        seed: 7,
        mode: Mode::Sessions,
        duration_us: 1_000_000 * seconds,
        fps: FPS as f64,
        flows: 1,
        playout_us: 100_000,
        max_kbps: Some(1500.0),
        media: "waves".to_owned(),
        policies: POLICIES.map(|policy| policy.name.to_owned()).to_vec(),
        tiles: Some(300),
    };
    let recorder = Recorder::create(folder, &record, "name = \"steady\"\n").unwrap();
    let bin = |number| LinkRow {
        t_us: number * BIN.as_micros() as u64,
        down_bytes: LINK_BYTES,
        up_bytes: LINK_BYTES,
    };
    recorder.link((0..10 * seconds).map(bin)).unwrap();
    for policy in &POLICIES {
        let mut records = recorder.policy(policy.name).unwrap();
        for frame in 0..FPS * seconds {
            add(&mut records, policy, frame);
        }
        if policy.codec {
            records
                .cpu(&CpuRecord {
                    frames: FPS * seconds,
                    cpu_ms_per_frame: 12.5,
                })
                .unwrap();
        }
        records
            .picture(0, 30, &picture(policy.queued_us as u8))
            .unwrap();
        records.finish().unwrap();
    }
}

fn add(records: &mut PolicyRecorder, policy: &Example, frame: u64) {
    let captured = FRAME_US * frame;
    let frozen = (captured / 1_000_000) % 20 >= 18;
    let left = captured + policy.queued_us;
    for index in 0..policy.datagrams {
        let lost = match (frozen, index) {
            (true, 0) => Some(Loss::Queue),
            (true, 1) => Some(Loss::Random),
            _ => None,
        };
        let row = DatagramRow {
            flow: 0,
            direction: Direction::Down,
            kind: Kind::Media,
            frame: Some(frame),
            index: Some(index),
            bytes: 1000,
            offered_us: captured,
            left_us: (lost != Some(Loss::Queue)).then_some(left),
            arrived_us: lost.is_none().then_some(left + 20_000),
            lost,
        };
        records.datagram(&row).unwrap();
    }
    let wave = (frame as f64 / 40.0).sin();
    let codec = |value| policy.codec.then_some(value);
    let row = FrameRow {
        flow: 0,
        frame,
        captured_us: captured,
        skipped: false,
        estimate_kbps: Some(900.0 + 200.0 * wave),
        budget: Some(4000),
        bytes: 3900,
        datagrams: policy.datagrams,
        level: policy.codec.then_some((40.0 + 8.0 * wave) as u8),
        codewords: if policy.codec {
            vec![4096, 256]
        } else {
            Vec::new()
        },
        sent_us: Some(captured),
        arrived: if frozen {
            policy.datagrams - 2
        } else {
            policy.datagrams
        },
        closed_us: Some(left + 20_000),
        shown_us: (!frozen).then_some(left + 30_000),
        updates_due: policy.codec.then_some(100),
        updates_applied: policy.codec.then_some(if frozen { 0 } else { 100 }),
        psnr_y_db: codec(36.0).filter(|_| !frozen),
        ssim: codec(0.95).filter(|_| !frozen),
        psnr_due_db: codec(if frozen { 20.0 } else { 35.0 }),
        ssim_due: codec(if frozen { 0.5 } else { 0.94 }),
    };
    records.frame(row).unwrap();
}

fn picture(shade: u8) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, 64, 48);
    encoder.set_color(ColorType::Rgb);
    let mut writer = encoder.write_header().unwrap();
    let pixels = (0..64 * 48u32).flat_map(|n| [n as u8, (n / 64) as u8, shade]);
    writer
        .write_image_data(&pixels.collect::<Vec<_>>())
        .unwrap();
    writer.finish().unwrap();
    file
}

fn reported(seconds: u64) -> (TempDir, String) {
    let folder = tempdir().unwrap();
    write(folder.path(), seconds);
    let path = report::write(folder.path()).unwrap();
    assert_eq!(path, folder.path().join("report.html"));
    let page = fs::read_to_string(path).unwrap();
    (folder, page)
}

/// Ids of the plots that the example has.
fn ids() -> Vec<String> {
    let names = ["raq", "gcc", "fixed-600"];
    let mut ids = vec!["pareto".to_owned()];
    for kind in ["rate", "delay"] {
        ids.extend(names.map(|name| format!("{kind}-{name}")));
    }
    ids.extend(["level", "codewords", "psnr", "ssim"].map(|kind| format!("{kind}-raq")));
    ids
}

#[test]
fn the_summary_has_the_known_figures() {
    let folder = tempdir().unwrap();
    write(folder.path(), 40);
    let summary = summary::of(&Run::read(folder.path()).unwrap());
    let figure = |policy, name| summary.figure(policy, name);
    // 4000 of 5000 bytes per 40 ms, but half of it in a tenth of the time.
    assert_eq!(figure("raq", "offered_share"), Some(0.8));
    assert_eq!(figure("raq", "use"), Some(0.76));
    assert_eq!(figure("raq", "self_loss_share"), Some(0.025));
    assert_eq!(figure("raq", "random_loss_share"), Some(0.025));
    assert_eq!(figure("raq", "queue_ms.p95"), Some(10.0));
    assert_eq!(figure("gcc", "queue_ms.p99"), Some(25.0));
    assert_eq!(figure("raq", "signal_ms.p50"), Some(40.0));
    // Every policy displays nothing for 2 s twice; the second time lasts to the end.
    assert_eq!(figure("raq", "freezes"), Some(2.0));
    // 900 of the 998 frames that were due within the run.
    assert_eq!(figure("raq", "rendered_share"), Some(0.9018));
    assert_eq!(figure("fixed:600", "shown_share"), Some(0.9018));
    assert_eq!(figure("raq", "psnr_y_db"), Some(33.5));
    assert_eq!(figure("gcc", "psnr_y_db"), None);
    assert_eq!(figure("raq", "cpu_ms_per_frame"), Some(12.5));
    assert_eq!(figure("raq", "ramp_up_s"), None);
    assert_eq!(figure("raq", "jain"), None);
}

#[test]
fn the_page_has_every_plot_and_needs_nothing_else() {
    let (_folder, page) = reported(40);
    for id in ids() {
        let mark = format!(" id=\"{id}\" ");
        assert_eq!(page.matches(&mark).count(), 1, "{id}");
    }
    assert_eq!(page.matches("<svg ").count(), ids().len());
    assert_eq!(page.matches("aria-label=\"").count(), ids().len());
    let outside = page.replace("http://www.w3.org/2000/svg", "");
    assert!(!outside.contains("http://") && !outside.contains("https://"));
    assert!(!page.contains("<script") && !page.contains("NaN"));
    assert_eq!(
        page.matches("data:image/png;base64,").count(),
        POLICIES.len()
    );
    assert!(page.contains("raq: frame 30, 35.00 dB"));
    assert!(page.contains("steady &lt;1 Mbit/s&gt;") && page.contains("A steady link &amp; "));
    assert!(page.contains("<th>fixed:600</th>") && page.contains("name = &quot;steady&quot;"));
}

#[test]
fn the_same_records_give_the_same_page() {
    let (first, second) = (reported(20), reported(20));
    assert!(first.1 == second.1);
    let drawn_again = report::write(first.0.path()).unwrap();
    assert!(fs::read_to_string(drawn_again).unwrap() == first.1);
}

#[test]
fn long_runs_give_pages_that_can_be_sent() {
    let (_folder, page) = reported(600);
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
}

#[test]
fn large_pictures_are_made_smaller() {
    let folder = tempdir().unwrap();
    write(folder.path(), 20);
    // Noise cannot be compressed: 1280x720 in colour are 2.8 MB.
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, 1280, 720);
    encoder.set_color(ColorType::Rgb);
    let mut writer = encoder.write_header().unwrap();
    let mut random = fastrand::Rng::with_seed(1);
    let pixels: Vec<_> = (0..1280 * 720 * 3).map(|_| random.u8(..)).collect();
    writer.write_image_data(&pixels).unwrap();
    writer.finish().unwrap();
    fs::write(folder.path().join("gcc/pictures/0-000030.png"), file).unwrap();
    let page = fs::read_to_string(report::write(folder.path()).unwrap()).unwrap();
    assert_eq!(
        page.matches("data:image/png;base64,").count(),
        POLICIES.len()
    );
    assert!(page.len() < 4_500_000, "{} bytes", page.len());

    fs::write(folder.path().join("gcc/pictures/0-000030.png"), "torn").unwrap();
    let failure = report::write(folder.path()).unwrap_err();
    assert!(failure.message.contains("0-000030.png"), "{failure}");
}

#[test]
fn what_an_interrupted_run_left_is_drawn() {
    let folder = tempdir().unwrap();
    write(folder.path(), 40);
    let path = folder.path().join("gcc/frames.csv");
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(file.metadata().unwrap().len() / 2 + 7)
        .unwrap();
    fs::remove_dir_all(folder.path().join("fixed-600")).unwrap();
    let page = fs::read_to_string(report::write(folder.path()).unwrap()).unwrap();
    assert!(page.contains("id=\"delay-gcc\"") && !page.contains("fixed-600\""));
    assert!(page.contains("ends in the middle of a line") && page.contains("did not come to it"));
}

#[test]
fn nothing_to_report_is_said() {
    let folder = tempdir().unwrap();
    let failure = report::write(folder.path()).unwrap_err();
    assert!(failure.message.contains("run.json"), "{failure}");
    write(folder.path(), 1);
    fs::remove_file(folder.path().join("link.csv")).unwrap();
    let failure = report::write(folder.path()).unwrap_err();
    assert!(failure.message.contains("link.csv"), "{failure}");
}

#[test]
fn a_browser_shows_every_plot() {
    let Some(chromium) = support::chromium() else {
        return;
    };
    let (folder, _) = reported(40);
    let browse = |more: &[&str]| {
        let profile = folder.path().join("profile");
        let mut browser = Command::new(chromium);
        browser.args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
        ]);
        browser
            .arg(format!("--user-data-dir={}", profile.display()))
            .args(more);
        browser.arg(format!(
            "file://{}",
            folder.path().join("report.html").display()
        ));
        let output = browser.stderr(Stdio::null()).output().unwrap();
        assert!(
            output.status.success(),
            "{chromium} ends with {}",
            output.status
        );
        String::from_utf8(output.stdout).unwrap()
    };
    let dom = browse(&["--dump-dom"]);
    for id in ids() {
        let svg = dom
            .split("<svg ")
            .find(|svg| svg.contains(&format!("id=\"{id}\"")));
        let svg = svg.unwrap_or_else(|| panic!("no {id} in {dom}"));
        assert!(
            svg.contains("class=\"curve\"") && svg.contains("</svg>"),
            "{id}"
        );
    }

    let path = folder.path().join("page.png");
    browse(&[
        "--window-size=1280,2400",
        &format!("--screenshot={}", path.display()),
    ]);
    let mut reader = Decoder::new(BufReader::new(File::open(path).unwrap()))
        .read_info()
        .unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!((info.width, info.height), (1280, 2400));
    let samples = info.color_type.samples();
    // The colours of what was sent, and of signal delay.
    for colour in [[0x2f, 0x7f, 0xd0], [0xd9, 0x48, 0x0f]] {
        let seen = pixels
            .chunks_exact(samples)
            .filter(|pixel| pixel[..3] == colour)
            .count();
        assert!(seen > 100, "{seen} pixels of {colour:?}");
    }
}
