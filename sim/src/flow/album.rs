//! A few of the pictures that were on the screen.

use std::time::Duration;

/// The most pictures of a flow.
const MOST: u32 = 40;
/// They are no closer than this.
const CLOSEST: Duration = Duration::from_secs(2);

/// Pictures at the playout deadlines of frames evenly spread over a run: of the same frames
/// whatever happens to them, so that policies can be held beside each other.
#[derive(Debug)]
pub struct Album {
    interval: Duration,
    /// From when on the next one is taken; none any more at the end.
    next: Option<Duration>,
    taken: Vec<(u32, Vec<u8>)>,
}

impl Album {
    /// For a run of this length.
    pub fn new(run: Duration) -> Self {
        Self {
            interval: CLOSEST.max(run / MOST),
            next: Some(Duration::ZERO),
            taken: Vec::new(),
        }
    }

    /// One that takes none.
    pub fn closed() -> Self {
        Self {
            next: None,
            ..Self::new(Duration::ZERO)
        }
    }

    /// Whether a picture is to be taken at the deadline of a frame captured at `captured`; asked
    /// once of each, in their order.
    pub(super) fn wants(&mut self, captured: Duration) -> bool {
        let Some(next) = self.next.as_mut().filter(|next| **next <= captured) else {
            return false;
        };
        while *next <= captured {
            *next += self.interval;
        }
        true
    }

    /// Puts in what was on the screen at the deadline of `frame`, a PNG file's bytes.
    pub(super) fn put(&mut self, frame: u32, png: Vec<u8>) {
        self.taken.push((frame, png));
    }

    /// Frames and what was on the screen at their deadlines, PNG files' bytes.
    pub fn pictures(&self) -> impl Iterator<Item = (u32, &[u8])> {
        self.taken.iter().map(|(frame, png)| (*frame, &png[..]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of the frames wanted, of 10 a second over this many seconds.
    fn wanted(mut album: Album, seconds: u32) -> Vec<u32> {
        let captured = |frame| Duration::from_millis(100) * frame;
        (0..10 * seconds)
            .filter(|&frame| album.wants(captured(frame)))
            .collect()
    }

    #[test]
    fn pictures_are_evenly_spread_and_not_too_many() {
        let seconds = Duration::from_secs;
        assert_eq!(wanted(Album::new(seconds(5)), 5), [0, 20, 40]);
        let many = wanted(Album::new(seconds(120)), 120);
        assert_eq!((many.len(), many[1], many[39]), (40, 30, 1170));
        assert!(wanted(Album::closed(), 5).is_empty());
        // Pauses leave frames out.
        let mut album = Album::new(seconds(60));
        let times = [0, 1999, 7500, 7600, 8000].map(Duration::from_millis);
        let found = times.map(|captured| album.wants(captured));
        assert_eq!(found, [true, false, true, false, true]);
    }
}
