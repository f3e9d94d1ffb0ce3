//! What both programs tell of themselves while they run.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
};

use raq_shared::{meter::Figures, paths};
use raq_tests::{
    sandbox::{PATIENCE, Sandbox, assert_error, run},
    terminal::{Terminal, pieces},
    transfer::{Receiver, start_sender},
};
use serde_json::Value;
use xtask::program::{Ended, Program};

/// Metrics and the figures that they are, with the factor between them.
const SAME: [(&str, &str, f64); 16] = [
    ("raq_interval_seconds", "seconds", 1.0),
    ("raq_frames_per_second", "fps", 1.0),
    ("raq_rate_bits_per_second", "kbps", 1e3),
    ("raq_target_bits_per_second", "target_kbps", 1e3),
    ("raq_estimate_bits_per_second", "estimate_kbps", 1e3),
    ("raq_level", "level", 1.0),
    ("raq_codewords_least", "codewords_least", 1.0),
    ("raq_codewords_median", "codewords_median", 1.0),
    ("raq_codewords_most", "codewords_most", 1.0),
    ("raq_rtt_seconds", "rtt_ms", 1e-3),
    ("raq_loss_ratio", "loss", 1.0),
    ("raq_delay_p50_seconds", "delay_p50_ms", 1e-3),
    ("raq_delay_p95_seconds", "delay_p95_ms", 1e-3),
    ("raq_concealed_ratio", "concealed", 1.0),
    ("raq_decode_seconds", "decode_ms", 1e-3),
    ("raq_interval_end_timestamp_seconds", "unix_ms", 1e-3),
];

fn scene(send: &mut Command, seconds: &str) {
    let size = ["--size", "160x96", "--fps", "10", "--codewords", "16"];
    send.args(["--test-pattern", "motion", "--duration", seconds])
        .args(size);
}

fn metrics_address(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("http://")?;
    rest.split_once("/metrics")?.0.parse().ok()
}

/// All metrics of a program; none where it has ended.
fn scrape(address: SocketAddr) -> Option<BTreeMap<String, f64>> {
    let mut stream = TcpStream::connect(address).ok()?;
    let request = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(request).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let metrics = answer.lines().filter_map(|line| {
        let (name, rest) = line.split_once('{')?;
        let value = rest.split_once("} ")?.1;
        Some((name.to_owned(), value.parse().expect(line)))
    });
    // One that ended meanwhile may have said nothing or half of it.
    answer.ends_with("# EOF\n").then(|| metrics.collect())
}

/// The intervals of a file, and its last line.
fn intervals(path: &Path) -> (Vec<Value>, Value) {
    let text = fs::read_to_string(path).unwrap();
    let mut lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let last = lines.pop().unwrap();
    assert_eq!(last["type"], "summary");
    lines.retain(|line| line["type"] == "interval");
    (lines, last)
}

/// Every cell of the table says what the JSON lines do.
fn assert_same_table(path: &Path, intervals: &[Value]) {
    let mut table = csv::Reader::from_path(path).unwrap();
    let names = table.headers().unwrap().clone();
    let rows: Vec<_> = table.records().map(Result::unwrap).collect();
    let types: Vec<_> = rows.iter().map(|row| &row[0]).collect();
    assert_eq!(types.last(), Some(&"summary"), "{types:?}");
    let rows = rows.iter().filter(|row| &row[0] == "interval");
    let mut count = 0;
    for (row, interval) in rows.zip(intervals) {
        for (name, cell) in names.iter().zip(row) {
            let expected = match &interval[name] {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                value => value.to_string(),
            };
            assert_eq!(cell, expected, "{name} of {interval}");
        }
        count += 1;
    }
    assert_eq!(count, intervals.len());
}

/// What was scraped is what the lines say; gives in how many of `scrapes` there was a figure.
fn assert_same_metrics(scrapes: &[BTreeMap<String, f64>], intervals: &[Value]) -> usize {
    let mut compared = 0;
    for metrics in scrapes {
        let Some(end) = metrics.get("raq_interval_end_timestamp_seconds") else {
            continue;
        };
        let end = (end * 1e3).round() as u64;
        let interval = intervals.iter().find(|it| it["unix_ms"] == end);
        let interval = interval.unwrap_or_else(|| panic!("no line of {end}"));
        for (metric, figure, factor) in SAME {
            let value = metrics.get(metric).copied();
            let expected = interval[figure].as_f64().map(|value| value * factor);
            let close = |(a, b): (f64, f64)| (a - b).abs() <= 1e-9 * b.abs();
            let same = match value.zip(expected) {
                Some(both) => close(both),
                None => value.is_none() && expected.is_none(),
            };
            assert!(same, "{metric} is {value:?}, {figure} {expected:?}");
        }
        compared += 1;
    }
    compared
}

fn sum(intervals: &[Value], key: &str) -> u64 {
    intervals.iter().map(|it| it[key].as_u64().unwrap()).sum()
}

#[test]
fn status_line_json_csv_and_metrics_report_the_same() {
    let sandbox = Sandbox::new();
    let observe = |command: &mut Command, name: &str| {
        for ending in ["jsonl", "csv"] {
            command
                .arg("--stats")
                .arg(sandbox.path(format!("{name}.{ending}")));
        }
        command.args(["--stats-interval", "200ms", "--metrics", "127.0.0.1:0"]);
    };
    let mut recv = sandbox.recv();
    recv.args(["--once", "--output", "null", "--listen", "127.0.0.1:0"]);
    observe(&mut recv, "recv");
    let mut recv = Program::start("raq-recv", &mut recv).unwrap();
    let recv_metrics = recv
        .wait_for("where metrics are", PATIENCE, metrics_address)
        .unwrap();
    let listening = xtask::stats::listening;
    let address = recv
        .wait_for("where it listens", PATIENCE, listening)
        .unwrap();
    let mut send = sandbox.send();
    send.args(["--peer", &address.to_string()]);
    scene(&mut send, "3s");
    observe(&mut send, "send");
    let Some(mut terminal) = Terminal::start(&sandbox, &send, 300) else {
        return;
    };

    let mut written = Vec::new();
    let mut send_metrics = None;
    let mut silent = Vec::new();
    let (mut sent, mut received) = (Vec::new(), Vec::new());
    while terminal.read(&mut written) {
        if send_metrics.is_none() {
            send_metrics = pieces(&written)
                .iter()
                .find_map(|line| metrics_address(line));
            // Clients that connect and say nothing change nothing.
            silent.extend(send_metrics.map(TcpStream::connect));
            silent.push(TcpStream::connect(recv_metrics));
        }
        sent.extend(send_metrics.and_then(scrape));
        received.extend(scrape(recv_metrics));
    }
    assert_eq!(terminal.finish(), Some(0), "{:?}", pieces(&written));
    let recv = recv.finish(PATIENCE).and_then(Ended::well).unwrap();

    let (lines, summary) = intervals(&sandbox.path("send.jsonl"));
    assert_same_table(&sandbox.path("send.csv"), &lines);
    assert!(assert_same_metrics(&sent, &lines) > 0, "{sent:?}");
    assert_eq!(sum(&lines, "frames"), summary["frames_sent"]);
    assert_eq!(sum(&lines, "skipped"), summary["frames_skipped"]);
    assert_eq!(sum(&lines, "bytes"), summary["bytes"]);
    let texts = lines.iter().map(|line| {
        let figures: Figures = serde_json::from_value(line.clone()).unwrap();
        figures.line()
    });
    let texts: BTreeSet<_> = texts.collect();
    let drawn = drawn(&written);
    assert!(!drawn.is_empty(), "{:?}", pieces(&written));
    for piece in &drawn {
        assert!(texts.contains(piece), "{piece:?} is none of {texts:#?}");
    }

    let (lines, summary) = intervals(&sandbox.path("recv.jsonl"));
    assert_same_table(&sandbox.path("recv.csv"), &lines);
    assert!(assert_same_metrics(&received, &lines) > 0, "{received:?}");
    assert_eq!(sum(&lines, "bytes"), summary["bytes"]);
    let frames = summary["frames_decoded"].as_u64().unwrap()
        - summary["frames_superseded"].as_u64().unwrap();
    assert_eq!(sum(&lines, "frames"), frames);
    assert!(
        !recv.stderr.contains(" fps  "),
        "no terminal: {}",
        recv.stderr
    );

    // The dashboard asks for nothing that there is not.
    let served: BTreeSet<_> = sent
        .iter()
        .chain(&received)
        .flat_map(BTreeMap::keys)
        .collect();
    let dashboard = paths::repository().join("receiver/packaging/grafana-dashboard.json");
    let asked = asked(&serde_json::from_str(&fs::read_to_string(dashboard).unwrap()).unwrap());
    assert!(asked.len() > 10);
    for name in asked {
        assert!(served.contains(&name), "{name} is not served");
    }
}

/// The metrics in all queries of a dashboard.
fn asked(value: &Value) -> BTreeSet<String> {
    let in_query = |query: &str| {
        let words = query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let names: Vec<_> = words.filter(|word| word.starts_with("raq_")).collect();
        names.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    match value {
        Value::Array(values) => values.iter().flat_map(asked).collect(),
        Value::Object(entries) => entries
            .iter()
            .flat_map(|(key, value)| match (key.as_str(), value) {
                ("expr" | "query", Value::String(query)) => in_query(query).into_iter().collect(),
                _ => asked(value),
            })
            .collect(),
        _ => BTreeSet::new(),
    }
}

#[test]
fn the_status_line_fits_the_terminal_and_leaves_log_lines_whole() {
    let sandbox = Sandbox::new();
    let recv = Receiver::start(sandbox.recv().args(["--once", "--output", "null"]));
    let mut send = sandbox.send();
    send.args([
        "--peer",
        &recv.address.to_string(),
        "--stats-interval",
        "200ms",
    ]);
    send.env("NO_COLOR", "1");
    scene(&mut send, "3s");
    let Some(mut terminal) = Terminal::start(&sandbox, &send, 40) else {
        return;
    };
    let mut written = Vec::new();
    let mut resized = false;
    while terminal.read(&mut written) {
        if !resized && drawn(&written).len() == 3 {
            resized = true;
            terminal.resize(20);
        }
    }
    let pieces = pieces(&written);
    assert_eq!(terminal.finish(), Some(0), "{pieces:?}");
    recv.finish().well().unwrap();
    // The tilde on K takes no room of its own.
    let width = |line: &String| line.chars().filter(|&c| c != '\u{303}').count();
    let widths: Vec<_> = drawn(&written).iter().map(width).collect();
    assert!(resized && widths.len() > 4, "{pieces:?}");
    assert!(widths.iter().all(|&width| width <= 40), "{widths:?}");
    assert!(
        widths.last().is_some_and(|&width| width <= 20),
        "{widths:?}"
    );
    for words in ["connected to", "frames sent,"] {
        let line = pieces.iter().find(|piece| piece.contains(words));
        let line = line.unwrap_or_else(|| panic!("no {words:?} in {pieces:?}"));
        assert!(
            line.starts_with("INFO") && !line.contains(" fps  "),
            "{line:?}"
        );
    }
    let text = String::from_utf8_lossy(&written);
    let colours = text.split('\x1b').skip(1).filter(|rest| {
        let end = rest.find(|c: char| c.is_ascii_alphabetic());
        end.is_some_and(|end| rest[end..].starts_with('m'))
    });
    assert_eq!(colours.count(), 0, "{text:?}");
}

/// The status lines in what was written.
fn drawn(written: &[u8]) -> Vec<String> {
    let mut pieces = pieces(written);
    pieces.retain(|piece| piece.contains(" fps  "));
    pieces
}

#[test]
fn quiet_programs_draw_nothing() {
    let sandbox = Sandbox::new();
    let recv = Receiver::start(sandbox.recv().args(["--once", "--output", "null"]));
    let mut send = sandbox.send();
    send.args([
        "-q",
        "--peer",
        &recv.address.to_string(),
        "--stats-interval",
        "100ms",
    ]);
    scene(&mut send, "1s");
    let Some(mut terminal) = Terminal::start(&sandbox, &send, 80) else {
        return;
    };
    let mut written = Vec::new();
    while terminal.read(&mut written) {}
    assert_eq!((terminal.finish(), pieces(&written)), (Some(0), vec![]));
    recv.finish().well().unwrap();
}

#[test]
fn logs_are_json_to_the_last_line() {
    let sandbox = Sandbox::new();
    let json = ["--log-format", "json"];
    let recv = start_with_json(sandbox.recv().args(["--once", "--output", "null"]));
    let mut send = sandbox.send();
    scene(&mut send, "1s");
    let send = start_sender(send.args(json), recv.address);
    let send = send.finish(PATIENCE).and_then(Ended::well).unwrap();
    let recv = recv.finish().well().unwrap();
    let lines = |text: &str| -> Vec<Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        text.lines().map(parse).collect()
    };
    for ended in [send, recv] {
        let lines = lines(&ended.stderr);
        assert!(lines.len() > 1, "{}", ended.stderr);
        assert!(
            lines
                .iter()
                .all(|line| line["level"] == "INFO" && line["message"].is_string())
        );
    }
    let mut command = sandbox.recv();
    command
        .args(json)
        .args(["--listen", "192.0.2.1:1", "--output", "null"]);
    let failed = run(&mut command);
    assert_eq!(failed.code(), Some(1));
    let last = lines(&failed.stderr).pop().unwrap();
    assert_eq!(
        (&last["level"], &last["exit"]),
        (&"ERROR".into(), &1.into())
    );
    assert!(
        last["message"]
            .as_str()
            .unwrap()
            .contains("cannot listen on 192.0.2.1:1"),
        "{last}"
    );
}

/// raq-recv on a free port, with a log of JSON.
fn start_with_json(command: &mut Command) -> Receiver {
    command.args(["--log-format", "json", "--listen", "127.0.0.1:0"]);
    let mut program = Program::start("raq-recv", command).unwrap();
    let listening = |line: &str| {
        let line: Value = serde_json::from_str(line).ok()?;
        xtask::stats::listening(line["message"].as_str()?)
    };
    let address = program
        .wait_for("where it listens", PATIENCE, listening)
        .unwrap();
    Receiver { program, address }
}

#[test]
fn qlog_files_tell_of_packets() {
    let sandbox = Sandbox::new();
    let mut recv = sandbox.recv();
    recv.args(["--once", "--output", "null", "--qlog", "traces"]);
    let recv = Receiver::start(&mut recv);
    let mut send = sandbox.send();
    scene(&mut send, "1s");
    let send = start_sender(send.args(["--qlog", "traces"]), recv.address);
    send.finish(PATIENCE).and_then(Ended::well).unwrap();
    recv.finish().well().unwrap();
    let mut programs = BTreeSet::new();
    for entry in fs::read_dir(sandbox.path("traces")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(name.ends_with(".sqlog"), "{name}");
        programs.insert(name[..8].to_owned());
        // JSON text sequences (RFC 7464).
        let text = fs::read_to_string(&path).unwrap();
        let records: Vec<Value> = text
            .split('\x1e')
            .filter(|record| !record.is_empty())
            .map(|record| serde_json::from_str(record).unwrap_or_else(|e| panic!("{e}: {record}")))
            .collect();
        assert!(records[0]["qlog_version"].is_string(), "{}", records[0]);
        let is = |record: &&Value| {
            let name = record["name"].as_str().unwrap_or_default();
            name.ends_with("packet_sent")
        };
        assert!(records.iter().filter(is).count() > 10, "{name}");
    }
    let expected = ["raq-recv", "raq-send"].map(str::to_owned);
    assert_eq!(programs, expected.into());
}

#[test]
fn readers_that_leave_end_both_quietly() {
    let sandbox = Sandbox::new();
    let recv = Receiver::start(sandbox.recv().args(["--once", "--output", "null"]));
    let mut send = sandbox.send();
    scene(&mut send, "60s");
    let send = send.args(["--stats", "-"]).stdout(Stdio::piped());
    let mut send = start_sender(send, recv.address);
    let mut records = BufReader::new(send.stdout().unwrap()).lines();
    for _ in 0..3 {
        let line: Value = serde_json::from_str(&records.next().unwrap().unwrap()).unwrap();
        assert_eq!(line["schema"], "raq-stats/1");
    }
    drop(records);
    let send = send.finish(PATIENCE).and_then(Ended::well).unwrap();
    assert!(!send.stderr.contains("ERROR"), "{}", send.stderr);
    recv.finish().well().unwrap();
}

#[test]
fn what_cannot_be_is_told_with_the_cure() {
    let sandbox = Sandbox::new();
    let recv = |args: &[&str]| {
        let mut command = sandbox.recv();
        command
            .args(["--listen", "127.0.0.1:0", "--output"])
            .args(args);
        run(command.stdout(Stdio::piped()))
    };
    let both = recv(&["-", "--stats", "-"]);
    assert_error(
        &both,
        2,
        &[
            "--stats - is also --output",
            "give one of them another file",
        ],
    );
    let twice = recv(&["null", "--stats", "a", "--stats", "a"]);
    assert_error(&twice, 2, &["--stats a is given twice"]);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let port = recv(&["null", "--metrics", &address]);
    assert_error(&port, 1, &["--metrics", &address, "choose another"]);
    fs::write(sandbox.path("file"), "").unwrap();
    let qlog = recv(&["null", "--qlog", "file"]);
    assert_error(&qlog, 1, &["cannot write into file", "--qlog DIR"]);
    let stats = recv(&["null", "--stats", "nowhere/stats"]);
    assert_error(&stats, 1, &["cannot write nowhere/stats", "--stats FILE"]);
    for (flag, value) in [
        ("--stats-interval", "1ms"),
        ("--stats-format", "xml"),
        ("--metrics", "localhost"),
        ("--log-format", "xml"),
    ] {
        let ended = recv(&["null", flag, value]);
        assert_eq!(ended.code(), Some(2), "{flag} {value}: {}", ended.stderr);
    }
}
