//! The capture thread: takes frames from a source at its pace.

use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "camera")]
use raq_shared::exit::Exit;
use raq_shared::exit::Failure;
use raq_shared::frame::Frame;
use raq_shared::video::VideoFormat;
use tokio::sync::mpsc::UnboundedSender;

#[cfg(feature = "camera")]
use super::camera::Camera;
use super::clip::Clip;
use super::pattern::Pattern;
use super::schedule::Schedule;
use crate::clock::Clock;
use crate::event::Event;
use crate::mailbox::Mailbox;

/// Broken pictures in a row after which the camera is given up.
#[cfg(feature = "camera")]
const MAX_BROKEN: u32 = 100;

/// Where frames come from.
pub enum Source {
    /// A y4m stream, at its frame rate.
    Clip(Box<Clip>),
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
            Self::Clip(clip) => clip.format(),
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
            Source::Clip(_) | Source::Pattern(_) => {
                let mut schedule = Schedule::new(format.frame_rate, self.clock.now());
                let mut number = 0;
                let outcome = self.play_timed(&mut schedule, &mut number);
                (number, outcome)
            }
            #[cfg(feature = "camera")]
            Source::Camera(_) => {
                let mut next = 0;
                let outcome = self.play_live(&mut next);
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
            let Some(mut slot) = self.mailbox.empty() else {
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
                let _ = self.events.send(Event::Skipped(1));
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
            self.mailbox.put(slot);
            *number += 1;
        }
        Ok(())
    }

    fn read(&mut self, number: u32, frame: &mut Frame) -> Result<bool, Failure> {
        match &mut self.source {
            Source::Clip(clip) => clip.read(frame),
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
            Source::Clip(clip) => clip.skip(),
            _ => Ok(true),
        }
    }

    /// Takes frames as a camera gives them, the newest first in line.
    #[cfg(feature = "camera")]
    fn play_live(&mut self, next: &mut u32) -> Result<(), Failure> {
        let rate = self.source.format().frame_rate;
        let Source::Camera(camera) = &mut self.source else {
            return Ok(());
        };
        let mut stream = camera.start()?;
        let mut start = None;
        loop {
            let Some((mut slot, overwritten)) = self.mailbox.empty_or_oldest() else {
                return Ok(());
            };
            if overwritten {
                let _ = self.events.send(Event::Skipped(1));
            }
            // A broken picture is the cable's fault; the next one comes soon.
            let mut broken = 0;
            while !stream.read(&mut slot.frame)? {
                let _ = self.events.send(Event::Skipped(1));
                broken += 1;
                if broken == MAX_BROKEN {
                    return Err(Failure::new(
                        Exit::Device,
                        format_args!(
                            "none of the camera's last {MAX_BROKEN} pictures can be read; unplug \
                             it and plug it in again, or choose another --size"
                        ),
                    ));
                }
            }
            let captured = self.clock.now();
            let elapsed = captured - *start.get_or_insert(captured);
            if elapsed >= self.limits.duration || *next >= self.limits.frames {
                return Ok(());
            }
            let number = live_number(rate, elapsed, *next);
            (slot.number, slot.captured) = (number, captured);
            self.mailbox.put(slot);
            *next = number + 1;
        }
    }
}

/// The number of a camera's frame: the interval it falls into, so that a slow camera leaves gaps
/// and the other end's file keeps time; but never one given before, nor a jump that the receiver
/// would refuse.
#[cfg(feature = "camera")]
fn live_number(rate: raq_shared::video::FrameRate, elapsed: Duration, next: u32) -> u32 {
    let half = rate.time_of(1) / 2;
    let number = u32::try_from(rate.number_at(elapsed + half)).unwrap_or(u32::MAX - 1);
    number.clamp(next, next + raq_shared::wire::datagram::MAX_JUMP / 2)
}

#[cfg(all(test, feature = "camera"))]
mod tests {
    use raq_shared::video::FrameRate;

    use super::*;

    #[test]
    fn camera_frames_keep_time_and_ascend() {
        let rate = FrameRate::new(10, 1).unwrap();
        let number = |millis, next| live_number(rate, Duration::from_millis(millis), next);
        assert_eq!(number(0, 0), 0);
        assert_eq!(number(120, 1), 1, "a little late");
        assert_eq!(number(190, 2), 2, "a little early");
        assert_eq!(number(210, 3), 3, "two in one interval");
        assert_eq!(number(700, 4), 7, "a slow camera");
        assert_eq!(number(10_000_000, 8), 8 + 8192, "a camera that slept");
    }
}
