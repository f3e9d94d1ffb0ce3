//! ctrl-C on either side, and readers that leave.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read as _},
    process::{Command, Stdio},
};

use raq_shared::y4m::Reader;
use raq_tests::{
    clips,
    sandbox::{PATIENCE, Sandbox, assert_error, interrupt},
    transfer::{Receiver, start_sender},
};
use xtask::program::Program;

/// A scene without an end, at a rate that any machine keeps up with.
fn endless(sandbox: &Sandbox) -> Command {
    let mut send = sandbox.send();
    send.args([
        "--test-pattern",
        "motion",
        "--size",
        "160x96",
        "--fps",
        "5",
        "--codewords",
        "16",
        "--no-reconnect",
    ]);
    send
}

/// A session in which some frames have been decoded.
fn running(sandbox: &Sandbox) -> (Program, Receiver) {
    let mut recv = sandbox.recv();
    recv.args(["--once", "--output"])
        .arg(sandbox.path("received.y4m"));
    // The records come through a pipe, so that there is something to wait for.
    let recv = recv.args(["--stats", "/dev/stdout"]).stdout(Stdio::piped());
    let mut recv = Receiver::start(recv);
    let send = start_sender(&mut endless(sandbox), recv.address);
    let mut records = BufReader::new(recv.program.stdout().unwrap());
    // More than can be on their way to the file.
    for _ in 0..8 {
        let mut line = String::new();
        assert!(
            records.read_line(&mut line).unwrap() > 0,
            "raq-recv ended early"
        );
    }
    // Nobody must be stopped by a full pipe.
    std::thread::spawn(move || std::io::copy(&mut records, &mut std::io::sink()));
    (send, recv)
}

#[test]
fn interrupting_the_sender_ends_both_well() {
    let sandbox = Sandbox::new();
    let (send, recv) = running(&sandbox);
    interrupt(&send);
    send.finish(PATIENCE).unwrap().well().unwrap();
    recv.finish().well().unwrap();
    assert!(clips::read(&sandbox.path("received.y4m")).1.len() >= 3);
}

#[test]
fn signals_that_come_together_are_one() {
    let sandbox = Sandbox::new();
    let (send, recv) = running(&sandbox);
    // As `timeout` does: to the program, and once more to its group.
    interrupt(&send);
    interrupt(&send);
    send.finish(PATIENCE).unwrap().well().unwrap();
    recv.finish().well().unwrap();
}

#[test]
fn interrupting_the_receiver_leaves_a_whole_file() {
    let sandbox = Sandbox::new();
    let (send, recv) = running(&sandbox);
    interrupt(&recv.program);
    recv.finish().well().unwrap();
    let send = send.finish(PATIENCE).unwrap();
    assert_error(&send, 4, &["receiver"]);
    assert!(clips::read(&sandbox.path("received.y4m")).1.len() >= 3);
}

#[test]
fn a_receiver_that_dies_leaves_a_readable_file_and_a_sender_that_says_so() {
    let sandbox = Sandbox::new();
    let (send, recv) = running(&sandbox);
    let address = recv.address;
    // Dropped means killed: it says no goodbye, so the one that follows has to say it.
    drop(recv);
    let mut next = sandbox.recv();
    let next = Receiver::start_at(next.args(["--output", "null"]), address);
    assert_error(&send.finish(PATIENCE).unwrap(), 4, &["lost"]);
    interrupt(&next.program);
    next.finish().well().unwrap();
    let file = File::open(sandbox.path("received.y4m")).unwrap();
    let mut reader = Reader::new(file).unwrap();
    // The last frame may be half there; those before it are whole.
    while reader.skip().is_ok_and(|more| more) {}
    assert!(reader.frames() >= 3);
}

#[test]
fn a_sender_that_dies_leaves_a_whole_file() {
    let sandbox = Sandbox::new();
    let (send, recv) = running(&sandbox);
    drop(send);
    // The next one with its key makes sure that nobody waits for it.
    let _next = start_sender(&mut endless(&sandbox), recv.address);
    assert_error(&recv.finish(), 4, &["connected anew"]);
    assert!(clips::read(&sandbox.path("received.y4m")).1.len() >= 3);
}

#[test]
fn interrupting_a_receiver_that_waits_is_no_failure() {
    let sandbox = Sandbox::new();
    let mut recv = sandbox.recv();
    let recv = Receiver::start(recv.args(["--output", "null"]));
    interrupt(&recv.program);
    recv.finish().well().unwrap();
}

#[test]
fn a_reader_that_leaves_ends_the_receiver_quietly() {
    let sandbox = Sandbox::new();
    let mut recv = sandbox.recv();
    let recv = recv
        .args(["--once", "--output", "-"])
        .stdout(Stdio::piped());
    let mut recv = Receiver::start(recv);
    let send = start_sender(&mut endless(&sandbox), recv.address);
    let mut video = recv.program.stdout().unwrap();
    video.read_exact(&mut [0; 100]).unwrap();
    drop(video);
    let recv = recv.finish().well().unwrap();
    assert!(!recv.stderr.contains("raq-recv: "), "{}", recv.stderr);
    assert_eq!(send.finish(PATIENCE).unwrap().code(), Some(4));
}

#[test]
fn a_reader_that_leaves_printed_text_is_no_failure() {
    let sandbox = Sandbox::new();
    for mut command in [sandbox.recv(), sandbox.send()] {
        // /dev/full is no pipe: a real failure, for comparison.
        let full = std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let ended = raq_tests::sandbox::run(command.arg("--print-id").stdout(full));
        assert_error(&ended, 1, &["standard output"]);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        raq_tests::sandbox::run(command.stdout(writer))
            .well()
            .unwrap();
    }
}

#[test]
fn a_closed_standard_error_does_not_matter() {
    let sandbox = Sandbox::new();
    let mut recv = sandbox.recv();
    let recv = Receiver::start(recv.args(["--once", "--output", "null"]));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut send = sandbox.send();
    send.args(["--test-pattern", "bars", "--size", "64x64"]);
    send.args(["--frames", "3", "-v", "--peer"]);
    send.arg(recv.address.to_string()).stderr(writer);
    assert_eq!(send.status().unwrap().code(), Some(0));
    recv.finish().well().unwrap();
}
