//! Hand-made records for the tests of the figures.

use crate::record::{
    DatagramRow, Direction, FrameRow, Kind, LinkRow, Mode, PolicyRun, Run, RunRecord, VERSION,
};

/// Frames 40 ms apart, each displayed after 30 ms.
pub(crate) fn frames(flow: u32, numbers: std::ops::Range<u64>) -> Vec<FrameRow> {
    let frame = |frame| FrameRow {
        flow,
        frame,
        captured_us: 40_000 * frame,
        bytes: 1000,
        datagrams: 1,
        arrived: 1,
        shown_us: Some(40_000 * frame + 30_000),
        ..FrameRow::default()
    };
    numbers.map(frame).collect()
}

/// 1250 bytes of media, sent at once and delivered.
pub(crate) fn datagram(offered_us: u64) -> DatagramRow {
    DatagramRow {
        flow: 0,
        direction: Direction::Down,
        kind: Kind::Media,
        frame: None,
        index: None,
        bytes: 1250,
        offered_us,
        left_us: Some(offered_us),
        arrived_us: Some(offered_us + 20_000),
        lost: None,
    }
}

/// One flow of 25 frames a second for `seconds` over a link of 1 Mbit/s; a playout delay of 100 ms.
pub(crate) fn run(seconds: u64) -> (Run, PolicyRun) {
    let bin = |bin| LinkRow {
        t_us: 100_000 * bin,
        down_bytes: 12_500,
        up_bytes: 12_500,
    };
    let policy = PolicyRun {
        name: "raq".to_owned(),
        frames: frames(0, 0..25 * seconds),
        datagrams: Vec::new(),
        cpu: None,
        pictures: Vec::new(),
    };
    let record = RunRecord {
        version: VERSION,
        scenario: "steady".to_owned(),
        description: String::new(),
        seed: 1,
        mode: Mode::Sessions,
        duration_us: 1_000_000 * seconds,
        fps: 25.0,
        flows: 1,
        playout_us: 100_000,
        max_kbps: None,
        media: "ideal".to_owned(),
        policies: vec!["raq".to_owned()],
        tiles: None,
    };
    let run = Run {
        record,
        link: (0..10 * seconds).map(bin).collect(),
        policies: Vec::new(),
        notes: Vec::new(),
    };
    (run, policy)
}
