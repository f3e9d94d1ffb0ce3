//! One end of a connection: what quinn does with datagrams, modelled.
//!
//! Datagrams that wait at the same moment share packets of up to 1200 bytes; every second packet is
//! acknowledged at once, a single one after 25 ms, and acknowledgements ride along with datagrams.
//! The sizes are those of RFC 9000 and 9221 with the choices of quinn-proto 0.11; `quic` mode is
//! there to check them.

use std::{collections::VecDeque, time::Duration};

use super::{
    ranges::{Ranges, varint},
    recovery::{MAX_ACK_DELAY, Recovery},
};
use crate::{cubic::Cubic, flow::Handed, policy::Transport};

/// Bytes of a QUIC packet at most: what every path carries (RFC 9000, section 14).
const MTU: u32 = 1200;
/// UDP's and IPv4's headers.
pub(super) const UDP_IP: u32 = 28;
/// First byte, connection ID of eight bytes, authentication tag of sixteen.
const PACKET: u32 = 1 + 8 + 16;
/// Packets that quinn's pacer lets go at once.
const BURST: u32 = 10;
/// How far above the window's rate it paces.
const PACE: f64 = 1.25;
/// Datagrams that wait in quinn's buffer, in bytes: what the program sets.
const BUFFER: usize = 64 << 10;

/// What travels.
#[derive(Debug, Clone)]
pub(super) struct Packet {
    number: u64,
    acks: Option<(Ranges, Duration)>,
    /// The datagrams in it.
    pub(super) datagrams: Vec<Handed>,
    /// Whether it wants an acknowledgement though it carries nothing.
    ping: bool,
    /// Its size on the link.
    pub(super) bytes: u32,
}

/// One end of a connection.
#[derive(Debug)]
pub(super) struct Connection {
    recovery: Recovery,
    waiting: VecDeque<Handed>,
    waiting_bytes: usize,
    number: u64,
    received: Ranges,
    /// Packets received that want an acknowledgement and have none.
    owed: u32,
    /// When the newest packet came, and when its acknowledgement must go.
    newest: Duration,
    ack_by: Option<Duration>,
    ping: bool,
    /// Whether nothing was held back when there was last nothing to send: windows grow by what is
    /// acknowledged only when they are made use of.
    app_limited: bool,
    /// The pacer's bytes, as of a time.
    tokens: (f64, Duration),
}

impl Connection {
    /// With a congestion window, or with nothing that limits it.
    pub(super) fn new(window: Option<Cubic>, initial_round_trip: Duration) -> Self {
        Self {
            recovery: Recovery::new(window, initial_round_trip),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            number: 0,
            received: Ranges::default(),
            owed: 0,
            newest: Duration::ZERO,
            ack_by: None,
            ping: false,
            app_limited: false,
            tokens: (f64::from(BURST * MTU), Duration::ZERO),
        }
    }

    /// Takes a datagram to send. Where the buffer is full the oldest is thrown away, as quinn does;
    /// how many were.
    pub(super) fn send(&mut self, handed: Handed) -> usize {
        self.waiting_bytes += handed.bytes.len();
        self.waiting.push_back(handed);
        let mut dropped = 0;
        while self.waiting_bytes > BUFFER {
            dropped += 1;
            self.pop();
        }
        dropped
    }

    /// Whether the buffer has room for so many bytes without throwing something away.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.waiting_bytes + bytes <= BUFFER
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
        if self.received.contains(packet.number) {
            return Vec::new();
        }
        let out_of_order = self.received.insert(packet.number);
        if let Some(acks) = &packet.acks {
            self.recovery.acked(now, acks, self.app_limited);
        }
        if !packet.datagrams.is_empty() || packet.ping {
            self.owed += 1;
            self.newest = now;
            let by = if self.owed >= 2 || out_of_order {
                now
            } else {
                now + MAX_ACK_DELAY
            };
            self.ack_by = Some(self.ack_by.map_or(by, |at| at.min(by)));
        }
        packet.datagrams
    }

    /// When [`Self::transmit`] has something.
    pub(super) fn wake(&self, now: Duration) -> Option<Duration> {
        let data = (!self.waiting.is_empty() && self.recovery.has_room())
            .then(|| self.paced(now).unwrap_or(now));
        let ping = self.ping.then_some(now);
        [data, ping, self.ack_by, self.recovery.wake()]
            .into_iter()
            .flatten()
            .min()
    }

    /// The next packet to send at `now`.
    pub(super) fn transmit(&mut self, now: Duration) -> Option<Packet> {
        if self.recovery.timeout(now) {
            self.ping = true;
        }
        let may_send = self.recovery.has_room() && self.paced(now).is_none();
        let owes = self.ack_by.is_some_and(|at| at <= now);
        let data = may_send && !self.waiting.is_empty();
        self.app_limited = may_send || self.waiting.is_empty();
        if !data && !owes && !self.ping {
            return None;
        }
        self.app_limited = false;
        let unacked = self.recovery.largest_acked().map_or(self.number + 1, |it| self.number - it);
        // Twice the distance to what was acknowledged must fit (RFC 9000, section 17.1).
        let number_bytes = match unacked * 2 {
            0..256 => 1,
            256..65_536 => 2,
            _ => 3,
        };
        let mut room = MTU - PACKET - number_bytes;
        let acks = (self.owed > 0).then(|| {
            self.owed = 0;
            self.ack_by = None;
            (self.received.clone(), now.saturating_sub(self.newest))
        });
        room -= acks.as_ref().map_or(0, |(ranges, _)| ranges.frame_bytes());
        let mut datagrams = Vec::new();
        while data
            && let Some(handed) = self.waiting.front()
            && frame_bytes(handed) <= room
        {
            room -= frame_bytes(handed);
            datagrams.extend(self.pop());
        }
        let ping = std::mem::take(&mut self.ping) && datagrams.is_empty();
        let bytes = MTU - room + u32::from(ping);
        let number = self.number;
        self.number += 1;
        if ping || !datagrams.is_empty() {
            self.recovery.sent(now, number, bytes);
            self.spend(now, bytes);
        }
        Some(Packet {
            number,
            acks,
            datagrams,
            ping,
            bytes: bytes + UDP_IP,
        })
    }

    fn pop(&mut self) -> Option<Handed> {
        let handed = self.waiting.pop_front()?;
        self.waiting_bytes -= handed.bytes.len();
        Some(handed)
    }

    /// What the pacer lets go per second, and at once; nothing where nothing limits.
    fn pacing(&self) -> Option<(f64, f64)> {
        let window = self.recovery.window()? as f64;
        let round_trip = self.recovery.round_trip().as_secs_f64().max(1e-4);
        let burst = (window * 0.002 / round_trip).clamp(f64::from(BURST * MTU), 256.0 * f64::from(MTU));
        Some((PACE * window / round_trip, burst))
    }

    fn tokens_at(&self, now: Duration) -> Option<f64> {
        let (rate, burst) = self.pacing()?;
        let (tokens, at) = self.tokens;
        let passed = now.saturating_sub(at).as_secs_f64();
        Some((tokens + rate * passed).min(burst))
    }

    /// When the pacer lets the next packet go, if not now.
    fn paced(&self, now: Duration) -> Option<Duration> {
        if self.recovery.credit > 0 {
            return None;
        }
        let tokens = self.tokens_at(now)?;
        let missing = f64::from(MTU) - tokens;
        let (rate, _) = self.pacing()?;
        (missing > 0.0).then(|| now + Duration::from_secs_f64(missing / rate) + Duration::from_micros(1))
    }

    fn spend(&mut self, now: Duration, bytes: u32) {
        if let Some(tokens) = self.tokens_at(now) {
            self.tokens = (tokens - f64::from(bytes), now);
        }
    }
}

/// Bytes of a DATAGRAM frame with its length (RFC 9221, section 4).
fn frame_bytes(handed: &Handed) -> u32 {
    let len = handed.bytes.len() as u32;
    1 + varint(len.into()) + len
}
