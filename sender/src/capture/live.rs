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
            let number = live_number(rate, elapsed, *next);
            (slot.number, slot.captured) = (number, captured);
            self.skipped(self.mailbox.replace(slot));
            *next = number + 1;
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

/// The number of a camera's frame: the interval it falls into, so that a slow camera leaves gaps
/// and the other end's file keeps time; but never one given before, nor a jump that the receiver
/// would refuse.
fn live_number(rate: FrameRate, elapsed: Duration, next: u32) -> u32 {
    let half = rate.time_of(1) / 2;
    let number = u32::try_from(rate.number_at(elapsed + half)).unwrap_or(u32::MAX - 1);
    number.clamp(next, next + MAX_JUMP / 2)
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;

    use rustix::io::Errno;

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
