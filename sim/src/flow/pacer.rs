//! Lets datagrams of comparators go one by one at a rate; the product's session brings its own pacer.

use std::{collections::VecDeque, time::Duration};

use raq_shared::units::Bitrate;

use super::Handed;

/// Datagrams that wait for their turn. Without a rate they go at once.
#[derive(Debug, Default)]
pub struct Pacer {
    waiting: VecDeque<Handed>,
    bytes: usize,
    /// When the next one may go.
    free: Duration,
}

impl Pacer {
    /// One more.
    pub fn push(&mut self, handed: Handed) {
        self.bytes += handed.bytes.len();
        self.waiting.push_back(handed);
    }

    /// The next one, if it may go at `now`; `overhead` is what the path adds to each, in bytes.
    pub fn pop(&mut self, now: Duration, rate: Option<Bitrate>, overhead: usize) -> Option<Handed> {
        if now < self.free {
            return None;
        }
        let handed = self.waiting.pop_front()?;
        self.bytes -= handed.bytes.len();
        if let Some(rate) = rate {
            let bits = 8 * (handed.bytes.len() + overhead);
            let takes = bits as f64 / rate.bits_per_second().max(1) as f64;
            self.free = now + Duration::from_secs_f64(takes.min(1.0));
        }
        Some(handed)
    }

    /// When the next one may go; none where nothing waits.
    pub fn wake(&self) -> Option<Duration> {
        (!self.waiting.is_empty()).then_some(self.free)
    }

    /// Bytes that wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Use;

    #[test]
    fn datagrams_go_at_their_rate_and_in_order() {
        let mut pacer = Pacer::default();
        for n in 0..3 {
            pacer.push(Handed {
                purpose: Use::Padding(n),
                bytes: vec![0; 61].into(),
                frame: None,
            });
        }
        assert_eq!(pacer.bytes(), 183);
        // 61 and 64 bytes are 1 ms at 1 Mbit/s.
        let rate = Some(Bitrate::from_kilobits_per_second(1000));
        let mut gone = Vec::new();
        for micros in (0..5000).step_by(250) {
            let now = Duration::from_micros(micros);
            while let Some(handed) = pacer.pop(now, rate, 64) {
                gone.push((micros, handed.purpose));
            }
        }
        let expected = [0, 1, 2].map(|n| (1000 * u64::from(n), Use::Padding(n)));
        assert_eq!(gone, expected);
        assert_eq!((pacer.wake(), pacer.bytes()), (None, 0));
    }
}
