//! Whether a run is as its scenario demands.

use std::fmt;

use raq_shared::exit::Failure;

use super::Plan;
use crate::{
    policy::PolicyName,
    record::Run,
    scenario::{Expectation, Scenario},
    summary::{self, Summary},
};

/// An expectation that was missed.
#[derive(Debug, Clone, PartialEq)]
pub struct Miss {
    policy: String,
    expectation: Expectation,
    found: Option<f64>,
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Expectation { metric, phase, .. } = &self.expectation;
        write!(f, "{}: {metric}", self.policy)?;
        if let Some(phase) = phase {
            write!(f, " in phase {phase}")?;
        }
        match self.found {
            Some(found) => write!(f, " is {found}")?,
            None => write!(f, " does not apply or does not exist")?,
        }
        write!(f, ", expected {}", self.expectation.bounds())
    }
}

impl Plan {
    /// The expectations of the scenario that the run missed, whose summary this is and whose records
    /// are in the folder, where it leaves them, too.
    ///
    /// # Errors
    /// [`Failure`] where the records cannot be read, or nothing be written.
    pub fn misses(&self, summary: &Summary) -> Result<Vec<Miss>, Failure> {
        let scenario = &self.loaded.scenario;
        let mut phases = Vec::new();
        if scenario.expectations.iter().any(|it| it.phase.is_some()) {
            let run = Run::read(&self.out)?;
            for phase in &scenario.phases {
                if let Some((from, to)) = scenario.phase(&phase.name) {
                    let part = run.between(from.0, to.0);
                    phases.push((phase.name.clone(), summary::of(&part)));
                }
            }
        }
        let policies: Vec<String> = self.policies.iter().map(PolicyName::to_string).collect();
        let misses = verdict(scenario, &policies, |phase| {
            let found = phase.and_then(|name| phases.iter().find(|(it, _)| it == name));
            found.map_or(summary, |(_, summary)| summary)
        });
        let told: Vec<String> = misses.iter().map(Miss::to_string).collect();
        Run::note_missed(&self.out, &told)?;
        Ok(misses)
    }
}

/// The expectations of `scenario` that are missed. `of` gives the summary of a phase, or of the
/// whole run; an expectation of a policy that did not run is not looked at.
fn verdict<'a>(
    scenario: &Scenario,
    policies: &[String],
    mut of: impl FnMut(Option<&str>) -> &'a Summary,
) -> Vec<Miss> {
    let mut misses = Vec::new();
    for expectation in &scenario.expectations {
        let summary = of(expectation.phase.as_deref());
        let meant = |policy: &&String| expectation.policy.as_ref().is_none_or(|it| it == *policy);
        for policy in policies.iter().filter(meant) {
            let found = summary.figure(policy, &expectation.metric);
            if !expectation.holds(found) {
                misses.push(Miss {
                    policy: policy.clone(),
                    expectation: expectation.clone(),
                    found,
                });
            }
        }
    }
    misses
}
