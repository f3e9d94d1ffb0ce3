//! What a policy is made with.

use std::{fmt, sync::Arc, time::Duration};

use raq_shared::units::Bitrate;

/// Bytes on the link below which a frame is not worth a datagram: QUIC's, UDP's and IP's headers
/// and the least that raq's session sends.
const LEAST_FRAME: u64 = 184;

/// What senders begin with that know nothing of the link, libwebrtc's.
pub(super) const STARTING_RATE: Bitrate = Bitrate::from_kilobits_per_second(300);

/// The sender's side of a scenario.
#[derive(Debug, Clone)]
pub struct Setup {
    /// When the flow begins.
    pub start: Duration,
    /// Time between frames; more than nothing.
    pub interval: Duration,
    /// The most that the media can use; `None` for no limit.
    pub max_rate: Option<Bitrate>,
    /// The least that the media can be coded at; `None` for what a policy is used to.
    pub least_rate: Option<Bitrate>,
    /// How far frames miss the size they were to have, as a share of it, evenly spread; 0 to 1.
    /// Only `gcc` heeds it, since its encoders do miss.
    pub size_noise: f64,
    /// Decides by how much each of them does.
    pub seed: u64,
    /// Whether `gcc` drops frames while too much is in flight, as libwebrtc does unless told
    /// otherwise; without it the controller is measured alone, and every frame is sent.
    pub drops_frames: bool,
    /// How much faster than its target `gcc` lets datagrams leave, more than 0.
    pub pacing: f64,
    /// The media's share of the link, for `oracle`.
    pub capacity: Carries,
}

impl Setup {
    /// Bytes on the link of the smallest frame.
    pub fn smallest_frame(&self) -> u64 {
        let least = self.least_rate.unwrap_or(Bitrate::ZERO);
        self.bytes_per_frame(least).max(LEAST_FRAME)
    }

    /// Bytes on the link of the largest frame.
    pub fn largest_frame(&self) -> u64 {
        let most = self.max_rate.unwrap_or(Bitrate::MAX);
        self.bytes_per_frame(most).max(self.smallest_frame())
    }

    /// The rate at which each frame takes so many bytes on the link.
    pub fn rate_of(&self, bytes_per_frame: u64) -> Bitrate {
        Bitrate::from_bytes_over(bytes_per_frame, self.interval)
    }

    /// `rate`, but no more than the media can use.
    pub fn capped(&self, rate: Bitrate) -> Bitrate {
        self.max_rate.map_or(rate, |most| rate.min(most))
    }

    /// A frame's share of `rate`, in bytes on the link.
    pub fn bytes_per_frame(&self, rate: Bitrate) -> u64 {
        let bits = u128::from(rate.bits_per_second()) * self.interval.as_nanos() / 1_000_000_000;
        u64::try_from(bits / 8).unwrap_or(u64::MAX)
    }
}

/// The bytes that a link carries from one time to another.
#[derive(Clone)]
pub struct Carries(Arc<dyn Fn(Duration, Duration) -> u64 + Send + Sync>);

impl Carries {
    /// By a function of both times, the second not before the first.
    pub fn new(bytes: impl Fn(Duration, Duration) -> u64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(bytes))
    }

    /// Bytes from one time to another; 0 where they are in the wrong order.
    pub fn bytes_between(&self, from: Duration, to: Duration) -> u64 {
        if from < to { (self.0)(from, to) } else { 0 }
    }
}

impl fmt::Debug for Carries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Carries")
    }
}
