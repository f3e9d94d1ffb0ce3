//! Delay against quality, a point per policy.

use crate::{
    plot::{Axis, Draw, Legend, Plot, Scale, Series},
    summary::{PolicySummary, Summary},
};

/// The plot of those policies that have both; quality is PSNR, or the use of the link where no
/// pictures were coded.
pub(super) fn svg(summary: &Summary) -> String {
    let psnr = summary
        .policies
        .iter()
        .any(|(_, policy)| policy.psnr_y_db.is_some());
    let (label, quality): (_, fn(&PolicySummary) -> Option<f64>) = if psnr {
        ("PSNR-Y of the frames due, dB", |policy| policy.psnr_y_db)
    } else {
        ("use of the link", |policy| policy.used_share)
    };
    let policies = summary.policies.iter().enumerate();
    let series = policies.filter_map(|(style, (name, policy))| {
        let (signal, quality) = policy.signal_ms.zip(quality(policy))?;
        Some(Series {
            name,
            style,
            draw: Draw::Marks,
            lines: vec![vec![(signal.p95.max(1.0), quality)]],
            bands: Vec::new(),
        })
    });
    let series: Vec<_> = series.collect();
    let points = || {
        series
            .iter()
            .flat_map(|series| series.lines.iter().flatten())
    };
    Plot {
        id: "pareto",
        title: "Delay against quality: better is up and left",
        x: Axis::around(
            "signal delay p95, ms",
            Scale::Log,
            points().map(|p| p.0),
            0.2,
        ),
        y: Axis::around(label, Scale::Linear, points().map(|p| p.1), 0.2),
        size: (720.0, 360.0),
        legend: Legend::Right,
        series,
    }
    .to_svg()
}
