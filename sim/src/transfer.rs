//! A clip's latents from the sender's coder over a lossy link to the receiver's picture.

use std::{
    collections::VecDeque,
    fmt,
    time::{Duration, Instant},
};

use raq_recv::intake::{Intake, Refused};
use raq_send::{
    choice::{Picture, Speed},
    frame_coder::{Allowance, FrameCoder},
    loss::Loss,
};
use raq_shared::{
    exit::{Exit, Failure},
    latent::Latents,
    model::Temporal,
    tile::{TileGrid, scene::Arrivals},
    units::Bitrate,
    wire::update::TIME_UNITS,
};

use crate::random_loss::RandomLoss;

/// How a clip is sent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Setup {
    /// How much work the choice may do.
    pub speed: Speed,
    /// Datagrams of a frame, more where they would be too large; none: as many as suit its bytes.
    pub datagrams: Option<u8>,
    /// The share of datagrams lost, 0 to 1.
    pub loss: f64,
    /// Says which ones.
    pub seed: u64,
    /// How long after a frame the sender learns what arrived of it; rounded up to whole frames.
    pub feedback_delay: Duration,
}

/// A session without a network. Frames arrive in order and are closed as soon as they have; what
/// a frame leaves of its bytes the next one may use, up to one frame's worth.
#[derive(Debug)]
pub struct Transfer {
    coder: FrameCoder,
    intake: Intake,
    link: RandomLoss,
    loss: Loss,
    datagrams: Option<u8>,
    fps: f64,
    /// Frames that a report is late.
    delay: u32,
    /// Bytes that every frame adds, and those that may be used.
    frame_bytes: f64,
    saved: f64,
    /// Number of the next frame.
    frame: u32,
    reports: VecDeque<Report>,
    tally: Tally,
}

/// What the receiver tells of a frame.
#[derive(Debug)]
struct Report {
    /// The last frame that is coded without knowing of it.
    due: u32,
    frame: u32,
    count: u8,
    arrived: Arrivals,
}

/// What happened on the way.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Datagrams sent.
    pub datagrams: u64,
    /// Those of them that were lost.
    pub lost: u64,
    /// Those that arrived and were not taken.
    pub refused: u64,
    /// Updates that were dropped for want of what they build on.
    pub dropped: u64,
    /// Time for choosing and coding each frame.
    pub coding: Vec<Duration>,
    /// Time for decoding each frame's datagrams, without networks.
    pub receiving: Vec<Duration>,
}

impl Transfer {
    /// A session for pictures of these tiles at `fps` frames a second.
    pub fn new(
        temporal: &Temporal,
        grid: TileGrid,
        fps: f64,
        rate: Bitrate,
        setup: &Setup,
    ) -> Self {
        let Temporal {
            stages,
            basis,
            tables,
        } = temporal;
        Self {
            coder: FrameCoder::new(grid, stages, basis, tables, setup.speed),
            intake: Intake::new(grid, stages, basis, tables),
            link: RandomLoss::new(setup.loss, setup.seed),
            loss: Loss::default(),
            datagrams: setup.datagrams,
            fps,
            delay: (setup.feedback_delay.as_secs_f64() * fps).ceil() as u32,
            frame_bytes: rate.bits_per_second() as f64 / 8.0 / fps,
            saved: 0.0,
            frame: 0,
            reports: VecDeque::new(),
            tally: Tally::default(),
        }
    }

    /// Keeps what the sender's choice records for training.
    pub fn record(&mut self) {
        self.coder.record();
    }

    /// Sends a frame, and gives the bytes that this took; what arrives is then in
    /// [`Self::intake`]. `luma` is padded, as [`Picture`] wants it.
    ///
    /// # Errors
    /// [`Failure`] where what was sent takes more bytes than it may or cannot be decoded; both are
    /// mistakes of the codec.
    pub fn send(&mut self, latents: &Latents, luma: &[u8]) -> Result<u64, Failure> {
        let frame = self.frame;
        self.frame += 1;
        self.hear(frame);
        self.coder.set_loss(self.loss.share() as f32);
        self.saved += self.frame_bytes;
        let allowance = Allowance::of(self.saved as usize, self.datagrams);
        let picture = Picture {
            target: latents,
            luma,
        };
        let capture = (f64::from(frame) / self.fps * f64::from(TIME_UNITS)) as u32;
        let began = now();
        let datagrams = self
            .coder
            .encode(frame, picture, allowance, capture, || false);
        self.tally.coding.push(now() - began);

        let bytes: usize = datagrams.iter().map(|datagram| datagram.len()).sum();
        let longest = datagrams.iter().map(|datagram| datagram.len()).max();
        if bytes > allowance.bytes || longest > Some(allowance.datagram_bytes) {
            return Err(broken(format_args!(
                "frame {frame} takes {bytes} bytes, {} in one datagram, of {allowance:?}",
                longest.unwrap_or(0)
            )));
        }
        self.saved = (self.saved - bytes as f64).min(self.frame_bytes);
        let count = datagrams.len();
        self.tally.datagrams += count as u64;
        let mut receiving = Duration::ZERO;
        for datagram in datagrams {
            if !self.link.carries() {
                self.tally.lost += 1;
                continue;
            }
            let began = now();
            let taken = self.intake.datagram(datagram);
            receiving += now() - began;
            match taken {
                Ok(_) => {}
                Err(Refused::Discard(_)) => self.tally.refused += 1,
                Err(error) => return Err(broken(format_args!("frame {frame}: {error}"))),
            }
        }
        self.tally.receiving.push(receiving);
        self.reports.push_back(Report {
            due: frame.saturating_add(self.delay),
            frame,
            count: count as u8,
            arrived: self.intake.close(frame),
        });
        let (_, dropped, _) = self.intake.scene().counts();
        self.tally.dropped = dropped;
        Ok(bytes as u64)
    }

    /// Takes the reports that come before `frame` is coded.
    fn hear(&mut self, frame: u32) {
        while self
            .reports
            .front()
            .is_some_and(|report| report.due < frame)
            && let Some(report) = self.reports.pop_front()
        {
            self.loss.note(report.count, &report.arrived);
            self.coder.report(report.frame, report.arrived);
        }
    }

    /// The sender's half.
    pub fn coder(&self) -> &FrameCoder {
        &self.coder
    }

    /// The receiver's half.
    pub fn intake(&self) -> &Intake {
        &self.intake
    }

    /// What happened so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let median = |times: &[Duration]| {
            let mut times = times.to_vec();
            times.sort_unstable();
            let middle = times.get(times.len() / 2).copied();
            1000.0 * middle.unwrap_or_default().as_secs_f64()
        };
        write!(
            f,
            "choosing and coding {:.2} ms, receiving {:.2} ms a frame (medians); {} of {} \
             datagrams lost, {} refused, {} updates dropped",
            median(&self.coding),
            median(&self.receiving),
            self.lost,
            self.datagrams,
            self.refused,
            self.dropped
        )
    }
}

fn broken(what: fmt::Arguments<'_>) -> Failure {
    Failure::new(
        Exit::Failure,
        format_args!("the codec made a mistake: {what}; please report this"),
    )
}

#[allow(
    clippy::disallowed_methods,
    reason = "how long the codec takes is what is measured"
)]
fn now() -> Instant {
    Instant::now()
}
