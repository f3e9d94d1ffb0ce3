//! `raq-sim report`: one page about a run, drawn from its records alone.
//!
//! ```text
//! Run ─► Timeline (about 600 bins) ─► Plot per policy ─► SVG ─┐
//!     └► Summary ─► table, Pareto plot ──────────────────────┴─► report.html
//! ```
//!
//! Plots of a kind stand side by side, a policy each, over the same axes.

mod delay;
mod level;
mod page;
mod pareto;
mod picture;
mod quality;
mod rate;
mod timeline;

use std::{
    fs,
    path::{Path, PathBuf},
};

use raq_shared::exit::Failure;

use crate::{
    rd::report::cannot_write,
    record::{PolicyRun, Run, folder_name},
};

/// Reads the records in `folder` and writes `report.html` beside them; gives its path. What was
/// left out in reading is said on the page.
///
/// # Errors
/// [`Failure`] where the records cannot be read or the page cannot be written.
pub fn write(folder: &Path) -> Result<PathBuf, Failure> {
    let run = Run::read(folder)?;
    let scenario = fs::read_to_string(folder.join("scenario.toml")).ok();
    let path = folder.join("report.html");
    let page = page::html(&run, scenario.as_deref())?;
    fs::write(&path, page).map_err(|e| cannot_write(&path, &e))?;
    Ok(path)
}

/// Of plots over time: two beside each other on a screen.
const SIZE: (f64, f64) = (560.0, 280.0);

/// Id and title of a policy's plot.
fn over_time(kind: &str, policy: &PolicyRun, what: &str) -> (String, String) {
    let id = format!("{kind}-{}", folder_name(&policy.name));
    (id, format!("{}: {what}", policy.name))
}
