//! What reports tell of closed frames.

use std::collections::VecDeque;

use raq_shared::tile::scene::OPEN;
use raq_shared::wire::report::{Closed, FrameReport};

/// The newest closed frames.
#[derive(Debug, Default)]
pub(crate) struct Closings {
    /// In order of frame numbers, at most [`OPEN`]; the last is the newest closed frame.
    frames: VecDeque<(u32, FrameReport)>,
    /// No report has told of the newest.
    untold: bool,
}

impl Closings {
    /// Adds a frame that was closed, and with it all before it.
    pub(crate) fn push(&mut self, number: u32, frame: FrameReport) {
        if self.frames.len() == OPEN {
            self.frames.pop_front();
        }
        self.frames.push_back((number, frame));
        self.untold = true;
    }

    /// Whether frames were closed that no report has told of.
    pub(crate) fn is_untold(&self) -> bool {
        self.untold
    }

    /// What a report tells, where it is news: the newest closed frame's number, that frame and those
    /// before it.
    pub(crate) fn tell(&mut self) -> Option<(u32, Closed)> {
        let &(newest, _) = self.frames.back()?;
        if !std::mem::take(&mut self.untold) {
            return None;
        }
        let oldest = newest.saturating_sub(OPEN as u32 - 1);
        let of = |number| {
            let found = self.frames.iter().find(|(frame, _)| *frame == number);
            found.map_or(FrameReport::None, |&(_, report)| report)
        };
        Some((
            newest,
            Closed {
                newest: newest as u16,
                frames: (oldest..=newest).rev().map(of).collect(),
            },
        ))
    }
}
