//! All that a run has measured, and its files.

use std::{
    fmt::{self, Write as _},
    fs,
    path::Path,
};

use raq_shared::exit::{Exit, Failure};
use serde::Serialize;

use super::{
    Codec,
    comparison::{Comparison, clips, curves},
    missing::Missing,
    page,
    picture::Picture,
    record::{FrameRecord, Point},
};
use crate::plot::{Axis, Draw, Legend, Plot, Scale, Series};

/// What was measured: clip after clip, codec after codec, rate after rate.
#[derive(Debug, Clone)]
pub struct Report {
    /// A record per frame and encode: `frames.csv`, `frames.json`.
    pub frames: Vec<FrameRecord>,
    /// A point per encode: `rd.json`.
    pub points: Vec<Point>,
    /// The codecs against each other: `bd.json`.
    pub comparison: Comparison,
    /// For the page.
    pub pictures: Vec<Picture>,
    /// What failed.
    pub missing: Missing,
}

/// A plot with the name of its file.
pub(super) struct NamedPlot {
    pub(super) clip: String,
    pub(super) file: String,
    pub(super) svg: String,
}

impl Report {
    /// Writes `frames.csv`, `frames.json`, `rd.json`, `bd.json`, `index.html` and the plots
    /// `CLIP-psnr-y.svg`, `CLIP-ssim.svg` and, where measured, `CLIP-st-lpips.svg` into an existing
    /// folder.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), Failure> {
        let save = |name: &str, bytes: &[u8]| {
            let path = folder.join(name);
            fs::write(&path, bytes).map_err(|e| cannot_write(&path, &e))
        };
        save("frames.csv", &self.csv(folder)?)?;
        save("frames.json", &json(&self.frames, folder)?)?;
        save("rd.json", &json(&self.points, folder)?)?;
        save("bd.json", &json(&self.comparison, folder)?)?;
        let plots = self.plots();
        for plot in &plots {
            save(&plot.file, plot.svg.as_bytes())?;
        }
        save("index.html", page::html(self, &plots).as_bytes())
    }

    /// Rates, qualities and BD-rates as tables for people.
    pub fn tables(&self) -> String {
        let mut text = String::new();
        for clip in clips(&self.points) {
            let _ = write!(
                text,
                "\n{clip}\n{:<16}{:>10}{:>10}{:>11}{:>9}{:>10}{:>10}  setting\n",
                "codec", "target", "kbit/s", "PSNR-Y dB", "SSIM", "ST-LPIPS", "ms/frame"
            );
            for point in self.of(clip) {
                let _ = writeln!(
                    text,
                    "{:<16}{:>10}{:>10.1}{:>11.2}{:>9}{:>10}{:>10.2}  {}",
                    point.codec,
                    point.target_kbps.map_or_else(dash, |kbps| kbps.to_string()),
                    point.kbps,
                    point.psnr_y_db,
                    point.ssim.map_or_else(dash, four_decimals),
                    point.st_lpips.map_or_else(dash, four_decimals),
                    point.ms_per_frame,
                    point.setting
                );
            }
            text += "\n";
            text += &self.comparison.table(clip, &self.codecs(clip));
        }
        text
    }

    /// The points of a clip.
    pub fn of<'a>(&'a self, clip: &'a str) -> impl Iterator<Item = &'a Point> {
        self.points.iter().filter(move |point| point.clip == clip)
    }

    /// The codecs measured on a clip.
    pub fn codecs(&self, clip: &str) -> Vec<Codec> {
        let curves = curves(&self.points, clip);
        curves.into_iter().map(|(codec, _)| codec).collect()
    }

    fn csv(&self, folder: &Path) -> Result<Vec<u8>, Failure> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        for frame in &self.frames {
            writer
                .serialize(frame)
                .map_err(|e| cannot_write(folder, &e))?;
        }
        writer.into_inner().map_err(|e| cannot_write(folder, &e))
    }

    fn plots(&self) -> Vec<NamedPlot> {
        let mut plots = Vec::new();
        for clip in clips(&self.points) {
            plots.push(self.plot(clip, "psnr-y", "PSNR-Y, dB", |point| Some(point.psnr_y_db)));
            if self.of(clip).all(|point| point.ssim.is_some()) {
                plots.push(self.plot(clip, "ssim", "SSIM", |point| point.ssim));
            }
            if self.of(clip).any(|point| point.st_lpips.is_some()) {
                let quality = "ST-LPIPS, lower is better";
                plots.push(self.plot(clip, "st-lpips", quality, |point| point.st_lpips));
            }
        }
        plots
    }

    fn plot(
        &self,
        clip: &str,
        file: &str,
        quality: &str,
        value: impl Fn(&Point) -> Option<f64>,
    ) -> NamedPlot {
        let series = self.codecs(clip).into_iter().map(|codec| {
            let mut points: Vec<_> = self
                .of(clip)
                .filter(|point| point.codec == codec && point.kbps > 0.0)
                .filter_map(|point| Some((point.kbps, value(point)?)))
                .collect();
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            Series {
                name: codec.name(),
                style: codec as usize,
                draw: Draw::Marks,
                lines: vec![points],
                bands: Vec::new(),
            }
        });
        let series: Vec<_> = series.collect();
        let points = || {
            series
                .iter()
                .flat_map(|series| series.lines.iter().flatten())
        };
        let rates = points().map(|point| point.0);
        let plot = Plot {
            id: "",
            title: clip,
            x: Axis::around("measured rate, kbit/s", Scale::Log, rates, 0.1),
            y: Axis::around(quality, Scale::Linear, points().map(|point| point.1), 0.05),
            size: (720.0, 400.0),
            legend: Legend::Right,
            series,
        };
        NamedPlot {
            clip: clip.to_owned(),
            file: format!("{clip}-{file}.svg"),
            svg: plot.to_svg(),
        }
    }
}

/// What stands in tables for nothing.
pub(super) fn dash() -> String {
    "-".to_owned()
}

pub(super) fn four_decimals(value: f64) -> String {
    format!("{value:.4}")
}

fn json(value: &impl Serialize, folder: &Path) -> Result<Vec<u8>, Failure> {
    let mut text = serde_json::to_vec_pretty(value).map_err(|e| cannot_write(folder, &e))?;
    text.push(b'\n');
    Ok(text)
}

pub(crate) fn cannot_write(path: &Path, error: &dyn fmt::Display) -> Failure {
    Failure::new(
        Exit::Failure,
        format_args!(
            "cannot write {}: {error}; give --out a folder that can be written",
            path.display()
        ),
    )
}
