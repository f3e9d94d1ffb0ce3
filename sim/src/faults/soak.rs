//! One connection for hours, through one script after the other, and whether what it holds grows.

use std::{fmt::Write as _, fs, time::Duration};

use super::{
    fault::{Fault, Faults},
    script::Script,
    trial::Trial,
    watch::Watch,
    world::World,
};

/// Seconds with faults in a row.
const SECONDS: std::ops::RangeInclusive<u32> = 3..=30;
/// Parts of the time in the table.
const PARTS: u32 = 6;
/// What is held in the second half may be so much more than in the first: buffers stay as long as the
/// longest frame yet, a leak would double it.
const GROWTH: f64 = 1.25;

/// What was held once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Held {
    at: Duration,
    /// The most since the time before.
    sending: usize,
    receiving: usize,
    /// Resident memory of the process, where the system tells.
    process: usize,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Soak {
    seed: u64,
    length: Duration,
    held: Vec<Held>,
    worst: Trial,
    miss: Option<String>,
}

impl Soak {
    /// Plays for `length`, or until something does not hold.
    pub fn of(seed: u64, length: Duration) -> Self {
        let mut soak = Self {
            seed,
            length,
            held: Vec::new(),
            worst: Trial::default(),
            miss: None,
        };
        soak.miss = soak.play().err();
        soak
    }

    fn play(&mut self) -> Result<(), String> {
        let mut chance = fastrand::Rng::with_seed(self.seed);
        let mut world = World::new(chance.fork());
        let mut settling = Watch::default();
        settling.run(&mut world, Duration::from_secs(2))?;
        while world.now < self.length {
            let script = Script {
                faults: Faults::of(chance.u16(..)).without(Fault::Restart),
                seed: chance.u64(..1 << 32),
                seconds: chance.u32(SECONDS),
            };
            let mut watch = Watch::default();
            let mut trial = Trial::default();
            let began = world.now;
            let went = trial.faults(&script, &mut world, &mut watch);
            went.map_err(|miss| format!("{miss}, with {} from {began:?} on", script.faults))?;
            let worst = &mut self.worst;
            worst.fresh = worst.fresh.max(trial.fresh);
            worst.equal = worst.equal.max(trial.equal);
            worst.repaired = worst.repaired.max(trial.repaired);
            worst.connections = world.connection;
            worst.frames = world.frames();
            worst.mismatches = world.mismatches();
            self.held.push(Held {
                at: world.now,
                sending: watch.sending,
                receiving: watch.receiving,
                process: resident(),
            });
        }
        Ok(())
    }

    /// What did not hold, and how to repeat it.
    pub fn missed(&self) -> Option<String> {
        let miss = self.miss.clone().or_else(|| self.grown())?;
        let (hours, seed) = (self.length.as_secs().div_ceil(3600), self.seed);
        Some(format!(
            "{miss}; again: raq-sim faults --soak {hours} --seed {seed}; please report this"
        ))
    }

    /// What was held in the second half and not in the first.
    fn grown(&self) -> Option<String> {
        let (first, second) = self.held.split_at(self.held.len() / 2);
        let grown = |who: &str, bytes: fn(&Held) -> usize| {
            let before = first.iter().map(bytes).max()?;
            let after = second.iter().map(bytes).max()?;
            let grows = after as f64 > before as f64 * GROWTH;
            grows.then(|| format!("{who} held {before} bytes, and later {after}"))
        };
        grown("the sender", |held| held.sending)
            .or_else(|| grown("the receiver", |held| held.receiving))
            .or_else(|| grown("the process", |held| held.process))
    }

    /// What was held as time went by, and the worst of all scripts.
    pub fn table(&self) -> String {
        let mut text = format!(
            "{:<16} {:>8} {:>11} {:>10} {:>12}\n",
            "minutes", "scripts", "sender KiB", "recv. KiB", "process KiB"
        );
        for part in 0..PARTS {
            let (from, to) = (self.length * part / PARTS, self.length * (part + 1) / PARTS);
            let last = part + 1 == PARTS;
            let within = |held: &&Held| held.at >= from && (last || held.at < to);
            let held: Vec<_> = self.held.iter().filter(within).collect();
            let most = |bytes: fn(&Held) -> usize| {
                let most = held.iter().map(|held| bytes(held)).max();
                most.unwrap_or(0).div_ceil(1024)
            };
            let minutes = |time: Duration| time.as_secs() / 60;
            let _ = writeln!(
                text,
                "{:<16} {:>8} {:>11} {:>10} {:>12}",
                format!("{} to {}", minutes(from), minutes(to)),
                held.len(),
                most(|held| held.sending),
                most(|held| held.receiving),
                most(|held| held.process),
            );
        }
        let worst = &self.worst;
        let _ = writeln!(
            text,
            "{} frames over {} connection; the picture was old for {:.2} s after faults and wrong for \
             {:.2} s at most, a wrong tile for {:.2} s; {} audits differed",
            worst.frames,
            worst.connections,
            worst.fresh.as_secs_f64(),
            worst.equal.as_secs_f64(),
            worst.repaired.as_secs_f64(),
            worst.mismatches
        );
        text
    }
}

/// Resident memory of this process in bytes; 0 where the system does not tell.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    kibibytes.map_or(0, |kibibytes: usize| kibibytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soak(sending: &[usize]) -> Soak {
        let held = sending.iter().zip(1..).map(|(&sending, minute)| Held {
            at: Duration::from_secs(60 * minute),
            sending,
            ..Held::default()
        });
        Soak {
            seed: 3,
            length: Duration::from_secs(360),
            held: held.collect(),
            worst: Trial::default(),
            miss: None,
        }
    }

    #[test]
    fn growth_is_a_miss_and_noise_is_none() {
        assert_eq!(soak(&[900, 1000, 950, 1000, 1240, 900]).missed(), None);
        let missed = soak(&[900, 1000, 950, 1000, 1260, 900]).missed().unwrap();
        let expected = "the sender held 1000 bytes, and later 1260; again: raq-sim faults --soak 1 \
                        --seed 3; please report this";
        assert_eq!(missed, expected);
    }

    #[test]
    fn a_connection_goes_through_scripts() {
        let soak = Soak::of(1, Duration::from_secs(3));
        assert_eq!((soak.missed(), soak.held.len()), (None, 1));
        assert_eq!(soak.worst.connections, 1);
    }

    #[test]
    fn every_sample_is_in_the_table() {
        let text = soak(&[1 << 10, 2 << 10, 3 << 10, 4 << 10, 5 << 10, 6 << 10]).table();
        let scripts: Vec<usize> = text
            .lines()
            .skip(1)
            .take(6)
            .map(|line| line.split_whitespace().nth(3).unwrap().parse().unwrap())
            .collect();
        assert_eq!(scripts.iter().sum::<usize>(), 6, "{text}");
        assert!(text.contains("5 to 6"), "{text}");
    }
}
