//! `raq-sim rd` on a small clip, as a library.

mod support;

use std::{fs, path::Path, process::Command};

use clap::Parser as _;
use raq_shared::{
    exit::{Exit, Failure},
    quality::psnr_y,
    video::ColourRange,
};
use raq_sim::{
    options::{Instrument, Options, RdOptions},
    rd::{self, Clip, ffmpeg::Ffmpeg, report::Report},
};
use serde_json::Value;
use tempfile::{TempDir, tempdir};

fn options(input: &Path, out: &Path, more: &[&str]) -> RdOptions {
    let (input, out) = (input.to_str().unwrap(), out.to_str().unwrap());
    let needed = ["raq-sim", "rd", "--input", input, "--out", out];
    match Options::parse_from(needed.iter().chain(more)).instrument {
        Instrument::Rd(options) => options,
        _ => unreachable!("rd was asked for"),
    }
}

fn run(folder: &TempDir, input: &Path, more: &[&str]) -> Result<Report, Failure> {
    rd::run(&options(input, &folder.path().join("out"), more))
}

fn json(folder: &TempDir, name: &str) -> Value {
    serde_json::from_slice(&fs::read(folder.path().join("out").join(name)).unwrap()).unwrap()
}

fn ffmpeg() -> Option<Ffmpeg> {
    support::ffmpeg().then(|| Ffmpeg::find().unwrap().unwrap())
}

#[test]
fn two_codecs_are_measured_and_reported() {
    if !support::ffmpeg() {
        return;
    }
    let folder = tempdir().unwrap();
    let (clip, _) = support::clip(folder.path(), "wa,ves.y4m", (64, 48), 12, ColourRange::Full);
    let more = [
        "--rates",
        "400,100",
        "--codecs",
        "jpeg,x264-ultrafast",
        "--pictures",
        "1",
    ];
    let report = run(&folder, &clip, &more).unwrap();

    let points = json(&folder, "rd.json");
    let asked: Vec<_> = points
        .as_array()
        .unwrap()
        .iter()
        .filter(|point| !point["target_kbps"].is_null())
        .collect();
    let names: Vec<_> = asked
        .iter()
        .map(|point| {
            (
                point["codec"].as_str().unwrap(),
                point["target_kbps"].as_f64().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("x264-ultrafast", 100.0),
        ("x264-ultrafast", 400.0),
        ("jpeg", 100.0),
        ("jpeg", 400.0),
    ];
    assert_eq!(names, expected);
    for point in &asked {
        assert_eq!(point["clip"], "wa,ves");
        assert!(point["st_lpips"].is_null() && point.get("st_lpips").is_some());
        for field in ["kbps", "psnr_y_db", "ssim", "ms_per_frame"] {
            assert!(point[field].as_f64().unwrap() > 0.0, "{field} of {point}");
        }
    }
    let psnr = |number: usize| asked[number]["psnr_y_db"].as_f64().unwrap();
    assert!(psnr(1) > psnr(0) + 1.0 && psnr(1) > 20.0, "{points}");
    // Quality gets coarser until a JPEG fits, and not more than that.
    assert!(asked[3]["kbps"].as_f64().unwrap() <= 400.0, "{points}");

    // The point's figures are those of its frames from the sixth on.
    let frames = json(&folder, "frames.json");
    let frames: Vec<_> = frames
        .as_array()
        .unwrap()
        .iter()
        .filter(|frame| frame["codec"] == "x264-ultrafast" && frame["target_kbps"] == 400.0)
        .collect();
    assert_eq!(frames.len(), 12);
    let mean = |field: &str| {
        let values = frames[5..]
            .iter()
            .map(|frame| frame[field].as_f64().unwrap());
        values.sum::<f64>() / 7.0
    };
    assert!((mean("psnr_y_db") - psnr(1)).abs() < 1e-3);
    assert!((mean("bits") * 25.0 / 1000.0 - asked[1]["kbps"].as_f64().unwrap()).abs() < 1e-2);

    let table = fs::read_to_string(folder.path().join("out/frames.csv")).unwrap();
    let mut lines = table.lines();
    assert_eq!(
        lines.next().unwrap(),
        "clip,codec,target_kbps,setting,frame,bits,psnr_y_db,psnr_u_db,psnr_v_db,ssim,st_lpips"
    );
    assert!(
        lines
            .next()
            .unwrap()
            .starts_with("\"wa,ves\",x264-ultrafast,100.0,100 kbit/s,0,")
    );
    assert!(
        lines.all(|line| line.ends_with(',')),
        "ST-LPIPS was not asked for"
    );
    assert_eq!(table.lines().count() - 1, report.frames.len());

    let comparison = json(&folder, "bd.json");
    assert_eq!(comparison["bd_rate"].as_array().unwrap().len(), 2);
    assert!(!comparison["equal_rate"].as_array().unwrap().is_empty());

    let page = fs::read_to_string(folder.path().join("out/index.html")).unwrap();
    assert_eq!(page.matches("data:image/png;base64,iVBOR").count(), 3);
    assert_eq!(page.matches("<svg ").count(), 2);
    let outside = page.replace("http://www.w3.org/2000/svg", "");
    assert!(!outside.contains("http"), "the page needs no other file");
    assert!(folder.path().join("out/wa,ves-psnr-y.svg").exists());
    assert!(report.tables().contains("x264-ultrafast"));
}

#[test]
fn y4m_is_read_as_it_is_with_and_without_ffmpeg() {
    let folder = tempdir().unwrap();
    let (path, frames) = support::clip(folder.path(), "a.y4m", (34, 18), 8, ColourRange::Limited);
    let clip = Clip::read(&path, None, 7, None).unwrap();
    assert_eq!(clip.frames, frames[..7]);
    assert_eq!((clip.name.as_str(), clip.fps()), ("a", 25.0));
    let same = Clip::read(&path, Some(frames[0].size()), 300, None).unwrap();
    assert_eq!(same.frames, frames);
    let scaled = Clip::read(&path, Some("16x16".parse().unwrap()), 7, None).unwrap_err();
    assert!(scaled.message.contains("install ffmpeg"), "{scaled}");
}

#[test]
fn ffmpeg_reads_other_files_sample_by_sample_and_scales() {
    let Some(ffmpeg) = ffmpeg() else { return };
    for range in [ColourRange::Full, ColourRange::Limited] {
        let folder = tempdir().unwrap();
        let (source, frames) = support::clip(folder.path(), "a.y4m", (34, 18), 8, range);
        let lossless = folder.path().join("a.mkv");
        let said = Command::new("ffmpeg")
            .args(["-nostdin", "-v", "error", "-i"])
            .arg(&source)
            .args(["-c:v", "ffv1"])
            .arg(&lossless)
            .output()
            .unwrap();
        assert!(said.status.success(), "{said:?}");
        let clip = Clip::read(&lossless, None, 7, Some(&ffmpeg)).unwrap();
        assert_eq!(clip.frames, frames[..7], "{range:?}");
        assert_eq!(clip.format.colour_range, range);

        let large = Clip::read(&source, Some("68x36".parse().unwrap()), 7, Some(&ffmpeg)).unwrap();
        assert_eq!((large.size().width(), large.size().height()), (68, 36));
        assert_eq!(large.format.colour_range, range);
        // Back at half the size, it is nearly the same again: no range was squeezed.
        let path = folder.path().join("large.y4m");
        let file = fs::File::create(&path).unwrap();
        let mut writer = raq_shared::y4m::Writer::new(file, &large.format).unwrap();
        for frame in &large.frames {
            writer.write(frame).unwrap();
        }
        let small = Clip::read(&path, Some(frames[0].size()), 7, Some(&ffmpeg)).unwrap();
        let psnr = psnr_y(&small.frames[3], &frames[3]);
        assert!(psnr > 30.0, "{range:?}: {psnr} dB");
    }
}

#[test]
fn comparators_keep_full_range_samples() {
    if !support::ffmpeg() {
        return;
    }
    let folder = tempdir().unwrap();
    let (clip, _) = support::clip(folder.path(), "a.y4m", (64, 48), 6, ColourRange::Full);
    // With so much rate, a squeezed range would stand out at 20 dB.
    let others = rd::Codec::ALL.into_iter().filter(|codec| !codec.is_ours());
    let others: Vec<_> = others.map(rd::Codec::name).collect();
    let codecs = others.join(",");
    let more = ["--rates", "20000", "--pictures", "0", "--codecs", &codecs];
    let report = run(&folder, &clip, &more).unwrap();
    assert_eq!(report.codecs("a").len(), others.len());
    for point in report
        .points
        .iter()
        .filter(|point| point.target_kbps.is_some())
    {
        assert!(point.psnr_y_db > 35.0, "{point:?}");
    }
}

#[test]
fn what_cannot_be_measured_is_said() {
    let folder = tempdir().unwrap();
    let rates = ["--rates", "100", "--codecs", "jpeg"];
    let says = |result: Result<Report, Failure>, exit, words: &str| {
        let failure = result.unwrap_err();
        assert_eq!(failure.exit, exit, "{failure}");
        assert!(failure.message.contains(words), "{failure}");
    };
    let missing = run(&folder, &folder.path().join("no.y4m"), &rates);
    says(missing, Exit::Failure, "cannot open");

    let (clip, _) = support::clip(folder.path(), "a.y4m", (32, 32), 5, ColourRange::Limited);
    let clip_text = clip.to_str().unwrap();
    let twice = run(
        &folder,
        &clip,
        &[&rates[..], &["--input", clip_text]].concat(),
    );
    says(twice, Exit::Usage, "two clips are called a");

    let below_a_file = rd::run(&options(&clip, &clip.join("out"), &rates));
    says(below_a_file, Exit::Failure, "--out");

    if support::ffmpeg() {
        says(run(&folder, &clip, &rates), Exit::Failure, "holds 5 frames");
        let text = folder.path().join("b.txt");
        fs::write(&text, "no video").unwrap();
        says(run(&folder, &text, &rates), Exit::Failure, "cannot read");
    }
}
