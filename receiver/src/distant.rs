//! A datagram of a frame far ahead, kept until another one agrees.
//!
//! Where the newest frame's number jumps, all frames before it are closed, and what comes of them is
//! discarded. After an outage that is right; a single number that is wrong would keep the picture as
//! it is for as long as the true ones take to get there.

use std::time::Duration;

/// Frames ahead of the newest that nobody has to agree to: what the sender remembers of what is under
/// way, two seconds at 30 a second.
pub(crate) const NEAR: u32 = 64;

/// A datagram that came before its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    /// When it arrived.
    pub(crate) at: Duration,
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
    frame: u32,
    index: u8,
}

/// What to do with a datagram.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// It is not far ahead: take it.
    Near,
    /// Wait for another one.
    Alone,
    /// Take the one that was kept, and it.
    Agrees(Held),
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Distant {
    held: Option<Held>,
}

impl Distant {
    /// Looks at a datagram that arrived at `now`, by its frame and its place in it, where `newest` is
    /// the newest frame so far.
    pub(crate) fn look(
        &mut self,
        now: Duration,
        newest: Option<u32>,
        (frame, index): (u32, u8),
        bytes: &[u8],
    ) -> Look {
        if frame <= newest.unwrap_or(0).saturating_add(NEAR) {
            // What goes on as before contradicts what was kept; what is late does not.
            if Some(frame) > newest {
                self.held = None;
            }
            return Look::Near;
        }
        let agrees = |held: &mut Held| {
            held.frame.abs_diff(frame) <= NEAR && (held.frame, held.index) != (frame, index)
        };
        if let Some(held) = self.held.take_if(agrees) {
            return Look::Agrees(held);
        }
        self.held = Some(Held {
            at: now,
            bytes: bytes.to_vec(),
            frame,
            index,
        });
        Look::Alone
    }

    /// Bytes that are kept.
    pub(crate) fn bytes(&self) -> usize {
        self.held.as_ref().map_or(0, |held| held.bytes.capacity())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(distant: &mut Distant, newest: u32, frame: u32, index: u8) -> Look {
        let now = Duration::from_millis(frame.into());
        distant.look(now, Some(newest), (frame, index), &[index])
    }

    #[test]
    fn two_that_differ_agree() {
        let mut distant = Distant::default();
        assert_eq!(look(&mut distant, 10, 10 + NEAR, 0), Look::Near);
        assert_eq!(look(&mut distant, 10, 75, 3), Look::Alone);
        assert_eq!(look(&mut distant, 10, 75, 3), Look::Alone, "it came twice");
        let held = Held {
            at: Duration::from_millis(75),
            bytes: vec![3],
            frame: 75,
            index: 3,
        };
        assert_eq!(look(&mut distant, 10, 76, 3), Look::Agrees(held));
        assert_eq!(distant.bytes(), 0);
        assert_eq!(look(&mut distant, 10, 90, 0), Look::Alone, "the next jump");
        assert_eq!(
            look(&mut distant, 10, 9000, 0),
            Look::Alone,
            "far from that"
        );
    }

    #[test]
    fn what_goes_on_as_before_contradicts() {
        let mut distant = Distant::default();
        assert_eq!(look(&mut distant, 10, 100, 0), Look::Alone);
        assert_eq!(look(&mut distant, 10, 9, 0), Look::Near);
        assert_ne!(distant.bytes(), 0, "that one was only late");
        assert_eq!(look(&mut distant, 10, 11, 0), Look::Near);
        assert_eq!(look(&mut distant, 11, 101, 0), Look::Alone);
        let mut first = Distant::default();
        assert_eq!(first.look(Duration::ZERO, None, (0, 0), &[]), Look::Near);
        assert_eq!(first.look(Duration::ZERO, None, (65, 0), &[]), Look::Alone);
    }
}
