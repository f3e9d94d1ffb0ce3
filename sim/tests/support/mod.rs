//! A small clip, and what is not there.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use raq_shared::{
    frame::{Frame, Plane},
    paths,
    video::{ChromaSiting, ColourRange, Fraction, FrameRate, VideoFormat},
    y4m::Writer,
};
use raq_sim::rd::st_lpips::interpreter;
use raq_skips::skip;

/// Whether ffmpeg is installed; skips the test where not.
#[allow(dead_code, reason = "not every test needs it")]
pub(crate) fn ffmpeg() -> bool {
    let mut command = Command::new("ffmpeg");
    command.arg("-version").stdout(Stdio::null());
    if command.status().is_ok() {
        return true;
    }
    skip("ffmpeg is not installed (Debian, Ubuntu: apt-get install ffmpeg)");
    false
}

/// A browser that runs without a screen; skips the test where there is none.
#[allow(dead_code, reason = "not every test needs it")]
pub(crate) fn chromium() -> Option<&'static str> {
    let runs = |name: &&str| {
        let mut command = Command::new(name);
        command
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let found = ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find(runs);
    if found.is_none() {
        skip("Chromium is not installed (Debian: apt-get install chromium)");
    }
    found
}

/// The weights of ST-LPIPS; skips the test where they or PyTorch are missing.
#[allow(dead_code, reason = "not every test needs it")]
pub(crate) fn st_lpips_weights() -> Option<PathBuf> {
    let weights = paths::outside_data().join("metrics/stlpips/alex_shift_tolerant.pth");
    if !weights.is_file() {
        let variable = paths::DATA_VARIABLE;
        skip(&format!(
            "{} is not there; set {variable}",
            weights.display()
        ));
        return None;
    }
    let search = "import importlib.util, sys; sys.exit(importlib.util.find_spec('torch') is None)";
    let mut python = Command::new(interpreter());
    let found = python.args(["-c", search]).stderr(Stdio::null()).status();
    if !found.is_ok_and(|status| status.success()) {
        skip("no Python with PyTorch; `cargo xtask setup --train` makes one");
        return None;
    }
    Some(weights)
}

/// Writes a shell script as a program that can be started.
#[allow(dead_code, reason = "not every test needs it")]
pub(crate) fn script(path: &Path, lines: &str) {
    let text = path.with_extension("sh");
    fs::write(&text, format!("#!/bin/sh\n{lines}\n")).unwrap();
    // Copied by another process: a program that another thread's child holds open for writing
    // cannot be started.
    let mut copy = Command::new("install");
    copy.args(["-m", "755"]).arg(text).arg(path);
    assert!(copy.status().unwrap().success());
}

/// Writes a y4m file of waves that move, 25 frames a second, and gives its path and frames.
#[allow(dead_code, reason = "not every test needs it")]
pub(crate) fn clip(
    folder: &Path,
    name: &str,
    (width, height): (u32, u32),
    frames: u32,
    colour_range: ColourRange,
) -> (PathBuf, Vec<Frame>) {
    let format = VideoFormat {
        width,
        height,
        frame_rate: FrameRate::new(25, 1).unwrap(),
        aspect: Fraction::new(1, 1),
        chroma_siting: ChromaSiting::Jpeg,
        colour_range,
    };
    let path = folder.join(name);
    let mut writer = Writer::new(File::create(&path).unwrap(), &format).unwrap();
    let frames: Vec<_> = (0..frames)
        .map(|number| {
            let mut frame = Frame::new(format.size().unwrap());
            for plane in Plane::ALL {
                let (_, rows) = frame.plane_size(plane);
                for y in 0..rows {
                    for (x, sample) in frame.row_mut(plane, y).iter_mut().enumerate() {
                        let (x, t) = (x as f64, f64::from(number));
                        let waves = (0.3 * x + t).sin() + (0.2 * y as f64 - 0.5 * t).cos();
                        let texture = (1.9 * x).sin() * (1.7 * y as f64).cos();
                        // 3 to 253: beyond what limited range allows.
                        *sample = (128.0 + 52.0 * waves + 20.0 * texture) as u8;
                    }
                }
            }
            frame.pad();
            writer.write(&frame).unwrap();
            frame
        })
        .collect();
    (path, frames)
}

/// A small model with several codebooks that was never trained.
#[allow(dead_code, reason = "not every test needs it")]
pub(crate) fn model() -> PathBuf {
    paths::repository().join("tests/data/several")
}

/// The same without what updates need, in `folder`.
#[allow(dead_code, reason = "not every test needs it")]
pub(crate) fn model_without_updates(folder: &Path) -> PathBuf {
    fs::create_dir_all(folder).unwrap();
    for entry in fs::read_dir(model()).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
    }
    let path = folder.join("manifest.json");
    let mut manifest: serde_json::Value =
        serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let files = manifest["files"].as_object_mut().unwrap();
    files.remove("basis.i16").unwrap();
    fs::write(path, manifest.to_string()).unwrap();
    folder.to_owned()
}
