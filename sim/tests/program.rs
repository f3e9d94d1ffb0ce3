//! The program as people start it.

mod support;

use std::{
    env, fs,
    path::Path,
    process::{Command, Output},
};

use raq_shared::video::ColourRange;
use tempfile::tempdir;

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_raq-sim"))
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn without_ffmpeg_the_comparators_are_left_out_by_name() {
    let folder = tempdir().unwrap();
    let (clip, _) = support::clip(folder.path(), "a.y4m", (32, 32), 6, ColourRange::Limited);
    let output = program()
        .args(["rd", "--rates", "60", "--codecs", "jpeg,vp8", "--input"])
        .arg(clip)
        .arg("--out")
        .arg(folder.path().join("out"))
        .env("PATH", folder.path())
        .output()
        .unwrap();
    let said = said(&output);
    let line = said
        .lines()
        .find(|line| line.starts_with("Leaving out vp8, jpeg"));
    assert!(
        line.is_some_and(|line| line.contains("install ffmpeg")),
        "{said}"
    );
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("no codec is left"), "{said}");
}

#[test]
fn tables_go_to_standard_output() {
    if !support::ffmpeg() {
        return;
    }
    let folder = tempdir().unwrap();
    let (clip, _) = support::clip(folder.path(), "a.y4m", (32, 32), 6, ColourRange::Limited);
    let output = program()
        .args(["rd", "--rates", "60", "--codecs", "jpeg", "--input"])
        .arg(clip)
        .arg("--out")
        .arg(folder.path().join("new/out"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let table = String::from_utf8_lossy(&output.stdout);
    assert!(table.starts_with("\na\ncodec"), "{table}");
    assert!(table.contains("\njpeg "), "{table}");
    assert!(said(&output).contains("index.html"));
}

/// Measures a small clip with an ffmpeg that cannot encode where its arguments hold `fails`.
fn with_failing_ffmpeg(folder: &Path, fails: &str, more: &[&str]) -> Output {
    let path = env::var_os("PATH").unwrap();
    let mut real = env::split_paths(&path).map(|folder| folder.join("ffmpeg"));
    let real = real.find(|program| program.is_file()).unwrap();
    support::script(
        &folder.join("ffmpeg"),
        &format!(
            "case \"$*\" in *{fails}*) echo broken >&2; exit 3;; esac\nexec {} \"$@\"",
            real.display()
        ),
    );
    let (clip, _) = support::clip(folder, "a.y4m", (32, 32), 6, ColourRange::Limited);
    let path = env::join_paths(
        [folder.to_owned()]
            .into_iter()
            .chain(env::split_paths(&path)),
    );
    let mut command = program();
    command.args(["rd", "--input"]).arg(clip).args(more);
    command.arg("--out").arg(folder.join("out"));
    command.env("PATH", path.unwrap()).output().unwrap()
}

/// The codec and target of each point asked for.
fn measured(folder: &Path) -> Vec<(String, f64)> {
    let points = fs::read(folder.join("out/rd.json")).unwrap();
    let points: Vec<serde_json::Value> = serde_json::from_slice(&points).unwrap();
    let asked = points.iter().filter_map(|point| {
        let codec = point["codec"].as_str().unwrap().to_owned();
        Some((codec, point["target_kbps"].as_f64()?))
    });
    asked.collect()
}

#[test]
fn an_encode_that_fails_is_left_out_and_the_rest_is_written() {
    if !support::ffmpeg() {
        return;
    }
    let folder = tempdir().unwrap();
    let more = ["--rates", "60,200", "--codecs", "x264-ultrafast,vp8,jpeg"];
    let output = with_failing_ffmpeg(folder.path(), "libvpx*-b:v\\ 60000", &more);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let why = said
        .lines()
        .find(|line| line.starts_with("Leaving out a: vp8 at 60 kbit/s: "));
    assert!(
        why.is_some_and(|line| line.contains("broken") && line.contains("--codecs")),
        "{said}"
    );
    let last = said.lines().next_back().unwrap();
    assert!(
        last.starts_with("raq-sim: ") && last.ends_with(": a: vp8 at 60 kbit/s"),
        "{said}"
    );
    let expected = [
        ("x264-ultrafast", 60.0),
        ("x264-ultrafast", 200.0),
        ("vp8", 200.0),
        ("jpeg", 60.0),
        ("jpeg", 200.0),
    ];
    assert_eq!(
        measured(folder.path()),
        expected.map(|(codec, kbps)| (codec.to_owned(), kbps))
    );
    let table = String::from_utf8_lossy(&output.stdout);
    assert!(table.contains("\nvp8 "), "{table}");
    let page = fs::read_to_string(folder.path().join("out/index.html")).unwrap();
    assert!(page.contains("missing here:</strong> a: vp8 at 60 kbit/s."));
}

#[test]
fn a_codec_that_fails_only_beyond_the_rates_keeps_its_points() {
    if !support::ffmpeg() {
        return;
    }
    let folder = tempdir().unwrap();
    // 250 kbit/s is the next one up.
    let more = ["--rates", "60,200", "--codecs", "x264-ultrafast"];
    let output = with_failing_ffmpeg(folder.path(), "-b:v\\ 250000", &more);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let last = said.lines().next_back().unwrap();
    assert!(
        last.ends_with("x264-ultrafast at 250 kbit/s, to cover the rates"),
        "{said}"
    );
    assert_eq!(measured(folder.path()).len(), 2);
}

#[test]
fn a_clip_that_cannot_be_read_does_not_cost_the_others() {
    if !support::ffmpeg() {
        return;
    }
    let folder = tempdir().unwrap();
    let (short, _) = support::clip(folder.path(), "b.y4m", (32, 32), 5, ColourRange::Limited);
    let short = short.to_str().unwrap();
    let more = ["--rates", "60", "--codecs", "jpeg", "--input", short];
    let output = with_failing_ffmpeg(folder.path(), "nothing", &more);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("holds 5 frames"), "{said}");
    assert!(
        said.lines().next_back().unwrap().ends_with("b.y4m"),
        "{said}"
    );
    assert_eq!(measured(folder.path()), [("jpeg".to_owned(), 60.0)]);
}

#[test]
fn where_every_encode_fails_nothing_is_written() {
    if !support::ffmpeg() {
        return;
    }
    let folder = tempdir().unwrap();
    let more = ["--rates", "60", "--codecs", "jpeg,vp8"];
    let output = with_failing_ffmpeg(folder.path(), "-c:v", &more);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let last = said.lines().next_back().unwrap();
    assert!(
        last.contains("ffmpeg cannot encode") && last.contains("broken"),
        "{said}"
    );
    assert!(!folder.path().join("out/rd.json").exists());
    assert!(output.stdout.is_empty());
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    for args in [
        &["rd"][..],
        &["rd", "--input", "a", "--out", "o", "--rates", "0"],
        &[
            "rd", "--input", "a", "--out", "o", "--rates", "9", "--frames", "5",
        ],
        &[
            "rd", "--input", "a", "--out", "o", "--rates", "9", "--loss", "0.1", "--codecs", "jpeg",
        ],
        &["vectors", "--input", "a", "--rates", "9"],
        &["rdx"],
    ] {
        let output = program().args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", said(&output));
    }
}

#[test]
fn a_model_that_cannot_code_updates_is_left_out_or_an_error() {
    let folder = tempdir().unwrap();
    let model = support::model_without_updates(&folder.path().join("model"));
    let (clip, _) = support::clip(folder.path(), "a.y4m", (32, 32), 6, ColourRange::Limited);
    let run = |more: &[&str]| {
        let mut command = program();
        command.args(["rd", "--rates", "60", "--input"]);
        let out = folder.path().join("out");
        command.arg(&clip).arg("--out").arg(out).args(more);
        // Without ffmpeg nothing is left then.
        command
            .env("PATH", folder.path())
            .env("RAQ_MODEL", &model)
            .output()
            .unwrap()
    };
    let says = "has no temporal codec: basis.i16 is not in its manifest; export it again";
    let unnamed = run(&[]);
    assert_eq!(unnamed.status.code(), Some(1), "{}", said(&unnamed));
    let said_so = said(&unnamed);
    let line = said_so
        .lines()
        .find(|line| line.starts_with("Leaving out raq: "));
    assert!(line.is_some_and(|line| line.contains(says)), "{said_so}");
    for named in [&["--codecs", "raq,jpeg"][..], &["--loss", "0.1"]] {
        let output = run(named);
        assert_eq!(output.status.code(), Some(5), "{}", said(&output));
        assert!(said(&output).contains(says), "{}", said(&output));
    }
}

#[test]
fn faults_are_survived_and_told_in_a_table() {
    let run = |set: &str| {
        let args = ["faults", "--seconds", "1", "--only", set];
        program().args(args).output().unwrap()
    };
    let output = run("loss,clock");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let table = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<_> = table.lines().collect();
    assert!(
        lines.len() == 2 && lines[0].starts_with("faults "),
        "{table}"
    );
    assert!(lines[1].starts_with("every two "), "{table}");
    assert_eq!(said(&output).trim(), "");
    let output = run("fire");
    assert_eq!(output.status.code(), Some(2));
    assert!(
        said(&output).contains("\"fire\" is no fault"),
        "{}",
        said(&output)
    );
}
