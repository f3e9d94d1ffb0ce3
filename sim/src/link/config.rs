//! One direction of a link as a scenario describes it.

use std::{fmt, path::Path, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    capacity::{Capacity, nanos},
    cross::CrossConfig,
    opportunities::Opportunities,
    outages::Outages,
    policer::PolicerConfig,
    quantity::{QueueSize, Rate, Time},
    rates::Rates,
    trace::{Trace, TraceError, TraceSupply},
};

/// Longer delays are not on this planet.
const LONGEST_DELAY: Duration = Duration::from_secs(60);
/// Longer bursts are outages.
const LONGEST_BURST: f64 = 10_000.0;

/// One direction of a link: `[link.down]` or `[link.up]` of a scenario. Of `rate`, `trace` and
/// `step` one is given; the rest may be left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinkConfig {
    /// The same rate all the time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// A file with a recording, see [`Form`](super::trace::Form); where [`Trace::locate`] says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// One-way delay behind the queue.
    pub delay: Time,
    /// How far the delay is off at most, evenly spread; it never changes the order.
    pub jitter: Time,
    /// How much the queue holds.
    pub queue: QueueSize,
    /// What drops packets before they come to the queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policer: Option<PolicerConfig>,
    /// Which packets the queue drops.
    pub discipline: Discipline,
    /// Share of packets lost behind the queue, 0 to 1.
    pub loss: f64,
    /// Mean number of packets lost in a row (Gilbert-Elliott); at 1 each is lost independently.
    pub burst: f64,
    /// Share of packets that arrive after the one behind them, 0 to 0.5.
    pub reorder: f64,
    /// Share of packets that arrive twice, 0 to 1.
    pub duplicate: f64,
    /// Rates and when they begin, the first at 0.
    #[serde(rename = "step", skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// Spans in which nothing is sent and the queue fills.
    #[serde(rename = "outage", skip_serializing_if = "Vec::is_empty")]
    pub outages: Vec<Outage>,
    /// Other traffic through the same queue.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cross: Vec<CrossConfig>,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self {
            rate: None,
            trace: None,
            delay: Time::default(),
            jitter: Time::default(),
            queue: QueueSize::default(),
            policer: None,
            discipline: Discipline::default(),
            loss: 0.0,
            burst: 1.0,
            reorder: 0.0,
            duplicate: 0.0,
            steps: Vec::new(),
            outages: Vec::new(),
            cross: Vec::new(),
        }
    }
}

/// Which packets a queue drops.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Discipline {
    /// Those that come while it is full.
    #[default]
    DropTail,
    /// Those, and now and then one from the front while packets wait for over 5 ms (CoDel, RFC
    /// 8289).
    CoDel,
}

/// A rate from a moment on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// When it begins.
    pub at: Time,
    /// The rate, which may be 0 unless it is the last.
    pub rate: Rate,
}

/// A span in which nothing is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    /// When it begins.
    pub at: Time,
    /// How long it is.
    pub length: Time,
}

/// Why a link cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// A key has a value that makes no sense.
    #[error("{key}: {problem}")]
    Value {
        /// The key, as `step.at`.
        key: &'static str,
        /// What is wrong and what to write.
        problem: String,
    },
    /// The trace cannot be used.
    #[error(transparent)]
    Trace(#[from] TraceError),
}

impl LinkError {
    pub(super) fn value(key: &'static str, problem: impl fmt::Display) -> Self {
        Self::Value {
            key,
            problem: problem.to_string(),
        }
    }
}

impl LinkConfig {
    /// Refuses what makes no sense; the trace is not looked at.
    ///
    /// # Errors
    /// [`LinkError::Value`] for the first such key.
    pub fn check(&self) -> Result<(), LinkError> {
        self.check_capacity()?;
        if let Some(policer) = &self.policer {
            policer.check()?;
        }
        if self.delay.0 > LONGEST_DELAY {
            let problem = format_args!("{} is too long; write at most 60s", self.delay);
            return Err(LinkError::value("delay", problem));
        }
        if self.jitter > self.delay {
            let problem = format_args!(
                "{} is more than the delay of {}; write less, or more delay",
                self.jitter, self.delay
            );
            return Err(LinkError::value("jitter", problem));
        }
        share("loss", self.loss, 1.0)?;
        share("reorder", self.reorder, 0.5)?;
        share("duplicate", self.duplicate, 1.0)?;
        if !(1.0..=LONGEST_BURST).contains(&self.burst) {
            let problem = format_args!("{} packets; write 1 to {LONGEST_BURST}", self.burst);
            return Err(LinkError::value("burst", problem));
        }
        let most = self.burst / (self.burst + 1.0);
        if self.burst > 1.0 && self.loss > most {
            let problem = format_args!(
                "{} cannot be had in bursts of {}, between which one packet arrives; write at \
                 most {most:.3}, or a longer burst",
                self.loss, self.burst
            );
            return Err(LinkError::value("loss", problem));
        }
        if self.outages.iter().any(|outage| outage.length.0.is_zero()) {
            let problem = "0s is no outage; write how long it is";
            return Err(LinkError::value("outage.length", problem));
        }
        self.cross.iter().try_for_each(CrossConfig::check)
    }

    fn check_capacity(&self) -> Result<(), LinkError> {
        let given = [
            self.rate.is_some(),
            self.trace.is_some(),
            !self.steps.is_empty(),
        ];
        match given.into_iter().filter(|&given| given).count() {
            0 => {
                let problem = "nothing says how much the link carries; write rate, trace or step";
                return Err(LinkError::value("rate", problem));
            }
            1 => {}
            _ => {
                let problem = "rate, trace and step exclude each other; keep one of them";
                return Err(LinkError::value("rate", problem));
            }
        }
        if self.rate == Some(Rate::default()) {
            let problem = "0 carries nothing; write more, or an outage";
            return Err(LinkError::value("rate", problem));
        }
        let Some((first, last)) = self.steps.first().zip(self.steps.last()) else {
            return Ok(());
        };
        let ordered = self.steps.is_sorted_by(|step, next| step.at < next.at);
        if !ordered || !first.at.0.is_zero() {
            let problem =
                "the first step is at 0s and each is later than the one before; sort them";
            return Err(LinkError::value("step.at", problem));
        }
        if last.rate == Rate::default() {
            let problem = "the last step carries nothing for ever; write more";
            return Err(LinkError::value("step.rate", problem));
        }
        Ok(())
    }

    /// What the link carries; `base` is the folder of the scenario, see [`Trace::locate`].
    ///
    /// # Errors
    /// [`LinkError`] where [`Self::check`] gives one or the trace cannot be used.
    pub fn capacity(&self, base: &Path) -> Result<Capacity, LinkError> {
        self.check()?;
        let policed = self.policer.map(|policer| policer.rate.0);
        Ok(self.line(base)?.policed(policed))
    }

    /// Without the policer.
    fn line(&self, base: &Path) -> Result<Capacity, LinkError> {
        let spans = self.outages.iter().map(|outage| {
            let start = nanos(outage.at.0);
            start..start.saturating_add(nanos(outage.length.0))
        });
        let outages = Outages::new(spans.collect());
        let nothing = || LinkError::value("rate", "the link carries nothing; write more");
        let rates = |pieces: &[(u64, u64)], length: Option<u64>| {
            let rates = Rates::new(pieces, length).ok_or_else(nothing)?;
            let round = length.map(Duration::from_nanos);
            Ok(Capacity::rates(rates, outages.clone(), round))
        };
        if let Some(Rate(rate)) = self.rate {
            return rates(&[(0, rate.bits_per_second())], None);
        }
        let Some(trace) = &self.trace else {
            let piece = |step: &Step| (nanos(step.at.0), step.rate.0.bits_per_second());
            return rates(&self.steps.iter().map(piece).collect::<Vec<_>>(), None);
        };
        let trace = Trace::read(&Trace::locate(trace, base))?;
        match &trace.supply {
            TraceSupply::Rates(pieces, length) => rates(pieces, Some(*length)),
            TraceSupply::Opportunities(times) => {
                let all = Opportunities::new(times.clone()).ok_or_else(nothing)?;
                Ok(Capacity::opportunities(
                    all,
                    outages,
                    Some(trace.duration()),
                ))
            }
        }
    }
}

/// Refuses a share that is not from 0 to `most`.
fn share(key: &'static str, value: f64, most: f64) -> Result<(), LinkError> {
    if (0.0..=most).contains(&value) {
        Ok(())
    } else {
        let problem = format_args!("{value} is no share of packets; write 0 to {most}");
        Err(LinkError::value(key, problem))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(toml: &str) -> LinkConfig {
        toml::from_str(toml).unwrap()
    }

    #[test]
    fn a_configuration_is_read_and_written() {
        let toml = r#"
            delay = "50ms"
            jitter = "5ms"
            queue = "256 packets"
            discipline = "codel"
            policer = { rate = "2Mbit", burst = "16kB" }
            loss = 0.05
            burst = 3.0
            reorder = 0.01
            duplicate = 0.001

            [[step]]
            at = "0s"
            rate = "1Mbit"

            [[step]]
            at = "40s"
            rate = "2500kbit"

            [[outage]]
            at = "10s"
            length = "1s"

            [[cross]]
            kind = "bulk"
            start = "5s"
        "#;
        let config = read(toml);
        assert_eq!(config.check(), Ok(()));
        assert_eq!(config.discipline, Discipline::CoDel);
        assert_eq!(config.queue, QueueSize::Packets(256));
        assert_eq!(config.steps[1].at.0, Duration::from_secs(40));
        assert_eq!(read(&toml::to_string(&config).unwrap()), config);
        let least = read("rate = '1Mbit'");
        assert_eq!(least.queue, QueueSize::Time(Duration::from_millis(300)));
        assert_eq!(read(&toml::to_string(&least).unwrap()), least);
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_key() {
        for (toml, key) in [
            ("delay = '5ms'", "rate"),
            ("rate = '1Mbit'\ntrace = 'lte.down'", "rate"),
            (
                "trace = 'a'\nstep = [{ at = '0s', rate = '1Mbit' }]",
                "rate",
            ),
            ("rate = '0Mbit'", "rate"),
            ("step = [{ at = '1s', rate = '1Mbit' }]", "step.at"),
            (
                "step = [{ at = '0s', rate = '1Mbit' }, { at = '0s', rate = '2Mbit' }]",
                "step.at",
            ),
            (
                "step = [{ at = '0s', rate = '1Mbit' }, { at = '1s', rate = '0bit' }]",
                "step.rate",
            ),
            ("rate = '1Mbit'\ndelay = '2m'", "delay"),
            ("rate = '1Mbit'\ndelay = '5ms'\njitter = '6ms'", "jitter"),
            ("rate = '1Mbit'\nloss = 1.5", "loss"),
            ("rate = '1Mbit'\nloss = -0.1", "loss"),
            ("rate = '1Mbit'\nloss = nan", "loss"),
            ("rate = '1Mbit'\nloss = 0.8\nburst = 3", "loss"),
            ("rate = '1Mbit'\nburst = 0.5", "burst"),
            ("rate = '1Mbit'\nburst = inf", "burst"),
            ("rate = '1Mbit'\nreorder = 0.6", "reorder"),
            ("rate = '1Mbit'\nduplicate = 2", "duplicate"),
            (
                "rate = '1Mbit'\npolicer = { rate = '0bit', burst = '9kB' }",
                "policer.rate",
            ),
            (
                "rate = '1Mbit'\npolicer = { rate = '1Mbit', burst = '1kB' }",
                "policer.burst",
            ),
            (
                "rate = '1Mbit'\noutage = [{ at = '1s', length = '0s' }]",
                "outage.length",
            ),
        ] {
            let error = read(toml).check().unwrap_err();
            assert!(
                matches!(error, LinkError::Value { key: k, .. } if k == key),
                "{toml}: {error}"
            );
            assert!(read(toml).capacity(Path::new("")).is_err());
        }
        for toml in [
            "rate = '1Mbit'\nspeed = 5",
            "rate = '-1Mbit'",
            "rate = 1000000",
            "rate = '1Mbit'\nqueue = 'long'",
            "rate = '1Mbit'\ndiscipline = 'red'",
            "rate = '1Mbit'\ndelay = '-5ms'",
            "step = [{ at = '0s', rate = '1Mbit', until = '5s' }]",
            "rate = '1Mbit'\noutage = [{ at = '1s' }]",
        ] {
            assert!(toml::from_str::<LinkConfig>(toml).is_err(), "{toml}");
        }
    }

    #[test]
    fn a_trace_says_how_long_it_is() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("t"), "0 1.5\n2 0.5\n").unwrap();
        let capacity = read("trace = 't'").capacity(folder.path()).unwrap();
        assert_eq!(capacity.round(), Some(Duration::from_secs(4)));
        let seconds =
            |from, to| capacity.bytes_between(Duration::from_secs(from), Duration::from_secs(to));
        assert_eq!(seconds(0, 4), 500_000);
        assert_eq!(seconds(4, 6), 375_000);
        assert_eq!(
            read("rate = '1Mbit'")
                .capacity(folder.path())
                .unwrap()
                .round(),
            None
        );
        let error = read("trace = 'none'").capacity(folder.path()).unwrap_err();
        assert!(
            error.to_string().contains("none: cannot read it"),
            "{error}"
        );
    }
}
