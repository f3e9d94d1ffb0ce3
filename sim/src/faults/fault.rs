//! What can go wrong, and sets of it.

use std::{fmt, str::FromStr};

/// Something that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// Datagrams get lost, in bursts.
    Loss,
    /// Datagrams arrive behind ones that left later.
    Reordering,
    /// Datagrams arrive twice, some of them long after.
    Duplication,
    /// Bits of datagrams are wrong, as if QUIC checked nothing.
    Corruption,
    /// Datagrams end early, as if QUIC checked nothing.
    Truncation,
    /// Nothing passes for some time.
    Outage,
    /// The path is another one, with other delay and rate; what was under way is lost.
    Rebinding,
    /// The clock of each end leaps ahead; then times on the wire leap back.
    Clock,
    /// One of the programs is started anew.
    Restart,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Loss,
        Self::Reordering,
        Self::Duplication,
        Self::Corruption,
        Self::Truncation,
        Self::Outage,
        Self::Rebinding,
        Self::Clock,
        Self::Restart,
    ];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Reordering => "reordering",
            Self::Duplication => "duplication",
            Self::Corruption => "corruption",
            Self::Truncation => "truncation",
            Self::Outage => "outage",
            Self::Rebinding => "rebinding",
            Self::Clock => "clock",
            Self::Restart => "restart",
        }
    }
}

/// A set of faults; written as names with commas, `none` where it is empty.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Faults(u16);

impl Faults {
    /// All faults.
    pub const ALL: Self = Self((1 << Fault::ALL.len()) - 1);

    /// Every set there is, those with fewer faults first.
    pub fn every() -> Vec<Self> {
        let mut every: Vec<Self> = (0..=Self::ALL.0).map(Self).collect();
        every.sort_by_key(|faults| (faults.len(), faults.0));
        every
    }

    /// Whether a fault is in it.
    pub const fn has(self, fault: Fault) -> bool {
        self.0 >> fault as u16 & 1 == 1
    }

    /// With one more.
    #[must_use]
    pub const fn with(self, fault: Fault) -> Self {
        Self(self.0 | 1 << fault as u16)
    }

    /// Without one.
    #[must_use]
    pub const fn without(self, fault: Fault) -> Self {
        Self(self.0 & !(1 << fault as u16))
    }

    /// How many.
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// A number that no other set has.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// The set of a number, of which only the lowest bits count.
    pub const fn of(number: u16) -> Self {
        Self(number & Self::ALL.0)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults = Fault::ALL.into_iter().filter(|&fault| self.has(fault));
        let names: Vec<_> = faults.map(Fault::name).collect();
        f.write_str(if names.is_empty() { "none" } else { "" })?;
        f.write_str(&names.join(","))
    }
}

impl FromStr for Faults {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self::default());
        }
        if text == "all" {
            return Ok(Self::ALL);
        }
        text.split(',').try_fold(Self::default(), |faults, name| {
            let found = Fault::ALL.into_iter().find(|fault| fault.name() == name);
            found.map(|fault| faults.with(fault)).ok_or_else(|| {
                let names = Fault::ALL.map(Fault::name).join(", ");
                format!("{name:?} is no fault; give none, all, or some of {names}")
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_written_as_they_are_read() {
        for faults in Faults::every() {
            assert_eq!(faults.to_string().parse(), Ok(faults));
            assert_eq!(Faults::of(faults.number()), faults);
        }
        assert_eq!("all".parse(), Ok(Faults::ALL));
        let pair = Faults::default().with(Fault::Clock).with(Fault::Loss);
        assert_eq!(pair.to_string(), "loss,clock");
        assert_eq!(pair.without(Fault::Loss).to_string(), "clock");
        let error = "loss,fire".parse::<Faults>().unwrap_err();
        assert!(error.starts_with("\"fire\" is no fault"), "{error}");
    }

    #[test]
    fn every_set_is_there_once_and_small_ones_come_first() {
        let every = Faults::every();
        assert_eq!(every.len(), 512);
        assert_eq!((every[0].len(), every[1].len(), every[10].len()), (0, 1, 2));
        assert_eq!(every.last(), Some(&Faults::ALL));
        let mut numbers: Vec<_> = every.iter().map(|faults| faults.number()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 512);
    }
}
