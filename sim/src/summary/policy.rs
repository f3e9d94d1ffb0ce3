//! The figures of one policy.

use serde::{Deserialize, Serialize};

use crate::{
    measure::{
        Estimator, Gaps, Losses, Quality, Shown, Span, Supply, Traffic, fairness,
        percentile::percentile, queue::Delays, ramp_up, signal,
    },
    record::{PolicyRun, Run},
};

/// What a policy made of the link; [`measure`](crate::measure) defines the figures. Shares are of 1
/// and have four decimals, milliseconds three, rates in kbit/s one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicySummary {
    /// [`Traffic::used_share`].
    #[serde(rename = "use")]
    pub used_share: Option<f64>,
    /// [`Traffic::link_share`].
    pub link_share: Option<f64>,
    /// [`Traffic::offered_share`].
    pub offered_share: Option<f64>,
    /// [`Delays`].
    pub queue_ms: Option<QueueFigures>,
    /// [`signal::delays`].
    pub signal_ms: Option<SignalFigures>,
    /// [`Shown::shown_share`].
    pub shown_share: Option<f64>,
    /// [`Shown::rendered_share`].
    pub rendered_share: Option<f64>,
    /// [`Shown::fresh_tile_share`].
    pub fresh_tile_share: Option<f64>,
    /// [`Shown::skipped_share`].
    pub skipped_share: Option<f64>,
    /// [`Gaps::gap200_share`].
    pub gap200_share: Option<f64>,
    /// [`Gaps::freezes`].
    pub freezes: u64,
    /// [`Gaps::fps`]; two decimals.
    pub fps: Option<f64>,
    /// [`Losses::queue_share`].
    pub self_loss_share: Option<f64>,
    /// [`Losses::random_share`].
    pub random_loss_share: Option<f64>,
    /// [`Losses::outage_share`].
    pub outage_loss_share: Option<f64>,
    /// [`fairness::jain`]; four decimals.
    pub jain: Option<f64>,
    /// [`Quality::psnr_due_db`]; four decimals.
    pub psnr_y_db: Option<f64>,
    /// [`Quality::ssim_due`]; six decimals.
    pub ssim: Option<f64>,
    /// [`Quality::psnr_own_db`]; four decimals.
    pub psnr_own_db: Option<f64>,
    /// [`Quality::ssim_own`]; six decimals.
    pub ssim_own: Option<f64>,
    /// [`Traffic::kbps`].
    pub kbps: Option<f64>,
    /// [`Traffic::flow_kbps`].
    pub flow_kbps: Vec<f64>,
    /// [`Traffic::goodput_kbps`].
    pub goodput_kbps: Option<f64>,
    /// [`Traffic::feedback_kbps`].
    pub feedback_kbps: Option<f64>,
    /// [`Estimator`].
    pub estimate: EstimateFigures,
    /// [`ramp_up::seconds`]; one decimal.
    pub ramp_up_s: Option<f64>,
    /// [`CpuRecord::cpu_ms_per_frame`](crate::record::CpuRecord::cpu_ms_per_frame).
    pub cpu_ms_per_frame: Option<f64>,
}

/// Percentiles of the queueing delay, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the names say it")]
pub struct QueueFigures {
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
    pub max: f64,
}

/// Percentiles of the signal delay, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the names say it")]
pub struct SignalFigures {
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
}

/// How good the policy's estimates are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EstimateFigures {
    /// [`Estimator::error_p50`].
    pub error_p50: Option<f64>,
    /// [`Estimator::error_p95`].
    pub error_p95: Option<f64>,
    /// [`Estimator::above_share`].
    pub above_share: Option<f64>,
}

impl PolicySummary {
    /// The figures of one policy of a run.
    pub fn of(run: &Run, policy: &PolicyRun) -> Self {
        let (record, frames) = (&run.record, &policy.frames);
        let spans = Span::all(record, frames);
        let supply = Supply::new(run, &spans);
        let gaps = Gaps::of(&spans);
        let shown = Shown::of(record, frames);
        let losses = Losses::of(&policy.datagrams);
        let quality = Quality::of(frames);
        let traffic = Traffic::of(record, policy, &supply);
        let estimator = Estimator::of(record, frames, &supply);
        let [share, milli, rate] = [4, 3, 1].map(|d| move |value| rounded(value, d));
        Self {
            used_share: share(traffic.used_share),
            link_share: share(traffic.link_share),
            offered_share: share(traffic.offered_share),
            queue_ms: QueueFigures::of(&Delays::of(&policy.datagrams)),
            signal_ms: SignalFigures::of(&signal::delays(record, frames)),
            shown_share: share(shown.shown_share),
            rendered_share: share(shown.rendered_share),
            fresh_tile_share: share(shown.fresh_tile_share),
            skipped_share: share(shown.skipped_share),
            gap200_share: share(gaps.gap200_share),
            freezes: gaps.freezes,
            fps: rounded(gaps.fps, 2),
            self_loss_share: share(losses.queue_share),
            random_loss_share: share(losses.random_share),
            outage_loss_share: share(losses.outage_share),
            jain: share(fairness::jain(record, &policy.datagrams)),
            psnr_y_db: share(quality.psnr_due_db),
            ssim: rounded(quality.ssim_due, 6),
            psnr_own_db: share(quality.psnr_own_db),
            ssim_own: rounded(quality.ssim_own, 6),
            kbps: rate(traffic.kbps),
            flow_kbps: traffic
                .flow_kbps
                .iter()
                .filter_map(|&kbps| rate(Some(kbps)))
                .collect(),
            goodput_kbps: rate(traffic.goodput_kbps),
            feedback_kbps: rate(traffic.feedback_kbps),
            estimate: EstimateFigures {
                error_p50: share(estimator.error_p50),
                error_p95: share(estimator.error_p95),
                above_share: share(estimator.above_share),
            },
            ramp_up_s: rate(ramp_up::seconds(frames, &policy.datagrams, &supply)),
            cpu_ms_per_frame: milli(policy.cpu.map(|cpu| cpu.cpu_ms_per_frame)),
        }
    }
}

impl QueueFigures {
    fn of(delays: &Delays) -> Option<Self> {
        let of = |percent| delays.percentile(percent).map(|us| us as f64 / 1000.0);
        Some(Self {
            p50: of(50.0)?,
            p95: of(95.0)?,
            p99: of(99.0)?,
            max: of(100.0)?,
        })
    }
}

impl SignalFigures {
    /// Of microseconds, ascending.
    fn of(sorted: &[u64]) -> Option<Self> {
        let of = |percent| percentile(sorted, percent).map(|us| us as f64 / 1000.0);
        Some(Self {
            p50: of(50.0)?,
            p95: of(95.0)?,
            p99: of(99.0)?,
        })
    }
}

fn rounded(value: Option<f64>, digits: i32) -> Option<f64> {
    let scale = 10f64.powi(digits);
    value.map(|value| (value * scale).round() / scale)
}
