//! What the receiver is told of the path: for those who watch there.

use std::time::Duration;

use raq_shared::units::Bitrate;
use raq_shared::wire::note::Note;

use crate::session::Sent;

/// How long at least from one note to the next.
const PERIOD: Duration = Duration::from_secs(1);

/// Makes a note of the frames of every second. Times are since any fixed moment.
#[derive(Debug, Default)]
pub(crate) struct News {
    since: Option<Duration>,
    budget: u64,
}

impl News {
    /// A frame has left at `now`; gives what to tell, if it is time for that. The first frame is told of
    /// at once, without a target.
    pub(crate) fn sent(&mut self, now: Duration, sent: &Sent) -> Option<Note> {
        self.budget += sent.budget;
        let passed = self.since.map(|since| now.saturating_sub(since));
        if passed.is_some_and(|passed| passed < PERIOD) {
            return None;
        }
        let target = Bitrate::from_bytes_over(self.budget, passed.unwrap_or_default());
        *self = Self {
            since: Some(now),
            budget: 0,
        };
        Some(Note {
            estimate: sent.estimate,
            target,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rate::Limit;

    #[test]
    fn a_note_a_second_with_the_budgets_of_that_second() {
        let mut news = News::default();
        let mut frame = |ms: u64, budget| {
            let sent = Sent {
                number: 0,
                captured: Duration::ZERO,
                level: 0,
                codewords: Default::default(),
                budget,
                limit: Limit::Rate,
                estimate: Bitrate::from_kilobits_per_second(ms),
                queue: Duration::ZERO,
                datagrams: 1,
                parity: 0,
                left: 1,
                bytes: 0,
            };
            let note = news.sent(Duration::from_millis(ms), &sent)?;
            Some((
                note.estimate.bits_per_second() / 1000,
                note.target.bits_per_second(),
            ))
        };
        assert_eq!(frame(300, 999), Some((300, 0)));
        assert_eq!(frame(600, 1000), None);
        assert_eq!(frame(1299, 1000), None);
        assert_eq!(frame(1300, 500), Some((1300, 20_000)));
        assert_eq!(frame(1400, 700), None);
        assert_eq!(frame(3300, 800), Some((3300, 6_000)));
    }
}
