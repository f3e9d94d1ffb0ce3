//! What a codec was set to: levels, and codewords of the stages.

use super::{SIZE, timeline::Timeline};
use crate::{
    plot::{Axis, Draw, Legend, Plot, Scale, Series},
    record::{FrameRow, PolicyRun},
};

/// Levels of a policy's frames; none where it has no levels.
pub(super) fn levels(policy: &PolicyRun, timeline: &Timeline) -> Option<String> {
    let levels = values(policy, |frame| frame.level.map(f64::from));
    let spreads = timeline.spreads(levels.into_iter());
    if spreads.iter().all(Option::is_none) {
        return None;
    }
    let (id, title) = super::over_time("level", policy, "level");
    let plot = Plot {
        id: &id,
        title: &title,
        x: timeline.axis(),
        y: Axis::between("level", Scale::Linear, 0.0, 96.0),
        size: SIZE,
        legend: Legend::Above,
        series: vec![Series {
            name: "level",
            style: 2,
            draw: Draw::Line,
            lines: timeline.medians(&spreads),
            bands: timeline.ranges(&spreads),
        }],
    };
    Some(plot.to_svg())
}

/// Codewords of each stage; none where it has no stages.
pub(super) fn codewords(policy: &PolicyRun, timeline: &Timeline) -> Option<String> {
    let frames = policy.frames.iter();
    let stages = frames
        .map(|frame| frame.codewords.len())
        .max()
        .filter(|&stages| stages > 0)?;
    let names: Vec<_> = (1..=stages).map(|stage| format!("stage {stage}")).collect();
    let of = |stage: usize| {
        values(policy, |frame| {
            frame.codewords.get(stage).copied().map(f64::from)
        })
    };
    let all = (0..stages).flat_map(of);
    let most = all.map(|(_, codewords)| codewords).fold(2.0, f64::max);
    let series = names.iter().enumerate().map(|(stage, name)| {
        let spreads = timeline.spreads(of(stage).into_iter());
        Series {
            name,
            style: stage,
            draw: Draw::Line,
            lines: timeline.medians(&spreads),
            bands: timeline.ranges(&spreads),
        }
    });
    let (id, title) = super::over_time("codewords", policy, "codewords of the stages, K\u{303}");
    let plot = Plot {
        id: &id,
        title: &title,
        x: timeline.axis(),
        y: Axis::between("codewords", Scale::Log, 1.0, 1.2 * most),
        size: SIZE,
        legend: Legend::Above,
        series: series.collect(),
    };
    Some(plot.to_svg())
}

/// Of the frames that were sent.
fn values(policy: &PolicyRun, value: impl Fn(&FrameRow) -> Option<f64>) -> Vec<(u64, f64)> {
    let sent = policy.frames.iter().filter(|frame| !frame.skipped);
    sent.filter_map(|frame| Some((frame.captured_us, value(frame)?)))
        .collect()
}
