//! What flows carry: pictures of a clip, or bytes that only have the size of pictures.
//!
//! A medium has two halves, one at each end of the network. [`Coder`] turns a frame into datagrams
//! of the product's wire format; [`Screen`] says what the other end shows of a frame that was
//! received. Between them lie the product's own sessions.

pub mod display;
pub mod film;
pub mod ideal;
pub mod raq;
pub mod recorded;
mod stopwatch;
mod studio;
pub mod x264;

use std::{fmt, sync::Arc, time::Duration};

use bytes::BytesMut;
use raq_send::{closings::Closings, frame_coder::Allowance};
use raq_shared::{codebooks::Codebooks, exit::Failure, model::Temporal, video::VideoFormat};

use raq_recv::assembly::ReceivedFrame;

pub use studio::Studio;

/// What both sessions agree on in the handshake.
#[derive(Debug, Clone)]
pub struct Agreement {
    /// Size and frame rate.
    pub video: VideoFormat,
    /// The codebooks of both ends.
    pub codebooks: Arc<Codebooks>,
    /// The model that goes with them.
    pub temporal: Temporal,
}

/// What the records tell of a coded frame.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coded {
    /// Quality level, where the medium has one.
    pub level: Option<u8>,
    /// K̃ per stage; empty where the medium has none.
    pub codewords: Vec<u16>,
    /// Updates that the frame carries, where the medium has any.
    pub updates: Option<u32>,
}

/// The sending half of a medium.
pub trait Coder: fmt::Debug {
    /// Gets frame `frame` ready, which is captured now. Frames may be left out.
    ///
    /// # Errors
    /// [`Failure`] where the medium breaks.
    fn capture(&mut self, frame: u32) -> Result<(), Failure>;

    /// Codes the frame captured last into `datagrams`, which are empty before. `capture` is when that
    /// was, in the header's units.
    ///
    /// # Errors
    /// [`Failure`] where the medium breaks.
    fn code(
        &mut self,
        frame: u32,
        allowance: Allowance,
        capture: u32,
        datagrams: &mut Vec<BytesMut>,
    ) -> Result<Coded, Failure>;

    /// Takes what the receiver reports of closed frames.
    fn report(&mut self, closings: &Closings);

    /// The other end asks for a frame that builds on none.
    fn key_frame(&mut self) {}

    /// Whether what a frame leaves of its allowance, or takes beyond it, is lost unless the coder
    /// keeps account of it; the session does so where it divides the rate into frames itself.
    fn keeps_account(&mut self, _keeps: bool) {}

    /// Time that coding took so far, where there is a codec, and frames it was for.
    fn cpu(&self) -> Option<(Duration, u32)> {
        None
    }
}

/// What the records tell of a frame that was received.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    /// Whether the frame can be shown.
    pub shown: bool,
    /// Whether the other end should send a frame that builds on none.
    pub wants_key_frame: bool,
    /// Updates of the frame that were applied, where the medium has any.
    pub updates: Option<u32>,
    /// Its luma against its own original, where there are pictures.
    pub quality: Option<Quality>,
}

/// How close a picture comes to an original.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    /// PSNR of luma, dB.
    pub psnr_y_db: f64,
    /// SSIM of luma, up to 1.
    pub ssim: f64,
}

/// The receiving half of a medium.
pub trait Screen: fmt::Debug {
    /// Whether frames can only be decoded whole and one after the other.
    fn needs_order(&self) -> bool {
        false
    }

    /// Decodes a frame that was given out.
    ///
    /// # Errors
    /// [`Failure`] where the medium breaks.
    fn decode(&mut self, frame: &ReceivedFrame) -> Result<Seen, Failure>;

    /// The frame decoded before comes onto the screen.
    fn show(&mut self, _frame: u32) {}

    /// At the playout deadline of source frame `due`: the newest picture on the screen that is no
    /// newer than it, against it. None without pictures. `due` rises.
    fn against(&mut self, _due: u32) -> Option<Quality> {
        None
    }

    /// That picture as a PNG file.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be made.
    fn png(&mut self, _due: u32) -> Result<Option<Vec<u8>>, Failure> {
        Ok(None)
    }

    /// Time that decoding took so far, where there is a codec.
    fn cpu(&self) -> Option<Duration> {
        None
    }
}

/// Both halves of a flow's medium, and what the sessions agree on.
#[derive(Debug)]
pub struct Medium {
    /// What the handshake says.
    pub agreement: Agreement,
    /// The sending half.
    pub coder: Box<dyn Coder>,
    /// The receiving half.
    pub screen: Box<dyn Screen>,
}
