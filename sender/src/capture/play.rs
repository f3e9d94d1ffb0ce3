//! The capture thread: takes frames from a source at its pace.

use std::sync::Arc;
use std::time::Duration;

use raq_shared::exit::Failure;
use raq_shared::frame::Frame;
use raq_shared::video::VideoFormat;
use tokio::sync::mpsc::UnboundedSender;

#[cfg(feature = "camera")]
use super::camera::Camera;

#[cfg(feature = "camera")]
use super::live::Live;
use super::pattern::Pattern;
use super::playback::Playback;
use super::schedule::Schedule;
use crate::clock::Clock;
use crate::event::Event;
use crate::mailbox::Mailbox;

/// Where frames come from.
pub enum Source {
    /// A file or y4m stream, at its frame rate.
    File(Box<Playback>),
    /// A test pattern.
    Pattern(Pattern),
    /// A camera, as fast as it gives frames.
    #[cfg(feature = "camera")]
    Camera(Camera),
}

impl Source {
    /// The video's format.
    pub fn format(&self) -> VideoFormat {
        match self {
            Self::File(file) => file.format(),
            Self::Pattern(pattern) => pattern.format(),
            #[cfg(feature = "camera")]
            Self::Camera(camera) => camera.format(),
        }
    }
}

/// When to end before the source does.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// After so many frames, sent or skipped.
    pub frames: u32,
    /// After so much video.
    pub duration: Duration,
}

/// A captured frame.
#[derive(Debug)]
pub(crate) struct Captured {
    /// Frame number.
    pub(crate) number: u32,
    /// When it was captured; for a file when it was due.
    pub(crate) captured: Duration,
    /// The picture, padded.
    pub(crate) frame: Frame,
}

/// What the capture thread works with.
pub(crate) struct Player {
    pub(crate) source: Source,
    pub(crate) limits: Limits,
    pub(crate) clock: Clock,
    pub(crate) mailbox: Arc<Mailbox<Captured>>,
    pub(crate) events: UnboundedSender<Event>,
}

impl Player {
    /// Plays the source to its end, or until the mailbox is closed.
    pub(crate) fn run(mut self) {
        let format = self.source.format();
        let (next, outcome) = match &mut self.source {
            Source::File(_) | Source::Pattern(_) => {
                let mut schedule = Schedule::new(format.frame_rate, self.clock.now());
                let mut number = 0;
                let outcome = self.play_timed(&mut schedule, &mut number);
                (number, outcome)
            }
            #[cfg(feature = "camera")]
            Source::Camera(camera) => {
                let live = Live {
                    limits: self.limits,
                    clock: self.clock,
                    mailbox: &self.mailbox,
                    events: &self.events,
                };
                let mut next = 0;
                let outcome = live.play(camera, &mut next);
                (next, outcome)
            }
        };
        self.mailbox.close();
        // Nobody listens any more where the session has ended.
        let _ = self.events.send(Event::SourceEnd {
            next,
            failure: outcome.err(),
        });
    }

    /// Plays at the source's frame rate; `number` is the next frame's.
    fn play_timed(&mut self, schedule: &mut Schedule, number: &mut u32) -> Result<(), Failure> {
        let rate = self.source.format().frame_rate;
        let within = |limits: Limits, number: u32| {
            number < limits.frames && rate.time_of(number.into()) < limits.duration
        };
        while within(self.limits, *number) {
            let Some(mut slot) = self.slot(schedule) else {
                return Ok(());
            };
            let began = loop {
                let began = self.clock.now();
                if !schedule.is_late(*number, began) {
                    break began;
                }
                if !within(self.limits, *number) || !self.skip()? {
                    return Ok(());
                }
                schedule.read(*number, began, self.clock.now());
                *number += 1;
                self.left_out(schedule, 1);
            };
            if !within(self.limits, *number) || !self.read(*number, &mut slot.frame)? {
                return Ok(());
            }
            schedule.read(*number, began, self.clock.now());
            let due = schedule.due(*number);
            let now = || self.clock.instant(self.clock.now());
            if !self.mailbox.wait_until(self.clock.instant(due), now) {
                return Ok(());
            }
            (slot.number, slot.captured) = (*number, due);
            if schedule.is_hurried(self.clock.now()) {
                let replaced = self.mailbox.replace(slot);
                self.left_out(schedule, replaced);
            } else {
                self.mailbox.put(slot);
            }
            *number += 1;
        }
        Ok(())
    }

    /// A buffer for the next frame; none once nobody wants it.
    fn slot(&self, schedule: &mut Schedule) -> Option<Captured> {
        if !schedule.is_hurried(self.clock.now()) {
            return self.mailbox.empty();
        }
        let (slot, overwritten) = self.mailbox.empty_or_oldest()?;
        self.left_out(schedule, u32::from(overwritten));
        Some(slot)
    }

    /// Notes frames that the threads behind this one have no time for.
    fn left_out(&self, schedule: &mut Schedule, frames: u32) {
        if frames == 0 {
            return;
        }
        if schedule.left_out(self.clock.now()) {
            tracing::info!(
                "a frame takes longer than it lasts, so some are left out; a smaller --size, a lower --fps or \
                 --speed fast helps"
            );
        }
        let _ = self.events.send(Event::Skipped(frames));
    }

    fn read(&mut self, number: u32, frame: &mut Frame) -> Result<bool, Failure> {
        match &mut self.source {
            Source::File(file) => file.read(frame),
            Source::Pattern(pattern) => {
                pattern.draw(number, frame);
                Ok(true)
            }
            #[cfg(feature = "camera")]
            Source::Camera(_) => Ok(false),
        }
    }

    fn skip(&mut self) -> Result<bool, Failure> {
        match &mut self.source {
            Source::File(file) => file.skip(),
            _ => Ok(true),
        }
    }
}
