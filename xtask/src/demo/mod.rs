//! `cargo xtask demo`: the real programs, two processes, over loopback.

mod measure;
mod picture;
mod report;
mod transfer;

use std::{fs, path::Path, thread};

use anyhow::{Context as _, Result, anyhow};
use raq_shared::paths;

use self::{
    measure::Measured,
    report::Summary,
    transfer::{Rate, Transfer},
};
use crate::{build, clip::Clip, setup};

/// Bitrates that are shown after the automatic choice, kbit/s.
pub const RATES: [u64; 4] = [60, 150, 400, 1000];
/// Limits on codebook sizes that are shown then.
pub const CODEWORDS: [u16; 4] = [2, 16, 256, 4096];

/// The built-in scene's: what two cores encode and decode in real time without trying hard.
const SCENE: (u32, u32) = (320, 240);

/// Sends at most `frames` frames of `input`, or of a built-in scene, once with all that loopback
/// carries and once with each of [`RATES`] and of [`CODEWORDS`]; prints a table and fills `target/demo`.
///
/// # Errors
/// What failed, with the words of the program that failed.
pub fn run(input: Option<&Path>, frames: u32) -> Result<()> {
    setup::run(false, false)?;
    let folder = paths::repository().join("target/demo");
    let failed = || format!("cannot write to {}; free space there", folder.display());
    fs::create_dir_all(&folder).with_context(failed)?;
    let work = tempfile::tempdir_in(&folder).with_context(failed)?;
    let clip = Clip::prepare(input, SCENE, frames, work.path())?;
    if clip.is_cut {
        eprintln!("Taking the first {frames} frames; --frames N takes more");
    }
    eprintln!("{clip}");
    let programs = build::programs()?;

    let mut transfers = Vec::new();
    for rate in [Rate::Automatic]
        .into_iter()
        .chain(RATES.map(Rate::Limited))
        .chain(CODEWORDS.map(Rate::Codewords))
    {
        let output = match rate {
            Rate::Automatic => folder.join("decoded.y4m"),
            Rate::Limited(kilobits) => work.path().join(format!("at-{kilobits}.y4m")),
            Rate::Codewords(most) => work.path().join(format!("with-{most}.y4m")),
        };
        transfers.push(Transfer::run(&programs, &clip, rate, output, work.path())?);
    }
    eprintln!("Comparing the pictures …");
    let measured = measure_all(&clip, &transfers)?;
    let picture = folder.join("side-by-side.png");
    picture::write(&clip, &transfers[0].output, &picture)?;
    let summary = Summary::new(&transfers, &measured);
    let text = serde_json::to_string_pretty(&summary)? + "\n";
    fs::write(folder.join("summary.json"), text).with_context(failed)?;
    report::print(&transfers, &measured)?;
    eprintln!(
        "The automatic run's pictures are in {}, source and result side by side in {}, the \
         figures in {}",
        transfers[0].output.display(),
        picture.display(),
        folder.join("summary.json").display()
    );
    Ok(())
}

/// After the transfers, so that it takes no time from them.
fn measure_all(clip: &Clip, transfers: &[Transfer]) -> Result<Vec<Measured>> {
    thread::scope(|scope| {
        let threads: Vec<_> = transfers
            .iter()
            .map(|transfer| scope.spawn(|| Measured::of(clip, transfer)))
            .collect();
        let join = |thread: thread::ScopedJoinHandle<'_, Result<Measured>>| {
            thread
                .join()
                .unwrap_or_else(|_| Err(anyhow!("the comparison of pictures broke off")))
        };
        threads.into_iter().map(join).collect()
    })
}
