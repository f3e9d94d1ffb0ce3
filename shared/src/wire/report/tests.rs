use proptest::prelude::*;

use super::*;
use crate::tile::scene::{Arrivals, OPEN};

fn some(count: u8, indices: &[u8]) -> FrameReport {
    let mut arrived = Arrivals::default();
    for &index in indices {
        arrived.insert(index);
    }
    FrameReport::Some { count, arrived }
}

fn arrival(frame: u16, index: u8, at: u32) -> Arrival {
    Arrival { frame, index, at }
}

fn bytes(report: &Report) -> Vec<u8> {
    let mut bytes = vec![];
    report.encode(&mut bytes);
    bytes
}

fn full() -> Report {
    Report {
        number: 9,
        backlog: 2,
        closed: Some(Closed {
            newest: 0x1234,
            frames: vec![
                FrameReport::All,
                some(10, &[0, 3, 9]),
                FrameReport::None,
                FrameReport::All,
                FrameReport::All,
            ],
        }),
        audit: Some(Audit {
            tile: 7,
            fingerprint: 0xdead_beef,
        }),
        echo: Echo {
            sent: 0x56_789a,
            held: Duration::from_micros(300),
        },
        arrivals: vec![
            arrival(0x1233, 2, 0x0100_0000 - 20_000),
            arrival(0x1234, 0, 0x0100_0000 - 600),
            arrival(0x1234, 1, 0x0100_0000 - 299),
            arrival(0x1234, 2, 0x0100_0000),
        ],
    }
}

#[test]
fn the_bytes_are_fixed() {
    let expected = [
        &[0x31, 9, 2, 5][..],
        &[0x56, 0x78, 0x9a, 0xac, 0x02],
        // All, some, none, all; all.
        &[0x12, 0x34, 0b0110_0001, 0b0100_0000],
        &[10, 0x90, 0x40],
        &[0, 7, 0xde, 0xad, 0xbe, 0xef],
        &[1, 0, 0, 0, 0x12, 0x34],
        // In units of 2 µs: 299 and 600 lie 149 and 300 of them before the last.
        &[0x12, 0, 149, 151],
        // One frame back, 20 000 µs before the last.
        &[0x00, 2, 2, 0xa0, 0x9c, 0x01],
    ]
    .concat();
    assert_eq!(bytes(&full()), expected);
    let mut read = full();
    // The middle of two microseconds.
    read.arrivals[2].at = 0x0100_0000 - 299;
    read.arrivals[1].at = 0x0100_0000 - 601;
    assert_eq!(Report::parse(&expected), Ok(read));
}

#[test]
fn the_smallest_report_has_eight_bytes() {
    let smallest = [0x30, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(bytes(&Report::default()), smallest);
    assert_eq!(Report::parse(&smallest), Ok(Report::default()));
}

#[test]
fn wrong_reports_are_refused() {
    let good = bytes(&full());
    for end in 0..good.len() {
        // Every field but whole groups is missed; without any arrival it is another report.
        let cut = Report::parse(&good[..end]).is_ok();
        assert_eq!(cut, end == 22 || end == 32, "the first {end} bytes");
    }
    let wrong: [(&[(usize, u8)], &str); 12] = [
        (&[(0, 0x21)], "another kind"),
        (&[(0, 0x33)], "an unknown flag"),
        (&[(3, 17)], "too many closed frames"),
        (&[(3, 0)], "an audit without closed frames"),
        (&[(8, 0x00)], "a superfluous byte of a varint"),
        (&[(11, 0xe1)], "a code without meaning"),
        (&[(12, 0x41)], "bits past the last frame"),
        (&[(15, 0x60)], "bits past the last datagram"),
        (&[(14, 0xff), (15, 0xc0)], "some, but all bits are set"),
        (&[(14, 0), (15, 0)], "some, but no bit is set"),
        (&[(30, 127), (31, 0)], "a unit coarser than needed"),
        (&[(29, 254)], "an index past the last"),
    ];
    for (changes, what) in wrong {
        let mut bad = good.clone();
        for &(at, value) in changes {
            bad[at] = value;
        }
        assert!(Report::parse(&bad).is_err(), "{what}");
    }
    let one_more = [&good[..], &[0]].concat();
    assert!(Report::parse(&one_more).is_err());
}

#[test]
fn a_group_is_not_cut_in_two() {
    let head = [0x30, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 5];
    let one = [&head[..], &[0x01, 0, 7]].concat();
    assert_eq!(
        Report::parse(&one).unwrap().arrivals,
        [arrival(5, 0, 249), arrival(5, 1, 256)]
    );
    let two = [&head[..], &[0x00, 1, 0x00, 0, 0, 7]].concat();
    assert_eq!(Report::parse(&two), Err(DatagramError::Field));
}

#[test]
fn frames_and_arrivals_are_bounded() {
    let mut indices: Vec<u8> = (0..255).collect();
    indices.remove(17);
    // As many bytes as can be: every arrival alone, of frames far apart.
    let mut report = Report {
        closed: Some(Closed {
            newest: 3,
            frames: vec![some(255, &indices); OPEN + 3],
        }),
        audit: full().audit,
        arrivals: (0..100)
            .map(|n: u32| arrival((n % 2) as u16 * 0x7000, 9, n.wrapping_mul(0x0800_0000)))
            .collect(),
        ..Report::default()
    };
    report.echo.held = Duration::from_secs(1 << 30);
    let long = bytes(&report);
    assert!((1100..=MAX_REPORT).contains(&long.len()), "{}", long.len());
    let read = Report::parse(&long).unwrap();
    assert_eq!(read.closed.unwrap().frames.len(), OPEN);
    assert_eq!(read.arrivals, report.arrivals[100 - MAX_ARRIVALS..]);
    assert_eq!(read.echo.held, MAX_HELD);
    // One more arrival than there may be.
    let more = [&long[..], &[0x00, 2, 9, 1]].concat();
    assert_eq!(Report::parse(&more), Err(DatagramError::Field));
}

fn frames() -> impl Strategy<Value = Vec<FrameReport>> {
    let arrived = prop::collection::vec(any::<u8>(), 0..20);
    let frame = (0u8..4, 0u8..40, arrived).prop_map(|(kind, count, indices)| match kind {
        0 => FrameReport::None,
        1 => FrameReport::All,
        _ => some(count, &indices),
    });
    prop::collection::vec(frame, 0..20)
}

fn arrivals() -> impl Strategy<Value = Vec<Arrival>> {
    // Runs of one frame with steps of all sizes, backwards sometimes.
    let step = (0u8..8, 0u8..6, 0u32..24, any::<bool>());
    prop::collection::vec(step, 0..90).prop_map(|steps| {
        let (mut frame, mut index, mut at) = (5u16, 0u8, 0u32);
        let mut arrivals = vec![];
        for (way, to, bits, backwards) in steps {
            match way {
                0 => frame = frame.wrapping_add(to.into()),
                1 => frame = frame.wrapping_sub(to.into()),
                2 => index = to,
                _ => index = (index + 1) % 255,
            }
            let step = (1u32 << bits) + u32::from(to);
            let backwards = backwards && way == 7 && to == 5;
            at = if backwards {
                at.wrapping_sub(step)
            } else {
                at.wrapping_add(step)
            };
            arrivals.push(arrival(frame, index, at));
        }
        arrivals
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_bytes_are_an_error_or_a_report(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        if let Ok(report) = Report::parse(&bytes) {
            prop_assert_eq!(self::bytes(&report), bytes);
        }
    }

    /// The same with a head that is right, so that what follows is reached.
    #[test]
    fn any_closings_and_arrivals_are_an_error_or_a_report(
        k in 0u8..=16, flag in 0u8..2, codes in prop::collection::vec(any::<u8>(), 0..90),
        small: bool,
    ) {
        let rest = codes.iter().map(|&byte| if small { byte % 4 } else { byte });
        let bytes: Vec<u8> = [0x30 | flag, 1, 2, k, 0, 0, 0, 4].into_iter().chain(rest).collect();
        if let Ok(report) = Report::parse(&bytes) {
            prop_assert_eq!(self::bytes(&report), bytes);
        }
    }

    /// What is written can be read, is the newest of what was to be written, and times are off by no
    /// more than they may be.
    #[test]
    fn any_report_can_be_read(
        frames in frames(), arrivals in arrivals(), newest: u16, sent in 0u32..1 << 24,
        held in 0u64..1 << 30,
    ) {
        let report = Report {
            closed: Some(Closed { newest, frames }),
            audit: full().audit,
            echo: Echo { sent, held: Duration::from_micros(held) },
            arrivals,
            ..Report::default()
        };
        let bytes = bytes(&report);
        prop_assert!(bytes.len() <= MAX_REPORT);
        let read = Report::parse(&bytes).unwrap();
        prop_assert_eq!(self::bytes(&read), bytes);
        prop_assert_eq!(read.echo.sent, sent);
        let frames = report.closed.iter().flat_map(|closed| &closed.frames).take(OPEN);
        let told: Vec<_> = read.closed.iter().flat_map(|closed| &closed.frames).collect();
        for (told, frame) in told.iter().zip(frames.clone()) {
            if let FrameReport::Some { count, arrived } = frame {
                prop_assert_eq!(**told, FrameReport::of(*count, *arrived));
            } else {
                prop_assert_eq!(*told, frame);
            }
        }
        prop_assert_eq!(told.len(), frames.count());
        let newest = &report.arrivals[report.arrivals.len() - read.arrivals.len()..];
        prop_assert!(read.arrivals.len() <= MAX_ARRIVALS);
        prop_assert!(!read.arrivals.is_empty() || report.arrivals.is_empty());
        prop_assert_eq!(read.arrivals.last(), newest.last());
        for (read, of) in read.arrivals.iter().zip(newest) {
            prop_assert_eq!((read.frame, read.index), (of.frame, of.index));
            // The longest gap is below 2^24 µs, so the unit is at most 2^16 / 2^0.
            let off = read.at.wrapping_sub(of.at) as i32;
            prop_assert!(off.unsigned_abs() <= 1 << 14, "{off} µs");
        }
    }

    /// Gaps of one frame up to 4 ms: times are off by 8 µs at most.
    #[test]
    fn times_are_fine(gaps in prop::collection::vec(0u32..4000, 1..16), begins: u32) {
        let mut at = begins;
        let mut report = Report::default();
        for (index, gap) in (0..).zip(gaps) {
            at = at.wrapping_add(gap);
            report.arrivals.push(arrival(65535, index, at));
        }
        let read = Report::parse(&bytes(&report)).unwrap();
        prop_assert_eq!(read.arrivals.len(), report.arrivals.len());
        for (read, of) in read.arrivals.iter().zip(&report.arrivals) {
            prop_assert!((read.at.wrapping_sub(of.at) as i32).abs() <= 8);
        }
    }
}
