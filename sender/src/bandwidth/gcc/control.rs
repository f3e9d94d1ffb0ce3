//! The crate's controller, with what surrounds it in every sender of WebRTC.

use std::time::Duration;

use goog_cc::{
    GoogCcNetworkController,
    network_control::NetworkControllerInterface as _,
    transport::{
        NetworkControlUpdate, ProbeClusterConfig, ProcessInterval, SentPacket,
        TransportPacketsFeedback,
    },
};
use raq_shared::units::Bitrate;

use super::controller::{Config, controller};
use super::history::History;
use super::pushback::Pushback;
use super::units::{self, timestamp};

/// Target and pace, from what was sent and what arrived, with fewer and smaller frames while too
/// much is in flight. Calls give back the probes that the controller asks for.
pub struct Control {
    controller: GoogCcNetworkController,
    history: History,
    pushback: Pushback,
    target: Bitrate,
    pace: Bitrate,
}

impl Control {
    /// Before anything is known of the path, with the first probes.
    pub fn new(config: &Config) -> (Self, Vec<ProbeClusterConfig>) {
        let (controller, update) = controller(config);
        let mut control = Self {
            controller,
            history: History::default(),
            pushback: Pushback::default(),
            target: config.start,
            pace: config.start.scaled(config.pacing),
        };
        let probes = control.heed(update);
        (control, probes)
    }

    fn heed(&mut self, update: NetworkControlUpdate) -> Vec<ProbeClusterConfig> {
        if let Some(target) = &update.target_rate {
            self.target = units::bitrate(target.target_rate);
        }
        if let Some(pacer) = &update.pacer_config {
            self.pace = units::bitrate(pacer.data_rate());
        }
        update.probe_cluster_configs
    }

    /// A datagram leaves. Its `number`, by which [`heard`](Self::heard) knows it, is larger than
    /// those of all before.
    pub fn sent(&mut self, number: u64, mut packet: SentPacket) -> Vec<ProbeClusterConfig> {
        self.history.add(number, &mut packet);
        self.pushback.in_flight(self.history.in_flight());
        let update = self.controller.on_sent_packet(packet);
        self.heed(update)
    }

    /// A report came at `now`: numbers of datagrams and when they arrived, in order of arrival.
    pub fn heard(
        &mut self,
        now: Duration,
        arrivals: &[(u64, Duration)],
    ) -> Vec<ProbeClusterConfig> {
        let packet_feedbacks = self.history.results(arrivals);
        let received = packet_feedbacks
            .iter()
            .filter(|result| result.is_received());
        let Some(oldest) = received.map(|result| result.sent_packet.send_time).min() else {
            return Vec::new();
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
        let probes = self.heed(update);
        self.pushback.round_trip(round_trip, self.target);
        self.pushback.in_flight(self.history.in_flight());
        probes
    }

    /// To be called every [`PROCESS`](super::controller::PROCESS), with the bytes that the pacer
    /// holds where they are known.
    pub fn process(&mut self, now: Duration, waiting: Option<u64>) -> Vec<ProbeClusterConfig> {
        let update = self.controller.on_process_interval(ProcessInterval {
            at_time: timestamp(now),
            pacer_queue: waiting.map(units::size),
        });
        let probes = self.heed(update);
        self.pushback.resize(self.target);
        self.pushback.in_flight(self.history.in_flight());
        probes
    }

    /// What the next frame is coded at, `None` to drop it; never less than `least`.
    pub fn frame(&mut self, least: Bitrate) -> Option<Bitrate> {
        self.pushback.frame(self.target, least)
    }

    /// What media is to be sent at.
    pub fn target(&self) -> Bitrate {
        self.target
    }

    /// How fast datagrams leave.
    pub fn pace(&self) -> Bitrate {
        self.pace
    }
}
