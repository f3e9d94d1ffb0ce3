//! ST-LPIPS in `raq-sim rd`: with the real network where it can be had, and what is said where not.

mod support;

use std::{fs, path::Path, time::Duration};

use clap::Parser as _;
use raq_shared::{
    exit::{Exit, Failure},
    frame::{Frame, Plane},
    video::ColourRange,
};
use raq_sim::{
    options::{Instrument, Options},
    rd::{
        self, Clip,
        encoded::{Encoded, EncodedFrame},
        report::Report,
        st_lpips::{SMALLEST_SIDE, StLpips},
    },
};
use tempfile::{TempDir, tempdir};

/// Stands for Python: takes whole pairs of the size it is told, as the real program does, and
/// gives the number of each in hundredths.
const COUNTING: &str = r#"
while [ $# -gt 0 ]; do
    case "$1" in --size) size=$2;; esac
    shift
done
pair=$((6 * ${size%x*} * ${size#*x}))
number=0
while [ "$(head -c $pair | wc -c)" -eq $pair ]; do
    printf '0.%02d\n' $number
    number=$((number + 1))
done
"#;

fn open(folder: &TempDir, script: &str) -> Result<StLpips, Failure> {
    let (python, weights) = (folder.path().join("python"), folder.path().join("weights"));
    support::script(&python, script);
    fs::write(&weights, "").unwrap();
    StLpips::open(&weights, Some(&python))
}

fn clip(folder: &TempDir, size: (u32, u32)) -> Clip {
    let (path, _) = support::clip(folder.path(), "a.y4m", size, 8, ColourRange::Full);
    Clip::read(&path, None, 8, None).unwrap()
}

fn encoded(pictures: &[Frame]) -> Encoded {
    let frames = pictures.iter().map(|picture| EncodedFrame {
        bytes: 100,
        picture: picture.clone(),
    });
    Encoded {
        setting: "as told".to_owned(),
        frames: frames.collect(),
        encode_time: Duration::from_millis(1),
    }
}

fn says(result: Result<impl Sized, Failure>, words: &[&str]) {
    let Err(failure) = result else {
        panic!("{words:?} should be said")
    };
    assert_eq!(failure.exit, Exit::Failure);
    for words in words {
        assert!(failure.message.contains(words), "{failure}");
    }
}

#[test]
fn pairs_are_sent_whole_and_small_pictures_not_at_all() {
    let folder = tempdir().unwrap();
    let mut st_lpips = open(&folder, COUNTING).unwrap();
    // Odd sides, and larger than what a pipe holds.
    let large = clip(&folder, (321, 239));
    let found = st_lpips.distances(&large, &encoded(&large.frames)).unwrap();
    let expected = [0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07];
    assert_eq!(found.unwrap(), expected);
    // It goes on with the same program, and begins anew for another size.
    let found = st_lpips.distances(&large, &encoded(&large.frames)).unwrap();
    assert_eq!(found.unwrap()[..2], [0.08, 0.09]);
    let side = SMALLEST_SIDE as u32;
    let smallest = clip(&folder, (side, side));
    let found = st_lpips
        .distances(&smallest, &encoded(&smallest.frames))
        .unwrap();
    assert_eq!(found.unwrap(), expected);
    let tiny = clip(&folder, (side - 1, 64));
    let found = st_lpips.distances(&tiny, &encoded(&tiny.frames)).unwrap();
    assert_eq!(found, None);
}

#[test]
fn what_is_missing_is_said_before_anything_is_encoded() {
    let folder = tempdir().unwrap();
    let no_weights = StLpips::open(&folder.path().join("none.pth"), None);
    says(
        no_weights,
        &["none.pth cannot be read", "alex_shift_tolerant.pth"],
    );
    let weights = folder.path().join("weights");
    fs::write(&weights, "").unwrap();
    let no_python = StLpips::open(&weights, Some(Path::new("no-such-python")));
    says(no_python, &["no-such-python cannot be run", "--python"]);

    let no_torch = "echo Traceback >&2; echo \"ModuleNotFoundError: No module named 'torch'\" >&2; \
                    exit 1";
    let setup = "cargo xtask setup --train";
    says(open(&folder, no_torch), &["'torch'", "--python", setup]);
    let unfit = "echo 'st_lpips: w holds no weights; give another' >&2; exit 1";
    says(open(&folder, unfit), &["w holds no weights; give another"]);
    says(
        open(&folder, "echo nan; cat > /dev/null"),
        &["gave \"nan\"", "--python"],
    );
    says(open(&folder, "exit 7"), &["gave \"\"", "exit status: 7"]);
}

#[test]
fn a_program_that_dies_is_started_anew() {
    let folder = tempdir().unwrap();
    let clip = clip(&folder, (32, 32));
    // The first one answers open's own question, the second one dies of the third pair.
    let dying = format!(
        "echo >> {0}/starts\nif [ $(wc -l < {0}/starts) -eq 2 ]; then\n\
         head -c 6144 > /dev/null; echo 0.5; head -c 6144 > /dev/null; echo 0.5\n\
         echo 'MemoryError: too large' >&2; exit 1\nfi\n{COUNTING}",
        folder.path().display()
    );
    let mut st_lpips = open(&folder, &dying).unwrap();
    let first = st_lpips.distances(&clip, &encoded(&clip.frames));
    says(first, &["MemoryError: too large"]);
    let second = st_lpips.distances(&clip, &encoded(&clip.frames)).unwrap();
    assert_eq!(second.unwrap()[..3], [0.0, 0.01, 0.02]);
}

#[test]
fn the_network_takes_darker_pictures_for_worse() {
    let Some(weights) = support::st_lpips_weights() else {
        return;
    };
    let folder = tempdir().unwrap();
    let clip = clip(&folder, (64, 48));
    let pictures: Vec<_> = clip
        .frames
        .iter()
        .zip(0..)
        .map(|(frame, number)| {
            let mut frame = frame.clone();
            for y in 0..48 {
                let row = frame.row_mut(Plane::Y, y).iter_mut();
                row.for_each(|sample| *sample -= *sample / 8 * number);
            }
            frame.pad();
            frame
        })
        .collect();
    let mut st_lpips = StLpips::open(&weights, None).unwrap();
    let found = st_lpips
        .distances(&clip, &encoded(&pictures))
        .unwrap()
        .unwrap();
    assert_eq!(found[0], 0.0);
    assert!(found[1] > 0.0 && found[7] > 2.0 * found[1], "{found:?}");
}

fn measure(folder: &TempDir, more: &[&str]) -> Result<Report, Failure> {
    let (clip, _) = support::clip(folder.path(), "a.y4m", (64, 48), 7, ColourRange::Full);
    let out = folder.path().join("out");
    let [clip, out] = [&clip, &out].map(|path| path.to_str().unwrap());
    let needed = [
        "raq-sim", "rd", "--input", clip, "--out", out, "--rates", "100,800",
    ];
    match Options::parse_from(needed.iter().chain(more)).instrument {
        Instrument::Rd(options) => rd::run(&options),
        _ => unreachable!("rd was asked for"),
    }
}

#[test]
fn st_lpips_is_in_every_file_that_rd_writes() {
    let Some(weights) = support::st_lpips_weights() else {
        return;
    };
    if !support::ffmpeg() {
        return;
    }
    let folder = tempdir().unwrap();
    let weights = weights.to_str().unwrap();
    let report = measure(
        &folder,
        &["--codecs", "x264-ultrafast", "--st-lpips", weights],
    )
    .unwrap();
    let asked: Vec<_> = report
        .points
        .iter()
        .filter(|point| point.target_kbps.is_some())
        .collect();
    let [coarse, fine] = [0, 1].map(|number: usize| asked[number].st_lpips.unwrap());
    assert!(0.0 < fine && fine < coarse, "{asked:?}");

    let read = |name: &str| fs::read_to_string(folder.path().join("out").join(name)).unwrap();
    let frames: Vec<serde_json::Value> = serde_json::from_str(&read("frames.json")).unwrap();
    let of_fine = frames.iter().filter(|frame| frame["target_kbps"] == 800.0);
    let values: Vec<_> = of_fine
        .map(|frame| frame["st_lpips"].as_f64().unwrap())
        .collect();
    assert!(
        (values[5..].iter().sum::<f64>() / 2.0 - fine).abs() < 2e-6,
        "{values:?}"
    );
    let table = read("frames.csv");
    let mut lines = table.lines();
    assert!(lines.next().unwrap().ends_with(",st_lpips"));
    assert!(
        lines.all(|line| line.rsplit(',').next().unwrap().parse::<f64>().is_ok()),
        "{table}"
    );
    let points: Vec<serde_json::Value> = serde_json::from_str(&read("rd.json")).unwrap();
    assert_eq!(points[0]["st_lpips"], coarse);
    let shown = format!("{fine:.4}");
    for text in [report.tables(), read("index.html")] {
        assert!(text.contains("ST-LPIPS") && text.contains(&shown), "{text}");
    }
    assert!(read("a-st-lpips.svg").contains("ST-LPIPS"));
}

#[test]
fn where_st_lpips_fails_the_rest_is_kept_and_it_is_named() {
    if !support::ffmpeg() {
        return;
    }
    let folder = tempdir().unwrap();
    let (python, weights) = (folder.path().join("python"), folder.path().join("weights"));
    // Works for open's own question alone.
    let failing = format!("case \"$*\" in *32x32*) ;; *) echo no >&2; exit 1;; esac\n{COUNTING}");
    support::script(&python, &failing);
    fs::write(&weights, "").unwrap();
    let [python, weights] = [&python, &weights].map(|path| path.to_str().unwrap());
    let more = [
        "--codecs",
        "jpeg",
        "--st-lpips",
        weights,
        "--python",
        python,
    ];
    let report = measure(&folder, &more).unwrap();
    assert!(report.points.len() >= 2);
    assert!(report.points.iter().all(|point| point.st_lpips.is_none()));
    assert_eq!(report.missing.names().len(), report.points.len());
    let failure = report.missing.none().unwrap_err();
    assert!(
        failure.message.contains("a: ST-LPIPS of jpeg, q "),
        "{failure}"
    );
    assert!(!folder.path().join("out/a-st-lpips.svg").exists());
}
