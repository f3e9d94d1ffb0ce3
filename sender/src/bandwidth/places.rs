//! Whether losses fall on all places of a frame alike.
//!
//! A frame leaves faster than the path is thought to be, and then there is a pause. What drops
//! datagrams for want of room — a short buffer, a policer — has room again after it, so a frame's
//! first datagram gets through while later ones do not. What is lost by chance is lost in all
//! places. The two are held against each other by a cumulative sum of log-likelihood ratios
//! (Page 1954).

/// Datagrams over which the means of firsts and of others run.
const MEMORY: [f64; 2] = [60.0, 150.0];
/// Firsts are lost no more than by this share of the others where there is no room.
const LESS: f64 = 0.4;
/// Below this share of losses nothing is told apart …
const FEW: f64 = 0.02;
/// … and above this one nothing is surer.
const MANY: f64 = 0.9;
/// Evidence that is enough: by chance it comes about once in e¹⁰ frames at the most (Lorden 1971), where
/// the share of losses is known.
const ENOUGH: f64 = 10.0;

/// Losses by place; see the module.
#[derive(Debug, Default)]
pub struct Places {
    first: Mean,
    later: Mean,
    evidence: f64,
}

#[derive(Debug, Default)]
struct Mean {
    share: f64,
    count: f64,
}

impl Mean {
    fn note(&mut self, lost: bool, memory: f64) {
        self.count = (self.count + 1.0).min(memory);
        self.share += (f64::from(u8::from(lost)) - self.share) / self.count;
    }
}

impl Places {
    /// A datagram was lost or not, the `first` after a pause or a later one.
    pub fn note(&mut self, first: bool, lost: bool) {
        let [firsts, others] = MEMORY;
        if !first {
            self.later.note(lost, others);
            return;
        }
        self.first.note(lost, firsts);
        let share = self.later.share.min(MANY);
        if share < FEW {
            self.evidence = 0.0;
            return;
        }
        let less = LESS * share;
        let ratio = match lost {
            true => LESS,
            false => (1.0 - less) / (1.0 - share),
        };
        self.evidence = (self.evidence + ratio.ln()).clamp(0.0, 2.0 * ENOUGH);
    }

    /// Whether later datagrams are lost for want of room.
    pub fn want_room(&self) -> bool {
        self.evidence >= ENOUGH
    }

    /// Share of datagrams lost that find room, 0 to 1.
    pub fn own(&self) -> f64 {
        self.first.share.min(self.later.share)
    }

    /// Begins to gather evidence anew.
    pub fn doubt(&mut self) {
        self.evidence = 0.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of `datagrams` over a path that loses some by chance, in runs of a mean length, and takes
    /// no more than `room` of a frame; after how many they are seen to want room.
    fn frames(most: u32, datagrams: u32, room: u32, share: f64, run: f64) -> Option<u32> {
        let mut random = fastrand::Rng::with_seed(5);
        let (mut places, mut lost) = (Places::default(), false);
        (1..=most).find(|_| {
            for n in 0..datagrams {
                lost = match lost && run > 1.0 {
                    true => random.f64() < 1.0 - 1.0 / run,
                    false => random.f64() < share / (1.0 - share * f64::from(run > 1.0)) / run,
                };
                places.note(n == 0, lost || n >= room);
            }
            places.want_room()
        })
    }

    #[test]
    fn what_is_lost_by_chance_does_not_look_like_want_of_room() {
        for datagrams in [2, 5, 12] {
            for (share, run) in [(0.05, 1.0), (0.2, 1.0), (0.5, 1.0), (0.2, 3.0), (0.5, 3.0)] {
                let seen = frames(10_000, datagrams, datagrams, share, run);
                assert_eq!(
                    seen, None,
                    "{datagrams} datagrams, {share} in runs of {run}"
                );
            }
        }
    }

    #[test]
    fn the_more_is_lost_for_want_of_room_the_sooner_it_is_seen() {
        for (room, share, within) in [(2, 0.0, 10), (6, 0.0, 30), (9, 0.0, 120), (6, 0.2, 120)] {
            let seen = frames(10_000, 12, room, share, 1.0);
            assert!(
                seen.is_some_and(|n| n <= within),
                "{room}, {share}: {seen:?}"
            );
        }
    }

    #[test]
    fn what_is_lost_with_room_is_the_paths_own() {
        let mut random = fastrand::Rng::with_seed(5);
        let mut places = Places::default();
        for n in 0..2000 {
            places.note(n % 5 == 0, n % 5 > 2 || random.f64() < 0.2);
        }
        assert!((places.own() - 0.2).abs() < 0.1, "{}", places.own());
        places.doubt();
        assert!(!places.want_room());
    }
}
