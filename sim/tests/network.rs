//! `raq-sim run`, `sweep`, `merge`, `report` and `list` as people start them.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use tempfile::tempdir;

fn raq_sim(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_raq-sim"));
    command.current_dir(folder).args(args).output().unwrap()
}

/// Runs it to a good end.
fn well(folder: &Path, args: &[&str]) -> Output {
    let output = raq_sim(folder, args);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}", said(&output));
    output
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

const SHORT: &str = r#"
description = "short"
duration = "4s"
[media]
max-rate = "1Mbit"
[link.down]
rate = "800kbit"
delay = "20ms"
[link.up]
rate = "2Mbit"
delay = "20ms"
[[phase]]
name = "early"
at = "0s"
[[phase]]
name = "late"
at = "2s"
"#;

fn scenario(folder: &Path, more: &str) {
    fs::write(folder.join("short.toml"), format!("{SHORT}{more}")).unwrap();
}

#[test]
fn a_run_leaves_records_a_summary_and_a_page() {
    let folder = tempdir().unwrap();
    scenario(folder.path(), "");
    let args = [
        "run",
        "short.toml",
        "--policies",
        "fixed:400,oracle",
        "--out",
        "out",
    ];
    let output = well(folder.path(), &args);
    let table = printed(&output);
    assert!(
        table.contains("fixed:400") && table.contains("oracle"),
        "{table}"
    );
    let out = folder.path().join("out");
    for file in [
        "run.json",
        "scenario.toml",
        "link.csv",
        "summary.json",
        "report.html",
        "fixed-400/frames.csv",
        "oracle/datagrams.csv",
    ] {
        assert!(out.join(file).is_file(), "{file}");
    }
    let summary: serde_json::Value =
        serde_json::from_slice(&fs::read(out.join("summary.json")).unwrap()).unwrap();
    let share = summary["policies"]["fixed:400"]["use"].as_f64().unwrap();
    assert!((0.48..=0.51).contains(&share), "{share}");
    assert!(summary["policies"]["oracle"]["psnr_y_db"].is_null());

    // The summary and the page come again from the records alone.
    let before = fs::read(out.join("summary.json")).unwrap();
    fs::remove_file(out.join("summary.json")).unwrap();
    fs::remove_file(out.join("report.html")).unwrap();
    well(folder.path(), &["report", "out"]);
    assert_eq!(fs::read(out.join("summary.json")).unwrap(), before);
    assert!(out.join("report.html").is_file());
}

#[test]
fn a_missed_expectation_fails_the_run_by_name() {
    let folder = tempdir().unwrap();
    let run = |more: &str| {
        scenario(folder.path(), more);
        let args = [
            "run",
            "short.toml",
            "--policies",
            "fixed:400",
            "--out",
            "out",
        ];
        raq_sim(folder.path(), &args)
    };
    let kept = "[[expect]]\nmetric = 'use'\nleast = 0.4\nmost = 0.6\n\
                [[expect]]\nmetric = 'queue_ms.p95'\nphase = 'late'\nmost = 30\n\
                [[expect]]\nmetric = 'use'\npolicy = 'gcc'\nleast = 2\n";
    let output = run(kept);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    for (missed, says) in [
        ("metric = 'use'\nleast = 0.9", "fixed:400: use is 0.49"),
        (
            "metric = 'queue_ms.p95'\nphase = 'late'\nmost = 1",
            "in phase late",
        ),
        ("metric = 'psnr_y_db'\nleast = 1", "does not apply"),
        ("metric = 'nonsense'\nleast = 1", "does not exist"),
    ] {
        let output = run(&format!("[[expect]]\n{missed}\n"));
        assert_eq!(output.status.code(), Some(1), "{missed}");
        assert!(said(&output).contains(says), "{missed}: {}", said(&output));
        // What was found is there all the same.
        assert!(folder.path().join("out/summary.json").is_file());
    }
}

#[test]
fn nonsense_is_refused_before_anything_is_written() {
    let folder = tempdir().unwrap();
    scenario(folder.path(), "");
    fs::write(folder.path().join("letters.down"), "1\n2\nthree\n").unwrap();
    fs::write(folder.path().join("silent.txt"), "0.0 0.0\n1.0 0.0\n").unwrap();
    fs::write(folder.path().join("backwards.down"), "5\n4\n").unwrap();
    fs::write(folder.path().join("not.toml"), "description = [").unwrap();
    let trace = |name: &str| {
        vec![
            String::from("short.toml"),
            format!("--set=link.down.trace={name}"),
            String::from("--set=link.down.rate=1Mbit"),
        ]
    };
    let set = |value: &str| vec![String::from("short.toml"), format!("--set={value}")];
    // A trace takes the place of the rate.
    fs::write(
        folder.path().join("traced.toml"),
        SHORT.replace("rate = \"800kbit\"", "trace = \"x\""),
    )
    .unwrap();
    let traced = |name: &str| {
        vec![
            String::from("traced.toml"),
            format!("--set=link.down.trace={name}"),
        ]
    };
    for (args, says) in [
        (vec!["nowhere.toml".into()], "raq-sim list"),
        (vec!["not.toml".into()], "not.toml: line 1: "),
        (set("link.down.speed=5"), "unknown field `speed`"),
        (set("nonsense=5"), "unknown field `nonsense`"),
        (set("duration"), "KEY=VALUE"),
        (set("duration=0s"), "duration"),
        (set("duration=-5s"), "-5s"),
        (set("link.down=5"), " in `link.down`"),
        (set("link.down.rate=-1Mbit"), "-1Mbit"),
        (set("link.down.rate=0bit"), "link.down"),
        (set("link.down.loss=1.5"), "loss"),
        (set("link.down.delay=2h"), "at most 60s"),
        (set("media.source=raq"), "media.clip"),
        (set("media.model=base"), "media.model means nothing"),
        (set("media.fps=0"), "media.fps"),
        (set("media.max-rate=1e9Mbit"), "max-rate"),
        (set("media.max-rate=0kbit"), "media.max-rate"),
        (trace("lte.down"), "exclude each other"),
        (traced("gone.down"), "gone.down"),
        (traced("letters.down"), "letters.down:3"),
        (traced("backwards.down"), "backwards.down:2"),
        (traced("silent.txt"), "silent.txt"),
        (traced("$RAQ_DATA/traces/none"), "RAQ_DATA"),
        (
            vec!["short.toml".into(), "--policies=best".into()],
            "there is no policy",
        ),
        (
            vec!["short.toml".into(), "--policies=fixed:0".into()],
            "fixed:500",
        ),
        (vec!["short.toml".into(), "--mode=dream".into()], "sessions"),
    ] {
        let mut all = vec!["run", "--out", "out"];
        all.extend(args.iter().map(String::as_str));
        let output = raq_sim(folder.path(), &all);
        let said = said(&output);
        assert!(
            matches!(output.status.code(), Some(1 | 2)),
            "{args:?}: {said}"
        );
        assert!(said.contains(says), "{args:?}: {said}");
        assert!(!said.contains("panicked"), "{args:?}: {said}");
        // clap explains the flags that are its own in several lines.
        let clap = said.contains("For more information, try '--help'");
        assert!(clap || said.lines().count() == 1, "{args:?}: {said}");
        assert!(!folder.path().join("out").exists(), "{args:?}");
    }
    fs::write(folder.path().join("file"), "").unwrap();
    let output = raq_sim(folder.path(), &["run", "short.toml", "--out", "file/out"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("file/out"), "{}", said(&output));
}

#[test]
fn a_short_trace_begins_anew_and_says_so_once() {
    let folder = tempdir().unwrap();
    let text = SHORT.replace("rate = \"800kbit\"", "trace = \"second.down\"");
    fs::write(folder.path().join("short.toml"), text).unwrap();
    let lines: Vec<String> = (1..=100).map(|n| format!("{}\n", 10 * n)).collect();
    fs::write(folder.path().join("second.down"), lines.concat()).unwrap();
    let args = [
        "run",
        "short.toml",
        "--policies",
        "oracle,fixed:800",
        "--out",
        "out",
    ];
    let output = well(folder.path(), &args);
    assert_eq!(
        said(&output).matches("begins anew").count(),
        1,
        "{}",
        said(&output)
    );
}

#[test]
fn an_interrupted_run_leaves_what_was_finished() {
    let folder = tempdir().unwrap();
    scenario(folder.path(), "");
    let args = [
        "run",
        "short.toml",
        "--policies",
        "fixed:400,oracle",
        "--out",
        "out",
    ];
    assert_eq!(raq_sim(folder.path(), &args).status.code(), Some(0));
    let out = folder.path().join("out");
    // As a kill during the second policy would leave it.
    fs::remove_dir_all(out.join("oracle")).unwrap();
    let rows = fs::read(out.join("fixed-400/frames.csv")).unwrap();
    fs::write(out.join("fixed-400/frames.csv"), &rows[..rows.len() / 2]).unwrap();
    let rows = fs::read(out.join("fixed-400/datagrams.csv")).unwrap();
    fs::write(out.join("fixed-400/datagrams.csv"), &rows[..rows.len() / 2]).unwrap();
    fs::remove_file(out.join("summary.json")).unwrap();
    let output = well(folder.path(), &["report", "out"]);
    assert!(
        said(&output).contains("oracle has no records"),
        "{}",
        said(&output)
    );
    let told = "fixed:400's records end after 2.";
    assert!(said(&output).contains(told), "{}", said(&output));
    assert!(printed(&output).contains("fixed:400"));
}

#[test]
fn a_frame_that_one_byte_cannot_count_is_cut() {
    let folder = tempdir().unwrap();
    scenario(folder.path(), "");
    for mode in ["sessions", "quic"] {
        let args = [
            "run",
            "short.toml",
            "--no-report",
            "--set",
            "media.fps=1",
            "--set",
            "media.max-rate=40Mbit",
            "--set",
            "link.down.rate=40Mbit",
            "--policies",
            "fixed:30000,oracle,raq",
            "--mode",
            mode,
            "--out",
            mode,
        ];
        let output = raq_sim(folder.path(), &args);
        assert_eq!(output.status.code(), Some(0), "{mode}: {}", said(&output));
    }
}

#[test]
fn paths_begin_where_they_stand_and_a_result_can_be_run_again() {
    let folder = tempdir().unwrap();
    let inner = folder.path().join("inner");
    fs::create_dir(&inner).unwrap();
    let text = SHORT.replace("rate = \"800kbit\"", "trace = \"here.down\"");
    fs::write(inner.join("short.toml"), text).unwrap();
    let lines: Vec<String> = (1..=500).map(|n| format!("{}\n", 8 * n)).collect();
    fs::write(inner.join("here.down"), lines.concat()).unwrap();
    fs::write(folder.path().join("typed.down"), lines[..400].concat()).unwrap();
    let run = |args: &[&str]| {
        let all = [&["run", "--no-report", "--policies", "oracle"], args].concat();
        let output = well(folder.path(), &all);
        printed(&output)
    };
    let first = run(&["inner/short.toml", "--seed", "3", "--out", "a"]);
    assert_eq!(run(&["a/scenario.toml", "--out", "b"]), first);
    let set = "link.down.trace=typed.down";
    run(&["inner/short.toml", "--set", set, "--out", "c"]);
    let text = fs::read_to_string(folder.path().join("c/scenario.toml")).unwrap();
    assert!(text.contains("typed.down"), "{text}");
}

#[test]
fn a_sweep_fails_where_expectations_are_missed_and_names_are_not_one() {
    let folder = tempdir().unwrap();
    scenario(
        folder.path(),
        "[[expect]]\nmetric = 'use'\npolicy = 'oracle'\nmost = 0.1\n",
    );
    let grid = [
        "sweep",
        "short.toml",
        "--seeds",
        "1-2",
        "--out",
        "grid",
        "--policies",
    ];
    let output = raq_sim(folder.path(), &[&grid[..], &["oracle,fixed:400"]].concat());
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("2 expectations were missed: short 1 oracle"));
    // Results that are there already are no better.
    let again = raq_sim(folder.path(), &[&grid[..], &["oracle,fixed:400"]].concat());
    assert_eq!(again.status.code(), Some(1), "{}", said(&again));
    assert!(said(&again).contains("4 runs, 4 of them from before"));
    assert!(said(&again).contains("2 expectations were missed: short 1 oracle"));
    fs::create_dir(folder.path().join("other")).unwrap();
    fs::copy(
        folder.path().join("short.toml"),
        folder.path().join("other/short.toml"),
    )
    .unwrap();
    let args = ["sweep", "short.toml", "other/short.toml", "--out", "two"];
    let output = raq_sim(folder.path(), &args);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("called short"), "{}", said(&output));
}

#[test]
fn a_sweep_is_its_command_lines_and_goes_on_where_it_stopped() {
    let folder = tempdir().unwrap();
    scenario(folder.path(), "");
    let grid = [
        "sweep",
        "short.toml",
        "--policies",
        "fixed:400,gcc",
        "--seeds",
        "1-3",
    ];
    let sweep = |out: &str, more: &[&str]| {
        let args = [&grid[..], &["--out", out], more].concat();
        let output = well(folder.path(), &args);
        printed(&output)
    };
    let table = sweep("grid", &[]);
    assert!(
        table.contains("fixed:400") && table.contains('±'),
        "{table}"
    );
    let merged = fs::read_to_string(folder.path().join("grid/merged.csv")).unwrap();
    assert_eq!(merged.lines().count(), 1 + 2 * 3, "{merged}");
    let cell = folder.path().join("grid/short/seed-2/gcc");
    assert!(cell.join("summary.json").is_file() && !cell.join("gcc").exists());

    // The same, one command line at a time.
    let lines = sweep("lines", &["--print-jobs"]);
    assert_eq!(lines.lines().count(), 6);
    for line in lines.lines() {
        let words: Vec<&str> = line.split(' ').skip(1).collect();
        let output = raq_sim(folder.path(), &words);
        assert_eq!(output.status.code(), Some(0), "{line}: {}", said(&output));
    }
    let output = well(folder.path(), &["merge", "lines", "--out", "lines"]);
    assert_eq!(printed(&output), table);
    let again = fs::read_to_string(folder.path().join("lines/merged.csv")).unwrap();
    assert_eq!(again, merged);

    // What is there stays, what is missing or of another scenario is made.
    let of = |cell: &Path| {
        fs::metadata(cell.join("run.json"))
            .unwrap()
            .modified()
            .unwrap()
    };
    let (kept, made) = (cell.clone(), folder.path().join("grid/short/seed-3/gcc"));
    let before = (of(&kept), of(&made));
    fs::remove_file(made.join("summary.json")).unwrap();
    assert_eq!(sweep("grid", &[]), table);
    assert_eq!(of(&kept), before.0);
    assert!(of(&made) > before.1);
    sweep("grid", &["--set", "link.down.rate=700kbit"]);
    assert!(of(&kept) > before.0);

    well(folder.path(), &["merge", ".", "--out", "all"]);
    fs::create_dir(folder.path().join("empty")).unwrap();
    let output = raq_sim(folder.path(), &["merge", "empty", "--out", "all"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("no summary.json"),
        "{}",
        said(&output)
    );
}

#[test]
fn parity_makes_frames_whole_where_there_is_room_for_it() {
    let folder = tempdir().unwrap();
    scenario(folder.path(), "");
    let whole = |fec: &str| {
        let set = [
            format!("media.fec={fec}"),
            "media.max-rate=300kbit".into(),
            "link.down.loss=0.1".into(),
        ];
        let mut args = vec!["run", "short.toml", "--policies", "raq", "--out", fec];
        args.extend(set.iter().flat_map(|set| ["--set", set]));
        well(folder.path(), &args);
        let frames = fs::read_to_string(folder.path().join(fec).join("raq/frames.csv")).unwrap();
        let mut lines = frames.lines().map(|line| line.split(','));
        let names: Vec<&str> = lines.next().unwrap().collect();
        let [count, arrived] =
            ["datagrams", "arrived"].map(|name| names.iter().position(|it| *it == name).unwrap());
        let frames: Vec<Vec<&str>> = lines.map(Iterator::collect).collect();
        let whole = frames.iter().filter(|row| row[count] == row[arrived]);
        whole.count() as f64 / frames.len() as f64
    };
    let (without, with) = (whole("off"), whole("auto"));
    assert!(without < 0.85 && with > without + 0.1, "{without}, {with}");
}

#[test]
fn scenarios_are_listed_and_found_by_name() {
    let folder = tempdir().unwrap();
    let output = raq_sim(folder.path(), &["list"]);
    let list = printed(&output);
    for name in ["lte", "rfc8867-5.1", "loss-20-burst3", "att-lte-driving"] {
        assert!(list.lines().any(|line| line.starts_with(name)), "{list}");
    }
    let args = [
        "run",
        "outage-1s",
        "--set",
        "duration=20s",
        "--no-report",
        "--out",
        "o",
    ];
    well(folder.path(), &args);
    assert!(!folder.path().join("o/report.html").exists());
    let output = raq_sim(folder.path(), &["completions", "bash"]);
    assert!(printed(&output).contains("raq-sim"));
}

#[test]
fn a_thousand_frames_a_second_go_on_after_an_outage_and_where_most_are_left_out() {
    let folder = tempdir().unwrap();
    let text = SHORT.replace("max-rate = \"1Mbit\"", "fps = 1000");
    fs::write(folder.path().join("short.toml"), text).unwrap();
    let outage = "--set=link.down.outage=[{at = \"1s\", length = \"40s\"}]";
    for (name, sets) in [
        ("slow", ["--set=media.max-rate=20kbit", "--set=duration=5s"]),
        ("outage", [outage, "--set=duration=70s"]),
    ] {
        let mut args = vec!["run", "short.toml", "--policies=raq", "--out", name];
        args.extend(sets);
        well(folder.path(), &args);
        let records = folder.path().join(name).join("raq/frames.csv");
        let mut records = csv::Reader::from_path(records).unwrap();
        let headers = records.headers().unwrap().clone();
        let column = |name: &str| headers.iter().position(|it| it == name).unwrap();
        let [captured, shown] = [column("captured_us"), column("shown_us")];
        let records = records.records().map(Result::unwrap);
        let [last, seen] = records.fold([0u64; 2], |[last, seen], record| {
            let captured: u64 = record[captured].parse().unwrap();
            let shown = record[shown].parse().map_or(0, |_: u64| captured);
            [last.max(captured), seen.max(shown)]
        });
        assert!(
            last > 4_000_000 && seen + 500_000 > last,
            "{name}: {seen} of {last}"
        );
    }
}

#[test]
fn what_is_no_record_stays_where_records_go() {
    let folder = tempdir().unwrap();
    scenario(folder.path(), "");
    let own = folder.path().join("oracle/own.txt");
    fs::create_dir(own.parent().unwrap()).unwrap();
    fs::write(&own, "precious").unwrap();
    let args = ["run", "short.toml", "--policies=oracle", "--out=."];
    let discards = [&args[..], &["--no-report", "--discard-records"]].concat();
    for args in [&args[..], &discards] {
        well(folder.path(), args);
        assert_eq!(fs::read_to_string(&own).unwrap(), "precious");
    }
    assert!(!folder.path().join("oracle/frames.csv").exists());
}
