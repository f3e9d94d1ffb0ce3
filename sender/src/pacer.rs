//! Lets datagrams leave one by one at a rate, and drops what has become too old.
//!
//! A burst fills the queue in front of the narrowest link, and what waits in QUIC's own buffer can
//! neither be taken back nor says when it left. So datagrams wait here, and each is stamped as it
//! leaves.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use raq_shared::units::Bitrate;
use raq_shared::wire::update::{UpdateHeader, time_units};

use crate::rate::PATH_OVERHEAD;

/// Most frames that wait; of more the oldest goes.
pub const MAX_FRAMES: usize = 64;
/// Most bytes that wait; of more the oldest frame goes.
pub const MAX_BYTES: usize = 1 << 20;
/// Timers come up to so much late: tokio and the system's poll each round up to whole milliseconds
/// (measured on Linux: half of them 1.1 ms late, nine tenths up to 1.7 ms). What should have left
/// meanwhile leaves then, so that the rate is met in the mean; of more than that nothing is caught up.
pub const CATCH_UP: Duration = Duration::from_millis(2);
/// The longest pause after a datagram, however low the rate.
const LONGEST: Duration = Duration::from_secs(1);

/// A frame whose datagrams are to leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Its number.
    pub number: u32,
    /// When it was captured.
    pub captured: Duration,
    /// What has not left by then does not leave any more.
    pub deadline: Duration,
}

/// A datagram that leaves now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Departure {
    /// Number of its frame.
    pub frame: u32,
    /// Its place in the frame, from 0.
    pub index: u8,
    /// Whether it is the frame's last.
    pub last: bool,
    /// Its bytes, stamped with the time since capture.
    pub bytes: Bytes,
}

/// A frame of which no more datagrams leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dropped {
    /// Its number.
    pub frame: u32,
    /// Datagrams that had left before.
    pub left: u8,
    /// Datagrams that never will.
    pub dropped: u8,
}

/// The queue; see the module. Times never run backwards.
#[derive(Debug, Default)]
pub struct Pacer {
    frames: VecDeque<Waiting>,
    /// Of all frames, in order.
    datagrams: VecDeque<BytesMut>,
    /// Bytes in `datagrams`.
    bytes: usize,
    last: Option<Last>,
}

#[derive(Debug)]
struct Waiting {
    frame: Frame,
    left: u8,
    /// More than none.
    waiting: u8,
}

/// The datagram that left last.
#[derive(Debug)]
struct Last {
    /// When it should have left, as far as that is caught up.
    at: Duration,
    /// On the path.
    bits: f64,
    /// Whether others waited behind it.
    followed: bool,
}

impl Pacer {
    /// Adds the datagrams of a frame, taking them out of `datagrams`; at most 255. Next,
    /// [`expire`](Self::expire) must be asked, which keeps the queue short.
    pub fn push(&mut self, frame: Frame, datagrams: &mut Vec<BytesMut>) {
        datagrams.truncate(u8::MAX.into());
        let waiting = datagrams.len() as u8;
        if waiting > 0 {
            self.bytes += datagrams.iter().map(BytesMut::len).sum::<usize>();
            self.datagrams.extend(datagrams.drain(..));
            self.frames.push_back(Waiting {
                frame,
                left: 0,
                waiting,
            });
        }
    }

    /// The next datagram, if it may leave at `now`, where bytes leave at `rate`, headers of the path
    /// counted; without a rate all leave at once. To be asked until there is none, each time after
    /// [`expire`](Self::expire): what is too old does not leave.
    pub fn pop(&mut self, now: Duration, rate: Option<Bitrate>) -> Option<Departure> {
        let first = self.frames.front_mut()?;
        if now >= first.frame.deadline {
            return None;
        }
        let at = match &self.last {
            Some(last) if rate.is_some() => {
                let free = last.free(rate);
                if now < free {
                    return None;
                }
                match last.followed {
                    true => free.max(now.saturating_sub(CATCH_UP)),
                    false => now,
                }
            }
            _ => now,
        };
        let mut bytes = self.datagrams.pop_front()?;
        self.bytes -= bytes.len();
        let age = time_units(now.saturating_sub(first.frame.captured));
        UpdateHeader::stamp(&mut bytes, u16::try_from(age).unwrap_or(u16::MAX));
        let departure = Departure {
            frame: first.frame.number,
            index: first.left,
            last: first.waiting == 1,
            bytes: bytes.freeze(),
        };
        first.left += 1;
        first.waiting -= 1;
        if departure.last {
            self.frames.pop_front();
        }
        self.last = Some(Last {
            at,
            bits: 8.0 * (departure.bytes.len() + PATH_OVERHEAD) as f64,
            followed: !self.frames.is_empty(),
        });
        Some(departure)
    }

    /// Drops what remains of the oldest frame if its deadline has come or too much waits; to be
    /// asked until there is none.
    pub fn expire(&mut self, now: Duration) -> Option<Dropped> {
        let first = self.frames.front()?;
        let late = now >= first.frame.deadline;
        let much = self.frames.len() > MAX_FRAMES || self.bytes > MAX_BYTES;
        if late || much { self.clear() } else { None }
    }

    /// Drops what remains of the oldest frame, as after an outage; to be asked until there is none.
    pub fn clear(&mut self) -> Option<Dropped> {
        let first = self.frames.pop_front()?;
        let gone = self.datagrams.drain(..usize::from(first.waiting));
        self.bytes -= gone.map(|datagram| datagram.len()).sum::<usize>();
        Some(Dropped {
            frame: first.frame.number,
            left: first.left,
            dropped: first.waiting,
        })
    }

    /// When the next datagram may leave at `rate`, or a frame's deadline comes; none where nothing
    /// waits.
    pub fn wake(&self, rate: Option<Bitrate>) -> Option<Duration> {
        let first = self.frames.front()?;
        let free = self.last.as_ref().map_or(Duration::ZERO, |l| l.free(rate));
        Some(free.min(first.frame.deadline))
    }

    /// When the oldest frame becomes too old; none where nothing waits.
    pub fn deadline(&self) -> Option<Duration> {
        self.frames.front().map(|first| first.frame.deadline)
    }

    /// Bytes that wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Time since the capture of the oldest frame that waits.
    pub fn age(&self, now: Duration) -> Option<Duration> {
        let first = self.frames.front()?;
        Some(now.saturating_sub(first.frame.captured))
    }
}

impl Last {
    /// When the next may leave.
    fn free(&self, rate: Option<Bitrate>) -> Duration {
        let Some(rate) = rate else {
            return Duration::ZERO;
        };
        let takes = self.bits / rate.bits_per_second().max(1) as f64;
        self.at + Duration::from_secs_f64(takes.min(LONGEST.as_secs_f64()))
    }
}

#[cfg(test)]
mod tests;
