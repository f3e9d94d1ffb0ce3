//! raq itself in `raq-sim rd` and `raq-sim vectors`, with a small model that was never trained.

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Parser as _;
use raq_shared::{
    coding::{Tables, tables::TableCounts},
    exit::Exit,
    frame::Frame,
    model::{Model, ModelOptions, Provider},
    stage::Stages,
    video::ColourRange,
};
use raq_sim::{
    options::{Instrument, Options},
    rd::{self, Codec, record::FrameRecord, report::Report},
    vectors,
};
use tempfile::{TempDir, tempdir};

const FPS: f64 = 25.0;

fn options(folder: &TempDir, instrument: &str, clip: &Path, more: &[&str]) -> Instrument {
    let (clip, out, model) = (clip, folder.path().join("out"), support::model());
    let [clip, out, model] = [clip, &out, &model].map(|path| path.to_str().unwrap());
    let all = [
        "raq-sim", instrument, "--input", clip, "--out", out, "--model", model,
    ];
    Options::parse_from(all.iter().chain(more)).instrument
}

fn measure(folder: &TempDir, clip: &Path, more: &[&str]) -> Report {
    let ours = ["--codecs", "raq", "--pictures", "0"];
    match options(folder, "rd", clip, &[&ours, more].concat()) {
        Instrument::Rd(options) => rd::run(&options).unwrap(),
        _ => unreachable!("rd was asked for"),
    }
}

fn clip(folder: &TempDir, size: (u32, u32), frames: u32) -> (PathBuf, Vec<Frame>) {
    support::clip(folder.path(), "waves.y4m", size, frames, ColourRange::Full)
}

/// A frame may take its own share of the rate and what the one before left of its own.
fn assert_within(frames: &[&FrameRecord], kbps: f64) {
    let share = 1000.0 * kbps / FPS;
    let mut total = 0.0;
    for (number, frame) in frames.iter().enumerate() {
        total += frame.bits as f64;
        assert!(frame.bits as f64 <= 2.0 * share, "{frame:?}");
        assert!(total <= (number + 1) as f64 * share, "{frame:?}");
    }
}

#[test]
fn more_bits_make_a_better_picture_and_none_are_taken_beyond() {
    let folder = tempdir().unwrap();
    // Sides that have to be padded.
    let (clip, _) = clip(&folder, (90, 50), 16);
    let report = measure(&folder, &clip, &["--rates", "5,10,20"]);
    assert_eq!(report.codecs("waves"), [Codec::Raq]);
    for kbps in [5.0, 10.0, 20.0] {
        let of = |frame: &&FrameRecord| frame.target_kbps == Some(kbps);
        let frames: Vec<_> = report.frames.iter().filter(of).collect();
        assert_eq!(frames.len(), 16);
        assert_within(&frames, kbps);
    }
    let psnr: Vec<_> = report.points.iter().map(|point| point.psnr_y_db).collect();
    assert!(
        psnr[0] > 10.0 && psnr.is_sorted() && psnr[2] > psnr[0] + 1.0,
        "{psnr:?}"
    );
    assert!(report.points.iter().all(|point| point.ms_per_frame > 0.0));
    assert_eq!(report.points[1].setting, "10 kbit/s, medium");
}

#[test]
fn lost_datagrams_never_fail_it_and_the_seed_says_which_are_lost() {
    let folder = tempdir().unwrap();
    let (clip, _) = clip(&folder, (96, 64), 14);
    let lossy = |seed: &str, more: &[&str]| {
        let flags = ["--rates", "150", "--loss", "0.3", "--seed", seed];
        let frames = measure(&folder, &clip, &[&flags, more].concat()).frames;
        assert_within(&frames.iter().collect::<Vec<_>>(), 150.0);
        frames
    };
    for (seed, more) in [
        ("1", &[][..]),
        ("2", &["--feedback-delay", "30ms"]),
        ("3", &["--datagrams", "4", "--speed", "fast"]),
        ("4", &["--datagrams", "3", "--feedback-delay", "4s"]),
    ] {
        lossy(seed, more);
    }
    let (once, again, other) = (lossy("1", &[]), lossy("1", &[]), lossy("5", &[]));
    assert_eq!(once, again);
    assert_ne!(once, other);
}

#[test]
fn nothing_is_sent_where_nothing_fits() {
    let folder = tempdir().unwrap();
    let (clip, _) = clip(&folder, (64, 48), 8);
    for (rate, datagrams) in [("1", "1"), ("9", "6"), ("14", "6"), ("20", "200")] {
        let report = measure(&folder, &clip, &["--rates", rate, "--datagrams", datagrams]);
        let frames: Vec<_> = report.frames.iter().collect();
        assert_within(&frames, rate.parse().unwrap());
    }
}

#[test]
fn codebooks_of_a_folder_code_like_the_adapters_that_made_them() {
    let folder = tempdir().unwrap();
    let (clip, _) = clip(&folder, (64, 48), 8);
    let model = Model::open(&ModelOptions {
        folder: Some(support::model()),
        provider: Provider::Cpu,
        threads: 1,
        ..ModelOptions::default()
    })
    .unwrap();
    let books = folder.path().join("books");
    fs::create_dir(&books).unwrap();
    for codebook in model.regenerate().unwrap().codebooks.list() {
        let bytes: Vec<u8> = codebook
            .rows()
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect();
        fs::write(books.join(format!("{}.i16", codebook.name())), bytes).unwrap();
    }
    let given = ["--rates", "100", "--codebooks", books.to_str().unwrap()];
    let (own, given_too) = (
        measure(&folder, &clip, &given[..2]).frames,
        measure(&folder, &clip, &given).frames,
    );
    assert_eq!(own, given_too);

    fs::remove_file(books.join("fine.i16")).unwrap();
    let Instrument::Rd(options) = options(&folder, "rd", &clip, &given) else {
        unreachable!("rd was asked for")
    };
    let failure = rd::run(&options).unwrap_err();
    assert_eq!(failure.exit, Exit::Model);
    assert!(failure.message.contains("fine.i16"), "{failure}");
}

/// Shape and data of a file of NumPy's.
fn array(path: &Path) -> (String, Vec<u8>) {
    let bytes = fs::read(path).unwrap();
    assert_eq!(bytes[..8], *b"\x93NUMPY\x01\x00", "{}", path.display());
    let (header, data) = bytes.split_at(128);
    let text = String::from_utf8_lossy(&header[10..]);
    let (_, shape) = text.split_once("'shape': ").unwrap();
    let (shape, _) = shape.split_once(", }").unwrap();
    (shape.to_owned(), data.to_vec())
}

#[test]
fn vectors_and_counts_fit_the_model() {
    let folder = tempdir().unwrap();
    let (clip, _) = clip(&folder, (90, 50), 8);
    let more = ["--rates", "200,50", "--speed", "fast"];
    let Instrument::Vectors(options) = options(&folder, "vectors", &clip, &more) else {
        unreachable!("vectors were asked for")
    };
    vectors::run(&options).unwrap();
    let out = folder.path().join("out");

    let mut vectors = 0;
    for (name, columns) in [("tile", 49), ("position", 13), ("fine", 13)] {
        let (shape, data) = array(&out.join(format!("{name}.vectors.npy")));
        let rows = data.len() / (4 * columns);
        assert_eq!(shape, format!("({rows}, {columns},)"), "{name}");
        vectors += rows;
        for row in data.chunks_exact(4 * columns) {
            let row = row
                .as_chunks()
                .0
                .iter()
                .map(|&bytes| f32::from_le_bytes(bytes));
            let row: Vec<_> = row.collect();
            let shift = -row[0].log2() / 2.0;
            let shifts: &[f32] = if name == "fine" { &[1.0, 3.0] } else { &[0.0] };
            assert!(shifts.contains(&shift), "{name}: weight {}", row[0]);
            let whole = row[1..].iter().all(|value| value % shift.exp2() == 0.0);
            assert!(
                whole && row[1..].iter().any(|&value| value != 0.0),
                "{row:?}"
            );
        }
    }
    assert!(vectors > 20, "{vectors} refinements");

    let text = fs::read(out.join("counts.json")).unwrap();
    let counts: TableCounts = serde_json::from_slice(&text).unwrap();
    let model = Model::open(&ModelOptions {
        folder: Some(support::model()),
        ..ModelOptions::default()
    });
    let codebooks = model.unwrap().regenerate().unwrap().codebooks;
    Tables::new(&counts, &Stages::of(&codebooks).unwrap()).unwrap();
    let sum = |lists: &dyn Fn(usize) -> Vec<u32>| -> usize {
        (0..5).flat_map(lists).map(|count| count as usize).sum()
    };
    let refined = sum(&|band| counts.bands[band].class.concat());
    let updates = sum(&|band| counts.bands[band].start.clone());
    let tiles = sum(&|band| counts.bands[band].blocks[0].clone());
    assert_eq!(updates, tiles);
    // Some refinements are taken back where a frame turned out too long.
    assert!(0 < refined && refined <= vectors, "{refined} {vectors}");

    for kbps in [50, 200] {
        let (shape, sums) = array(&out.join(format!("waves.{kbps}.sums.npy")));
        assert_eq!(
            (shape.as_str(), sums.len()),
            ("(8, 8, 12, 12,)", 2 * 8 * 96 * 12)
        );
        assert!(sums.iter().any(|&byte| byte != 0));
        let (shape, depths) = array(&out.join(format!("waves.{kbps}.depth.npy")));
        assert_eq!((shape.as_str(), depths.len()), ("(8, 8, 12,)", 8 * 96));
        assert!(depths.iter().all(|&depth| depth <= 96));
    }
}
