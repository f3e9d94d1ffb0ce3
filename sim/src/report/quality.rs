//! Quality of what was on screen.

use super::{SIZE, timeline::Timeline};
use crate::{
    plot::{Axis, Draw, Legend, Plot, Scale, Series},
    record::{FrameRow, PolicyRun, Run},
};

/// A measure of quality.
pub(super) struct Measure {
    /// Names the plots.
    kind: &'static str,
    /// With its unit.
    label: &'static str,
    /// The picture on screen when the frame was due, against the frame.
    due: fn(&FrameRow) -> Option<f64>,
    /// The displayed picture against its own frame.
    own: fn(&FrameRow) -> Option<f64>,
}

/// Those that the records have.
pub(super) const MEASURES: [Measure; 2] = [
    Measure {
        kind: "psnr",
        label: "PSNR-Y, dB",
        due: |frame| frame.psnr_due_db,
        own: |frame| frame.psnr_y_db,
    },
    Measure {
        kind: "ssim",
        label: "SSIM",
        due: |frame| frame.ssim_due,
        own: |frame| frame.ssim,
    },
];

impl Measure {
    /// The axis that holds for all policies; none where nothing was measured.
    pub(super) fn axis(&self, run: &Run) -> Option<Axis<'static>> {
        let frames = run.policies.iter().flat_map(|policy| &policy.frames);
        let values = frames
            .flat_map(|frame| [(self.due)(frame), (self.own)(frame)])
            .flatten();
        values.clone().next()?;
        Some(Axis::around(self.label, Scale::Linear, values, 0.05))
    }

    /// One policy's plot; none where nothing was measured.
    pub(super) fn svg(
        &self,
        policy: &PolicyRun,
        timeline: &Timeline,
        y: &Axis<'static>,
    ) -> Option<String> {
        let spreads = |value: fn(&FrameRow) -> Option<f64>| {
            let frames = policy.frames.iter();
            timeline.spreads(frames.filter_map(|frame| Some((frame.captured_us, value(frame)?))))
        };
        let (due, own) = (spreads(self.due), spreads(self.own));
        if due.iter().chain(&own).all(Option::is_none) {
            return None;
        }
        let (id, title) = super::over_time(self.kind, policy, self.label);
        let plot = Plot {
            id: &id,
            title: &title,
            x: timeline.axis(),
            y: y.clone(),
            size: SIZE,
            legend: Legend::Above,
            series: vec![
                Series {
                    name: "own frame",
                    style: 7,
                    draw: Draw::Dashes,
                    lines: timeline.medians(&own),
                    bands: Vec::new(),
                },
                Series {
                    name: "frame due",
                    style: 2,
                    draw: Draw::Line,
                    lines: timeline.medians(&due),
                    bands: timeline.ranges(&due),
                },
            ],
        };
        Some(plot.to_svg())
    }
}
