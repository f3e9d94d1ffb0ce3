//! What a bench ran on.

use std::{fs, path::Path, thread};

use serde::Serialize;

/// Where the kernel counts a processor's energy, microjoules.
const ENERGY: &str = "/sys/class/powercap/intel-rapl:0/energy_uj";

/// A machine.
#[derive(Debug, Serialize)]
pub(super) struct Machine {
    /// As the processor calls itself.
    pub(super) processor: String,
    pub(super) cores: usize,
    /// Whether it has what the fastest search needs.
    pub(super) avx512_vnni: bool,
    /// Whether it tells how much energy it takes.
    pub(super) tells_energy: bool,
}

impl Machine {
    /// The one this runs on.
    pub(super) fn this() -> Self {
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let processor = field(&info, "model name").unwrap_or("unknown").to_owned();
        let flags = field(&info, "flags").unwrap_or_default();
        Self {
            processor,
            cores: thread::available_parallelism().map_or(1, usize::from),
            avx512_vnni: flags.split(' ').any(|flag| flag == "avx512_vnni"),
            tells_energy: Path::new(ENERGY).exists(),
        }
    }
}

/// Joules since some time ago, where the machine tells.
pub(super) fn joules() -> Option<f64> {
    let text = fs::read_to_string(ENERGY).ok()?;
    Some(text.trim().parse::<f64>().ok()? / 1e6)
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    let line = info.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found() {
        let info = "processor\t: 0\nmodel name\t: A Processor @ 2 GHz\nflags\t\t: fpu avx2\n";
        assert_eq!(field(info, "model name"), Some("A Processor @ 2 GHz"));
        assert_eq!(field(info, "flags"), Some("fpu avx2"));
        assert_eq!(field(info, "cores"), None);
    }
}
