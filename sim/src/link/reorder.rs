//! Packets that arrive after the one behind them.

/// How long a packet is held for the one behind it, in nanoseconds.
const HOLD: u64 = 50_000_000;

/// Holds some packets until the one behind them has passed. No packet arrives sooner than the
/// link's delay allows.
#[derive(Debug)]
pub(super) struct Reorder<T> {
    share: f64,
    chance: fastrand::Rng,
    held: Option<Landing<T>>,
}

/// A packet behind the queue, in nanoseconds.
#[derive(Debug)]
pub(super) struct Landing<T> {
    pub(super) left: u64,
    pub(super) arrived: u64,
    pub(super) load: T,
}

impl<T> Reorder<T> {
    pub(super) fn new(share: f64, seed: u64) -> Self {
        Self {
            share,
            chance: fastrand::Rng::with_seed(seed),
            held: None,
        }
    }

    /// Takes a packet that left the queue after all before it; gives those that can arrive.
    pub(super) fn pass(&mut self, landing: Landing<T>) -> [Option<Landing<T>>; 2] {
        if self.share == 0.0 {
            return [Some(landing), None];
        }
        let overdue = self.overdue(landing.left);
        match self.held.take() {
            Some(mut held) => {
                held.arrived = held.arrived.max(landing.arrived);
                [Some(landing), Some(held)]
            }
            None if self.chance.f64() < self.share => {
                self.held = Some(landing);
                [overdue, None]
            }
            None => [overdue, Some(landing)],
        }
    }

    /// A packet that was held as long as may be, by `now`.
    pub(super) fn overdue(&mut self, now: u64) -> Option<Landing<T>> {
        let mut landing = self.held.take_if(|held| held.left + HOLD <= now)?;
        landing.arrived += HOLD;
        Some(landing)
    }

    /// When a packet is held no longer.
    pub(super) fn deadline(&self) -> Option<u64> {
        self.held.as_ref().map(|held| held.left + HOLD)
    }

    /// When the packet that is held arrives if none comes behind it.
    pub(super) fn wake(&self) -> Option<u64> {
        self.held.as_ref().map(|held| held.arrived + HOLD)
    }
}
