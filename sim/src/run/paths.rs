//! The links of a scenario, ready to be made for each policy anew.

use std::{path::Path, time::Duration};

use raq_shared::{
    exit::{Exit, Failure},
    units::Bitrate,
};

use crate::{
    link::{Capacity, Link, LinkConfig, LinkError, Rate},
    policy::Carries,
    record::{BIN, LinkRow},
    scenario::{Loaded, Scenario},
};

/// Both directions: what the scenario says of them, and what they carry.
#[derive(Debug, Clone)]
pub struct Paths {
    scenario: Scenario,
    down: Capacity,
    up: Capacity,
    seed: u64,
}

impl Paths {
    /// The links of a scenario; traces are read here. `seed` decides what is random in them.
    ///
    /// # Errors
    /// [`Failure`] with cause and cure, where a trace is missing or damaged.
    pub fn of(loaded: &Loaded, seed: u64) -> Result<Self, Failure> {
        let scenario = loaded.scenario.clone();
        let capacity = |direction: &str, link: &LinkConfig, folder: &Path| {
            link.capacity(folder).map_err(|error: LinkError| {
                Failure::new(
                    Exit::Failure,
                    format_args!("{}: link.{direction}: {error}", loaded.name),
                )
            })
        };
        Ok(Self {
            down: capacity("down", &scenario.link.down, &loaded.folder)?,
            up: capacity("up", &scenario.link.up, &loaded.folder)?,
            scenario,
            seed,
        })
    }

    /// Warnings about traces that are shorter than the run and begin anew.
    pub fn rounds(&self) -> Vec<String> {
        // A trace ends with its last packet, a moment before the time that it stands for.
        let duration = self
            .scenario
            .duration
            .0
            .saturating_sub(Duration::from_secs(1));
        [("down", &self.down), ("up", &self.up)]
            .into_iter()
            .filter_map(|(direction, capacity)| {
                let round = capacity.round().filter(|&round| round < duration)?;
                Some(format!(
                    "the trace of link.{direction} is {:.1} s long and begins anew after that",
                    round.as_secs_f64()
                ))
            })
            .collect()
    }

    /// The media direction, empty.
    pub fn down<T: Clone>(&self) -> Link<T> {
        Link::new(&self.scenario.link.down, self.down.clone(), self.seed)
    }

    /// The feedback direction, empty.
    pub fn up<T: Clone>(&self) -> Link<T> {
        // Other chances than those of the other direction.
        Link::new(&self.scenario.link.up, self.up.clone(), !self.seed)
    }

    /// The one-way delay that a flow has of its own.
    pub fn delay_of(&self, flow: usize) -> Option<Duration> {
        self.scenario.flows()[flow].delay.map(|delay| delay.0)
    }

    /// What a flow's packets take there and back where nothing waits.
    pub fn round_trip(&self, flow: usize) -> Duration {
        let link = &self.scenario.link;
        let own = self.delay_of(flow);
        own.unwrap_or(link.down.delay.0) + own.unwrap_or(link.up.delay.0)
    }

    /// The same delays and nothing else: all the capacity one could want, no losses.
    ///
    /// # Errors
    /// [`Failure`], never in fact.
    pub fn undisturbed(&self) -> Result<Self, Failure> {
        let bare = |config: &LinkConfig| LinkConfig {
            rate: Some(Rate(Bitrate::from_bits_per_second(1_000_000_000_000))),
            delay: config.delay,
            ..LinkConfig::default()
        };
        let mut scenario = self.scenario.clone();
        scenario.link.down = bare(&self.scenario.link.down);
        scenario.link.up = bare(&self.scenario.link.up);
        let capacity = |config: &LinkConfig| {
            let capacity = config.capacity(Path::new(""));
            capacity.map_err(|error| Failure::new(Exit::Failure, error))
        };
        Ok(Self {
            down: capacity(&scenario.link.down)?,
            up: capacity(&scenario.link.up)?,
            scenario,
            seed: self.seed,
        })
    }

    /// A flow's share of what the media direction carries.
    pub fn carries(&self) -> Carries {
        let (capacity, flows) = (self.down.clone(), self.scenario.flows().len() as u64);
        Carries::new(move |from, to| capacity.bytes_between(from, to) / flows)
    }

    /// The rows of `link.csv` up to `end`.
    pub fn rows(&self, end: Duration) -> impl Iterator<Item = LinkRow> + '_ {
        let bins = end.as_nanos().div_ceil(BIN.as_nanos()) as u32;
        (0..bins).map(move |bin| {
            let (from, to) = (BIN * bin, (BIN * (bin + 1)).min(end));
            LinkRow {
                t_us: from.as_micros() as u64,
                down_bytes: self.down.bytes_between(from, to),
                up_bytes: self.up.bytes_between(from, to),
            }
        })
    }
}
