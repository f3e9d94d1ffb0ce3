//! Programs that are watched while they run.

use std::{
    io::{BufRead as _, BufReader, Lines},
    process::{ChildStdout, Command, Stdio},
};

use raq_shared::stats::ReceiverRecord;
use xtask::{program::Program, stats};

use crate::{sandbox::PATIENCE, transfer::Receiver};

/// A receiver whose records can be waited for.
pub struct Watched {
    /// It.
    pub receiver: Receiver,
    records: Lines<BufReader<ChildStdout>>,
}

impl Watched {
    /// Starts `command`.
    ///
    /// # Panics
    /// Where it does not get ready.
    pub fn start(command: &mut Command) -> Self {
        Self::of(Receiver::start, command)
    }

    /// The same with another way to start it.
    ///
    /// # Panics
    /// Where it does not get ready.
    pub fn of(start: impl FnOnce(&mut Command) -> Receiver, command: &mut Command) -> Self {
        let command = command.args(["--stats", "/dev/stdout"]);
        let mut receiver = start(command.stdout(Stdio::piped()));
        let records = BufReader::new(receiver.program.stdout().unwrap()).lines();
        Self { receiver, records }
    }

    /// Waits until so many more frames were decoded; gives the last one's number.
    ///
    /// # Panics
    /// Where raq-recv ends before.
    pub fn frames(&mut self, count: usize) -> u32 {
        let numbers =
            self.records
                .by_ref()
                .filter_map(|line| match stats::record(&line.unwrap()).unwrap() {
                    ReceiverRecord::Frame(frame) => Some(frame.frame),
                    ReceiverRecord::Interval(_) | ReceiverRecord::Summary(_) => None,
                });
        numbers.take(count).last().expect("raq-recv goes on")
    }
}

/// Waits until `program` logs these words.
///
/// # Panics
/// Where it does not.
pub fn said(program: &mut Program, words: &str) {
    let wanted = |line: &str| line.contains(words).then_some(());
    let waited = program.wait_for(words, PATIENCE, wanted);
    waited.unwrap_or_else(|error| panic!("{error}"));
}
