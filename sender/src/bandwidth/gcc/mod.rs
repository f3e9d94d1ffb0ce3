//! libwebrtc's congestion control, through the crate goog_cc, to hold [`Bandwidth`](super::Bandwidth)
//! beside.
//!
//! The crate decides on a target rate from what was sent and what arrived (Carlucci et al., "Analysis
//! and Design of the Google Congestion Control for WebRTC", MMSys 2016; libwebrtc of December 2024).
//! What surrounds it in libwebrtc is in [`control`]: the history of sent datagrams, and smaller and
//! fewer frames while too much is in flight. The probes that the crate asks for are not sent: raq
//! sends nothing but frames. Without them a rate rises by about 8 % a second at most.

pub mod control;
pub mod controller;
mod history;
mod pushback;
pub mod units;

use std::fmt;
use std::time::Duration;

use goog_cc::transport::SentPacket;
use raq_shared::units::Bitrate;

use self::control::Control;
use self::controller::{Config, PACING, PROCESS};
use self::units::timestamp;
use super::clock::ReceiverClock;
use super::delay::{self, Delay};
use super::ledger::{Datagram, Heard, Ledger};
use super::losses::Losses;
use super::outage::{Awaited, Outage};
use super::{Arrival, FIRST_ROUND_TRIP, START, micros};

/// The least that media is sent at, libwebrtc's.
const LEAST: Bitrate = Bitrate::from_kilobits_per_second(30);

/// WebRTC's sender, but for its probes; see the module.
pub struct Gcc {
    control: Control,
    least: Bitrate,
    /// When the controller is to be called next.
    next_process: Duration,
    /// Number of the next datagram.
    sequence: u64,
    /// What the last report told.
    arrivals: Vec<(u64, Duration)>,
    // As `Bandwidth` has them.
    ledger: Ledger,
    clock: ReceiverClock,
    delay: Delay,
    losses: Losses,
    outage: Outage,
    queue: Duration,
}

impl fmt::Debug for Gcc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gcc")
            .field("target", &self.control.target())
            .field("pace", &self.control.pace())
            .field("queue", &self.queue)
            .finish_non_exhaustive()
    }
}

impl Gcc {
    /// At `now`, before anything is known of the path; its target is never more than `most`.
    pub fn new(now: Duration, [least, most]: [Option<Bitrate>; 2]) -> Self {
        let least = least.unwrap_or(LEAST).max(LEAST);
        let start = most.map_or(START, |most| START.min(most)).max(least);
        let (control, _) = Control::new(&Config {
            at: now,
            start,
            least,
            most,
            pacing: PACING,
            probes: false,
        });
        Self {
            control,
            least,
            next_process: now,
            sequence: 0,
            arrivals: Vec::new(),
            ledger: Ledger::default(),
            clock: ReceiverClock::default(),
            delay: Delay::default(),
            losses: Losses::default(),
            outage: Outage::default(),
            queue: Duration::ZERO,
        }
    }

    /// A datagram leaves.
    pub fn sent(&mut self, datagram: Datagram) {
        self.ledger.sent(datagram);
        self.outage.sent(datagram.at);
        let packet = SentPacket {
            send_time: timestamp(datagram.at),
            size: units::size(datagram.bytes.into()),
            sequence_number: i64::try_from(self.sequence).unwrap_or(i64::MAX),
            ..Default::default()
        };
        self.sequence += 1;
        let number = number(datagram.frame, datagram.index);
        self.control.sent(number, packet);
    }

    /// As [`Bandwidth::heard`](super::Bandwidth::heard).
    pub fn heard(
        &mut self,
        now: Duration,
        arrivals: impl Iterator<Item = Arrival>,
        passed: Duration,
    ) -> bool {
        let (back, awaited) = (self.outage.heard(now), self.ledger.awaited());
        self.arrivals.clear();
        for Arrival { frame, index, at } in arrivals {
            let at = self.clock.extend(at);
            let heard = self.ledger.heard(frame, index);
            if let Some(heard) = heard.filter(|heard| !heard.overtaken) {
                self.arrived(now, &heard, at);
            }
            self.decide();
            self.arrivals.push((number(frame, index), at));
        }
        self.ledger.passed(passed);
        self.decide();
        self.outage
            .told(awaited.is_none() || awaited != self.ledger.awaited());
        self.control.heard(now, &self.arrivals);
        back
    }

    fn arrived(&mut self, now: Duration, heard: &Heard, at: Duration) {
        let Datagram {
            bytes, at: sent, ..
        } = heard.datagram;
        let one_way = micros(at).saturating_sub(micros(sent));
        self.delay.note(now, one_way, now.saturating_sub(sent));
        let raw = self.delay.queue(one_way, delay::WINDOW);
        // On a slow path a datagram's own time is no queue.
        let rate = self.control.target().max(LEAST).bits_per_second() as f64 / 8.0;
        let service = Duration::from_secs_f64(f64::from(bytes) / rate);
        self.queue = raw.saturating_sub(service);
    }

    fn decide(&mut self) {
        while let Some((_, arrived)) = self.ledger.decided() {
            self.losses.note(arrived, self.queue);
        }
    }

    /// For how long nothing has come back at `now`, if that is an outage; to be asked before every
    /// frame.
    pub fn silence(&mut self, now: Duration) -> Duration {
        self.outage.look(now, self.awaited())
    }

    fn awaited(&self) -> Option<Awaited> {
        // That of late is long where nothing came through for a while.
        let known = self.delay.round_trip(delay::MEMORY);
        let round_trip = known.unwrap_or(FIRST_ROUND_TRIP);
        let sent = self.ledger.awaited()?;
        Some(Awaited { sent, round_trip })
    }

    /// What the next frame is coded at, `None` to skip it; to be asked once for every frame.
    pub fn frame(&mut self) -> Option<Bitrate> {
        self.control.frame(self.least)
    }

    /// Does what is due at `now`. Whether something small is to be sent, for an answer.
    pub fn beat(&mut self, now: Duration) -> bool {
        if now >= self.next_process {
            self.next_process = now + PROCESS;
            self.control.process(now, None);
        }
        self.outage.beat(now, self.awaited())
    }

    /// When [`beat`](Self::beat) is to be asked.
    pub fn wake(&self) -> Duration {
        let beat = self.outage.wake(self.awaited()).unwrap_or(Duration::MAX);
        self.next_process.min(beat)
    }

    /// Its target.
    pub fn estimate(&self) -> Bitrate {
        self.control.target()
    }

    /// How fast datagrams leave.
    pub fn pace(&self) -> Bitrate {
        self.control.pace()
    }

    /// The least round trip of late.
    pub fn round_trip(&self) -> Duration {
        let known = self.delay.round_trip(delay::WINDOW);
        known.unwrap_or(FIRST_ROUND_TRIP)
    }

    /// Time that the newest arrival spent in the queue.
    pub fn queue(&self) -> Duration {
        self.queue
    }

    /// Losses of late.
    pub fn losses(&self) -> &Losses {
        &self.losses
    }
}

/// Ascends as datagrams leave.
fn number(frame: u32, index: u8) -> u64 {
    u64::from(frame) << 8 | u64::from(index)
}

#[cfg(test)]
mod tests;
