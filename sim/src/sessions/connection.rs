//! One end of a connection: what quinn 0.11 does with datagrams, modelled.
//!
//! Datagrams that wait at the same moment share packets of up to 1200 bytes; every second packet is
//! acknowledged at once, a single one after 10 ms or along with a datagram. Sizes are those of RFC
//! 9000 and 9221. What a real connection adds now and then is left out: keep-alives, skipped packet
//! numbers. Mode `quic` is there to check all this.

use std::{collections::VecDeque, time::Duration};

use raq_shared::{quic::DATAGRAM_SEND_BUFFER, units::Bitrate};

use super::{
    acks::{Ack, Acks},
    pacer::Pacer,
    ranges::varint,
    recovery::{Recovery, Sent},
    window::Window,
};
use crate::{
    flow::{Handed, MAX_DATAGRAM},
    policy::Transport,
};

/// Bytes of a QUIC packet at most: what every path carries (RFC 9000, section 14).
const MTU: u32 = 1200;
/// UDP's and IPv4's headers.
pub(super) const UDP_IP: u32 = 28;
/// First byte, connection ID of eight bytes, authentication tag of sixteen.
const PACKET: u32 = 1 + 8 + 16;
/// Bytes of a QUIC packet at least: quinn makes none shorter than a stateless reset.
const LEAST: u32 = 8 + 6 + 16;
/// What quinn counts for each of them besides.
const ENTRY: usize = 32;

/// What travels.
#[derive(Debug, Clone)]
pub(super) struct Packet {
    number: u64,
    ack: Option<Ack>,
    /// The datagrams in it.
    pub(super) datagrams: Vec<Handed>,
    /// Whether it wants an acknowledgement.
    wants_ack: bool,
    /// Whether it wants it at once: IMMEDIATE_ACK of the ACK frequency extension.
    at_once: bool,
    /// Its size on the link.
    pub(super) bytes: u32,
}

/// Why data that waits does not go.
#[derive(Debug, Clone, Copy)]
enum Held {
    /// The window is full.
    Window,
    /// The pacer's time has not come.
    Until(Duration),
}

/// One end of a connection.
#[derive(Debug)]
pub(super) struct Connection {
    recovery: Recovery,
    pacer: Pacer,
    acks: Acks,
    waiting: VecDeque<Handed>,
    waiting_bytes: usize,
    number: u64,
    held: Option<Held>,
}

impl Connection {
    /// With a congestion window, or with nothing that limits it, after a handshake in which round
    /// trips took `round_trip`.
    pub(super) fn new(window: Option<Window>, round_trip: Duration) -> Self {
        Self {
            recovery: Recovery::new(window, round_trip),
            pacer: Pacer::new(MTU),
            acks: Acks::default(),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            number: 0,
            held: None,
        }
    }

    /// Takes a datagram to send. Where the buffer is full the oldest are thrown away, as quinn does;
    /// how many were. One that fits no packet is thrown away itself.
    pub(super) fn send(&mut self, handed: Handed) -> usize {
        if handed.bytes.len() > MAX_DATAGRAM {
            return 1;
        }
        let mut dropped = 0;
        while !self.has_room(handed.bytes.len()) && self.pop().is_some() {
            dropped += 1;
        }
        self.waiting_bytes += handed.bytes.len() + ENTRY;
        self.waiting.push_back(handed);
        dropped
    }

    /// Whether the buffer has room for so many bytes without throwing something away.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.waiting_bytes + bytes + ENTRY <= DATAGRAM_SEND_BUFFER
    }

    /// The window heeds this estimate from now on.
    pub(super) fn estimated(&mut self, estimate: Bitrate) {
        self.recovery.estimated(estimate);
    }

    /// What the policy is told.
    pub(super) fn transport(&self) -> Transport {
        Transport {
            window: self.recovery.window().unwrap_or(u64::MAX),
            round_trip: self.recovery.round_trip(),
            shortest: self.recovery.shortest(),
            queued: self.waiting_bytes,
        }
    }

    /// Takes a packet; the datagrams in it.
    pub(super) fn receive(&mut self, now: Duration, packet: Packet) -> Vec<Handed> {
        if !self.acks.received(now, packet.number, packet.wants_ack) {
            return Vec::new();
        }
        if packet.at_once {
            self.acks.hurry();
        }
        if let Some(ack) = &packet.ack
            && let Some(heard) = self.recovery.acked(now, ack)
        {
            self.acks.heard(heard);
        }
        packet.datagrams
    }

    /// When [`Self::transmit`] may have something, if nothing comes in between.
    pub(super) fn wake(&self) -> Option<Duration> {
        let own = match self.held {
            // quinn acknowledges nothing while data is held.
            Some(Held::Window) => None,
            Some(Held::Until(at)) => Some(at),
            None => self.acks.wake(),
        };
        [own, self.recovery.wake()].into_iter().flatten().min()
    }

    /// The next packet to send at `now`; to be asked until there is none.
    pub(super) fn transmit(&mut self, now: Duration) -> Option<Packet> {
        self.recovery.timeout(now);
        let probes = self.recovery.to_probe > 0;
        let data = !self.waiting.is_empty();
        self.held = self.held(now).filter(|_| data && !probes);
        let due = self.acks.is_due(now);
        self.recovery.idle = !(data || probes || due);
        if self.held.is_some() || self.recovery.idle {
            return None;
        }
        let number = self.number;
        self.number += 1;
        let mut room = MTU - PACKET - self.number_bytes(number) - u32::from(probes);
        let mut ack = due.then(|| self.acks.frame(now));
        room -= ack.as_ref().map_or(0, Ack::bytes);
        let mut datagrams = Vec::new();
        while let Some(handed) = self.waiting.front()
            && frame_bytes(handed) <= room
        {
            room -= frame_bytes(handed);
            datagrams.extend(self.pop());
        }
        let wants_ack = probes || !datagrams.is_empty();
        if ack.is_none() && wants_ack && self.acks.may_ride(now) {
            ack = Some(self.acks.frame(now)).filter(|ack| ack.bytes() <= room);
            room -= ack.as_ref().map_or(0, Ack::bytes);
        }
        if ack.is_some() {
            self.acks.sent(now, self.recovery.round_trip());
        }
        let bytes = (MTU - room).max(LEAST);
        let sent = Sent {
            at: now,
            bytes: if wants_ack { bytes } else { 0 },
            acks: ack.as_ref().and_then(|ack| ack.ranges.largest()),
        };
        self.recovery.sent(number, sent);
        self.pacer.spend(sent.bytes);
        Some(Packet {
            number,
            ack,
            datagrams,
            wants_ack,
            at_once: probes,
            bytes: bytes + UDP_IP,
        })
    }

    /// Why data would not go now.
    fn held(&mut self, now: Duration) -> Option<Held> {
        let window = self.recovery.window()?;
        if !self.recovery.has_room(MTU) {
            return Some(Held::Window);
        }
        let wait = self.pacer.wait(now, window, self.recovery.round_trip());
        wait.map(Held::Until)
    }

    /// Bytes of a packet's number: twice the distance to what was acknowledged must fit (RFC 9000,
    /// section 17.1).
    fn number_bytes(&self, number: u64) -> u32 {
        match 2 * (number - self.recovery.largest_acked().unwrap_or(0)) {
            0..0x100 => 1,
            0x100..0x1_0000 => 2,
            0x1_0000..0x100_0000 => 3,
            _ => 4,
        }
    }

    fn pop(&mut self) -> Option<Handed> {
        let handed = self.waiting.pop_front()?;
        self.waiting_bytes -= handed.bytes.len() + ENTRY;
        Some(handed)
    }
}

/// Bytes of a DATAGRAM frame with its length (RFC 9221, section 4).
fn frame_bytes(handed: &Handed) -> u32 {
    let len = handed.bytes.len() as u32;
    1 + varint(len.into()) + len
}
