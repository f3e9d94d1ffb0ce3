//! What `--list-cameras` prints.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use linuxvideo::Device;
use linuxvideo::format::FrameSizes;
use raq_shared::exit::{Exit, Failure};
use raq_shared::video::FrameRate;

use super::mode::{formats, rates};
use super::pixels::Pixels;
use super::takes_pictures;

/// All cameras: a line with index, path and name, separated by tabs, and below it for each mode
/// one with a tab, format, size and frame rates.
///
/// # Errors
/// [`Failure`] where devices cannot be listed.
pub fn list() -> Result<String, Failure> {
    let entries = fs::read_dir("/dev").map_err(|e| {
        Failure::new(
            Exit::Device,
            format_args!("cannot list devices in /dev: {e}; check /dev"),
        )
    })?;
    let mut cameras: Vec<(u32, PathBuf)> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let name = entry.file_name();
            let number = name.to_str()?.strip_prefix("video")?.parse().ok()?;
            Some((number, entry.path()))
        })
        .collect();
    cameras.sort();
    let mut text = String::new();
    for (number, path) in cameras {
        match Device::open(&path) {
            Ok(device) => describe(number, &path, &device, &mut text),
            Err(error) => tracing::warn!("{} is left out: {error}", path.display()),
        }
    }
    Ok(text)
}

/// Writing to a string does not fail.
fn describe(number: u32, path: &Path, device: &Device, text: &mut String) {
    if !takes_pictures(device) {
        return;
    }
    let _ = writeln!(text, "{number}\t{}\t{}", path.display(), name(number));
    let formats = formats(device);
    for pixels in Pixels::ALL {
        let code = pixels.code();
        if !formats.contains(&code) {
            continue;
        }
        match device.frame_sizes(code) {
            Ok(FrameSizes::Discrete(sizes)) => {
                for size in sizes {
                    let (width, height) = (size.width(), size.height());
                    let rates = rates(device, code, (width, height), None);
                    let rates = list_rates(&rates);
                    let _ = writeln!(text, "\t{code}\t{width}x{height}\t{rates}");
                }
            }
            Ok(sizes) => {
                let (width, height) = (sizes.max_width(), sizes.max_height());
                let rates = rates(device, code, (width, height), None);
                let _ = writeln!(
                    text,
                    "\t{code}\t{}x{} to {width}x{height}\t{}",
                    sizes.min_width(),
                    sizes.min_height(),
                    list_rates(&rates)
                );
            }
            Err(_) => {
                let _ = writeln!(text, "\t{code}\tany size it is asked for");
            }
        }
    }
    let others = formats.iter().filter(|code| Pixels::of(**code).is_none());
    let others: Vec<String> = others.map(ToString::to_string).collect();
    if !others.is_empty() {
        let _ = writeln!(text, "\tnot taken: {}", others.join(" "));
    }
}

/// The camera's name. From the system's files, since the library takes it for valid UTF-8.
fn name(number: u32) -> String {
    let path = format!("/sys/class/video4linux/video{number}/name");
    let name = fs::read(path).unwrap_or_default();
    let name = String::from_utf8_lossy(&name);
    let printable = name.trim().chars().filter(|c| !c.is_control());
    printable.collect()
}

fn list_rates(rates: &[FrameRate]) -> String {
    let rates: Vec<String> = rates.iter().map(ToString::to_string).collect();
    match rates.len() {
        0 => String::new(),
        _ => format!("{} fps", rates.join(" ")),
    }
}
