//! What waits for an output.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Picture, Show};

/// The most frames that a mailbox ever holds.
pub(super) const MOST: usize = 32;

/// What happens to a frame for which there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// It waits.
    Wait,
    /// The oldest frame gives way.
    Replace,
}

/// Between the decoder and the thread of an output.
#[derive(Debug)]
pub(super) struct Mailbox {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug)]
struct Waiting {
    shows: VecDeque<Show>,
    frames: usize,
    /// Frames that there is room for.
    room: usize,
    /// Nobody puts in or takes out any more.
    closed: bool,
}

/// What came out.
#[derive(Debug)]
pub(super) enum Taken {
    Show(Show),
    /// Nothing in that time.
    Nothing,
    /// Nothing will come.
    Closed,
}

impl Mailbox {
    /// With room for `room` frames, at least one.
    pub(super) fn new(room: usize) -> Self {
        let waiting = Waiting {
            shows: VecDeque::with_capacity(MOST + 2),
            frames: 0,
            room: room.clamp(1, MOST),
            closed: false,
        };
        Self {
            waiting: Mutex::new(waiting),
            changed: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing in here can panic half way.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on there is room for `room` frames, at least one.
    pub(super) fn set_room(&self, room: usize) {
        self.lock().room = room.clamp(1, MOST);
        self.changed.notify_all();
    }

    /// Puts something in; gives back the frame that gave way. Only frames need room. Where nobody
    /// takes anything out any more, it is dropped.
    pub(super) fn put(&self, show: Show, full: Full) -> Option<Picture> {
        let mut waiting = self.lock();
        let mut replaced = None;
        if matches!(show, Show::Frame(_)) {
            while full == Full::Wait && waiting.frames >= waiting.room && !waiting.closed {
                waiting = self
                    .changed
                    .wait(waiting)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            if waiting.frames >= waiting.room {
                replaced = waiting.remove_oldest();
            }
            waiting.frames += 1;
        }
        if !waiting.closed {
            waiting.shows.push_back(show);
        }
        self.changed.notify_all();
        replaced
    }

    /// Takes the next thing out; waits for it, at most for `patience`.
    pub(super) fn take(&self, patience: Option<Duration>) -> Taken {
        let mut waiting = self.lock();
        loop {
            if let Some(show) = waiting.shows.pop_front() {
                waiting.frames -= usize::from(matches!(show, Show::Frame(_)));
                self.changed.notify_all();
                return Taken::Show(show);
            }
            if waiting.closed {
                return Taken::Closed;
            }
            let Some(patience) = patience else {
                waiting = self
                    .changed
                    .wait(waiting)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            // Woken for nothing, the output just looks around once more.
            let (woken, timeout) = self
                .changed
                .wait_timeout(waiting, patience)
                .unwrap_or_else(PoisonError::into_inner);
            waiting = woken;
            if timeout.timed_out() && waiting.shows.is_empty() {
                return Taken::Nothing;
            }
        }
    }

    /// What waits is still taken; nothing more is put in.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }
}

impl Waiting {
    fn remove_oldest(&mut self) -> Option<Picture> {
        let is_frame = |show: &Show| matches!(show, Show::Frame(_));
        let oldest = self.shows.iter().position(is_frame)?;
        let Some(Show::Frame(picture)) = self.shows.remove(oldest) else {
            return None;
        };
        self.frames -= 1;
        Some(picture)
    }
}

/// Closes the mailbox when its reader goes, however it goes: then nobody waits for room.
#[derive(Debug)]
pub(super) struct Reader(pub(super) std::sync::Arc<Mailbox>);

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::super::stage::sample::picture;
    use super::*;

    fn put(mailbox: &Mailbox, number: u32, full: Full) -> Option<u32> {
        let gone = mailbox.put(Show::Frame(picture(number)), full);
        gone.map(|picture| picture.number)
    }

    fn take(mailbox: &Mailbox) -> Option<u32> {
        match mailbox.take(Some(Duration::ZERO)) {
            Taken::Show(Show::Frame(picture)) => Some(picture.number),
            Taken::Show(other) => panic!("{other:?}"),
            Taken::Nothing | Taken::Closed => None,
        }
    }

    #[test]
    fn the_oldest_frame_gives_way() {
        let mailbox = Mailbox::new(2);
        let gone = [0, 1, 2, 3].map(|number| put(&mailbox, number, Full::Replace));
        assert_eq!(gone, [None, None, Some(0), Some(1)]);
        assert_eq!([take(&mailbox), take(&mailbox)], [Some(2), Some(3)]);
        assert_eq!(take(&mailbox), None);
        assert_eq!(put(&mailbox, 4, Full::Replace), None);
    }

    #[test]
    fn nothing_is_lost_where_frames_wait_for_room() {
        let mailbox = Arc::new(Mailbox::new(1));
        let writer = {
            let mailbox = mailbox.clone();
            move || {
                for number in 0..100 {
                    assert_eq!(put(&mailbox, number, Full::Wait), None);
                }
                mailbox.close();
            }
        };
        let writer = thread::spawn(writer);
        let taken = std::iter::from_fn(|| match mailbox.take(None) {
            Taken::Show(Show::Frame(picture)) => Some(picture.number),
            _ => None,
        });
        assert!(taken.eq(0..100));
        writer.join().unwrap();
    }

    #[test]
    fn nobody_waits_for_a_reader_that_has_gone() {
        let mailbox = Arc::new(Mailbox::new(1));
        put(&mailbox, 0, Full::Wait);
        drop(Reader(mailbox.clone()));
        put(&mailbox, 1, Full::Wait);
        put(&mailbox, 2, Full::Wait);
        mailbox.set_room(9);
        assert!(matches!(mailbox.take(None), Taken::Closed) || take(&mailbox).is_none());
    }
}
