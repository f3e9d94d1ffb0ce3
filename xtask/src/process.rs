//! What a running program takes of the machine, as Linux tells it.

use std::fs;

/// In which Linux tells processor time, on every machine.
const TICKS_A_SECOND: f64 = 100.0;

/// User and system time of a process so far, seconds; none where it has gone.
pub fn processor_seconds(process: u32) -> Option<f64> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    seconds(&text, [14, 15])
}

/// The same of all programs that this one has waited for.
pub(crate) fn seconds_of_children() -> Option<f64> {
    seconds(&fs::read_to_string("/proc/self/stat").ok()?, [16, 17])
}

/// The sum of two fields, counted as in proc(5), of what the kernel says of a process.
fn seconds(stat: &str, fields: [usize; 2]) -> Option<f64> {
    // The name, field 2, may hold anything.
    let rest: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |field: usize| rest.get(field - 3)?.parse::<f64>().ok();
    Some((ticks(fields[0])? + ticks(fields[1])?) / TICKS_A_SECOND)
}

/// The most memory that a process had resident so far, MiB.
pub fn peak_mebibytes(process: u32) -> Option<f64> {
    Some(status(process, "VmHWM:")? as f64 / 1024.0)
}

/// Resident memory, bytes.
pub(crate) fn resident(process: u32) -> Option<u64> {
    Some(status(process, "VmRSS:")? << 10)
}

/// Threads.
pub(crate) fn threads(process: u32) -> Option<u64> {
    status(process, "Threads:")
}

/// Open files and sockets.
pub(crate) fn open_files(process: u32) -> Option<u64> {
    let entries = fs::read_dir(format!("/proc/{process}/fd")).ok()?;
    Some(entries.count() as u64)
}

/// The number in a line of what the kernel says of a process.
fn status(process: u32, field: &str) -> Option<u64> {
    number(
        &fs::read_to_string(format!("/proc/{process}/status")).ok()?,
        field,
    )
}

fn number(status: &str, field: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_understood() {
        let status = "Name:\traq-recv\nVmPeak:\t  900 kB\nVmRSS:\t  123456 kB\nThreads:\t8\n";
        assert_eq!(number(status, "VmRSS:"), Some(123_456));
        assert_eq!(number(status, "Threads:"), Some(8));
        assert_eq!(number("Name:\tgone\n", "VmRSS:"), None);
        let stat = "7 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 250 50 30 20 x";
        assert_eq!(seconds(stat, [14, 15]), Some(3.0));
        assert_eq!(seconds(stat, [16, 17]), Some(0.5));
        assert_eq!(seconds("7 (a) S", [14, 15]), None);
    }

    #[test]
    fn this_program_is_known() {
        let own = std::process::id();
        assert!(resident(own).unwrap() > 100_000);
        assert!(peak_mebibytes(own).unwrap() > 0.1);
        assert!(threads(own).unwrap() >= 1 && open_files(own).unwrap() >= 1);
        assert!(processor_seconds(own).is_some() && processor_seconds(0).is_none());
    }

    #[test]
    fn processor_time_of_programs_grows() {
        let before = seconds_of_children().unwrap();
        let script = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";
        let status = std::process::Command::new("sh")
            .args(["-c", script])
            .status();
        assert!(status.unwrap().success());
        assert!(seconds_of_children().unwrap() > before);
    }
}
