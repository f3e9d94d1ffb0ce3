//! What a program takes of the machine's memory, as time goes on.

use std::{
    fmt, fs,
    time::{Duration, Instant},
};

const MINUTE: Duration = Duration::from_secs(60);

/// Samples of one program, every minute.
#[derive(Debug)]
pub(super) struct Memory {
    process: u32,
    began: Instant,
    /// Resident bytes, from the end of the first minute on.
    samples: Vec<u64>,
}

impl Memory {
    /// Of a process that was just started.
    #[allow(clippy::disallowed_methods, reason = "real programs run in real time")]
    pub(super) fn of(process: u32) -> Self {
        Self {
            process,
            began: Instant::now(),
            samples: Vec::new(),
        }
    }

    /// Takes a sample where a minute has passed since the last; the number of the minute.
    pub(super) fn sample(&mut self) -> Option<usize> {
        let minute = self.samples.len() + 1;
        if self.began.elapsed() < MINUTE * minute as u32 {
            return None;
        }
        let status = fs::read_to_string(format!("/proc/{}/status", self.process)).ok()?;
        self.samples.push(resident(&status)?);
        Some(minute)
    }

    /// The newest sample.
    pub(super) fn mebibytes(&self) -> f64 {
        mebibytes(self.samples.last().copied().unwrap_or(0))
    }

    fn median(&self) -> Option<u64> {
        let mut sorted = self.samples.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied()
    }

    /// How far samples are from their median at the most, as a share of it.
    pub(super) fn deviation(&self) -> Option<f64> {
        let median = self.median()?;
        let furthest = self.samples.iter().map(|it| it.abs_diff(median)).max()?;
        Some(furthest as f64 / median as f64)
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = (self.samples.iter().min(), self.samples.iter().max());
        let [least, median, most] = [least.copied(), self.median(), most.copied()]
            .map(|bytes| mebibytes(bytes.unwrap_or(0)));
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

/// Resident bytes in what the kernel says of a process.
fn resident(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_understood() {
        let status = "Name:\traq-recv\nVmPeak:\t  900 kB\nVmRSS:\t  123456 kB\nThreads:\t8\n";
        assert_eq!(resident(status), Some(123_456 << 10));
        assert_eq!(resident("Name:\tgone\n"), None);
        let own = fs::read_to_string("/proc/self/status").unwrap();
        assert!(resident(&own).is_some_and(|bytes| bytes > 100_000));
    }

    #[test]
    fn the_furthest_sample_counts() {
        let mut memory = Memory::of(1);
        assert_eq!(memory.deviation(), None);
        memory.samples = vec![100, 104, 100, 93, 101];
        assert_eq!(memory.deviation(), Some(0.07));
    }
}
