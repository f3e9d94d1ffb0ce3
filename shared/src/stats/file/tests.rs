use std::io::{BufRead as _, BufReader};

use super::super::columns::{self, Rows};
use super::super::tests::summary;
use super::super::{
    ConnectionChange, ConnectionRecord, FrameDecoded, FrameSent, FrameSkipped, ReceiverRecord,
    ReceiverSummary, SenderRecord,
};
use super::*;
use crate::meter::Figures;

fn frame(frame: u32) -> ReceiverRecord {
    ReceiverRecord::Frame(FrameDecoded {
        frame,
        arrived_unix_us: 1,
        shown_unix_us: 1,
        playout_wait_ms: 2.5,
        late: true,
        superseded: false,
        level: 60,
        codewords: vec![2, 16],
        datagrams_received: 3,
        datagrams_expected: 4,
        concealed_tiles: 5,
        decode_ms: 6.5,
    })
}

fn figures() -> Figures {
    Figures {
        unix_ms: 1,
        seconds: 1.0,
        frames: 30,
        skipped: 2,
        bytes: 3,
        fps: 29.97,
        kbps: 4.5,
        target_kbps: Some(5.5),
        estimate_kbps: Some(6.5),
        level: Some(7),
        codewords_least: Some(8),
        codewords_median: Some(9),
        codewords_most: Some(10),
        rtt_ms: Some(11.5),
        loss: Some(0.125),
        delay_p50_ms: Some(12.5),
        delay_p95_ms: Some(13.5),
        concealed: Some(0.25),
        decode_ms: Some(14.5),
    }
}

fn receiver_summary() -> ReceiverRecord {
    ReceiverRecord::Summary(ReceiverSummary {
        frames_decoded: 1,
        frames_partial: 2,
        frames_lost: 3,
        frames_overrun: 4,
        frames_late: 5,
        frames_superseded: 6,
        bytes: 7,
        seconds: 8.5,
        provider: "cpu".into(),
        codebook_digest: "00".into(),
        codebook_shipped: true,
    })
}

fn sender_records() -> [SenderRecord; 5] {
    [
        SenderRecord::Connection(ConnectionRecord {
            change: ConnectionChange::Lost,
            unix_us: 1,
            peer: "[::1]:1".into(),
            reason: Some("a \"reason\", with commas".into()),
        }),
        SenderRecord::Frame(FrameSent {
            frame: 1,
            capture_unix_us: 2,
            coded_unix_us: 3,
            sent_unix_us: 3,
            level: 4,
            codewords: vec![5],
            budget: 6,
            limit: "rate".into(),
            estimate_kbps: 7.5,
            queue_ms: 8.5,
            bytes: 9,
            datagrams: 10,
            parity: 11,
            left: 12,
            encode_ms: 13.5,
            code_ms: 14.5,
        }),
        SenderRecord::Skipped(FrameSkipped {
            frame: 1,
            capture_unix_us: 2,
            reason: "room".into(),
            estimate_kbps: 3.5,
            queue_ms: 4.5,
        }),
        SenderRecord::Interval(figures()),
        SenderRecord::Summary(summary()),
    ]
}

fn json(path: &Path) -> StatsFile {
    StatsFile::create(path, StatsFormat::Json, vec![]).unwrap()
}

#[test]
fn a_file_gets_a_line_per_record() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("stats");
    let old = "what an earlier session left, longer than a line ".repeat(20);
    std::fs::write(&path, old).unwrap();
    let mut stats = json(&path);
    assert!(std::fs::metadata(&path).unwrap().len() > 500);
    for number in 0..2 {
        stats.write(&frame(number)).unwrap();
    }
    drop(stats);
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<Line<ReceiverRecord>> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let frames: Vec<_> = lines.into_iter().map(|line| line.record).collect();
    assert_eq!(frames, [frame(0), frame(1)]);
    let nowhere = StatsFile::create(&path.join("x"), StatsFormat::Json, vec![]).unwrap_err();
    assert!(nowhere.message.contains("--stats"));
}

#[test]
fn a_table_has_a_column_for_everything() {
    let has_all = |record: Value, columns: &[&str]| {
        for key in record.as_object().unwrap().keys() {
            assert!(columns.contains(&key.as_str()), "{key} of {record}");
        }
    };
    for record in sender_records() {
        let rows = match record {
            SenderRecord::Interval(_) => Rows::Intervals,
            _ => Rows::Frames,
        };
        let columns = columns::sender(rows);
        has_all(serde_json::to_value(record).unwrap(), &columns);
    }
    let receiver = [
        (frame(1), Rows::Frames),
        (ReceiverRecord::Interval(figures()), Rows::Intervals),
        (receiver_summary(), Rows::Intervals),
        (receiver_summary(), Rows::Frames),
    ];
    for (record, rows) in receiver {
        let columns = columns::receiver(rows);
        has_all(serde_json::to_value(record).unwrap(), &columns);
    }
}

#[test]
fn rows_stand_under_one_line_of_names() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("stats.csv");
    let columns = columns::sender(Rows::Frames);
    let mut stats = StatsFile::create(&path, StatsFormat::of(&path), columns).unwrap();
    let [lost, sent, skipped, _, summary] = sender_records();
    for record in [&lost, &sent, &skipped] {
        stats.write(record).unwrap();
    }
    stats.write_surely(&summary).unwrap();
    drop(stats);
    let mut table = csv::Reader::from_path(&path).unwrap();
    let names = table.headers().unwrap().clone();
    let rows: Vec<_> = table.records().map(Result::unwrap).collect();
    let get = |row: usize, name: &str| {
        let column = names.iter().position(|it| it == name).unwrap();
        rows[row][column].to_owned()
    };
    assert_eq!(rows.len(), 4);
    assert_eq!(get(0, "type"), "connection");
    assert_eq!(get(0, "reason"), "a \"reason\", with commas");
    assert_eq!(get(1, "estimate_kbps"), "7.5");
    assert_eq!(
        (get(2, "reason"), get(2, "level")),
        ("room".into(), String::new())
    );
    assert_eq!(
        (get(3, "type"), get(3, "seconds")),
        ("summary".into(), "0.5".into())
    );
}

#[test]
fn codebook_sizes_share_a_cell() {
    let record = serde_json::to_value(frame(1)).unwrap();
    assert_eq!(cell(record.get("codewords")), "2 16");
    assert_eq!(cell(record.get("late")), "true");
}

#[test]
fn a_full_disk_ends_the_lines_alone() {
    let mut stats = json(Path::new("/dev/full"));
    stats.write(&frame(0)).unwrap();
    // The thread has ended by then, or ends over the next line.
    let _ = stats.done.recv();
    stats.write(&frame(1)).unwrap();
    assert!(stats.shared.broken.load(Ordering::Relaxed));
}

#[test]
fn a_pipe_that_nobody_reads_holds_up_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    // Opened for both, so that opening waits for nobody.
    let mut options = File::options();
    let reader = options.read(true).write(true).open(&path).unwrap();
    let mut stats = json(&path);
    for number in 0..5000 {
        stats.write(&frame(number)).unwrap();
    }
    stats.write_surely(&receiver_summary()).unwrap();
    assert!(stats.left_out > 1000, "{} left out", stats.left_out);
    // What was not left out comes, and the summary last.
    let last = BufReader::new(reader)
        .lines()
        .map(Result::unwrap)
        .find(|line| line.contains("\"summary\""));
    assert!(last.is_some());
}
