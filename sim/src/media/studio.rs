//! Makes the media of a scenario; what several flows and policies share is made once.

use std::path::Path;

use raq_shared::{
    exit::{Exit, Failure},
    units::Bitrate,
    video::FrameRate,
};

use super::{
    Medium, ideal,
    recorded::{self, Sizes},
};
use crate::{
    link::trace::Trace,
    scenario::{Loaded, SourceKind},
};

/// What sources without pictures take at most where the scenario says nothing.
const MOST: Bitrate = Bitrate::from_kilobits_per_second(12_000);

/// Everything from which media are made.
#[derive(Debug)]
pub struct Studio {
    source: Source,
    rate: FrameRate,
    most: Bitrate,
    name: String,
}

#[derive(Debug)]
enum Source {
    Ideal,
    Sizes(Sizes),
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
        let name = media.source.to_string();
        let most = media.most().unwrap_or(MOST);
        let locate = |path: &Path| Trace::locate(&path.to_string_lossy(), &loaded.folder);
        let source = match (media.source, &media.sizes) {
            (SourceKind::Ideal, _) => Source::Ideal,
            (SourceKind::Sizes, Some(path)) => Source::Sizes(Sizes::read(&locate(path))?),
            _ => {
                return Err(Failure::new(
                    Exit::Usage,
                    format_args!("media.source = {name:?} is not there yet"),
                ));
            }
        };
        Ok(Self {
            source,
            rate,
            most,
            name,
        })
    }

    /// The medium of a flow, at its beginning.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be made.
    pub fn medium(&mut self, _flow: usize) -> Result<Medium, Failure> {
        match &self.source {
            Source::Ideal => ideal::medium(self.rate, self.most),
            Source::Sizes(sizes) => recorded::medium(self.rate, self.most, sizes),
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
