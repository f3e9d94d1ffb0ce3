//! A download by TCP with Reno's congestion control (RFC 5681), that fills the queue.

use std::time::Duration;

/// Bytes of its packets.
pub(crate) const PACKET: u64 = 1200;

/// See the module.
pub(crate) struct Rival {
    /// When it comes …
    pub from: Duration,
    /// … and goes.
    pub to: Duration,
    /// Its bytes that came through.
    pub through: u64,
    window: f64,
    threshold: f64,
    in_flight: u32,
    /// It does not react to losses again until then.
    recovered: Duration,
}

impl Rival {
    /// Comes and goes at these seconds.
    pub(crate) fn new(from: u64, to: u64) -> Self {
        Self {
            from: Duration::from_secs(from),
            to: Duration::from_secs(to),
            through: 0,
            window: 10.0,
            threshold: f64::INFINITY,
            in_flight: 0,
            recovered: Duration::ZERO,
        }
    }

    /// Whether it sends a packet at `now`, which then is on its way.
    pub(crate) fn sends(&mut self, now: Duration) -> bool {
        let here = (self.from..self.to).contains(&now);
        let sends = here && f64::from(self.in_flight) < self.window;
        self.in_flight += u32::from(sends);
        sends
    }

    /// A packet came through.
    pub(crate) fn acked(&mut self) {
        self.in_flight -= 1;
        self.through += PACKET;
        let slow_start = self.window < self.threshold;
        self.window += if slow_start { 1.0 } else { 1.0 / self.window };
    }

    /// A packet was lost.
    pub(crate) fn lost(&mut self, now: Duration) {
        self.in_flight -= 1;
        if now >= self.recovered {
            self.window = (self.window / 2.0).max(2.0);
            self.threshold = self.window;
            self.recovered = now + Duration::from_millis(300);
        }
    }
}
