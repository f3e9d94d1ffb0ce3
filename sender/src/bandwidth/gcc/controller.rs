//! The crate's controller, set as libwebrtc sets its own for video.

use std::time::Duration;

use goog_cc::{
    AlrDetectorConfig, GoogCcConfig, GoogCcNetworkController,
    experiments::{CongestionWindowConfig, FieldTrials},
    network_control::{NetworkControllerConfig, NetworkControllerInterface as _},
    transport::{NetworkAvailability, NetworkControlUpdate, StreamsConfig, TargetRateConstraints},
};
use raq_shared::units::Bitrate;

use super::units::{self, timestamp};

/// Time between calls without feedback.
pub const PROCESS: Duration = Duration::from_millis(25);
/// How much faster than its target libwebrtc lets datagrams leave.
pub const PACING: f64 = 2.5;

/// What a controller is made with.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// When it begins.
    pub at: Duration,
    /// What it begins with.
    pub start: Bitrate,
    /// Its target is never less.
    pub least: Bitrate,
    /// Its target is never more; `None` for no limit.
    pub most: Option<Bitrate>,
    /// How much faster than its target datagrams leave, more than 0.
    pub pacing: f64,
    /// Whether it is to ask for probes where the source has less to send than it may.
    pub probes: bool,
}

/// The controller, and what it says when it hears that the network is there. Where `most` is below
/// `least`, the crate takes `least` for both.
pub fn controller(config: &Config) -> (GoogCcNetworkController, NetworkControlUpdate) {
    let at_time = timestamp(config.at);
    let most = config.most.map(units::rate);
    let least = units::rate(config.least);
    let controller_config = NetworkControllerConfig {
        field_trials: FieldTrials {
            // libwebrtc's own for video; the crate takes those of a screen-sharing experiment.
            alr_detector_parameters: AlrDetectorConfig {
                bandwidth_usage_ratio: 0.65,
                start_budget_level_ratio: 0.80,
                stop_budget_level_ratio: 0.50,
            },
            congestion_window: CongestionWindowConfig {
                queue_size_ms: 0,
                ..Default::default()
            },
            ..Default::default()
        },
        constraints: TargetRateConstraints {
            at_time,
            min_data_rate: Some(least),
            max_data_rate: most,
            starting_rate: Some(units::rate(config.start)),
        },
        stream_based_config: StreamsConfig {
            at_time,
            requests_alr_probing: Some(config.probes),
            pacing_factor: Some(config.pacing),
            min_total_allocated_bitrate: Some(least),
            max_total_allocated_bitrate: most,
            ..Default::default()
        },
    };
    let feedback_only = true;
    let mut controller =
        GoogCcNetworkController::new(controller_config, GoogCcConfig { feedback_only });
    let update = controller.on_network_availability(NetworkAvailability {
        at_time,
        network_available: true,
    });
    (controller, update)
}
