//! Playing a camera: always its newest picture, and on when it comes back.

use std::time::Duration;

use raq_shared::exit::Failure;
use raq_shared::video::FrameRate;
use raq_shared::wire::datagram::MAX_JUMP;
use tokio::sync::mpsc::UnboundedSender;

use super::camera::{Camera, CameraStream, Trouble};
use super::play::{Captured, Limits};
use crate::clock::Clock;
use crate::event::Event;
use crate::mailbox::Mailbox;

/// Broken pictures in a row after which the camera is given up.
const MAX_BROKEN: u32 = 100;
/// From one attempt to open a camera that has gone to the next.
const RETRY: Duration = Duration::from_millis(500);

/// What is known of a camera that does not give pictures at the moment.
#[derive(Debug, Default)]
struct Absence {
    /// What was last said about it.
    said: Option<String>,
}

impl Absence {
    /// Something is wrong: says so, once.
    ///
    /// # Errors
    /// [`Failure`] where it will not pass.
    fn note(&mut self, trouble: Trouble) -> Result<(), Failure> {
        if !trouble.may_pass() {
            return Err(trouble.into());
        }
        let text = trouble.to_string();
        if self.said.as_ref() != Some(&text) {
            tracing::warn!("{text}; waiting for it, nothing is sent meanwhile");
            self.said = Some(text);
        }
        Ok(())
    }

    /// A picture has come; whether it was waited for.
    fn over(&mut self) -> bool {
        self.said.take().is_some()
    }
}

/// What a camera is played with.
pub(super) struct Live<'a> {
    pub(super) limits: Limits,
    pub(super) clock: Clock,
    pub(super) mailbox: &'a Mailbox<Captured>,
    pub(super) events: &'a UnboundedSender<Event>,
}

impl Live<'_> {
    /// Takes frames from `camera` as it gives them; `next` is the next one's number.
    pub(super) fn play(&self, camera: &mut Camera, next: &mut u32) -> Result<(), Failure> {
        let rate = camera.format().frame_rate;
        let mut absence = Absence::default();
        let mut numbers = Numbers {
            rate,
            lost: 0,
            next: *next,
        };
        let mut start = None;
        // Wrong from the beginning: the user wants to know at once.
        let mut stream = camera.start()?;
        loop {
            let Some((mut slot, overwritten)) = self.mailbox.empty_or_oldest() else {
                return Ok(());
            };
            self.skipped(u32::from(overwritten));
            // A broken picture is the cable's fault; the next one comes soon.
            let mut broken = 0;
            let captured = loop {
                if let Err(trouble) = stream.take() {
                    absence.note(trouble)?;
                    // What is gone is closed first, or it would keep its number.
                    drop(stream);
                    let Some(again) = self.come_back(camera, &mut absence, start)? else {
                        return Ok(());
                    };
                    stream = again;
                    continue;
                }
                let captured = self.clock.now();
                if stream.convert(&mut slot.frame) {
                    break captured;
                }
                self.skipped(1);
                broken += 1;
                if broken == MAX_BROKEN {
                    return Err(stream.broken().into());
                }
            };
            if absence.over() {
                tracing::info!("the camera is back");
            }
            let elapsed = captured - *start.get_or_insert(captured);
            if elapsed >= self.limits.duration || *next >= self.limits.frames {
                return Ok(());
            }
            (slot.number, slot.captured) = (numbers.number(elapsed), captured);
            self.skipped(self.mailbox.replace(slot));
            *next = numbers.next;
        }
    }

    /// Waits until the camera can be started; none where nobody waits any more.
    fn come_back(
        &self,
        camera: &mut Camera,
        absence: &mut Absence,
        start: Option<Duration>,
    ) -> Result<Option<CameraStream>, Failure> {
        loop {
            let now = self.clock.now();
            let over = start.is_some_and(|start| now - start >= self.limits.duration);
            let wait = || self.clock.instant(self.clock.now());
            if over
                || !self
                    .mailbox
                    .wait_until(self.clock.instant(now + RETRY), wait)
            {
                return Ok(None);
            }
            match camera.start() {
                Ok(stream) => return Ok(Some(stream)),
                Err(trouble) => absence.note(trouble)?,
            }
        }
    }

    fn skipped(&self, frames: u32) {
        if frames > 0 {
            let _ = self.events.send(Event::Skipped(frames));
        }
    }
}

/// Numbers of a camera's frames: the intervals they fall into, so that a slow camera leaves gaps
/// and the other end's file keeps time; but never one given before.
struct Numbers {
    rate: FrameRate,
    /// Intervals that do not count.
    lost: u32,
    /// The next frame's number at least.
    next: u32,
}

impl Numbers {
    /// That of a frame so long after the first. An absence counts as [`MAX_JUMP`] frames at most: what
    /// jumps further the receiver may not follow.
    fn number(&mut self, elapsed: Duration) -> u32 {
        let half = self.rate.time_of(1) / 2;
        let interval = u32::try_from(self.rate.number_at(elapsed + half)).unwrap_or(u32::MAX - 1);
        let number = interval.saturating_sub(self.lost).max(self.next);
        let furthest = self.next.saturating_add(MAX_JUMP);
        self.lost = self.lost.saturating_add(number.saturating_sub(furthest));
        let number = number.min(furthest);
        self.next = number.saturating_add(1);
        number
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;

    use raq_shared::wire::datagram::extend_frame_number;
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn camera_frames_keep_time_and_ascend() {
        let rate = FrameRate::new(10, 1).unwrap();
        let mut numbers = Numbers {
            rate,
            lost: 0,
            next: 0,
        };
        let mut number = |millis| numbers.number(Duration::from_millis(millis));
        assert_eq!(number(0), 0);
        assert_eq!(number(120), 1, "a little late");
        assert_eq!(number(190), 2, "a little early");
        assert_eq!(number(210), 3, "two in one interval");
        assert_eq!(number(700), 7, "a slow camera");
    }

    #[test]
    fn the_receiver_follows_a_camera_that_slept() {
        let rate = FrameRate::new(30, 1).unwrap();
        for slept in [60, 273, 546, 900, 3600, 1 << 30] {
            let mut numbers = Numbers {
                rate,
                lost: 0,
                next: 0,
            };
            let mut number = |frame: u64| numbers.number(rate.time_of(frame));
            assert_eq!((0..4).map(&mut number).collect::<Vec<_>>(), [0, 1, 2, 3]);
            let back = 30 * slept;
            let again: Vec<u32> = (back..back + 4).map(number).collect();
            let first = u32::try_from(back).map_or(3 + 1 + MAX_JUMP, |it| it.min(4 + MAX_JUMP));
            let expected: Vec<u32> = (first..first + 4).collect();
            assert_eq!(again, expected, "{slept} s");
            // Of the first one nothing came.
            let followed = extend_frame_number(Some(3), again[1] as u16);
            assert_eq!(followed, Some(again[1]), "{slept} s");
        }
    }

    #[test]
    fn only_what_passes_is_waited_for() {
        let trouble = |errno: Errno| Trouble::of(Path::new("/dev/video0"), &io::Error::from(errno));
        let mut absence = Absence::default();
        assert!(!absence.over());
        absence.note(trouble(Errno::NODEV)).unwrap();
        absence.note(trouble(Errno::ACCESS)).unwrap();
        assert!(absence.over() && !absence.over());
        assert!(absence.note(trouble(Errno::NOTTY)).is_err());
    }
}
