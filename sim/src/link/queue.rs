//! The queue in front of a link.

use std::collections::VecDeque;

use super::{
    capacity::{Capacity, nanos},
    quantity::QueueSize,
};

/// What a queue given as a time holds at least.
const LEAST_BYTES: u64 = 3000;

/// Packets that wait or are being sent, first in first out.
#[derive(Debug)]
pub(super) struct Queue<T> {
    size: QueueSize,
    waiting: VecDeque<Waiting<T>>,
    /// Packets taken out to be sent: when they will have been, and their bytes.
    leaving: VecDeque<(u64, u32)>,
    bytes_waiting: u64,
    bytes_leaving: u64,
}

/// A packet that waits.
#[derive(Debug)]
pub(super) struct Waiting<T> {
    pub(super) offered: u64,
    pub(super) bytes: u32,
    pub(super) load: T,
}

impl<T> Queue<T> {
    pub(super) fn new(size: QueueSize) -> Self {
        Self {
            size,
            waiting: VecDeque::new(),
            leaving: VecDeque::new(),
            bytes_waiting: 0,
            bytes_leaving: 0,
        }
    }

    /// Whether a packet that comes `now` fits in.
    pub(super) fn fits(&mut self, now: u64, bytes: u32, capacity: &Capacity) -> bool {
        self.let_leave(now);
        let bytes = self.bytes() + u64::from(bytes);
        match self.size {
            QueueSize::Packets(count) => self.packets() < count as usize,
            QueueSize::Bytes(most) => bytes <= most,
            QueueSize::Time(time) => {
                let rate = u128::from(capacity.last_rate(now).bits_per_second());
                let most = rate * u128::from(nanos(time)) / 8_000_000_000;
                u128::from(bytes) <= most.max(LEAST_BYTES.into())
            }
        }
    }

    pub(super) fn push(&mut self, packet: Waiting<T>) {
        self.bytes_waiting += u64::from(packet.bytes);
        self.waiting.push_back(packet);
    }

    /// The packet that waits longest.
    pub(super) fn front(&self) -> Option<&Waiting<T>> {
        self.waiting.front()
    }

    /// Takes out the packet that waits longest.
    pub(super) fn pop(&mut self) -> Option<Waiting<T>> {
        let packet = self.waiting.pop_front()?;
        self.bytes_waiting -= u64::from(packet.bytes);
        Some(packet)
    }

    /// Counts a packet that was taken out as in the queue until it has left.
    pub(super) fn keep_until(&mut self, left: u64, bytes: u32) {
        self.bytes_leaving += u64::from(bytes);
        self.leaving.push_back((left, bytes));
    }

    /// Forgets the packets that have left by `now`.
    pub(super) fn let_leave(&mut self, now: u64) {
        while let Some(&(_, bytes)) = self.leaving.front().filter(|leaving| leaving.0 <= now) {
            self.bytes_leaving -= u64::from(bytes);
            self.leaving.pop_front();
        }
    }

    /// Bytes that wait or are being sent.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes_waiting + self.bytes_leaving
    }

    /// Bytes that wait.
    pub(super) fn bytes_waiting(&self) -> u64 {
        self.bytes_waiting
    }

    fn packets(&self) -> usize {
        self.waiting.len() + self.leaving.len()
    }
}
