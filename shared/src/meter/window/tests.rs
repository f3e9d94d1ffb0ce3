use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn sent(frame: u32, delay_ms: u64) -> FrameSent {
    let capture_unix_us = 1_000_000 + 50_000 * u64::from(frame);
    FrameSent {
        frame,
        capture_unix_us,
        coded_unix_us: capture_unix_us,
        sent_unix_us: capture_unix_us + 1000 * delay_ms,
        level: 40,
        codewords: vec![9, 1, 5],
        budget: 1500,
        limit: "rate".into(),
        estimate_kbps: 300.0 + f64::from(frame),
        queue_ms: 0.0,
        bytes: 1000,
        datagrams: 3,
        parity: 0,
        left: 3,
        encode_ms: 1.0,
        code_ms: 2.0,
    }
}

fn decoded(frame: u32) -> FrameDecoded {
    FrameDecoded {
        frame,
        arrived_unix_us: 0,
        shown_unix_us: 0,
        playout_wait_ms: 0.0,
        late: false,
        superseded: false,
        level: 41,
        codewords: vec![3],
        datagrams_received: 3,
        datagrams_expected: 4,
        concealed_tiles: 2,
        decode_ms: 6.0,
    }
}

#[test]
fn a_sender_sums_up_what_left() {
    let mut window = Window::default();
    window.begin(SECOND);
    assert!(window.is_empty());
    for frame in 0..20 {
        window.sent(&sent(frame, 5 + u64::from(frame)));
    }
    window.not_sent(&FrameSkipped {
        frame: 20,
        capture_unix_us: 0,
        reason: "room".into(),
        estimate_kbps: 123.4564,
        queue_ms: 0.0,
    });
    window.skipped(3);
    assert!(!window.is_empty());
    let known = Known {
        rtt: Some(Duration::from_micros(20_500)),
        loss: Some(0.012_345_67),
        least_delay: 0,
        // What this end sees is newer.
        note: Some(Note {
            estimate: Bitrate::MAX,
            target: Bitrate::MAX,
        }),
    };
    let figures = window.close(3 * SECOND, Duration::from_millis(77), &known);
    let expected = Figures {
        unix_ms: 77,
        seconds: 2.0,
        frames: 20,
        skipped: 3,
        bytes: 20_000,
        fps: 10.0,
        kbps: 80.0,
        target_kbps: Some(120.0),
        estimate_kbps: Some(123.456),
        level: Some(40),
        codewords_least: Some(1),
        codewords_median: Some(5),
        codewords_most: Some(9),
        rtt_ms: Some(20.5),
        loss: Some(0.012_346),
        delay_p50_ms: Some(14.0),
        delay_p95_ms: Some(23.0),
        concealed: None,
        decode_ms: None,
    };
    assert_eq!(figures, expected);
    // Nothing of it is left for the next interval.
    let figures = window.close(4 * SECOND, SECOND, &Known::default());
    let expected = Figures {
        unix_ms: 1000,
        seconds: 1.0,
        ..Figures::default()
    };
    assert_eq!(figures, expected);
}

#[test]
fn a_receiver_sums_up_what_it_shows() {
    let mut window = Window::default();
    window.begin(SECOND);
    window.decoded(&decoded(0), 32, Some(7_000_000));
    window.decoded(&decoded(1), 32, None);
    window.decoded(&decoded(2), 32, Some(7_008_500));
    window.skipped(4);
    window.arrived(1250);
    let known = Known {
        least_delay: 7_000_000,
        // Frames tell better.
        loss: Some(0.9),
        note: Some(Note {
            estimate: Bitrate::from_kilobits_per_second(900),
            target: Bitrate::from_kilobits_per_second(450),
        }),
        ..Known::default()
    };
    let figures = window.close(2 * SECOND, SECOND, &known);
    assert_eq!((figures.frames, figures.skipped), (2, 5));
    assert_eq!((figures.kbps, figures.fps), (10.0, 2.0));
    assert_eq!(figures.loss, Some(0.25));
    assert_eq!(figures.concealed, Some(0.0625));
    assert_eq!(
        (figures.delay_p50_ms, figures.delay_p95_ms),
        (Some(0.0), Some(8.5))
    );
    assert_eq!(figures.decode_ms, Some(6.0));
    assert_eq!(
        (figures.codewords_least, figures.codewords_most),
        (Some(3), Some(3))
    );
    assert_eq!(
        (figures.target_kbps, figures.estimate_kbps),
        (Some(450.0), Some(900.0))
    );
}

#[test]
fn an_interval_without_a_length_is_none_the_worse() {
    let mut window = Window::default();
    window.begin(SECOND);
    window.arrived(u64::MAX);
    window.skipped(u32::MAX);
    window.skipped(1);
    let figures = window.close(SECOND, SECOND, &Known::default());
    assert!(figures.kbps.is_finite() && figures.fps == 0.0);
    assert_eq!(figures.skipped, u32::MAX);
}
