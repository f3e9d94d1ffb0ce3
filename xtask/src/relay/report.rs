//! Both runs beside each other: a table for people, `summary.json` for programs.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
};

use anyhow::Result;
use serde::Serialize;

use super::measure::Figures;
use crate::delay::Delay;

/// How far the real p95 of the signal delay may be from the simulated one.
const TOLERANCE: f64 = 0.2;

/// `target/relay/summary.json`.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    pub(super) scenario: String,
    pub(super) seed: u64,
    pub(super) clip: String,
    pub(super) seconds: f64,
    /// The programs'.
    pub(super) real: Figures,
    pub(super) simulated: Figures,
    /// What the programs took in the encoder network and for coding; the simulator takes the median.
    pub(super) encode_ms: Delay,
    /// What they took in the decoder network; likewise.
    pub(super) decode_ms: Delay,
    /// What the relay says became of the datagrams.
    pub(super) relay: String,
}

impl Summary {
    /// The real p95 of the signal delay over the simulated one.
    fn ratio(&self) -> f64 {
        self.real.signal_ms.p95 / self.simulated.signal_ms.p95
    }

    /// The table and what it says, for people.
    fn table(&self) -> String {
        let (real, simulated) = (&self.real, &self.simulated);
        let mut text = format!(
            "\n{} with seed {}, {:.1} s of {}\n\n{:<32}{:>10}{:>12}{:>8}\n",
            self.scenario, self.seed, self.seconds, self.clip, "", "real", "simulated", "ratio"
        );
        let mut row = |name: &str, digits: usize, of: fn(&Figures) -> f64| {
            let (real, simulated) = (of(real), of(simulated));
            let ratio = real / simulated;
            let _ = writeln!(
                text,
                "{name:<32}{real:>10.digits$}{simulated:>12.digits$}{ratio:>8.2}"
            );
        };
        row("frames captured", 0, |it| it.captured as f64);
        row("frames sent", 0, |it| it.sent as f64);
        row("frames shown", 0, |it| it.shown as f64);
        row("signal delay p50, ms", 1, |it| it.signal_ms.p50);
        row("signal delay p95, ms", 1, |it| it.signal_ms.p95);
        row("delay of shown frames p50, ms", 1, |it| it.delay_ms.p50);
        row("delay of shown frames p95, ms", 1, |it| it.delay_ms.p95);
        let (encode, decode) = (self.encode_ms, self.decode_ms);
        let _ = writeln!(
            text,
            "\nThe programs took {:.1} ms to encode and code a frame (p95 {:.1}) and {:.1} ms to \
             decode it (p95 {:.1}); the simulator took the medians.\nThe relay's {}\n{}",
            encode.p50,
            encode.p95,
            decode.p50,
            decode.p95,
            self.relay.replace('\n', "\n            "),
            self.verdict()
        );
        text
    }

    fn verdict(&self) -> String {
        let more = self.ratio() - 1.0;
        let which = if more < 0.0 { "below" } else { "above" };
        let within = if more.abs() <= TOLERANCE {
            "within"
        } else {
            "not within"
        };
        format!(
            "The real p95 of the signal delay is {:.1} % {which} the simulated one: {within} {:.0} %",
            100.0 * more.abs(),
            100.0 * TOLERANCE
        )
    }

    /// Prints the table on standard output.
    pub(super) fn print(&self) -> Result<()> {
        match io::stdout().lock().write_all(self.table().as_bytes()) {
            // Whoever reads the table may stop early.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(real_p95: f64) -> Summary {
        let figures = |p95| Figures {
            captured: 1800,
            sent: 1700,
            shown: 1600,
            signal_ms: Delay { p50: 50.0, p95 },
            delay_ms: Delay {
                p50: 45.0,
                p95: 70.0,
            },
        };
        let took = Delay { p50: 6.0, p95: 9.0 };
        Summary {
            scenario: "lte".to_owned(),
            seed: 1,
            clip: "a clip".to_owned(),
            seconds: 60.0,
            real: figures(real_p95),
            simulated: figures(100.0),
            encode_ms: took,
            decode_ms: took,
            relay: "down: 5 datagrams\nup:   4 datagrams".to_owned(),
        }
    }

    #[test]
    fn the_verdict_is_on_the_p95_of_the_signal_delay() {
        for (real, says) in [
            (119.9, "19.9 % above the simulated one: within 20 %"),
            (120.4, "20.4 % above the simulated one: not within 20 %"),
            (81.0, "19.0 % below the simulated one: within 20 %"),
            (79.0, "21.0 % below the simulated one: not within 20 %"),
        ] {
            let table = summary(real).table();
            assert!(table.trim_end().ends_with(says), "{table}");
        }
    }

    #[test]
    fn both_stand_beside_each_other() {
        let table = summary(110.0).table();
        let row = table
            .lines()
            .find(|line| line.starts_with("signal delay p95"));
        let fields: Vec<_> = row.unwrap().split_whitespace().skip(4).collect();
        assert_eq!(fields, ["110.0", "100.0", "1.10"]);
    }
}
