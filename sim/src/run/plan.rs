//! What is to be run, and the running of it.

use std::{path::PathBuf, time::Duration};

use raq_shared::exit::{Exit, Failure};

use super::{Notes, Paths};
use crate::{
    flow::Flow,
    media::{Medium, Studio},
    policy::{PolicyName, Setup},
    quic,
    record::{CpuRecord, Mode, Recorder, Run, RunRecord, VERSION},
    scenario::Loaded,
    sessions,
    summary::{self, Summary},
};

/// A run that can be made.
#[derive(Debug)]
pub struct Plan {
    /// The scenario.
    pub loaded: Loaded,
    /// All that is random follows from it.
    pub seed: u64,
    /// Who decides, one after the other.
    pub policies: Vec<PolicyName>,
    /// What carries the media.
    pub mode: Mode,
    /// The folder of the results.
    pub out: PathBuf,
}

impl Plan {
    /// Makes the run: records and summary are in the folder after it. `said` is told what takes a
    /// while and what the user should know.
    ///
    /// # Errors
    /// [`Failure`] with cause and cure; what can be found out before is, and nothing is written
    /// then.
    pub fn carry_out(&self, said: impl FnMut(&str)) -> Result<Summary, Failure> {
        self.carry_out_over(said, |policy, flows, paths, end, notes| {
            let windowed = policy.is_windowed();
            match self.mode {
                Mode::Sessions => sessions::run(flows, paths, windowed, end, notes),
                Mode::Quic => quic::run(flows, paths, windowed, end, notes),
                Mode::Relay => Err(Failure::new(
                    Exit::Usage,
                    "the programs themselves run over the relay; start it with `raq-sim link`",
                )),
            }
        })
    }

    /// [`Self::carry_out`] over a network of one's own: `run` lets flows run until a time.
    ///
    /// # Errors
    /// As [`Self::carry_out`], and what `run` returns.
    pub fn carry_out_over(
        &self,
        mut said: impl FnMut(&str),
        mut run: impl FnMut(
            PolicyName,
            Vec<Flow>,
            &Paths,
            Duration,
            &mut Notes,
        ) -> Result<Vec<Flow>, Failure>,
    ) -> Result<Summary, Failure> {
        if self.policies.is_empty() {
            let text = "no policy is given; name one with --policies";
            return Err(Failure::new(Exit::Usage, text));
        }
        let paths = Paths::of(&self.loaded, self.seed)?;
        for warning in paths.rounds() {
            said(&warning);
        }
        let mut studio = Studio::open(&self.loaded)?;
        let end = self.loaded.scenario.duration.0;
        let recorder = Recorder::create(
            &self.out,
            &self.record(&studio),
            &self.loaded.to_toml(self.seed),
        )?;
        recorder.link(paths.rows(end))?;
        for policy in &self.policies {
            let name = policy.to_string();
            said(&format!("{}: {name}", self.loaded.name));
            let mut notes = Notes::new(recorder.policy(&name)?);
            let flows = self.flows(*policy, &paths, &mut studio)?;
            let flows = run(*policy, flows, &paths, end, &mut notes)?;
            let mut cpu = None;
            for (number, mut flow) in flows.into_iter().enumerate() {
                cpu = cpu.or_else(|| cpu_of(&flow));
                for (frame, png) in flow.album.pictures() {
                    notes.picture(number, frame, png)?;
                }
                while let Some(row) = flow.book.pop() {
                    notes.frame(row)?;
                }
            }
            let records = notes.into_recorder();
            if let Some(cpu) = cpu {
                records.cpu(&cpu)?;
            }
            records.finish()?;
        }
        let summary = summary::of(&Run::read(&self.out)?);
        summary.write(&self.out)?;
        Ok(summary)
    }

    fn flows(
        &self,
        policy: PolicyName,
        paths: &Paths,
        studio: &mut Studio,
    ) -> Result<Vec<Flow>, Failure> {
        let scenario = &self.loaded.scenario;
        let flows = scenario.flows().iter().enumerate();
        flows
            .map(|(number, config)| {
                let medium: Medium = studio.medium(number)?;
                let rate = medium.agreement.video.frame_rate;
                let setup = Setup {
                    start: config.start.0,
                    interval: rate.time_of(1),
                    max_rate: scenario.media.most(),
                    least_rate: scenario.media.least(),
                    size_noise: scenario.gcc.size_noise,
                    drops_frames: scenario.gcc.drops_frames,
                    pacing: scenario.gcc.pacing,
                    seed: self.seed.wrapping_add(number as u64),
                    capacity: paths.carries(),
                };
                // Cameras do not begin at the same moment.
                let phase = fastrand::Rng::with_seed(setup.seed).f64();
                let phase = setup.interval.mul_f64(phase);
                Flow::new(scenario, (number, phase), medium, policy.build(&setup))
            })
            .collect()
    }

    fn record(&self, studio: &Studio) -> RunRecord {
        let scenario = &self.loaded.scenario;
        RunRecord {
            version: VERSION,
            scenario: self.loaded.name.clone(),
            description: scenario.description.clone(),
            seed: self.seed,
            mode: self.mode,
            duration_us: scenario.duration.0.as_micros() as u64,
            fps: studio.frame_rate().as_f64(),
            flows: scenario.flows().len() as u32,
            playout_us: scenario.media.playout.0.as_micros() as u64,
            max_kbps: scenario.media.most().map(|rate| rate.kilobits_per_second()),
            media: studio.name().to_owned(),
            policies: self.policies.iter().map(PolicyName::to_string).collect(),
            tiles: studio.tiles(),
        }
    }
}

fn cpu_of(flow: &Flow) -> Option<CpuRecord> {
    let (coding, frames) = flow.sending.cpu()?;
    let time = coding + flow.receiving.cpu().unwrap_or_default();
    Some(CpuRecord {
        frames: frames.into(),
        cpu_ms_per_frame: 1000.0 * time.as_secs_f64() / f64::from(frames.max(1)),
    })
}
