//! Makes the media of a scenario; what several flows and policies share is made once.

use raq_shared::{
    exit::{Exit, Failure},
    units::Bitrate,
    video::FrameRate,
};

use super::{Medium, ideal};
use crate::scenario::{Loaded, SourceKind};

/// What an ideal source takes at most where the scenario says nothing.
const MOST: Bitrate = Bitrate::from_kilobits_per_second(12_000);

/// Everything from which media are made.
#[derive(Debug)]
pub struct Studio {
    source: SourceKind,
    rate: FrameRate,
    most: Bitrate,
    name: String,
}

impl Studio {
    /// Opens what the scenario's source needs.
    ///
    /// # Errors
    /// [`Failure`] with cause and cure, for a clip, model or tool that is missing.
    pub fn open(loaded: &Loaded) -> Result<Self, Failure> {
        let media = &loaded.scenario.media;
        let rate = media
            .frame_rate()
            .map_err(|what| Failure::new(Exit::Usage, what))?;
        match media.source {
            SourceKind::Ideal => Ok(Self {
                source: media.source,
                rate,
                most: media.most().unwrap_or(MOST),
                name: media.source.to_string(),
            }),
            other => Err(Failure::new(
                Exit::Usage,
                format_args!("media.source = {:?} is not there yet", other.to_string()),
            )),
        }
    }

    /// The medium of a flow, at its beginning.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be made.
    pub fn medium(&mut self, _flow: usize) -> Result<Medium, Failure> {
        match self.source {
            SourceKind::Ideal => ideal::medium(self.rate, self.most),
            _ => unreachable!("refused on opening"),
        }
    }

    /// Frames a second.
    pub fn frame_rate(&self) -> FrameRate {
        self.rate
    }

    /// What the records call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Tiles of a picture, where there are pictures.
    pub fn tiles(&self) -> Option<u32> {
        None
    }
}
