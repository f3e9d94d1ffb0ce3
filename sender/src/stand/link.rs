//! A queue that drops what has no room, before a link whose rate changes.

use std::collections::VecDeque;
use std::time::Duration;

/// See the module.
pub(crate) struct Link {
    /// From when on, ms, and kbit/s.
    phases: Vec<(u64, u64)>,
    /// Bytes that have room.
    limit: u64,
    queue: VecDeque<(Duration, u64)>,
    queued: u64,
    busy: Duration,
}

impl Link {
    /// With rates in kbit/s from a time in ms on, the first from 0; as many bytes have room.
    pub(crate) fn new(phases: &[(u64, u64)], limit: u64) -> Self {
        Self {
            phases: phases.to_vec(),
            limit,
            queue: VecDeque::new(),
            queued: 0,
            busy: Duration::ZERO,
        }
    }

    /// Time until what is here now is through.
    pub(crate) fn queue(&self, now: Duration) -> Duration {
        self.busy.saturating_sub(now)
    }

    /// When as many bytes are through; nothing where they have no room.
    pub(crate) fn take(&mut self, now: Duration, bytes: u64) -> Option<Duration> {
        while let Some(&(out, bytes)) = self.queue.front()
            && out <= now
        {
            self.queued -= bytes;
            self.queue.pop_front();
        }
        if self.queued + bytes > self.limit {
            return None;
        }
        self.busy = self.through(self.busy.max(now), bytes);
        self.queued += bytes;
        self.queue.push_back((self.busy, bytes));
        Some(self.busy)
    }

    fn through(&self, mut from: Duration, bytes: u64) -> Duration {
        let mut bits = bytes as f64 * 8.0;
        let ends = self.phases.iter().skip(1).map(|&(at, _)| super::ms(at));
        let far = Duration::from_secs(1 << 30);
        for (&(_, rate), end) in self.phases.iter().zip(ends.chain([far])) {
            let rate = rate as f64 * 1e3;
            let time = end.saturating_sub(from).as_secs_f64();
            if bits <= time * rate {
                return from + Duration::from_secs_f64(bits / rate);
            }
            bits -= time * rate;
            from = from.max(end);
        }
        from
    }
}
