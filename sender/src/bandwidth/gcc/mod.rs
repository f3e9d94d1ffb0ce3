//! libwebrtc's congestion control, through the crate goog_cc, to hold [`Bandwidth`](super::Bandwidth)
//! beside.
//!
//! The crate decides on a target rate from what was sent and what arrived (Carlucci et al., "Analysis
//! and Design of the Google Congestion Control for WebRTC", MMSys 2016; libwebrtc of December 2024).
//! What surrounds it in libwebrtc is here: the history of sent datagrams ([`history`]), and smaller
//! and fewer frames while too much is in flight ([`pushback`]). The probes that the crate asks for
//! are not sent: raq sends nothing but frames. Without them a rate rises by about 8 % a second at most.

pub mod controller;
pub mod history;
pub mod pushback;
pub mod units;

use std::fmt;
use std::time::Duration;

use goog_cc::GoogCcNetworkController;
use goog_cc::network_control::NetworkControllerInterface as _;
use goog_cc::transport::{
    NetworkControlUpdate, ProcessInterval, SentPacket, TransportPacketsFeedback,
};
use raq_shared::units::Bitrate;

use self::controller::{Config, PACING, PROCESS, controller};
use self::history::History;
use self::pushback::Pushback;
use self::units::timestamp;
use super::clock::ReceiverClock;
use super::delay::{self, Delay};
use super::ledger::{Datagram, Heard, Ledger};
use super::losses::Losses;
use super::outage::Outage;
use super::{Arrival, FIRST_ROUND_TRIP, START, micros};

/// The least that media is sent at, libwebrtc's.
const LEAST: Bitrate = Bitrate::from_kilobits_per_second(30);

/// WebRTC's sender, but for its probes; see the module.
pub struct Gcc {
    controller: GoogCcNetworkController,
    history: History,
    pushback: Pushback,
    least: Bitrate,
    target: Bitrate,
    pace: Bitrate,
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
            .field("target", &self.target)
            .field("pace", &self.pace)
            .field("pushback", &self.pushback)
            .field("queue", &self.queue)
            .finish_non_exhaustive()
    }
}

impl Gcc {
    /// At `now`, before anything is known of the path; its target is never more than `most`.
    pub fn new(now: Duration, [least, most]: [Option<Bitrate>; 2]) -> Self {
        let least = least.unwrap_or(LEAST).max(LEAST);
        let start = most.map_or(START, |most| START.min(most)).max(least);
        let (controller, update) = controller(&Config {
            at: now,
            start,
            least,
            most,
            pacing: PACING,
            probes: false,
        });
        let mut gcc = Self {
            controller,
            history: History::default(),
            pushback: Pushback::default(),
            least,
            target: start,
            pace: start.scaled(PACING),
            next_process: now,
            sequence: 0,
            arrivals: Vec::new(),
            ledger: Ledger::default(),
            clock: ReceiverClock::default(),
            delay: Delay::default(),
            losses: Losses::default(),
            outage: Outage::default(),
            queue: Duration::ZERO,
        };
        gcc.heed(&update);
        gcc
    }

    fn heed(&mut self, update: &NetworkControlUpdate) {
        if let Some(target) = &update.target_rate {
            self.target = units::bitrate(target.target_rate);
        }
        if let Some(pacer) = &update.pacer_config {
            self.pace = units::bitrate(pacer.data_rate());
        }
    }

    /// A datagram leaves.
    pub fn sent(&mut self, datagram: Datagram) {
        self.ledger.sent(datagram);
        let mut packet = SentPacket {
            send_time: timestamp(datagram.at),
            size: units::size(datagram.bytes.into()),
            sequence_number: i64::try_from(self.sequence).unwrap_or(i64::MAX),
            ..Default::default()
        };
        self.sequence += 1;
        let number = number(datagram.frame, datagram.index);
        self.history.add(number, &mut packet);
        self.pushback.in_flight(self.history.in_flight());
        let update = self.controller.on_sent_packet(packet);
        self.heed(&update);
    }

    /// As [`Bandwidth::heard`](super::Bandwidth::heard).
    pub fn heard(
        &mut self,
        now: Duration,
        arrivals: impl Iterator<Item = Arrival>,
        passed: Duration,
    ) -> bool {
        let back = self.outage.heard(now);
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
        self.feedback(now);
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
        let rate = self.target.max(LEAST).bits_per_second() as f64 / 8.0;
        let service = Duration::from_secs_f64(f64::from(bytes) / rate);
        self.queue = raw.saturating_sub(service);
    }

    fn decide(&mut self) {
        while let Some((_, arrived)) = self.ledger.decided() {
            self.losses.note(arrived, self.queue);
        }
    }

    /// Has the controller hear of the arrivals of a report.
    fn feedback(&mut self, now: Duration) {
        let packet_feedbacks = self.history.results(&self.arrivals);
        let received = packet_feedbacks
            .iter()
            .filter(|result| result.is_received());
        let Some(oldest) = received.map(|result| result.sent_packet.send_time).min() else {
            return;
        };
        let feedback_time = timestamp(now);
        let round_trip = units::duration(feedback_time - oldest);
        let update = self
            .controller
            .on_transport_packets_feedback(TransportPacketsFeedback {
                feedback_time,
                data_in_flight: units::size(self.history.in_flight()),
                packet_feedbacks,
                ..Default::default()
            });
        self.heed(&update);
        self.pushback.round_trip(round_trip, self.target);
        self.pushback.in_flight(self.history.in_flight());
    }

    /// For how long nothing has come back at `now`, if that is an outage; to be asked before every
    /// frame.
    pub fn silence(&mut self, now: Duration) -> Duration {
        let round_trip = self.round_trip();
        self.outage.look(now, self.ledger.oldest(), round_trip)
    }

    /// What the next frame is coded at, `None` to skip it; to be asked once for every frame.
    pub fn frame(&mut self) -> Option<Bitrate> {
        self.pushback.frame(self.target, self.least)
    }

    /// Does what is due at `now`. Whether something small is to be sent, for an answer.
    pub fn beat(&mut self, now: Duration) -> bool {
        if now >= self.next_process {
            self.next_process = now + PROCESS;
            let update = self.controller.on_process_interval(ProcessInterval {
                at_time: timestamp(now),
                ..Default::default()
            });
            self.heed(&update);
            self.pushback.resize(self.target);
            self.pushback.in_flight(self.history.in_flight());
        }
        self.outage.beat(now)
    }

    /// When [`beat`](Self::beat) is to be asked.
    pub fn wake(&self) -> Duration {
        let beat = self.outage.wake().unwrap_or(Duration::MAX);
        self.next_process.min(beat)
    }

    /// Its target.
    pub fn estimate(&self) -> Bitrate {
        self.target
    }

    /// How fast datagrams leave.
    pub fn pace(&self) -> Bitrate {
        self.pace
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
