//! Queueing delay and signal delay.

use super::{
    SIZE,
    timeline::{Spread, Timeline},
};
use crate::{
    measure::signal,
    plot::{Axis, Draw, Legend, Plot, Scale, Series},
    record::{Direction, PolicyRun, Run},
};

/// What the axis begins with; shorter delays are drawn there, milliseconds.
const SHORTEST: f64 = 1.0;

/// The axis that holds for all policies.
pub(super) fn axis(run: &Run, timeline: &Timeline) -> Axis<'static> {
    let all = run.policies.iter().flat_map(|policy| {
        let [queue, signal] = [queue(policy, timeline), signal(run, policy, timeline)];
        queue.into_iter().chain(signal)
    });
    let longest = all
        .flatten()
        .map(|spread| spread.high)
        .fold(100.0, f64::max);
    Axis::between("ms", Scale::Log, SHORTEST, 1.2 * longest)
}

/// One policy's plot.
pub(super) fn svg(run: &Run, policy: &PolicyRun, timeline: &Timeline, y: &Axis<'static>) -> String {
    let series = |name, style, spreads: Vec<Option<Spread>>| Series {
        name,
        style,
        draw: Draw::Line,
        lines: timeline.medians(&spreads),
        bands: timeline.ranges(&spreads),
    };
    let (id, title) = super::over_time("delay", policy, "delay");
    Plot {
        id: &id,
        title: &title,
        x: timeline.axis(),
        y: y.clone(),
        size: SIZE,
        legend: Legend::Above,
        series: vec![
            series("signal delay", 0, signal(run, policy, timeline)),
            series("queueing delay", 1, queue(policy, timeline)),
        ],
    }
    .to_svg()
}

fn queue(policy: &PolicyRun, timeline: &Timeline) -> Vec<Option<Spread>> {
    let own = policy.datagrams.iter();
    let own = own.filter(|row| row.is_own() && row.direction == Direction::Down);
    timeline.spreads(own.filter_map(|row| Some((row.offered_us, millis(row.queued_us()?)))))
}

fn signal(run: &Run, policy: &PolicyRun, timeline: &Timeline) -> Vec<Option<Spread>> {
    let delays = signal::by_frame(&run.record, &policy.frames);
    timeline.spreads(
        delays
            .into_iter()
            .map(|(captured, delay)| (captured, millis(delay))),
    )
}

fn millis(us: u64) -> f64 {
    us as f64 / 1000.0
}
