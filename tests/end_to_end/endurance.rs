//! Sessions that are lost, and made again.

use std::{
    io::{BufRead as _, BufReader, Lines},
    process::{ChildStdout, Command, Stdio},
};

use raq_shared::stats::{ConnectionChange, ReceiverRecord, SenderRecord, SenderSummary};
use raq_tests::{
    sandbox::{PATIENCE, Sandbox, interrupt},
    transfer::{Receiver, start_sender},
};
use xtask::{program::Program, stats};

/// A scene without an end, at a rate that any machine keeps up with.
fn endless(sandbox: &Sandbox) -> Command {
    let mut send = sandbox.send();
    send.args(["--test-pattern", "motion", "--size", "160x96"]);
    send.args(["--fps", "10", "--codewords", "16"]);
    send
}

/// A receiver whose records can be waited for.
struct Watched {
    receiver: Receiver,
    records: Lines<BufReader<ChildStdout>>,
}

impl Watched {
    fn start(command: &mut Command) -> Self {
        Self::of(Receiver::start, command)
    }

    fn of(start: impl FnOnce(&mut Command) -> Receiver, command: &mut Command) -> Self {
        let command = command.args(["--stats", "/dev/stdout"]);
        let mut receiver = start(command.stdout(Stdio::piped()));
        let records = BufReader::new(receiver.program.stdout().unwrap()).lines();
        Self { receiver, records }
    }

    /// Waits until so many more frames were decoded; gives the last one's number.
    fn frames(&mut self, count: usize) -> u32 {
        let numbers =
            self.records
                .by_ref()
                .filter_map(|line| match stats::record(&line.unwrap()).unwrap() {
                    ReceiverRecord::Frame(frame) => Some(frame.frame),
                    ReceiverRecord::Summary(_) => None,
                });
        numbers.take(count).last().expect("raq-recv goes on")
    }
}

fn said(program: &mut Program, words: &str) {
    let wanted = |line: &str| line.contains(words).then_some(());
    let waited = program.wait_for(words, PATIENCE, wanted);
    waited.unwrap_or_else(|error| panic!("{error}"));
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
            SenderRecord::Frame(_) => {}
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
