//! Parity of a session's frames.

use bytes::BytesMut;
use raq_shared::wire::update::time_units;

use super::streaming::Coding;
use crate::bandwidth::losses::Losses;
use crate::fec::{self, Fec};
use crate::parity::ParityCoder;
use crate::rate::PATH_OVERHEAD;

/// See the module.
#[derive(Debug)]
pub(super) struct Protection {
    fec: Fec,
    coder: ParityCoder,
}

/// Where parity may go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// Bytes on the path of all datagrams of the frame.
    pub(super) bytes: usize,
    /// The longest datagram that fits the path.
    pub(super) max_datagram: usize,
}

impl Room {
    /// There is none.
    pub(super) const NONE: Self = Self {
        bytes: 0,
        max_datagram: 0,
    };
}

impl Protection {
    pub(super) fn new(fec: Fec) -> Self {
        Self {
            fec,
            coder: ParityCoder::default(),
        }
    }

    /// Adds parity to a frame's datagrams, as much as losses ask for and there is room; returns how many.
    pub(super) fn append(
        &mut self,
        coding: &Coding,
        losses: &Losses,
        datagrams: &mut Vec<BytesMut>,
    ) -> u8 {
        let Room {
            bytes,
            max_datagram,
        } = coding.room;
        let longest = datagrams.iter().map(BytesMut::len).max().unwrap_or(0);
        let each = ParityCoder::bytes(longest);
        let Ok(count) = u8::try_from(datagrams.len()) else {
            return 0;
        };
        if self.fec == Fec::Off || each > max_datagram {
            return 0;
        }
        let on_path = |datagram: &BytesMut| datagram.len() + PATH_OVERHEAD;
        let used: usize = datagrams.iter().map(on_path).sum();
        let fit = bytes.saturating_sub(used) / (each + PATH_OVERHEAD);
        let fit = u8::try_from(fit).unwrap_or(u8::MAX);
        let parity = fec::parity(count, fit, losses);
        let capture = time_units(coding.captured) as u32;
        let frame = (coding.number, capture);
        self.coder.append(frame, parity, datagrams)
    }
}
