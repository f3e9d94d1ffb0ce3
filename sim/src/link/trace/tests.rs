use std::path::Path;

use super::*;

fn rates(text: &str) -> (Vec<(u64, u64)>, u64) {
    match Trace::parse(text).unwrap().supply {
        TraceSupply::Rates(pieces, length) => (pieces, length),
        TraceSupply::Opportunities(_) => panic!("{text} has rates"),
    }
}

#[test]
fn the_form_is_seen_from_the_content() {
    let mahimahi = Trace::parse("0\n0\n 5 \n\n10\n").unwrap();
    assert_eq!(mahimahi.form(), Form::Mahimahi);
    assert_eq!(
        mahimahi.supply,
        TraceSupply::Opportunities([0, 0, 5, 10].into())
    );
    assert_eq!(mahimahi.duration(), Duration::from_millis(10));

    let cooked = "\u{feff}0.5\t2.5\r\n1.5 0\r\n";
    assert_eq!(Trace::parse(cooked).unwrap().form(), Form::Cooked);
    let second = 1_000_000_000;
    assert_eq!(
        rates(cooked),
        (vec![(0, 2_500_000), (second, 0)], 2 * second)
    );

    let csv = "time,retrans,throughput_mbps\n\
        2024-05-28T23:59:59.500,0,1.5\n\
        2024-05-29T00:00:00,3,0.25\n\
        2024-05-29T00:00:00,3,0.75\n";
    assert_eq!(Trace::parse(csv).unwrap().form(), Form::Csv);
    let half = second / 2;
    assert_eq!(rates(csv), (vec![(0, 1_500_000), (half, 750_000)], second));
    let offsets = csv
        .replace(".500,", ".5-04:00,")
        .replace("00:00,", "00:00-04:00,");
    assert_eq!(rates(&offsets), rates(csv));

    let json = r#"{"type": "video", "downlink": {}, "uplink": {"trace_pattern": [
        {"duration": 200.0, "capacity": 2.4, "loss": 0.0},
        {"duration": 50, "capacity": 0}]}}"#;
    assert_eq!(Trace::parse(json).unwrap().form(), Form::AlphaRtc);
    let millis = 1_000_000;
    assert_eq!(
        rates(json),
        (vec![(0, 2400), (200 * millis, 0)], 250 * millis)
    );
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let json = |piece: &str| {
        format!(
            "{{\"uplink\": {{\"trace_pattern\": [\n{{\"duration\": 5, \"capacity\": 1}},\n{piece}]}}}}"
        )
    };
    let long = "0\n5\n99999999999\n";
    let csv = "time,throughput_mbps\n2024-05-28T00:00:01,1\n";
    for (text, line, part) in [
        ("", None, "nothing"),
        (" \n\n", None, "nothing"),
        ("one two three", Some(1), "no form"),
        ("0\n1\n\nx\n", Some(4), "milliseconds"),
        ("0\n1\n1 2\n", Some(3), "milliseconds"),
        ("0\n-1\n", Some(2), "milliseconds"),
        ("0\n1.5\n", Some(2), "milliseconds"),
        (long, Some(3), "milliseconds"),
        ("5\n4\n", Some(2), "does not follow"),
        ("0\n0\n", None, "never carries"),
        ("0 1\n1\n", Some(2), "two numbers"),
        ("0 1\n1 2 3\n", Some(2), "two numbers"),
        ("0 1\n1 -2\n", Some(2), "no rate"),
        ("0 1\n1 nan\n", Some(2), "no rate"),
        ("0 1\n1 1e300\n", Some(2), "no rate"),
        ("0 1\nnan 1\n", Some(2), "does not follow"),
        ("1 1\n0 1\n", Some(2), "does not follow"),
        ("0 1\n1e300 1\n", Some(2), "does not follow"),
        ("0 0\n1 0\n", None, "never carries"),
        ("a,b\n1,2\n", Some(1), "no column"),
        ("time,throughput_mbps\n", Some(1), "only a header"),
        (&format!("{csv}soon,1\n"), Some(3), "no time"),
        (
            &format!("{csv}2024-05-28T00:00:02,fast\n"),
            Some(3),
            "no rate",
        ),
        (
            &format!("{csv}2024-05-28T00:00:00,1\n"),
            Some(3),
            "does not follow",
        ),
        (&format!("{csv}2024-05-28T00:00:02\n"), Some(3), "columns"),
        (
            &json("{\"duration\": 5, \"capacity\": -1}"),
            Some(3),
            "no rate",
        ),
        (
            &json("{\"duration\": 0, \"capacity\": 1}"),
            Some(3),
            "no time",
        ),
        (&json("{\"capacity\": 1}"), Some(3), "duration"),
        ("{\n\n", Some(3), "EOF"),
        (
            "{\"uplink\": {\"trace_pattern\": []}}",
            None,
            "never carries",
        ),
    ] {
        let problem = Trace::parse(text).unwrap_err();
        assert_eq!(problem.line, line, "{text}: {}", problem.what);
        assert!(problem.what.contains(part), "{text}: {}", problem.what);
    }
}

#[test]
fn errors_name_the_file_and_outside_data_its_variable() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.down");
    fs::write(&path, "0\n7\nx\n").unwrap();
    let error = Trace::read(&path).unwrap_err().to_string();
    assert!(error.contains("bad.down:3: \"x\""), "{error}");

    let absent = Trace::locate("$RAQ_DATA/traces/none/of/these", folder.path());
    assert!(absent.starts_with(outside_data()));
    let error = Trace::read(&absent).unwrap_err().to_string();
    assert!(error.contains("set RAQ_DATA"), "{error}");

    let base = Path::new("/base");
    assert_eq!(Trace::locate("../lte.down", base), base.join("../lte.down"));
    assert_eq!(Trace::locate("/lte.down", base), Path::new("/lte.down"));
    let error = Trace::read(&base.join("none")).unwrap_err().to_string();
    assert!(error.contains("name a file"), "{error}");
}
