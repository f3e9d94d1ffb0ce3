//! What a program takes of the machine as time goes on.

use std::{
    fmt,
    time::{Duration, Instant},
};

use crate::process;

const MINUTE: Duration = Duration::from_secs(60);

/// What a program has at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sample {
    /// Resident bytes.
    pub(super) memory: u64,
    /// Open files and sockets.
    pub(super) files: u64,
    pub(super) threads: u64,
}

impl Sample {
    fn of(process: u32) -> Option<Self> {
        Some(Self {
            memory: process::resident(process)?,
            files: process::open_files(process)?,
            threads: process::threads(process)?,
        })
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (memory, files, threads) = (mebibytes(self.memory), self.files, self.threads);
        write!(f, "{memory:>6.1} MiB {files:>3} files {threads:>3} threads")
    }
}

/// Samples of one program, every minute.
#[derive(Debug)]
pub(super) struct Usage {
    process: u32,
    began: Instant,
    /// From the end of the first minute on.
    samples: Vec<Sample>,
}

impl Usage {
    /// Of a process that was just started.
    #[allow(clippy::disallowed_methods, reason = "real programs run in real time")]
    pub(super) fn of(process: u32) -> Self {
        Self {
            process,
            began: Instant::now(),
            samples: Vec::new(),
        }
    }

    /// Takes a sample where a minute has passed since the last; the number of the minute, and the sample.
    pub(super) fn sample(&mut self) -> Option<(usize, Sample)> {
        let minute = self.samples.len() + 1;
        if self.began.elapsed() < MINUTE * minute as u32 {
            return None;
        }
        let sample = Sample::of(self.process)?;
        self.samples.push(sample);
        Some((minute, sample))
    }

    fn memory(&self) -> Vec<u64> {
        let mut sorted: Vec<u64> = self.samples.iter().map(|it| it.memory).collect();
        sorted.sort_unstable();
        sorted
    }

    /// How far memory is from its median at the most, as a share of it.
    pub(super) fn deviation(&self) -> Option<f64> {
        let memory = self.memory();
        let median = *memory.get(memory.len() / 2)?;
        let furthest = memory.iter().map(|it| it.abs_diff(median)).max()?;
        Some(furthest as f64 / median as f64)
    }

    /// The most of something in the last third beside the most in the first, where there are three samples.
    pub(super) fn growth(&self, of: impl Fn(&Sample) -> u64) -> Option<(u64, u64)> {
        let third = self.samples.len() / 3;
        let most = |samples: &[Sample]| samples.iter().map(&of).max();
        let first = most(self.samples.get(..third)?)?;
        Some((first, most(&self.samples[self.samples.len() - third..])?))
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let memory = self.memory();
        let [least, median, most] = [memory.first(), memory.get(memory.len() / 2), memory.last()]
            .map(|bytes| mebibytes(bytes.copied().unwrap_or(0)));
        let deviation = 100.0 * self.deviation().unwrap_or(0.0);
        write!(
            f,
            "{median:.1} MiB (median; {least:.1} to {most:.1}, at most {deviation:.1} % off)"
        )
    }
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(memory: &[u64]) -> Usage {
        let mut usage = Usage::of(1);
        usage.samples = memory
            .iter()
            .map(|&memory| Sample {
                memory,
                files: memory / 2,
                threads: 4,
            })
            .collect();
        usage
    }

    #[test]
    fn the_furthest_sample_counts() {
        assert_eq!(usage(&[]).deviation(), None);
        assert_eq!(usage(&[100, 104, 100, 93, 101]).deviation(), Some(0.07));
    }

    #[test]
    fn the_last_third_is_held_against_the_first() {
        let usage_of = usage(&[100, 120, 500, 130, 110, 140, 90]);
        assert_eq!(usage_of.growth(|it| it.memory), Some((120, 140)));
        assert_eq!(usage_of.growth(|it| it.files), Some((60, 70)));
        assert_eq!(usage(&[1, 2]).growth(|it| it.memory), None);
    }
}
