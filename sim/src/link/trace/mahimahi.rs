//! Mahimahi: one millisecond a line.

use super::{LONGEST, Problem, lines};

/// The milliseconds, in order.
pub(super) fn parse(text: &str) -> Result<Vec<u32>, Problem> {
    let mut times = Vec::with_capacity(text.len() / 4);
    let mut last = 0;
    for (line, text) in lines(text) {
        let time = text.parse::<u32>().ok();
        let Some(time) = time.filter(|&time| f64::from(time) <= LONGEST * 1e3) else {
            return Err(Problem::at(
                line,
                format_args!("{text:?} is no time; give whole milliseconds"),
            ));
        };
        if time < last {
            return Err(Problem::at(
                line,
                format_args!("{time} ms does not follow {last} ms; sort the lines"),
            ));
        }
        last = time;
        times.push(time);
    }
    Ok(times)
}
