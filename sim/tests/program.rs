//! The program as people start it.

mod support;

use std::process::{Command, Output};

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
