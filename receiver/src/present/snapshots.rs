//! A picture every few seconds.

use std::time::Duration;

use raq_shared::colours::Colours;
use raq_shared::exit::Failure;
use raq_shared::frame::Frame;
use raq_shared::video::VideoFormat;
use time::OffsetDateTime;

use super::album::Album;

/// Saves the first frame of a session and one in every interval of it.
#[derive(Debug)]
pub(super) struct Snapshots {
    album: Album,
    every: Duration,
    format: Option<VideoFormat>,
    /// The frame number from which on the next one is saved.
    next: u64,
}

impl Snapshots {
    /// Saves into `album`, `every` so often.
    ///
    /// # Errors
    /// [`Failure`] where there can be no such folder.
    pub(super) fn open(album: Album, every: Duration) -> Result<Self, Failure> {
        album.make()?;
        Ok(Self {
            album,
            every,
            format: None,
            next: 0,
        })
    }

    /// A session begins.
    pub(super) fn begin(&mut self, format: VideoFormat) {
        self.format = Some(format);
        self.next = 0;
    }

    /// Takes a frame, and saves it if it is time: by frame numbers, which are the sender's clock.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be written.
    pub(super) fn show(&mut self, number: u32, frame: &Frame) -> Result<(), Failure> {
        let Some(format) = self.format.filter(|_| u64::from(number) >= self.next) else {
            return Ok(());
        };
        let rate = format.frame_rate;
        let due = rate.time_of(number.into()) + self.every;
        self.next = rate.number_at(due).max(u64::from(number) + 1);
        let now = OffsetDateTime::now_utc();
        let path = self.album.save(frame, Colours::of(&format), now)?;
        tracing::debug!("saved {}", path.display());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::stage::sample;
    use super::*;

    #[test]
    fn one_picture_is_saved_in_every_interval() {
        let dir = tempfile::tempdir().unwrap();
        let mut saved = Vec::new();
        let count = || std::fs::read_dir(dir.path()).unwrap().count();
        let album = Album::new(dir.path());
        let mut snapshots = Snapshots::open(album, Duration::from_secs(1)).unwrap();
        snapshots.begin(sample::format());
        let frame = sample::frame();
        // 30 frames a second; number 60 did not come, nor did any of the fourth second.
        for number in (0..60).chain(61..90).chain(125..130) {
            let before = snapshots.next;
            snapshots.show(number, &frame).unwrap();
            if snapshots.next != before {
                saved.push(number);
            }
        }
        assert_eq!(saved, [0, 30, 61, 125]);
        assert!((1..=4).contains(&count()), "some within one millisecond");
        snapshots.begin(sample::format());
        snapshots.show(0, &frame).unwrap();
        assert_eq!(snapshots.next, 30);
    }
}
