//! The files that a scenario names.

use std::path::{Path, PathBuf};

use raq_shared::model::{self, locate};
use toml::{Table, Value};

use super::{Loaded, SourceKind};
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
    /// The files that it names, where they lie; of a model, named or not, its manifest, which says
    /// what else is in its folder.
    pub fn files(&self) -> Vec<PathBuf> {
        let (link, media) = (&self.scenario.link, &self.scenario.media);
        let traces = [&link.down.trace, &link.up.trace].into_iter().flatten();
        let at = |name: &str| Trace::locate(name, &self.folder);
        let others = [&media.clip, &media.sizes].into_iter().flatten();
        let mut files: Vec<PathBuf> = traces.map(|trace| at(trace)).collect();
        files.extend(others.map(|path| at(&path.to_string_lossy())));
        if media.source == SourceKind::Raq {
            let named = media.model.as_ref().map(|path| at(&path.to_string_lossy()));
            // One that is not found is an error when it is to be used.
            if let Ok(folder) = locate(named.or_else(|| model::named(None)).as_deref()) {
                files.push(folder.join("manifest.json"));
            }
        }
        files
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_model_counts_by_its_manifest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.toml");
        let text = "description = 'a'\nduration = '1s'\n[media]\nsource = 'raq'\nclip = 'c.y4m'\n\
                    model = 'm'\n[link.down]\nrate = '1Mbit'\n[link.up]\nrate = '1Mbit'\n";
        fs::write(&path, text).unwrap();
        let files = Loaded::read(&path, &[]).unwrap().files();
        let here = |name: &str| folder.path().join(name);
        assert_eq!(files, [here("c.y4m"), here("m/manifest.json")]);
        let ideal = String::from("media={}");
        assert!(Loaded::read(&path, &[ideal]).unwrap().files().is_empty());
    }
}
