//! Whether losses fall on all places of a frame alike.
//!
//! A frame leaves faster than the path is thought to be, and then there is a pause. What drops
//! datagrams for want of room — a short buffer, a policer — has room again after it, so a frame's
//! first datagram gets through while later ones do not. What is lost by chance is lost in all
//! places. The two are held against each other by a cumulative sum of log-likelihood ratios
//! (Page 1954).

use super::tune::tune;

/// Datagrams over which the means of firsts and of others run.
const MEMORY: [f64; 2] = [60.0, 150.0];
/// Firsts are lost no more than by this share of the others where there is no room.
const LESS: f64 = 0.4;
/// Below this share of losses nothing is told apart …
const FEW: f64 = 0.02;
/// … and above this one nothing is surer.
const MANY: f64 = 0.9;

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
        let ceiling = 2.0 * tune("sure", 10.0);
        self.evidence = (self.evidence + ratio.ln()).clamp(0.0, ceiling);
    }

    /// Whether later datagrams are lost for want of room: by chance it looks so once in e¹⁰ frames at the
    /// most.
    pub fn want_room(&self) -> bool {
        self.evidence >= tune("sure", 10.0)
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
