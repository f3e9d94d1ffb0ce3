//! What the flows of a scenario carry.

use std::{fmt, path::PathBuf};

use raq_recv::playout::MAX_LATENCY;
use raq_send::fec::Fec;
use raq_shared::{frame::FrameSize, units::Bitrate, video::FrameRate};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::{Rate, Time};
use crate::media::x264::Preset;

/// The `[media]` of a scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct MediaConfig {
    /// Where frames come from.
    pub source: SourceKind,
    /// The clip of the sources `raq` and `x264`, played forwards and backwards in turn; `$RAQ_DATA`
    /// may stand in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip: Option<PathBuf>,
    /// Scale the clip to this size first.
    #[serde(skip_serializing_if = "Option::is_none", with = "size")]
    pub size: Option<FrameSize>,
    /// No more than so many frames of the clip; 300 where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frames: Option<usize>,
    /// The model folder of the source `raq`; the program's default where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<PathBuf>,
    /// The file of the source `sizes`: a line per frame with its bytes, played in a loop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sizes: Option<PathBuf>,
    /// The preset of the source `x264`: `"ultrafast"`, `"superfast"` or, where nothing is said,
    /// `"veryfast"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// Frames a second; a clip has its own.
    pub fps: u32,
    /// What is never sent more than, headers counted: `"1500kbit"`, `"6Mbit"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_rate: Option<Rate>,
    /// The least that comparators send at, and the lowest rate of `x264`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_rate: Option<Rate>,
    /// A frame shown later than this after its capture has missed its deadline.
    pub playout: Time,
    /// The receiver's `--latency`: how long frames may wait to even out jitter; 0 for not at all.
    #[serde(skip_serializing_if = "is_nothing")]
    pub latency: Time,
    /// The sender's `--fec`.
    #[serde(skip_serializing_if = "is_default", with = "fec")]
    pub fec: Fec,
    /// From capture until a frame can be coded, in the simulator's time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encode_time: Option<Time>,
    /// From the last datagram until a frame is shown, in the simulator's time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decode_time: Option<Time>,
}

/// Where frames come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    /// Bytes alone: every frame takes exactly what it may.
    #[default]
    Ideal,
    /// Bytes alone, as recorded; a frame that may take less is cut to that.
    Sizes,
    /// A clip, coded by raq.
    Raq,
    /// A clip, coded by x264.
    X264,
}

impl Default for MediaConfig {
    fn default() -> Self {
        Self {
            source: SourceKind::default(),
            clip: None,
            size: None,
            frames: None,
            model: None,
            sizes: None,
            preset: None,
            fps: 30,
            max_rate: None,
            min_rate: None,
            playout: Time(std::time::Duration::from_millis(400)),
            latency: Time::default(),
            fec: Fec::default(),
            encode_time: None,
            decode_time: None,
        }
    }
}

fn is_default(fec: &Fec) -> bool {
    *fec == Fec::default()
}

fn is_nothing(time: &Time) -> bool {
    time.0.is_zero()
}

impl MediaConfig {
    /// Frames a second as a type.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn frame_rate(&self) -> Result<FrameRate, String> {
        FrameRate::new(self.fps, 1).map_err(|error| format!("media.fps: {error}"))
    }

    /// The most that is sent.
    pub fn most(&self) -> Option<Bitrate> {
        self.max_rate.map(|rate| rate.0)
    }

    /// The least that comparators send at.
    pub fn least(&self) -> Option<Bitrate> {
        self.min_rate.map(|rate| rate.0)
    }

    /// Whether the encoder keeps up with `rate`.
    ///
    /// # Errors
    /// Cause and cure.
    pub fn check_encode_time(&self, rate: FrameRate) -> Result<(), String> {
        let frame = rate.time_of(1);
        match self.encode_time {
            Some(time) if time.0 > frame => Err(format!(
                "media.encode-time is longer than a frame, {}; an encoder must keep up",
                Time(frame)
            )),
            _ => Ok(()),
        }
    }

    /// What keys cannot know of each other.
    ///
    /// # Errors
    /// Cause and cure.
    pub fn check(&self) -> Result<(), String> {
        let rate = self.frame_rate()?;
        let needs = |what: &str, given: bool, wanted: bool| match (given, wanted) {
            (false, true) => Err(format!(
                "media.source = {:?} needs media.{what}; give it",
                self.source.to_string()
            )),
            (true, false) => Err(format!(
                "media.{what} means nothing to media.source = {:?}; leave it out",
                self.source.to_string()
            )),
            _ => Ok(()),
        };
        let pictures = matches!(self.source, SourceKind::Raq | SourceKind::X264);
        needs("clip", self.clip.is_some(), pictures)?;
        needs("size", self.size.is_some() && !pictures, false)?;
        needs("frames", self.frames.is_some() && !pictures, false)?;
        needs(
            "sizes",
            self.sizes.is_some(),
            self.source == SourceKind::Sizes,
        )?;
        needs(
            "model",
            self.model.is_some() && self.source != SourceKind::Raq,
            false,
        )?;
        needs(
            "preset",
            self.preset.is_some() && self.source != SourceKind::X264,
            false,
        )?;
        if self.max_rate.is_some_and(|rate| rate.0 == Bitrate::ZERO) {
            return Err("media.max-rate is nothing; give a rate, or leave it out".into());
        }
        if let (Some(least), Some(most)) = (self.min_rate, self.max_rate)
            && least > most
        {
            return Err(format!(
                "media.min-rate {least} is above media.max-rate {most}; lower it"
            ));
        }
        // A clip has its own rate, which is known when it is opened.
        if !pictures {
            self.check_encode_time(rate)?;
        }
        if self.latency.0 > MAX_LATENCY {
            return Err(format!(
                "media.latency = {} is longer than {}; give less",
                self.latency,
                Time(MAX_LATENCY)
            ));
        }
        if self.playout.0.is_zero() {
            return Err("media.playout is nothing; give frames some time, as in \"400ms\"".into());
        }
        Ok(())
    }
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

mod size {
    use super::*;

    #[expect(clippy::ref_option, reason = "serde's signature")]
    pub(super) fn serialize<S: Serializer>(
        size: &Option<FrameSize>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&size.map(|size| size.to_string()).unwrap_or_default())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<FrameSize>, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Some).map_err(D::Error::custom)
    }
}

mod fec {
    use super::*;

    pub(super) fn serialize<S: Serializer>(fec: &Fec, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(fec)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Fec, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}
