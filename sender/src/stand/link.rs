//! A policer perhaps, and a queue that drops what has no room, before a link whose rate changes.

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
    policer: Option<Policer>,
}

/// A token bucket.
struct Policer {
    /// From when on, ms, and kbit/s.
    phases: Vec<(u64, u64)>,
    /// Bytes that pass at once.
    burst: f64,
    tokens: f64,
    filled: Duration,
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
            policer: None,
        }
    }

    /// Behind a policer with rates in kbit/s from a time in ms on, the first from 0, that lets so many
    /// bytes through at once.
    pub(crate) fn policed(mut self, phases: &[(u64, u64)], burst: u64) -> Self {
        self.policer = Some(Policer {
            phases: phases.to_vec(),
            burst: burst as f64,
            tokens: burst as f64,
            filled: Duration::ZERO,
        });
        self
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
        if let Some(policer) = &mut self.policer
            && !policer.lets_pass(now, bytes as f64)
        {
            return None;
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

impl Policer {
    fn lets_pass(&mut self, now: Duration, bytes: f64) -> bool {
        let begun = |&&(at, _): &&(u64, u64)| super::ms(at) <= now;
        let rate = self.phases.iter().rev().find(begun).map_or(0, |it| it.1);
        let filled = (now - self.filled).as_secs_f64() * rate as f64 * 125.0;
        self.filled = now;
        self.tokens = (self.tokens + filled).min(self.burst);
        let passes = bytes <= self.tokens;
        if passes {
            self.tokens -= bytes;
        }
        passes
    }
}
