//! A media flow: the product's two sessions with what the programs put around them, without
//! sockets, clocks or threads.
//!
//! ```text
//! Coder -> raq_send::Session -> (Pacer) ==datagrams==> raq_recv::Session -> Screen
//!             ^ Policy <====== feedback, reports <======
//! ```
//!
//! [`SendingEnd`] and [`ReceivingEnd`] hand out what the network should carry and are told what it
//! brought and when; whether that network is a model of QUIC or quinn itself they do not know.

pub mod album;
pub mod book;
pub mod feedback;
pub mod pacer;
pub mod receiving;
pub mod schedule;
pub mod sending;

pub use album::Album;
pub use book::Book;
pub use receiving::ReceivingEnd;
pub use sending::SendingEnd;

use std::time::Duration;

use bytes::Bytes;
use raq_shared::exit::{Exit, Failure};

use crate::{media::Medium, policy::Policy, scenario::Scenario};

/// The longest datagram; every path that QUIC works on carries it, along with an acknowledgement.
pub const MAX_DATAGRAM: usize = 1150;

/// What a datagram of a flow is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Use {
    /// A datagram of a frame: the low bits of its number, and its index.
    Media {
        /// Low 16 bits of the frame's number.
        frame: u16,
        /// Index in the frame.
        index: u8,
    },
    /// Nothing but bytes, for a probe.
    Padding(u16),
    /// A question of the product whether the path is there.
    Heartbeat,
    /// What the receiving end tells: the product's reports and the policy's feedback.
    Feedback,
}

/// A datagram that an end hands to the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handed {
    /// What it is for.
    pub purpose: Use,
    /// Its bytes.
    pub bytes: Bytes,
    /// The frame that it belongs to.
    pub frame: Option<u32>,
}

/// Both ends of a flow, and what is noted of its frames.
#[derive(Debug)]
pub struct Flow {
    /// The end that captures.
    pub sending: SendingEnd,
    /// The end that shows.
    pub receiving: ReceivingEnd,
    /// What became of every frame.
    pub book: Book,
    /// Pictures, of the first flow.
    pub album: Album,
}

impl Flow {
    /// A flow of `scenario`, by its number, whose connection is made but where nothing was said yet;
    /// its first frame is captured `phase` after its start.
    ///
    /// # Errors
    /// [`Failure`] where the medium's size is out of range.
    pub fn new(
        scenario: &Scenario,
        (number, phase): (usize, Duration),
        medium: Medium,
        policy: Box<dyn Policy>,
    ) -> Result<Self, Failure> {
        let timing = policy.feedback_timing();
        let Medium {
            agreement,
            coder,
            screen,
        } = medium;
        let sending = SendingEnd::new(scenario, (number, phase), &agreement, coder, policy)?;
        let receiving = ReceivingEnd::new(scenario, &agreement, screen, timing);
        Ok(Self {
            sending,
            receiving,
            book: Book::new(number, scenario.media.playout.0),
            album: match number {
                0 => Album::new(scenario.duration.0),
                _ => Album::closed(),
            },
        })
    }

    /// Lets both ends say what they say before the first frame, in no time and over no network.
    ///
    /// # Errors
    /// [`Failure`] where they do not agree, a mistake of the program.
    pub fn shake_hands(&mut self) -> Result<(), Failure> {
        for _ in 0..HANDSHAKE {
            while let Some(said) = self.sending.control() {
                self.receiving.heard(Duration::ZERO, &said)?;
            }
            while let Some(said) = self.receiving.control() {
                self.sending.heard(Duration::ZERO, &said)?;
            }
            if self.sending.is_started() {
                return Ok(());
            }
        }
        Err(Failure::new(
            Exit::Failure,
            "the two sessions do not come to an agreement; please report this",
        ))
    }

    /// Brings what has happened by `now` into the book.
    ///
    /// # Errors
    /// [`Failure`] where the medium breaks.
    pub fn note(&mut self, now: Duration) -> Result<(), Failure> {
        while let Some(sent) = self.sending.noted() {
            self.book.sent(sent);
        }
        while let Some(seen) = self.receiving.noted() {
            self.book.seen(seen);
        }
        while let Some((frame, captured)) = self.book.due(now) {
            let quality = self.receiving.against(frame);
            if self.album.wants(captured)
                && let Some(png) = self.receiving.png(frame)?
            {
                self.album.put(frame, png);
            }
            self.book.judged(frame, quality);
        }
        Ok(())
    }

    /// When one of the ends or the book wants to be called at the latest.
    pub fn wake(&self) -> Option<Duration> {
        [self.sending.wake(), self.receiving.wake(), self.book.wake()]
            .into_iter()
            .flatten()
            .min()
    }
}

/// Turns that a handshake may take.
const HANDSHAKE: usize = 8;
