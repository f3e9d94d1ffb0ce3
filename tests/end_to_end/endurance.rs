//! Sessions that are lost, and made again.

use std::process::Command;

use raq_shared::stats::{ConnectionChange, SenderRecord, SenderSummary};
use raq_tests::{
    clips,
    router::Router,
    sandbox::{PATIENCE, Sandbox, assert_error, interrupt, signal},
    transfer::{Receiver, start_sender},
    watched::{Watched, said},
};
use xtask::{program::Program, stats};

/// A scene without an end, at a rate that any machine keeps up with.
fn endless(sandbox: &Sandbox) -> Command {
    let mut send = sandbox.send();
    send.args(["--test-pattern", "motion", "--size", "160x96"]);
    send.args(["--fps", "10", "--codewords", "16"]);
    send
}

/// What happened to a sender's connections, and its summary.
fn history(sandbox: &Sandbox) -> (Vec<ConnectionChange>, SenderSummary) {
    let text = std::fs::read_to_string(sandbox.path("sent.jsonl")).unwrap();
    let (mut changes, mut summary) = (Vec::new(), None);
    for line in text.lines() {
        match stats::record(line).unwrap() {
            SenderRecord::Connection(record) => {
                let lost = record.change == ConnectionChange::Lost;
                assert_eq!(record.reason.is_some(), lost, "{record:?}");
                changes.push(record.change);
            }
            SenderRecord::Frame(_) | SenderRecord::Skipped(_) | SenderRecord::Interval(_) => {}
            SenderRecord::Summary(last) => summary = Some(last),
        }
    }
    (changes, summary.unwrap())
}

#[test]
fn a_sender_goes_on_with_a_receiver_that_is_started_again() {
    let sandbox = Sandbox::new();
    let mut recv = Watched::start(sandbox.recv().args(["--output", "null"]));
    let address = recv.receiver.address;
    let mut send = endless(&sandbox);
    let mut send = start_sender(send.args(["--stats", "sent.jsonl"]), address);
    recv.frames(5);
    // Dropped means killed: it says no goodbye.
    drop(recv);
    let again = |command: &mut Command| Receiver::start_at(command, address);
    let mut recv = Watched::of(again, sandbox.recv().args(["--output", "null"]));
    let number = recv.frames(5);
    assert!(number < 1000, "{number}: numbers begin again");
    // It says goodbye.
    interrupt(&recv.receiver.program);
    said(&mut send, "trying again");
    recv.receiver.finish().well().unwrap();
    let mut recv = Watched::of(again, sandbox.recv().args(["--output", "null"]));
    recv.frames(5);
    interrupt(&send);
    send.finish(PATIENCE).unwrap().well().unwrap();
    let (changes, summary) = history(&sandbox);
    use ConnectionChange::{Lost, Made};
    assert_eq!(changes, [Made, Lost, Made, Lost, Made]);
    assert_eq!(summary.connections, 3);
    assert!(summary.frames_sent >= 15);
}

#[test]
fn a_sender_that_waits_for_its_receiver_can_be_interrupted() {
    let sandbox = Sandbox::new();
    let mut recv = Watched::start(sandbox.recv().args(["--output", "null"]));
    let mut send = start_sender(&mut endless(&sandbox), recv.receiver.address);
    recv.frames(2);
    interrupt(&recv.receiver.program);
    recv.receiver.finish().well().unwrap();
    said(&mut send, "trying again");
    interrupt(&send);
    send.finish(PATIENCE).unwrap().well().unwrap();
}

#[test]
fn a_source_that_ends_without_a_receiver_ends_the_sender() {
    let sandbox = Sandbox::new();
    let mut recv = Watched::start(sandbox.recv().args(["--output", "null"]));
    let mut send = endless(&sandbox);
    let send = send.args(["--frames", "25", "--stats", "sent.jsonl"]);
    let send = start_sender(send, recv.receiver.address);
    recv.frames(3);
    interrupt(&recv.receiver.program);
    recv.receiver.finish().well().unwrap();
    let send = send.finish(PATIENCE).unwrap();
    assert_error(&send, 4, &["the source has ended without a connection"]);
    let summary = history(&sandbox).1;
    assert_eq!(summary.frames_sent + summary.frames_skipped, 25);
}

#[test]
fn programs_that_were_stopped_for_a_while_go_on() {
    let sandbox = Sandbox::new();
    let mut recv = Watched::start(sandbox.recv().args(["--output", "null"]));
    let mut send = endless(&sandbox);
    let mut send = start_sender(send.args(["--stats", "sent.jsonl"]), recv.receiver.address);
    recv.frames(5);
    // Long enough for the sender to look for another way, which then has to work.
    signal(&recv.receiver.program, "STOP");
    said(&mut send, "trying from another port");
    signal(&recv.receiver.program, "CONT");
    // More than waited for the receiver.
    let before = recv.frames(80);
    signal(&send, "STOP");
    // No event marks the time of a program that is stopped.
    let while_stopped = Command::new("sleep").arg("5").status();
    assert!(while_stopped.unwrap().success());
    signal(&send, "CONT");
    let after = recv.frames(20);
    assert!(
        after >= before + 45,
        "{after} comes 5 s and 20 frames after {before}"
    );
    interrupt(&send);
    send.finish(PATIENCE).unwrap().well().unwrap();
    assert_eq!(
        history(&sandbox).0,
        [ConnectionChange::Made],
        "one connection"
    );
}

#[test]
fn a_router_that_forgets_its_ports_does_not_matter() {
    let sandbox = Sandbox::new();
    let mut recv = Watched::start(sandbox.recv().args(["--output", "null"]));
    let mut link = sandbox.program("raq-sim", "own");
    link.args([
        "link",
        "--listen",
        "127.0.0.1:0",
        "--scenario",
        "rfc8867-5.1",
    ]);
    link.args([
        "--forgets",
        "1s",
        "--to",
        &recv.receiver.address.to_string(),
    ]);
    let mut link = Program::start("raq-sim", &mut link).unwrap();
    let address = link.wait_for("where it listens", PATIENCE, stats::listening);
    let mut send = endless(&sandbox);
    let send = start_sender(send.args(["--stats", "sent.jsonl"]), address.unwrap());
    recv.frames(50);
    interrupt(&send);
    send.finish(PATIENCE).unwrap().well().unwrap();
    assert_eq!(
        history(&sandbox).0,
        [ConnectionChange::Made],
        "one connection"
    );
    interrupt(&link);
    link.finish(PATIENCE).unwrap().well().unwrap();
}

/// QUIC moves no connection along before its handshake is confirmed: another one is made.
#[test]
fn a_router_that_forgets_a_port_within_the_handshake_does_not_matter() {
    let sandbox = Sandbox::new();
    let mut recv = Watched::start(sandbox.recv().args(["--output", "null"]));
    let router = Router::start(recv.receiver.address);
    let mut send = endless(&sandbox);
    // Nothing is lost that was there: this needs no second connection to be allowed.
    let send = send.args(["--stats", "sent.jsonl", "--no-reconnect"]);
    let mut send = start_sender(send, router.address);
    said(&mut send, "does not complete the handshake");
    recv.frames(5);
    interrupt(&send);
    send.finish(PATIENCE).unwrap().well().unwrap();
    assert_eq!(
        history(&sandbox).0,
        [ConnectionChange::Made],
        "one connection with frames"
    );
}

#[test]
fn a_file_goes_on_when_its_sender_is_back() {
    let sandbox = Sandbox::new();
    let output = sandbox.path("received.y4m");
    let mut recv = Watched::start(sandbox.recv().arg("--output").arg(&output));
    let address = recv.receiver.address;
    let send = start_sender(&mut endless(&sandbox), address);
    let before = recv.frames(5) + 1;
    drop(send);
    // Another format is no part of this file.
    let mut other = sandbox.send();
    let other = other.args(["--test-pattern", "bars", "--size", "64x64"]);
    let other = start_sender(other, address).finish(PATIENCE).unwrap();
    assert_error(&other, 3, &["160x96", "--output"]);
    let mut send = endless(&sandbox);
    let send = start_sender(send.args(["--frames", "7"]), address);
    send.finish(PATIENCE).unwrap().well().unwrap();
    // A sender that has ended ends the file, and with it the program.
    recv.receiver.finish().well().unwrap();
    let frames = clips::read(&output).1.len();
    assert!(
        frames >= before as usize + 7,
        "{frames} frames, {before} before"
    );
}

/// With the same key it would take over, were it not for its format.
#[test]
fn one_whose_format_the_file_cannot_take_leaves_the_session_alone() {
    let sandbox = Sandbox::new();
    let output = sandbox.path("received.y4m");
    let mut recv = Watched::start(sandbox.recv().arg("--output").arg(&output));
    let address = recv.receiver.address;
    let first = start_sender(&mut endless(&sandbox), address);
    recv.frames(5);
    let mut other = sandbox.send();
    let other = other.args(["--test-pattern", "bars", "--size", "64x64"]);
    let other = start_sender(other, address).finish(PATIENCE).unwrap();
    assert_error(&other, 3, &["160x96", "--output"]);
    recv.frames(5);
    interrupt(&first);
    first.finish(PATIENCE).unwrap().well().unwrap();
    recv.receiver.finish().well().unwrap();
}

#[test]
fn a_second_sender_with_the_same_key_takes_over() {
    let sandbox = Sandbox::new();
    let mut recv = Watched::start(sandbox.recv().args(["--output", "null"]));
    let first = start_sender(&mut endless(&sandbox), recv.receiver.address);
    recv.frames(5);
    let second = start_sender(&mut endless(&sandbox), recv.receiver.address);
    let first = first.finish(PATIENCE).unwrap();
    assert_error(&first, 3, &["same key", "taken over"]);
    recv.frames(5);
    interrupt(&second);
    second.finish(PATIENCE).unwrap().well().unwrap();
}
