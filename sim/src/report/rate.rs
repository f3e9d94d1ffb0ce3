//! What the link could carry, and what was sent.

use super::{SIZE, timeline::Timeline};
use crate::{
    plot::{Axis, Draw, Legend, Plot, Scale, Series},
    record::{DatagramRow, Direction, PolicyRun, Run},
};

/// More flows than these are drawn as one.
const FLOWS: u32 = 6;

/// The axis that holds for all policies: as high as what was sent and what the sources may send, not
/// as what the link could carry where that is far more.
pub(super) fn axis(run: &Run, timeline: &Timeline) -> Axis<'static> {
    let highest = |lines: Vec<Vec<(f64, f64)>>| {
        lines
            .iter()
            .flatten()
            .fold(0.0, |high: f64, point| high.max(point.1))
    };
    let sent = run
        .policies
        .iter()
        .map(|policy| highest(timeline.rates(sent(policy, |_| true))));
    let sent = sent.fold(0.0, f64::max);
    let limit = run.record.max_kbps.unwrap_or(0.0) * f64::from(run.record.flows);
    let carried = highest(capacity(run, timeline));
    let top = carried.min(2.0 * sent.max(limit)).max(sent).max(1.0);
    Axis::between("kbit/s", Scale::Linear, 0.0, 1.05 * top)
}

/// One policy's plot.
pub(super) fn svg(run: &Run, policy: &PolicyRun, timeline: &Timeline, y: &Axis<'static>) -> String {
    let line = |name, style, draw, lines| Series {
        name,
        style,
        draw,
        lines,
        bands: Vec::new(),
    };
    let mut series = vec![line("link", 7, Draw::Area, capacity(run, timeline))];
    let cross = policy
        .datagrams
        .iter()
        .filter(|row| !row.is_own() && is_down(row));
    if cross.clone().next().is_some() {
        let carried = cross.filter_map(|row| Some((row.left_us?, u64::from(row.bytes))));
        series.push(line(
            "cross traffic",
            7,
            Draw::Line,
            timeline.rates(carried),
        ));
    }
    let flows = run.record.flows;
    let names: Vec<_> = (0..flows).map(|flow| format!("flow {flow}")).collect();
    if (2..=FLOWS).contains(&flows) {
        for (flow, name) in (0..flows).zip(&names) {
            let rates = timeline.rates(sent(policy, move |row| row.flow == flow));
            series.push(line(name, 2 + flow as usize, Draw::Line, rates));
        }
    }
    let name = if flows == 1 { "sent" } else { "sent by all" };
    let all = timeline.rates(sent(policy, |_| true));
    series.push(line(name, 1, Draw::Line, all));
    if flows == 1 {
        let estimates = policy.frames.iter();
        let estimates =
            estimates.filter_map(|frame| Some((frame.captured_us, frame.estimate_kbps?)));
        let estimates = timeline.medians(&timeline.spreads(estimates));
        series.push(line("estimate", 0, Draw::Dashes, estimates));
    }
    let (id, title) = super::over_time("rate", policy, "rate");
    Plot {
        id: &id,
        title: &title,
        x: timeline.axis(),
        y: y.clone(),
        size: SIZE,
        legend: Legend::Above,
        series,
    }
    .to_svg()
}

fn capacity(run: &Run, timeline: &Timeline) -> Vec<Vec<(f64, f64)>> {
    timeline.rates(run.link.iter().map(|row| (row.t_us, row.down_bytes)))
}

/// Times and sizes of the own datagrams offered to the media direction.
fn sent(
    policy: &PolicyRun,
    wanted: impl Fn(&DatagramRow) -> bool,
) -> impl Iterator<Item = (u64, u64)> {
    let own = policy
        .datagrams
        .iter()
        .filter(|row| row.is_own() && is_down(row));
    own.filter(move |row| wanted(row))
        .map(|row| (row.offered_us, u64::from(row.bytes)))
}

fn is_down(row: &DatagramRow) -> bool {
    row.direction == Direction::Down
}
