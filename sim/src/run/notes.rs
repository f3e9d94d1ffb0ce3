//! What a mode has to say about a run.

use std::time::Duration;

use raq_shared::exit::Failure;

use crate::{
    link::{Cause, Outcome, Packet},
    record::{DatagramRow, Direction, FrameRow, Kind, Loss, PolicyRecorder},
};

/// Passes what happened on to the records, and remembers what ends them.
#[derive(Debug)]
pub struct Notes {
    recorder: PolicyRecorder,
}

impl Notes {
    /// For the records of one policy.
    pub fn new(recorder: PolicyRecorder) -> Self {
        Self { recorder }
    }

    /// A frame about which nothing changes any more.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be written.
    pub fn frame(&mut self, row: FrameRow) -> Result<(), Failure> {
        self.recorder.frame(row)
    }

    /// A datagram that has arrived or is lost.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be written.
    pub fn datagram(&mut self, row: &DatagramRow) -> Result<(), Failure> {
        self.recorder.datagram(row)
    }

    /// What was on the screen at the playout deadline of a frame, as the bytes of a PNG file.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be written.
    pub fn picture(&self, flow: usize, frame: u32, png: &[u8]) -> Result<(), Failure> {
        self.recorder.picture(flow as u32, frame.into(), png)
    }

    /// A packet of other traffic, by the number of its flow.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be written.
    pub fn cross(&mut self, direction: Direction, outcome: Outcome<usize>) -> Result<(), Failure> {
        let (packet, row) = self.outcome(direction, outcome);
        self.datagram(&DatagramRow {
            flow: packet.payload as u32,
            kind: Kind::Cross,
            ..row
        })
    }

    /// What travelled, and a row about what became of it; flow and kind are for the caller to say.
    pub fn outcome<T>(
        &self,
        direction: Direction,
        outcome: Outcome<T>,
    ) -> (Packet<T>, DatagramRow) {
        let row = |offered: Duration, bytes| DatagramRow {
            flow: 0,
            direction,
            kind: Kind::Quic,
            frame: None,
            index: None,
            bytes,
            offered_us: micros(offered),
            left_us: None,
            arrived_us: None,
            lost: None,
        };
        match outcome {
            Outcome::Delivered {
                packet,
                offered,
                left,
                arrived,
            } => {
                let row = DatagramRow {
                    left_us: Some(micros(left)),
                    arrived_us: Some(micros(arrived)),
                    ..row(offered, packet.bytes)
                };
                (packet, row)
            }
            Outcome::Lost {
                packet,
                offered,
                at,
                cause,
            } => {
                let (left_us, lost) = match cause {
                    Cause::Queue => (None, Loss::Queue),
                    Cause::Outage => (None, Loss::Outage),
                    // It had left the queue.
                    Cause::Random => (Some(micros(at)), Loss::Random),
                };
                let row = DatagramRow {
                    left_us,
                    lost: Some(lost),
                    ..row(offered, packet.bytes)
                };
                (packet, row)
            }
        }
    }

    /// The records again, for what comes at the end.
    pub fn into_recorder(self) -> PolicyRecorder {
        self.recorder
    }
}

fn micros(time: Duration) -> u64 {
    time.as_micros() as u64
}
