//! Whether a run is as its scenario demands.

use std::fmt;

use crate::{
    scenario::{Expectation, Scenario},
    summary::Summary,
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

/// The expectations of `scenario` that are missed. `of` gives the summary of a phase, or of the
/// whole run; an expectation of a policy that did not run is not looked at.
pub fn verdict<'a>(
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
