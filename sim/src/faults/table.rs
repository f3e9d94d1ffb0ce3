//! Trials as people read them.

use std::{fmt::Write as _, time::Duration};

use super::{fault::Faults, script::Script, trial::Trial};

/// The worst of several trials.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Row {
    name: String,
    scripts: usize,
    worst: Trial,
    missed: usize,
}

impl Row {
    fn of<'a>(name: &str, trials: impl Iterator<Item = &'a Trial>) -> Option<Self> {
        let mut row = Self {
            name: name.to_owned(),
            ..Self::default()
        };
        for trial in trials {
            let worst = &mut row.worst;
            row.scripts += 1;
            row.missed += usize::from(!trial.misses.is_empty());
            worst.fresh = worst.fresh.max(trial.fresh);
            worst.equal = worst.equal.max(trial.equal);
            worst.repaired = worst.repaired.max(trial.repaired);
            worst.sending = worst.sending.max(trial.sending);
            worst.receiving = worst.receiving.max(trial.receiving);
            worst.connections += trial.connections;
            worst.frames += trial.frames;
            worst.mismatches += trial.mismatches;
        }
        (row.scripts > 0).then_some(row)
    }
}

/// A line for no fault, each fault alone, all pairs, those between, and all at once.
pub fn table(trials: &[(Script, Trial)]) -> String {
    let all = Faults::ALL.len();
    let group = |name: &str, takes: &dyn Fn(Faults) -> bool| {
        let found = trials.iter().filter(|(script, _)| takes(script.faults));
        Row::of(name, found.map(|(_, trial)| trial))
    };
    let mut rows = vec![group("no fault", &|faults| faults.is_empty())];
    for single in Faults::every()
        .into_iter()
        .filter(|faults| faults.len() == 1)
    {
        rows.push(group(&single.to_string(), &|faults| faults == single));
    }
    rows.push(group("every two", &|faults| faults.len() == 2));
    let name = format!("every three to {}", all - 1);
    rows.push(group(&name, &|faults| (3..all).contains(&faults.len())));
    rows.push(group("all at once", &|faults| faults == Faults::ALL));
    let mut text = format!(
        "{:<20} {:>7} {:>8} {:>7} {:>10} {:>8} {:>8} {:>11} {:>11} {:>10} {:>6}\n",
        "faults",
        "scripts",
        "sessions",
        "frames",
        "mismatches",
        "fresh s",
        "equal s",
        "repaired s",
        "sender KiB",
        "recv. KiB",
        "missed"
    );
    for row in rows.into_iter().flatten() {
        let worst = &row.worst;
        let _ = writeln!(
            text,
            "{:<20} {:>7} {:>8} {:>7} {:>10} {:>8} {:>8} {:>11} {:>11} {:>10} {:>6}",
            row.name,
            row.scripts,
            worst.connections,
            worst.frames,
            worst.mismatches,
            seconds(worst.fresh),
            seconds(worst.equal),
            seconds(worst.repaired),
            worst.sending.div_ceil(1024),
            worst.receiving.div_ceil(1024),
            row.missed,
        );
    }
    text
}

/// A line for every script that missed anything, if one did: what, and how to repeat it.
pub fn misses(trials: &[(Script, Trial)]) -> Option<String> {
    let lines = trials.iter().flat_map(|(script, trial)| {
        let again = move |miss: &String| format!("{miss}; again: {}", script.command());
        trial.misses.iter().map(again)
    });
    let lines: Vec<_> = lines.collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

fn seconds(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_the_worst_of_their_scripts() {
        let script = |number| Script {
            faults: Faults::of(number),
            seed: 1,
            seconds: 6,
        };
        let trial = |fresh, sending| Trial {
            fresh: Duration::from_millis(fresh),
            sending,
            connections: 1,
            ..Trial::default()
        };
        let mut bad = trial(10, 4000);
        bad.misses.push("the picture burns".to_owned());
        let trials = [
            (script(1), trial(20, 1024)),
            (script(3), trial(1200, 2048)),
            (script(5), bad),
        ];
        let text = table(&trials);
        let lines: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert_eq!(lines[1][..3], ["loss", "1", "1"]);
        assert_eq!(lines[2][..4], ["every", "two", "2", "2"]);
        assert_eq!(lines[2][6], "1.20");
        assert_eq!((lines[2][9], lines[2][11]), ("4", "1"));
        let expected = "the picture burns; again: raq-sim faults --only loss,duplication --seed 1 \
                        --seconds 6";
        assert_eq!(misses(&trials).as_deref(), Some(expected));
        assert_eq!(misses(&trials[..2]), None);
    }
}
