//! What is run in each way.

use std::{path::Path, time::Duration};

use raq_shared::{
    exit::{Exit, Failure},
    units::Bitrate,
};

use super::{Figures, START, relayed};
use crate::{
    policy::PolicyName,
    record::{Mode, Run},
    run::{Paths, Plan},
    scenario::{FlowConfig, Loaded, MediaConfig, Time},
};

/// The share of the link's mean capacity that `fixed` sends at.
const FIXED: f64 = 0.6;

/// A policy on a scenario, the same in all modes.
#[derive(Debug, Clone)]
pub struct Cell {
    loaded: Loaded,
    policy: PolicyName,
}

impl Cell {
    /// `fixed`, at a rate that suits the link, and `salsify` on the first `length` of a scenario.
    ///
    /// # Errors
    /// [`Failure`] where the scenario or its traces cannot be read.
    pub fn pair(scenario: &Path, length: Duration) -> Result<[Self; 2], Failure> {
        let mut loaded = Loaded::read(scenario, &[])?;
        let it = &mut loaded.scenario;
        it.media = MediaConfig {
            max_rate: it.media.max_rate,
            min_rate: it.media.min_rate,
            playout: it.media.playout,
            ..MediaConfig::default()
        };
        it.given_flows = vec![FlowConfig {
            start: Time(START),
            ..FlowConfig::default()
        }];
        it.duration = Time(START + length);
        it.phases.clear();
        it.expectations.clear();
        let carries = Paths::of(&loaded, loaded.scenario.seed)?.carries();
        let mean = Bitrate::from_bytes_over(carries.bytes_between(START, START + length), length);
        let most = loaded.scenario.media.most().unwrap_or(Bitrate::MAX);
        let rate = (mean.min(most).kilobits_per_second() * FIXED).round() as u64;
        let fixed = PolicyName::Fixed(Bitrate::from_kilobits_per_second(rate.max(1)));
        Ok([fixed, PolicyName::Salsify].map(|policy| Self {
            loaded: loaded.clone(),
            policy,
        }))
    }

    /// The scenario's name.
    pub fn scenario(&self) -> &str {
        &self.loaded.name
    }

    /// Who decides.
    pub fn policy(&self) -> PolicyName {
        self.policy
    }

    /// Runs it; over the relay this takes as long as it says.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be run.
    pub fn run(&self, mode: Mode) -> Result<Figures, Failure> {
        let folder = tempfile::tempdir().map_err(|error| {
            let text = format_args!("no place for records: {error}; free space or set TMPDIR");
            Failure::new(Exit::Failure, text)
        })?;
        let plan = Plan {
            loaded: self.loaded.clone(),
            seed: self.loaded.scenario.seed,
            policies: vec![self.policy],
            mode,
            out: folder.path().to_owned(),
        };
        let summary = match mode {
            Mode::Sessions | Mode::Quic => plan.carry_out(|_| {}),
            Mode::Relay => plan.carry_out_over(
                |_| {},
                |_, flows, paths, end, notes| relayed::run(flows, paths, end, notes),
            ),
        }?;
        let used = summary.figure(&self.policy.to_string(), "use");
        let run = Run::read(folder.path())?;
        let figures = run.policies.first().zip(used);
        let figures = figures.and_then(|(run, used)| Figures::of(&run.datagrams, used));
        figures.ok_or_else(|| {
            let (scenario, mode) = (self.scenario(), mode.name());
            let text = format_args!("{scenario} over {mode}: nothing was sent; give more seconds");
            Failure::new(Exit::Failure, text)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_is_cut_to_its_first_seconds() {
        let length = Duration::from_secs(5);
        let [fixed, salsify] = Cell::pair(Path::new("rfc8867-5.1"), length).unwrap();
        assert_eq!(fixed.policy().to_string(), "fixed:600");
        assert_eq!(salsify.policy(), PolicyName::Salsify);
        let [sessions, quic] = [Mode::Sessions, Mode::Quic].map(|mode| fixed.run(mode).unwrap());
        assert!((0.58..0.63).contains(&sessions.used_share), "{sessions:?}");
        assert!(
            (sessions.queue_p95_ms - quic.queue_p95_ms).abs() < 1.0,
            "{quic:?}"
        );
    }
}
