//! Reads a run's folder.

use std::{
    fs,
    path::{Path, PathBuf},
};

use raq_shared::exit::Failure;
use serde::de::DeserializeOwned;

use super::{
    CpuRecord, DatagramRow, FrameRow, LinkRow, RunRecord, VERSION,
    recorder::folder_name,
    table::{cannot_read, read_table},
};

/// A run as its records tell it.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// What was run.
    pub record: RunRecord,
    /// What the link could carry, ascending by time.
    pub link: Vec<LinkRow>,
    /// What each policy made of it, in the order of [`RunRecord::policies`]; those that an
    /// interrupted run never began are missing.
    pub policies: Vec<PolicyRun>,
    /// What was left out in reading, a line each, for people.
    pub notes: Vec<String>,
}

/// The records of one policy.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyRun {
    /// The policy's name.
    pub name: String,
    /// Ascending by flow, then by number.
    pub frames: Vec<FrameRow>,
    /// Ascending by the time at which they were offered.
    pub datagrams: Vec<DatagramRow>,
    /// Where a codec ran.
    pub cpu: Option<CpuRecord>,
    /// Ascending by flow, then by frame.
    pub pictures: Vec<Picture>,
}

/// What was on screen at a frame's playout deadline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Media flow, from 0.
    pub flow: u32,
    /// The frame's number.
    pub frame: u64,
    /// The PNG file.
    pub path: PathBuf,
}

impl Run {
    /// Reads the folder of a run, also of one that was interrupted.
    ///
    /// # Errors
    /// [`Failure`] with file and line where something is missing or malformed, but for what an
    /// interruption explains; that is told in [`notes`](Self::notes).
    pub fn read(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join("run.json");
        let record: RunRecord = read_json(&path)?;
        check(&record).map_err(|why| cannot_read(&path, &why))?;
        let mut notes = Vec::new();
        // It is what a run writes last.
        let finished = folder.join("summary.json").exists();
        let mut link: Vec<LinkRow> = read_table(&folder.join("link.csv"), &mut notes)?;
        link.sort_by_key(|row| row.t_us);
        let mut policies = Vec::new();
        for name in &record.policies {
            let folder = folder.join(folder_name(name));
            if folder.join("frames.csv").exists() {
                let policy = PolicyRun::read(name, &folder, &mut notes)?;
                let last = policy.last_us();
                if !finished && last < record.duration_us / 50 * 49 {
                    notes.push(format!(
                        "{name}'s records end after {:.1} of {:.1} s: the run was interrupted, and its \
                         rates and shares are of the whole time",
                        last as f64 / 1e6,
                        record.duration_us as f64 / 1e6
                    ));
                }
                policies.push(policy);
            } else {
                notes.push(format!("{name} has no records: the run did not come to it"));
            }
        }
        Ok(Self {
            record,
            link,
            policies,
            notes,
        })
    }
}

impl PolicyRun {
    /// When the last thing happened, microseconds.
    fn last_us(&self) -> u64 {
        let frame = self.frames.iter().map(|row| row.captured_us).max();
        let datagram = self.datagrams.iter().map(|row| row.offered_us).max();
        frame.max(datagram).unwrap_or(0)
    }

    fn read(name: &str, folder: &Path, notes: &mut Vec<String>) -> Result<Self, Failure> {
        let mut frames: Vec<FrameRow> = read_table(&folder.join("frames.csv"), notes)?;
        frames.sort_by_key(|row| (row.flow, row.frame));
        let mut datagrams: Vec<DatagramRow> = read_table(&folder.join("datagrams.csv"), notes)?;
        datagrams.sort_by_key(|row| row.offered_us);
        let cpu = folder.join("cpu.json");
        Ok(Self {
            name: name.to_owned(),
            frames,
            datagrams,
            cpu: cpu.exists().then(|| read_json(&cpu)).transpose()?,
            pictures: pictures(&folder.join("pictures"), notes)?,
        })
    }
}

fn pictures(folder: &Path, notes: &mut Vec<String>) -> Result<Vec<Picture>, Failure> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(folder).map_err(|e| cannot_read(folder, &e))?;
    let paths: Result<Vec<_>, _> = entries.map(|entry| entry.map(|e| e.path())).collect();
    let mut paths = paths.map_err(|e| cannot_read(folder, &e))?;
    paths.sort();
    let mut pictures = Vec::new();
    for path in paths {
        let name = path.file_stem().and_then(|stem| stem.to_str());
        let numbers = name.and_then(|name| name.split_once('-'));
        match numbers.map(|(flow, frame)| (flow.parse(), frame.parse())) {
            Some((Ok(flow), Ok(frame))) => pictures.push(Picture { flow, frame, path }),
            _ => notes.push(format!("{} is no picture of a frame", path.display())),
        }
    }
    pictures.sort_by_key(|picture| (picture.flow, picture.frame));
    Ok(pictures)
}

/// What figures are divided by must be above 0.
fn check(record: &RunRecord) -> Result<(), String> {
    if record.version != VERSION {
        let version = record.version;
        return Err(format!(
            "version {version} of the records, this program knows {VERSION}"
        ));
    }
    if record.duration_us == 0 || record.flows == 0 || record.fps <= 0.0 {
        return Err("duration_us, flows and fps must be above 0".to_owned());
    }
    if record.max_kbps.is_some_and(|kbps| kbps <= 0.0) {
        return Err("max_kbps must be above 0 or null".to_owned());
    }
    Ok(())
}

pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, Failure> {
    let text = fs::read(path).map_err(|e| cannot_read(path, &e))?;
    serde_json::from_slice(&text).map_err(|e| cannot_read(path, &e))
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;

    use raq_shared::exit::Exit;
    use tempfile::{TempDir, tempdir};

    use super::*;
    use crate::record::{BIN, Direction, Kind, Loss, Mode, PolicyRecorder, Recorder};

    fn record() -> RunRecord {
        RunRecord {
            version: VERSION,
            scenario: "steady".to_owned(),
            description: "1 Mbit/s, always".to_owned(),
            seed: 7,
            mode: Mode::Quic,
            duration_us: 2_000_000,
            fps: 30.0,
            flows: 2,
            playout_us: 200_000,
            max_kbps: Some(1500.0),
            media: "ideal".to_owned(),
            policies: vec!["raq".to_owned(), "fixed:500".to_owned()],
            tiles: None,
        }
    }

    fn frame(flow: u32, frame: u64) -> FrameRow {
        FrameRow {
            flow,
            frame,
            captured_us: 33_333 * frame,
            estimate_kbps: Some(1000.0 / 3.0),
            budget: Some(1200),
            bytes: 1100,
            datagrams: 2,
            codewords: vec![4096, 1024],
            psnr_y_db: Some(f64::INFINITY),
            ssim_due: Some(0.123_456_7),
            ..FrameRow::default()
        }
    }

    fn datagram(number: u64) -> DatagramRow {
        DatagramRow {
            flow: 0,
            direction: Direction::Down,
            kind: Kind::Media,
            frame: Some(number),
            index: Some(0),
            bytes: 1228,
            offered_us: 1000 * number,
            left_us: Some(1000 * number + 400),
            arrived_us: None,
            lost: Some(Loss::Random),
        }
    }

    fn write(folder: &Path) {
        let recorder = Recorder::create(folder, &record(), "[link]\n").unwrap();
        let row = |bin: u64| LinkRow {
            t_us: bin * BIN.as_micros() as u64,
            down_bytes: 12_500,
            up_bytes: 1,
        };
        recorder.link((0..20).map(row)).unwrap();
        let mut raq: PolicyRecorder = recorder.policy("raq").unwrap();
        for row in [frame(1, 0), frame(0, 1), frame(0, 0)] {
            raq.frame(row).unwrap();
        }
        for number in [3, 1, 2] {
            raq.datagram(&datagram(number)).unwrap();
        }
        raq.picture(0, 1, b"png").unwrap();
        raq.cpu(&CpuRecord {
            frames: 3,
            cpu_ms_per_frame: 1.5,
        })
        .unwrap();
        raq.finish().unwrap();
    }

    fn written() -> TempDir {
        let folder = tempdir().unwrap();
        write(folder.path());
        folder
    }

    #[test]
    fn what_was_written_is_read_in_order_and_rounded() {
        let folder = written();
        let run = Run::read(folder.path()).unwrap();
        assert_eq!(run.record, record());
        assert_eq!((run.link.len(), run.link[3].t_us), (20, 300_000));
        let [raq] = &run.policies[..] else {
            panic!("{:?}", run.policies);
        };
        let order: Vec<_> = raq.frames.iter().map(|row| (row.flow, row.frame)).collect();
        assert_eq!(order, [(0, 0), (0, 1), (1, 0)]);
        let expected = FrameRow {
            estimate_kbps: Some(333.333),
            psnr_y_db: Some(100.0),
            ssim_due: Some(0.123_457),
            ..frame(0, 1)
        };
        assert_eq!(raq.frames[1], expected);
        assert_eq!(raq.datagrams, [1, 2, 3].map(datagram));
        assert_eq!(raq.datagrams[0].queued_us(), Some(400));
        assert_eq!(raq.cpu.unwrap().frames, 3);
        assert_eq!((raq.pictures[0].flow, raq.pictures[0].frame), (0, 1));
        let [early, missing] = &run.notes[..] else {
            panic!("{:?}", run.notes)
        };
        assert!(early.starts_with("raq's records end after "), "{early}");
        assert!(missing.starts_with("fixed:500 "), "{missing}");
    }

    #[test]
    fn the_columns_are_those_that_were_agreed() {
        let folder = written();
        let text = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        let frames = text("raq/frames.csv");
        let mut lines = frames.lines();
        assert_eq!(
            lines.next().unwrap(),
            "flow,frame,captured_us,skipped,estimate_kbps,budget,bytes,datagrams,level,codewords,\
             sent_us,arrived,closed_us,shown_us,updates_due,updates_applied,psnr_y_db,ssim,\
             psnr_due_db,ssim_due"
        );
        let row = "1,0,0,0,333.333,1200,1100,2,,4096/1024,,0,,,,,100.0,,,0.123457";
        assert_eq!(lines.next(), Some(row));
        assert_eq!(
            text("raq/datagrams.csv").lines().next_back(),
            Some("0,down,media,2,0,1228,2000,2400,,random")
        );
        assert!(text("link.csv").starts_with("t_us,down_bytes,up_bytes\n0,12500,1\n"));
        assert_eq!(text("scenario.toml"), "[link]\n");
        assert!(text("run.json").contains("\"mode\": \"quic\""));
    }

    #[test]
    fn the_same_values_give_the_same_bytes() {
        let (first, second) = (written(), written());
        for name in [
            "run.json",
            "link.csv",
            "raq/frames.csv",
            "raq/datagrams.csv",
        ] {
            let read = |folder: &TempDir| fs::read(folder.path().join(name)).unwrap();
            assert_eq!(read(&first), read(&second), "{name}");
        }
    }

    #[test]
    fn a_torn_last_line_is_left_out() {
        let folder = written();
        let path = folder.path().join("raq/datagrams.csv");
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        // `…,random` loses its end, and could be taken for another value.
        file.set_len(file.metadata().unwrap().len() - 2).unwrap();
        let run = Run::read(folder.path()).unwrap();
        assert_eq!(run.policies[0].datagrams.len(), 2);
        assert!(run.notes.iter().any(|note| note.contains("datagrams.csv")));
        file.set_len(0).unwrap();
        let run = Run::read(folder.path()).unwrap();
        assert!(run.policies[0].datagrams.is_empty());
    }

    #[test]
    fn anything_else_malformed_is_refused_with_its_line() {
        for (name, good, bad, says) in [
            ("raq/frames.csv", "1,0,0,0,", "1,0,0,2,", "line 2: "),
            ("raq/frames.csv", "4096/1024", "4096/x", "4096/x"),
            ("raq/frames.csv", "captured_us", "captured", "captured_us"),
            ("raq/datagrams.csv", "1000,1400", "1000,-5", "line 3: "),
            ("link.csv", "300000,12500,1", "300000,12500", "line: 5"),
            ("run.json", "\"version\": 1", "\"version\": 9", "version 9"),
            ("run.json", "\"fps\": 30.0", "\"fps\": 0.0", "above 0"),
            ("run.json", "\"seed\"", "\"sead\"", "sead"),
        ] {
            let folder = written();
            let path = folder.path().join(name);
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.contains(good), "{text}");
            fs::write(&path, text.replacen(good, bad, 1)).unwrap();
            let failure = Run::read(folder.path()).unwrap_err();
            assert_eq!(failure.exit, Exit::Failure);
            assert!(failure.message.contains(name), "{failure}");
            assert!(failure.message.contains(says), "{failure}");
        }
        let failure = Run::read(tempdir().unwrap().path()).unwrap_err();
        assert!(failure.message.contains("run.json"), "{failure}");
    }

    #[test]
    fn a_new_run_leaves_nothing_of_the_old() {
        let folder = written();
        Recorder::create(folder.path(), &record(), "").unwrap();
        assert!(!folder.path().join("raq/frames.csv").exists());
        assert!(!folder.path().join("raq/pictures/0-000001.png").exists());
        write(folder.path());
        assert!(Run::read(folder.path()).is_ok());
    }
}
