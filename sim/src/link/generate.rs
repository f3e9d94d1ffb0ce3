//! Traces made by seeded models of three kinds of access, so that scenarios need nothing from
//! outside. They are models, not recordings: their parameters were chosen to look like published
//! traces, and nothing measured on them says anything about a network operator.
//!
//! Random numbers enter through comparisons, sums and products alone, which are the same on every
//! machine; no logarithm is.

use std::fmt::Write as _;

use fastrand::Rng;

/// Length of the traces in milliseconds.
const LENGTH: u32 = 120_000;
/// The models change their rate at this distance, in milliseconds.
const TICK: u32 = 10;
/// Bits of an opportunity of mahimahi.
const OPPORTUNITY: f64 = 12_000.0;

/// A model of a link of which a trace is in `sim/traces`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    /// LTE to a moving car: 5 Mbit/s in the mean.
    ///
    /// The rate wanders over a scale of levels 10 % apart, drawn back to a middle that is a
    /// sixteenth of the usual one in fades of 1 to 4 s, about two a minute. Some 10 times in the
    /// trace nothing is carried for 0.2 to 0.8 s. The scheduler serves the terminal every 1 to 12 ms
    /// with all that it may have since the last time. In mahimahi's form.
    LteDown,
    /// The way back, 1 Mbit/s in the mean, of the same kind.
    LteUp,
    /// A low-orbit satellite network: 12 Mbit/s in the mean.
    ///
    /// Every 15 s the terminal is given another satellite or beam, and with it another rate; for
    /// 50 to 150 ms nothing is carried then, and half the rate for 300 ms more. Every 8 s or so
    /// something is in the way and leaves a fifth for 0.1 to 0.5 s. In between the rate is up to a
    /// quarter off. In two columns, which for so many packets are shorter than mahimahi's form.
    StarlinkDown,
    /// The way back, 2 Mbit/s in the mean, of the same kind.
    StarlinkUp,
    /// Packets that may leave at random moments, 47.5 a second in the mean: 0.57 Mbit/s. After
    /// Salsify (Fouladi et al., NSDI 2018, section 5.3). In mahimahi's form.
    Poisson,
}

impl Model {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::LteDown,
        Self::LteUp,
        Self::Poisson,
        Self::StarlinkDown,
        Self::StarlinkUp,
    ];

    /// The name of its file in `sim/traces`.
    pub const fn file(self) -> &'static str {
        match self {
            Self::LteDown => "lte.down",
            Self::LteUp => "lte.up",
            Self::Poisson => "poisson.down",
            Self::StarlinkDown => "starlink.down",
            Self::StarlinkUp => "starlink.up",
        }
    }

    /// A trace of 120 s. The committed ones have seed 1.
    pub fn trace(self, seed: u64) -> String {
        match self {
            Self::LteDown => mahimahi(&lte(6.6, seed), seed),
            Self::LteUp => mahimahi(&lte(1.3, !seed), seed),
            Self::Poisson => poisson(seed),
            Self::StarlinkDown => columns(&starlink(12.6, seed)),
            Self::StarlinkUp => columns(&starlink(2.1, !seed)),
        }
    }
}

/// Mbit/s for each tick around `usual`.
fn lte(usual: f64, seed: u64) -> Vec<f64> {
    let mut chance = Rng::with_seed(seed);
    // Levels of 10 %: 29 of them are a factor of 16.
    let scale: Vec<f64> = std::iter::successors(Some(usual / 40.0), |rate| Some(rate * 1.1))
        .take(50)
        .collect();
    let (usual_level, faded_level) = (38usize, 9usize);
    let mut level = usual_level;
    let mut fade_ends = 0;
    let mut outage_ends = 0;
    let one = |time: u32| {
        // A step towards the middle or away from it; the farther off, the likelier towards it.
        let middle = if time < fade_ends {
            faded_level
        } else {
            usual_level
        };
        let drawn = (middle as f64 - level as f64) * 0.012;
        if chance.f64() < 0.4 {
            let up = chance.f64() < 0.5 + drawn.clamp(-0.5, 0.5);
            level = if up {
                level + 1
            } else {
                level.saturating_sub(1)
            }
            .min(scale.len() - 1);
        }
        if time >= fade_ends && chance.u32(..25_000 / TICK) == 0 {
            fade_ends = time + chance.u32(1000..4000);
        }
        if time >= outage_ends && chance.u32(..12_000 / TICK) == 0 {
            outage_ends = time + chance.u32(200..800);
        }
        if time < outage_ends {
            0.0
        } else {
            scale[level]
        }
    };
    (0..LENGTH).step_by(TICK as usize).map(one).collect()
}

/// Mbit/s for each tick around `usual`.
fn starlink(usual: f64, seed: u64) -> Vec<f64> {
    let mut chance = Rng::with_seed(seed);
    let mut given = usual;
    let (mut gap_ends, mut ramp_ends, mut shade_ends) = (0, 0, 0);
    let one = |time: u32| {
        if time.is_multiple_of(15_000) {
            given = usual * between(&mut chance, 0.55, 1.45);
            gap_ends = time + chance.u32(50..150);
            ramp_ends = gap_ends + 300;
        }
        if time >= shade_ends && chance.u32(..8000 / TICK) == 0 {
            shade_ends = time + chance.u32(100..500);
        }
        let share = match time {
            _ if time < gap_ends => 0.0,
            _ if time < ramp_ends => 0.5,
            _ if time < shade_ends => 0.2,
            _ => 1.0,
        };
        given * share * between(&mut chance, 0.75, 1.25)
    };
    (0..LENGTH).step_by(TICK as usize).map(one).collect()
}

fn between(chance: &mut Rng, least: f64, most: f64) -> f64 {
    least + (most - least) * chance.f64()
}

/// Opportunities as a scheduler grants them: whatever has come together, every 1 to 12 ms.
fn mahimahi(rates: &[f64], seed: u64) -> String {
    let mut chance = Rng::with_seed(seed);
    let mut text = String::new();
    let (mut bits, mut grant) = (0.0, 0);
    for time in 1..=LENGTH {
        // Mbit/s are kbit/ms.
        bits += rates[(time as usize - 1) / TICK as usize] * 1000.0;
        if time >= grant || time == LENGTH {
            while bits >= OPPORTUNITY {
                bits -= OPPORTUNITY;
                // Writing to a string cannot fail.
                let _ = writeln!(text, "{time}");
            }
            grant = time + chance.u32(1..=12);
        }
    }
    text
}

/// Opportunities at random moments.
fn poisson(seed: u64) -> String {
    let mut chance = Rng::with_seed(seed);
    let mut text = String::new();
    // In so short spans more than one is rare enough to be left out.
    for span in 0..LENGTH * 50 {
        if chance.f64() < 47.5 / 50_000.0 {
            let _ = writeln!(text, "{}", span.div_ceil(50));
        }
    }
    text
}

/// Seconds and Mbit/s.
fn columns(rates: &[f64]) -> String {
    let mut text = String::new();
    for (tick, rate) in (0u32..).zip(rates) {
        let millis = tick * TICK;
        let _ = writeln!(
            text,
            "{}.{:02} {rate:.2}",
            millis / 1000,
            millis % 1000 / 10
        );
    }
    text
}
