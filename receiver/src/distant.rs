//! A datagram of a frame far ahead, kept until another one agrees.
//!
//! Where the newest frame's number jumps, all frames before it are closed, and what comes of them is
//! discarded. After an outage that is right; a single number that is wrong would keep the picture as
//! it is for as long as the true ones take to get there.

use std::time::Duration;

/// Frames ahead of the newest that nobody has to agree to, at least: what the sender remembers of
/// what is under way, two seconds at 30 a second …
const NEAR: u32 = 64;
/// … and those of so long a time: at high frame rates most frames may be left out, and the one that
/// comes next after 150 ms or, where one got lost, 300.
const NEAR_TIME: Duration = Duration::from_millis(500);

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
#[derive(Debug)]
pub(crate) struct Distant {
    near: u32,
    held: Option<Held>,
}

impl Distant {
    /// For frames that come so far apart.
    pub(crate) fn new(interval: Duration) -> Self {
        let frames = NEAR_TIME.as_nanos() / interval.as_nanos().max(1);
        Self {
            near: u32::try_from(frames).unwrap_or(u32::MAX).max(NEAR),
            held: None,
        }
    }

    /// Whether nobody has to agree to this frame, where `newest` is the newest so far.
    pub(crate) fn is_near(&self, newest: Option<u32>, frame: u32) -> bool {
        frame <= newest.unwrap_or(0).saturating_add(self.near)
    }

    /// Looks at a datagram that arrived at `now`, by its frame and its place in it, where `newest` is
    /// the newest frame so far.
    pub(crate) fn look(
        &mut self,
        now: Duration,
        newest: Option<u32>,
        (frame, index): (u32, u8),
        bytes: &[u8],
    ) -> Look {
        if self.is_near(newest, frame) {
            // What goes on as before contradicts what was kept; what is late does not.
            if Some(frame) > newest {
                self.held = None;
            }
            return Look::Near;
        }
        let agrees = |held: &mut Held| {
            held.frame.abs_diff(frame) <= self.near && (held.frame, held.index) != (frame, index)
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
        let mut distant = Distant::new(Duration::from_millis(33));
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
        let mut distant = Distant::new(Duration::from_millis(33));
        assert_eq!(look(&mut distant, 10, 100, 0), Look::Alone);
        assert_eq!(look(&mut distant, 10, 9, 0), Look::Near);
        assert_ne!(distant.bytes(), 0, "that one was only late");
        assert_eq!(look(&mut distant, 10, 11, 0), Look::Near);
        assert_eq!(look(&mut distant, 11, 101, 0), Look::Alone);
        let mut first = Distant::new(Duration::from_millis(33));
        assert_eq!(first.look(Duration::ZERO, None, (0, 0), &[]), Look::Near);
        assert_eq!(first.look(Duration::ZERO, None, (65, 0), &[]), Look::Alone);
    }

    #[test]
    fn at_high_rates_frames_come_far_apart() {
        let mut distant = Distant::new(Duration::from_millis(1));
        let now = Duration::ZERO;
        assert_eq!(distant.look(now, Some(10), (510, 0), &[]), Look::Near);
        assert_eq!(distant.look(now, Some(10), (511, 0), &[]), Look::Alone);
        assert!(matches!(
            distant.look(now, Some(10), (1011, 0), &[]),
            Look::Agrees(_)
        ));
        let mut endless = Distant::new(Duration::ZERO);
        assert_eq!(endless.look(now, None, (9999, 0), &[]), Look::Near);
    }
}
