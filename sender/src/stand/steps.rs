//! Tables of what must happen, and when.

use std::time::Duration;

use super::Sample;

/// Frames in a row that settle whether something holds.
const SETTLED: usize = 6;

/// From `from` on, and `within` later at most, `holds` begins to hold, and then until `until` it
/// does after at least `share` of the frames.
pub(crate) struct Step {
    pub what: &'static str,
    /// s.
    pub from: f64,
    /// ms.
    pub within: u64,
    /// s.
    pub until: f64,
    pub share: f64,
    pub holds: Box<dyn Fn(&Sample) -> bool>,
}

impl Step {
    /// Something that holds all the time.
    pub(crate) fn new(
        what: &'static str,
        (from, within, until): (f64, u64, f64),
        share: f64,
        holds: impl Fn(&Sample) -> bool + 'static,
    ) -> Self {
        Self {
            what,
            from,
            within,
            until,
            share,
            holds: Box::new(holds),
        }
    }
}

/// Checks steps one by one, and says of each what was measured.
pub(crate) fn check(samples: &[Sample], steps: &[Step]) {
    let mut failed = 0;
    for step in steps {
        let begin = Duration::from_secs_f64(step.from);
        let end = Duration::from_secs_f64(step.until);
        let during: Vec<_> = samples
            .iter()
            .filter(|sample| (begin..end).contains(&sample.now))
            .collect();
        let holds: Vec<bool> = during.iter().map(|sample| (step.holds)(sample)).collect();
        let settled = holds
            .windows(SETTLED)
            .position(|some| some.iter().all(|&it| it));
        let first = settled.map(|n| (during[n].now - begin).as_secs_f64() * 1e3);
        let begun = first.unwrap_or(f64::INFINITY);
        let after = during
            .iter()
            .zip(&holds)
            .filter(|(sample, _)| sample.now >= begin + super::ms(step.within));
        let (all, held) = after.fold((0, 0), |(all, held), (_, &it)| {
            (all + 1, held + u32::from(it))
        });
        let share = f64::from(held) / f64::from(all.max(1));
        // What holds from the first frame on holds after one frame time at most.
        let good = begun <= step.within as f64 + 1e3 * super::INTERVAL.as_secs_f64()
            && share >= step.share;
        failed += u32::from(!good);
        eprintln!(
            "{} {}: from {} s: after {begun:.0} of {} ms, {:.1} of {:.1} %",
            if good { "good" } else { "BAD " },
            step.what,
            step.from,
            step.within,
            100.0 * share,
            100.0 * step.share
        );
    }
    assert_eq!(failed, 0, "steps failed, see above");
}
