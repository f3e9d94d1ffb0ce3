//! Makes the media of a scenario; what several flows and policies share is made once.

use std::{path::Path, sync::Arc};

use raq_shared::{
    exit::{Exit, Failure},
    units::Bitrate,
    video::FrameRate,
};

use super::{
    Medium,
    film::Film,
    ideal,
    raq::Raq,
    recorded::{self, Sizes},
    x264::X264,
};
use crate::{
    link::trace::Trace,
    rd::ffmpeg::Ffmpeg,
    scenario::{Loaded, SourceKind},
};

/// What sources other than raq take at most where the scenario says nothing.
const MOST: Bitrate = Bitrate::from_kilobits_per_second(12_000);
/// The lowest rate of x264 where the scenario says nothing.
const LEAST: Bitrate = Bitrate::from_kilobits_per_second(50);

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
    Raq(Raq),
    X264(X264),
}

impl Studio {
    /// Opens what the scenario's source needs.
    ///
    /// # Errors
    /// [`Failure`] with cause and cure, for a clip, model or tool that is missing.
    pub fn open(loaded: &Loaded) -> Result<Self, Failure> {
        let media = &loaded.scenario.media;
        let locate = |path: &Path| Trace::locate(&path.to_string_lossy(), &loaded.folder);
        let kind = media.source.to_string();
        let missing = |key: &str| {
            let text = format_args!("media.source = {kind:?} needs media.{key}; give it");
            Failure::new(Exit::Usage, text)
        };
        let film = || {
            let path = media.clip.as_deref().ok_or_else(|| missing("clip"))?;
            let ffmpeg = Ffmpeg::find()?;
            Film::open(&locate(path), media, ffmpeg.as_ref()).map(Arc::new)
        };
        let mut rate = media
            .frame_rate()
            .map_err(|what| Failure::new(Exit::Usage, what))?;
        let mut name = kind.clone();
        let mut show = |film: &Film| {
            rate = film.format().frame_rate;
            name = format!("{} ({kind})", film.clip().name);
        };
        let most = media.most().unwrap_or(MOST);
        let source = match media.source {
            SourceKind::Ideal => Source::Ideal,
            SourceKind::Sizes => {
                let path = media.sizes.as_deref().ok_or_else(|| missing("sizes"))?;
                Source::Sizes(Sizes::read(&locate(path))?)
            }
            SourceKind::Raq => {
                let film = film()?;
                show(&film);
                Source::Raq(Raq::open(&film, media.model.as_deref().map(locate))?)
            }
            SourceKind::X264 => {
                let film = film()?;
                show(&film);
                let least = media.least().unwrap_or(LEAST);
                Source::X264(X264::open(
                    &film,
                    Ffmpeg::find()?,
                    media.preset.unwrap_or_default(),
                    least,
                    most,
                )?)
            }
        };
        media
            .check_encode_time(rate)
            .map_err(|what| Failure::new(Exit::Usage, what))?;
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
            Source::Raq(raq) => Ok(raq.medium()),
            Source::X264(x264) => x264.medium(),
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
        match &self.source {
            Source::Raq(raq) => Some(raq.tiles()),
            _ => None,
        }
    }
}
