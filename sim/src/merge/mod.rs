//! Joins the summaries of many runs: a row for each, and means over their seeds.

mod interval;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use raq_shared::exit::{Exit, Failure};
use serde::Serialize;

pub use interval::Interval;

use crate::{record::Mode, summary::Summary};

/// All figures of one policy in one run, by their places in the summary.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The scenario's name.
    pub scenario: String,
    /// The run's seed.
    pub seed: u64,
    /// What carried the media.
    pub mode: Mode,
    /// The policy's name.
    pub policy: String,
    /// The scenario as run, its seed left out: only what is equal in it is a sample of the same.
    #[serde(skip)]
    pub setting: String,
    /// Figures by name, as `queue_ms.p95`; those that do not apply are missing.
    pub figures: BTreeMap<String, f64>,
}

/// Means over the seeds of one scenario, mode and policy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mean {
    /// The scenario's name.
    pub scenario: String,
    /// What carried the media.
    pub mode: Mode,
    /// The policy's name.
    pub policy: String,
    /// Figures by name.
    pub figures: BTreeMap<String, Interval>,
}

/// The rows of every `summary.json` in and below `folders`, in order of their scenarios, policies
/// and seeds.
///
/// # Errors
/// [`Failure`] where a folder or a summary cannot be read, or there is none.
pub fn rows(folders: &[PathBuf]) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for folder in folders {
        let before = rows.len();
        gather(folder, &mut rows)?;
        if rows.len() == before {
            return Err(Failure::new(
                Exit::Failure,
                format_args!(
                    "{} holds no summary.json; give the folder of a run or sweep",
                    folder.display()
                ),
            ));
        }
    }
    let key = |row: &Row| {
        let Row {
            scenario,
            policy,
            setting,
            ..
        } = row.clone();
        (scenario, setting, row.mode.name(), policy, row.seed)
    };
    rows.sort_by_key(key);
    // A folder may have been given along with one that holds it.
    rows.dedup();
    if let Some(pair) = rows.windows(2).find(|pair| key(&pair[0]) == key(&pair[1])) {
        let Row {
            scenario,
            policy,
            seed,
            ..
        } = &pair[0];
        return Err(Failure::new(
            Exit::Failure,
            format_args!(
                "{scenario} with {policy} and seed {seed} is there twice, with different figures: \
                 of different programs or traces; leave one of the folders out"
            ),
        ));
    }
    Ok(rows)
}

fn gather(folder: &Path, rows: &mut Vec<Row>) -> Result<(), Failure> {
    let cannot = |error: &dyn std::fmt::Display| {
        Failure::new(
            Exit::Failure,
            format_args!(
                "cannot read {}: {error}; see that it is there and readable",
                folder.display()
            ),
        )
    };
    let mut below = Vec::new();
    for entry in fs::read_dir(folder).map_err(|e| cannot(&e))? {
        let path = entry.map_err(|e| cannot(&e))?.path();
        if path.is_dir() {
            below.push(path);
        } else if path.file_name().is_some_and(|name| name == "summary.json") {
            let summary = Summary::read(folder)?;
            let scenario = fs::read_to_string(folder.join("scenario.toml")).unwrap_or_default();
            let seedless = scenario.lines().filter(|line| !line.starts_with("seed = "));
            let setting: Vec<&str> = seedless.collect();
            for (policy, _) in summary.policies.iter() {
                rows.push(Row {
                    scenario: summary.scenario.clone(),
                    seed: summary.seed,
                    mode: summary.mode,
                    policy: policy.to_owned(),
                    setting: setting.join("\n"),
                    figures: figures(&summary, policy),
                });
            }
        }
    }
    below.sort();
    below.iter().try_for_each(|path| gather(path, rows))
}

fn figures(summary: &Summary, policy: &str) -> BTreeMap<String, f64> {
    let mut figures = BTreeMap::new();
    let value = summary.policies.get(policy).map(serde_json::to_value);
    if let Some(Ok(value)) = value {
        flatten("", &value, &mut figures);
    }
    figures
}

fn flatten(name: &str, value: &serde_json::Value, figures: &mut BTreeMap<String, f64>) {
    if let Some(number) = value.as_f64() {
        figures.insert(name.to_owned(), number);
    }
    for (key, value) in value.as_object().into_iter().flatten() {
        let dot = if name.is_empty() { "" } else { "." };
        flatten(&format!("{name}{dot}{key}"), value, figures);
    }
}

/// Means over the seeds, in the order of `rows`.
pub fn means(rows: &[Row]) -> Vec<Mean> {
    let same = |a: &Row, b: &Row| {
        (&a.scenario, &a.setting, a.mode, &a.policy) == (&b.scenario, &b.setting, b.mode, &b.policy)
    };
    let groups = rows.chunk_by(same);
    groups
        .map(|group| {
            let mut values: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
            for (name, value) in group.iter().flat_map(|row| &row.figures) {
                values.entry(name).or_default().push(*value);
            }
            let of =
                |(name, values): (&str, Vec<f64>)| Some((name.to_owned(), Interval::of(&values)?));
            Mean {
                scenario: group[0].scenario.clone(),
                mode: group[0].mode,
                policy: group[0].policy.clone(),
                figures: values.into_iter().filter_map(of).collect(),
            }
        })
        .collect()
}

/// Writes `merged.csv`, a line per row and a column per figure, and `merged.json`, the means.
///
/// # Errors
/// [`Failure`] where the folder cannot be written.
pub fn write(rows: &[Row], folder: &Path) -> Result<(), Failure> {
    let cannot = |path: &Path, error: &dyn std::fmt::Display| {
        Failure::new(
            Exit::Failure,
            format_args!(
                "cannot write {}: {error}; choose another folder or free space",
                path.display()
            ),
        )
    };
    fs::create_dir_all(folder).map_err(|e| cannot(folder, &e))?;
    let path = folder.join("merged.csv");
    let mut columns: Vec<&str> = rows
        .iter()
        .flat_map(|row| row.figures.keys().map(String::as_str))
        .collect();
    columns.sort_unstable();
    columns.dedup();
    let written = (|| -> Result<(), csv::Error> {
        let mut table = csv::Writer::from_path(&path)?;
        table.write_record(
            ["scenario", "seed", "mode", "policy"]
                .iter()
                .chain(&columns),
        )?;
        for row in rows {
            let fixed = [
                row.scenario.clone(),
                row.seed.to_string(),
                row.mode.name().to_owned(),
                row.policy.clone(),
            ];
            let figure = |name: &&str| {
                row.figures
                    .get(*name)
                    .map(f64::to_string)
                    .unwrap_or_default()
            };
            table.write_record(fixed.into_iter().chain(columns.iter().map(figure)))?;
        }
        Ok(table.flush()?)
    })();
    written.map_err(|e| cannot(&path, &e))?;
    let path = folder.join("merged.json");
    let mut text = serde_json::to_string_pretty(&means(rows)).map_err(|e| cannot(&path, &e))?;
    text.push('\n');
    fs::write(&path, text).map_err(|e| cannot(&path, &e))
}

/// The means as a table for people: one line per scenario and policy.
pub fn table(means: &[Mean]) -> String {
    const SHOWN: [(&str, &str); 7] = [
        ("use", "use"),
        ("kbps", "kbit/s"),
        ("queue_ms.p95", "queue p95 ms"),
        ("signal_ms.p50", "signal p50"),
        ("signal_ms.p95", "signal p95"),
        ("shown_share", "in time"),
        ("psnr_y_db", "PSNR-Y dB"),
    ];
    let mut lines = vec![
        [String::from("scenario"), String::from("policy")]
            .into_iter()
            .chain(SHOWN.map(|(_, head)| head.to_owned()))
            .collect::<Vec<_>>(),
    ];
    for mean in means {
        let cell = |(name, _): &(&str, &str)| match mean.figures.get(*name) {
            Some(Interval {
                mean,
                half: Some(half),
                ..
            }) => format!("{} ±{}", short(*mean), short(*half)),
            Some(Interval { mean, .. }) => short(*mean),
            None => String::from("-"),
        };
        let fixed = [mean.scenario.clone(), mean.policy.clone()];
        lines.push(fixed.into_iter().chain(SHOWN.iter().map(cell)).collect());
    }
    let columns = lines[0].len();
    let widths: Vec<usize> = (0..columns)
        .map(|at| {
            lines
                .iter()
                .map(|line| line[at].chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for line in &lines {
        for (at, (cell, width)) in line.iter().zip(&widths).enumerate() {
            let pad = " ".repeat(width - cell.chars().count());
            let (before, after) = if at < 2 { ("", &*pad) } else { (&*pad, "") };
            let gap = if at == 0 { "" } else { "  " };
            text += &format!("{gap}{before}{cell}{after}");
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

/// Three places that say something.
fn short(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0..100.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}
