//! What a scenario demands of its results.

use serde::{Deserialize, Serialize};

use crate::policy::PolicyName;

/// A figure of the summary that must lie within bounds: an `[[expect]]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Expectation {
    /// Its place in the summary: `use`, `queue_ms.p95`, …
    pub metric: String,
    /// The policy; every one that runs where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Of this phase alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// Not below.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub least: Option<f64>,
    /// Not above.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most: Option<f64>,
}

impl Expectation {
    /// What keys cannot know of each other.
    ///
    /// # Errors
    /// Cause and cure.
    pub fn check(&self) -> Result<(), String> {
        let metric = &self.metric;
        if let Some(Err(error)) = self.policy.as_deref().map(str::parse::<PolicyName>) {
            return Err(format!("expect {metric}: {error}"));
        }
        if [self.least, self.most]
            .into_iter()
            .flatten()
            .any(f64::is_nan)
        {
            return Err(format!("expect {metric}: nan is no bound; give a number"));
        }
        match (self.least, self.most) {
            (None, None) => Err(format!(
                "expect {metric}: neither least nor most is given; give one"
            )),
            (Some(least), Some(most)) if least > most => Err(format!(
                "expect {metric}: least {least} is above most {most}; swap them"
            )),
            _ => Ok(()),
        }
    }

    /// Whether `value` is within the bounds. No value is not.
    pub fn holds(&self, value: Option<f64>) -> bool {
        value.is_some_and(|value| {
            self.least.is_none_or(|least| value >= least)
                && self.most.is_none_or(|most| value <= most)
        })
    }

    /// The bounds in words.
    pub fn bounds(&self) -> String {
        match (self.least, self.most) {
            (Some(least), Some(most)) => format!("{least} to {most}"),
            (Some(least), None) => format!("at least {least}"),
            (None, Some(most)) => format!("at most {most}"),
            (None, None) => String::from("anything"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_inclusive_and_nothing_is_outside() {
        let expect = |least, most| Expectation {
            metric: "use".into(),
            policy: None,
            phase: None,
            least,
            most,
        };
        let both = expect(Some(0.3), Some(0.5));
        let holds = [0.29, 0.3, 0.5, 0.51].map(|value| both.holds(Some(value)));
        assert_eq!(holds, [false, true, true, false]);
        assert!(!both.holds(None));
        assert!(both.check().is_ok());
        assert!(expect(None, None).check().is_err());
        assert!(expect(Some(2.0), Some(1.0)).check().is_err());
        assert_eq!(both.bounds(), "0.3 to 0.5");
        let of = |policy: &str| Expectation {
            policy: Some(policy.into()),
            ..both.clone()
        };
        assert!(of("fixed:500").check().is_ok());
        let error = of("nope").check().unwrap_err();
        assert!(error.contains("choose raq"), "{error}");
    }
}
