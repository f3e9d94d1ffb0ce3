//! Writes the traces of `raq_sim::link::generate` into the folder given, `sim/traces` by default.

use std::{env, fs, io, path::PathBuf};

use raq_sim::link::generate::Model;

fn main() -> io::Result<()> {
    let default = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/traces"));
    let folder = env::args_os().nth(1).map_or_else(default, PathBuf::from);
    fs::create_dir_all(&folder)?;
    for model in Model::ALL {
        fs::write(folder.join(model.file()), model.trace(1))?;
    }
    Ok(())
}
