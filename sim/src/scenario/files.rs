//! The files that a scenario names.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::Loaded;
use crate::link::trace::Trace;

/// Where they stand in a scenario.
const KEYS: [(&[&str], &str); 5] = [
    (&["link", "down"], "trace"),
    (&["link", "up"], "trace"),
    (&["media"], "clip"),
    (&["media"], "sizes"),
    (&["media"], "model"),
];

/// Makes relative paths begin at `folder`; those in `$RAQ_DATA` stay.
pub(super) fn anchor(scenario: &mut Table, folder: &Path) {
    for (tables, key) in KEYS {
        let mut at = Some(&mut *scenario);
        for name in tables {
            at = at.and_then(|table| table.get_mut(*name)?.as_table_mut());
        }
        if let Some(Value::String(path)) = at.and_then(|table| table.get_mut(key))
            && !path.starts_with('$')
        {
            *path = folder.join(&*path).to_string_lossy().into_owned();
        }
    }
}

impl Loaded {
    /// The files that it names, where they lie.
    pub fn files(&self) -> Vec<PathBuf> {
        let (link, media) = (&self.scenario.link, &self.scenario.media);
        let traces = [&link.down.trace, &link.up.trace].into_iter().flatten();
        let paths = [&media.clip, &media.sizes, &media.model];
        let others = paths
            .into_iter()
            .flatten()
            .map(|path| path.to_string_lossy());
        traces
            .map(|trace| trace.as_str().into())
            .chain(others)
            .map(|name| Trace::locate(&name, &self.folder))
            .collect()
    }
}
