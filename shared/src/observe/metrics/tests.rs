use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::*;

fn start() -> (SocketAddr, Publisher) {
    // The address is not told to callers but in the log, so a free one is looked for.
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    (address, serve(address, "raq-test").unwrap())
}

fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn value(answer: &str, name: &str) -> Option<f64> {
    let start = format!("{name}{{program=\"raq-test\"}} ");
    let line = answer.lines().find_map(|line| line.strip_prefix(&start))?;
    Some(line.parse().unwrap())
}

#[test]
fn the_last_interval_and_totals_are_served() {
    let (address, publisher) = start();
    let answer = ask(address, "GET /metrics");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(
        answer.contains("content-type: application/openmetrics-text"),
        "{answer}"
    );
    assert_eq!(value(&answer, "raq_session"), Some(0.0), "{answer}");
    assert_eq!(value(&answer, "raq_frames_per_second"), None);

    publisher.session(true);
    let figures = Figures {
        unix_ms: 1500,
        seconds: 1.0,
        frames: 30,
        skipped: 2,
        bytes: 1000,
        fps: 30.0,
        kbps: 8.0,
        rtt_ms: Some(20.5),
        ..Figures::default()
    };
    publisher.interval(&figures);
    publisher.interval(&figures);
    let answer = ask(address, "GET /metrics");
    for (name, expected) in [
        ("raq_session", Some(1.0)),
        ("raq_sessions_total", Some(1.0)),
        ("raq_frames_total", Some(60.0)),
        ("raq_skipped_frames_total", Some(4.0)),
        ("raq_bytes_total", Some(2000.0)),
        ("raq_interval_end_timestamp_seconds", Some(1.5)),
        ("raq_rate_bits_per_second", Some(8000.0)),
        ("raq_rtt_seconds", Some(0.0205)),
        ("raq_loss_ratio", None),
    ] {
        assert_eq!(value(&answer, name), expected, "{name} in {answer}");
    }
    let shown = answer.lines().filter_map(|line| line.split_once('{'));
    let known = names();
    for (name, _) in shown {
        assert!(known.iter().any(|it| it == name), "{name}");
    }

    // Figures of a session that is over are no figures.
    publisher.session(false);
    let answer = ask(address, "GET /metrics");
    assert_eq!(value(&answer, "raq_frames_per_second"), None, "{answer}");
    assert_eq!(value(&answer, "raq_frames_total"), Some(60.0));
}

#[test]
fn other_questions_are_answered_shortly() {
    let (address, _publisher) = start();
    assert!(ask(address, "GET /").starts_with("HTTP/1.1 404"));
    assert!(ask(address, "POST /metrics").starts_with("HTTP/1.1 405"));
    assert!(ask(address, "nonsense").starts_with("HTTP/1.1 400"));
}

#[test]
fn clients_that_say_nothing_hold_up_nobody() {
    let (address, publisher) = start();
    let silent: Vec<_> = (0..8)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    publisher.interval(&Figures::default());
    assert!(ask(address, "GET /metrics").starts_with("HTTP/1.1 200"));
    drop(silent);
}

#[test]
fn a_port_that_is_taken_is_told_with_the_cure() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let failure = serve(taken.local_addr().unwrap(), "raq-test").unwrap_err();
    assert!(
        failure
            .message
            .contains("cannot serve --metrics on 127.0.0.1"),
        "{failure}"
    );
    assert!(failure.message.contains("choose another"), "{failure}");
}

#[test]
fn names_are_unique_and_have_units() {
    let names = names();
    let mut unique = names.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), names.len());
    assert!(names.iter().all(|name| name.starts_with("raq_")));
}
