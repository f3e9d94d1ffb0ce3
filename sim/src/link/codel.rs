//! CoDel: drops from the front of a queue that has stood too long (RFC 8289).

/// How long a packet may wait, in nanoseconds.
const TARGET: u64 = 5_000_000;
/// For how long the wait may be longer.
const INTERVAL: u64 = 100_000_000;
/// With so much or less behind it, a packet is not dropped.
const MAX_PACKET: u64 = 1500;

/// The state of RFC 8289, section 5.4. All times are in nanoseconds.
#[derive(Debug, Default)]
pub(super) struct CoDel {
    /// When packets will have waited longer than the target for an interval.
    first_above: Option<u64>,
    /// When the next one is dropped.
    drop_next: u64,
    /// Drops since the dropping state began, and as many as there were then.
    count: u32,
    last_count: u32,
    dropping: bool,
}

impl CoDel {
    /// Whether the packet taken out `now`, which waited `sojourn` and has `backlog` bytes behind
    /// it, is to be dropped.
    pub(super) fn drops(&mut self, now: u64, sojourn: u64, backlog: u64) -> bool {
        let above = self.above(now, sojourn, backlog);
        if !above {
            self.dropping = false;
        } else if self.dropping {
            if now < self.drop_next {
                return false;
            }
            self.count += 1;
            self.drop_next = control_law(self.drop_next, self.count);
        } else {
            self.dropping = true;
            let new = self.count - self.last_count;
            let recent = now.saturating_sub(self.drop_next) < 16 * INTERVAL;
            self.count = if new > 1 && recent { new } else { 1 };
            self.drop_next = control_law(now, self.count);
            self.last_count = self.count;
        }
        above
    }

    fn above(&mut self, now: u64, sojourn: u64, backlog: u64) -> bool {
        if sojourn < TARGET || backlog <= MAX_PACKET {
            self.first_above = None;
            return false;
        }
        now >= *self.first_above.get_or_insert(now + INTERVAL)
    }
}

fn control_law(from: u64, count: u32) -> u64 {
    from + (INTERVAL as f64 / f64::from(count).sqrt()) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: u64 = 1_000_000;

    /// Takes out a packet a millisecond and gives when those that waited `sojourn` are dropped.
    fn dropped(codel: &mut CoDel, from: u64, to: u64, sojourn: u64) -> Vec<u64> {
        let drops = |ms: &u64| codel.drops(ms * MILLISECOND, sojourn * MILLISECOND, 9000);
        (from..to).filter(drops).collect()
    }

    #[test]
    fn drops_come_sooner_and_sooner_while_the_queue_stands() {
        let mut codel = CoDel::default();
        assert!(dropped(&mut codel, 0, 500, 4).is_empty());
        // 100 ms above the target, then after 100, 100/√2, 100/√3, … ms.
        let drops = dropped(&mut codel, 500, 900, 6);
        assert_eq!(drops, [600, 700, 771, 829, 879]);
        assert!(dropped(&mut codel, 900, 1000, 4).is_empty());
        // Soon after, it goes on at the pace it had.
        assert_eq!(dropped(&mut codel, 1000, 1160, 6), [1100, 1150]);
    }

    #[test]
    fn the_last_packets_are_never_dropped() {
        let mut codel = CoDel::default();
        let drops = |ms: u64| codel.drops(ms * MILLISECOND, 50 * MILLISECOND, 1500);
        assert!(!(0..1000).any(drops));
    }
}
