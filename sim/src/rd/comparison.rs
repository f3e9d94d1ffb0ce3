//! Codecs held against each other on one clip: BD-rates, and quality at equal measured rate.

use std::fmt::Write as _;

use serde::Serialize;

use super::{
    Codec,
    bd_rate::{BdRate, BdRateError, bd_rate},
    curve::Curve,
    record::{Point, rounded},
};

/// `bd.json`: every ordered pair of codecs, and every point against every other codec.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Rate at equal quality.
    pub bd_rate: Vec<BdRateRecord>,
    /// Quality at equal rate.
    pub equal_rate: Vec<EqualRateRecord>,
}

/// The BD-rate of one codec against another on one clip, over PSNR-Y.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BdRateRecord {
    /// The clip's name.
    pub clip: String,
    /// The codec under test.
    pub codec: Codec,
    /// The codec it is held against.
    pub reference: Codec,
    /// How much more rate `codec` needs than `reference`, percent; negative is less; null with a
    /// `reason`.
    pub bd_rate_percent: Option<f64>,
    /// Why there is none.
    pub reason: Option<String>,
    /// The PSNR-Y in dB from which on the two are compared.
    pub psnr_from_db: Option<f64>,
    /// The PSNR-Y in dB up to which they are.
    pub psnr_to_db: Option<f64>,
    /// The highest rate considered, kbit/s; null for no limit.
    pub max_kbps: Option<f64>,
}

/// A measured point of one codec, and what another one gives for the same measured rate, by
/// interpolation between its own points.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EqualRateRecord {
    /// The clip's name.
    pub clip: String,
    /// The codec measured.
    pub codec: Codec,
    /// The bitrate it was asked for, kbit/s.
    pub target_kbps: f64,
    /// Its measured rate, kbit/s.
    pub kbps: f64,
    /// Its PSNR-Y, dB.
    pub psnr_y_db: f64,
    /// The other codec.
    pub other: Codec,
    /// The other's PSNR-Y at `kbps`, dB; null where `kbps` is outside its measured rates.
    pub other_psnr_y_db: Option<f64>,
}

impl Comparison {
    /// Compares all codecs of each clip; `max_kbps` limits BD-rates.
    pub fn new(points: &[Point], max_kbps: Option<f64>) -> Self {
        let (mut bd_rates, mut equal_rate) = (Vec::new(), Vec::new());
        for clip in clips(points) {
            let curves = curves(points, clip);
            for (codec, curve) in &curves {
                for (reference, other) in curves.iter().filter(|(other, _)| other != codec) {
                    let result = bd_rate(curve, other, max_kbps);
                    bd_rates.push(record(clip, *codec, *reference, max_kbps, result));
                }
            }
            for point in points.iter().filter(|point| point.clip == clip) {
                let Some(target_kbps) = point.target_kbps else {
                    continue;
                };
                let others = curves.iter().filter(|(other, _)| *other != point.codec);
                equal_rate.extend(others.map(|(other, curve)| EqualRateRecord {
                    clip: clip.to_owned(),
                    codec: point.codec,
                    target_kbps,
                    kbps: point.kbps,
                    psnr_y_db: point.psnr_y_db,
                    other: *other,
                    other_psnr_y_db: curve.quality_at(point.kbps).map(|db| rounded(db, 4)),
                }));
            }
        }
        Self {
            bd_rate: bd_rates,
            equal_rate,
        }
    }

    /// The BD-rate of `codec` against `reference` on a clip.
    pub fn of(&self, clip: &str, codec: Codec, reference: Codec) -> Option<&BdRateRecord> {
        self.bd_rate.iter().find(|record| {
            record.clip == clip && record.codec == codec && record.reference == reference
        })
    }

    /// The BD-rates of a clip for people: a line for each codec, a column for each reference.
    pub fn table(&self, clip: &str, codecs: &[Codec]) -> String {
        let mut text = format!("{:<16}", "BD-rate, %");
        for reference in codecs {
            let _ = write!(text, "{reference:>16}");
        }
        for codec in codecs {
            let _ = write!(text, "\n{codec:<16}");
            for reference in codecs {
                let percent = self.of(clip, *codec, *reference);
                match percent.and_then(|record| record.bd_rate_percent) {
                    Some(percent) => {
                        let _ = write!(text, "{percent:>+16.1}");
                    }
                    None => text += &format!("{:>16}", "-"),
                }
            }
        }
        text + "\n"
    }
}

/// The names of the clips, in the order measured.
pub fn clips(points: &[Point]) -> Vec<&str> {
    let mut names: Vec<&str> = points.iter().map(|point| point.clip.as_str()).collect();
    names.dedup();
    names
}

/// The codecs measured on a clip, in the order of [`Codec::ALL`], with PSNR-Y in dB over the
/// measured rate.
pub fn curves(points: &[Point], clip: &str) -> Vec<(Codec, Curve)> {
    let of = |codec| {
        let points = points.iter();
        points.filter(move |point| point.clip == clip && point.codec == codec)
    };
    Codec::ALL
        .into_iter()
        .filter(|codec| of(*codec).next().is_some())
        .map(|codec| {
            let pairs = of(codec).map(|point| (point.kbps, point.psnr_y_db));
            (codec, Curve::new(pairs))
        })
        .collect()
}

fn record(
    clip: &str,
    codec: Codec,
    reference: Codec,
    max_kbps: Option<f64>,
    result: Result<BdRate, BdRateError>,
) -> BdRateRecord {
    let good = result.ok();
    BdRateRecord {
        clip: clip.to_owned(),
        codec,
        reference,
        bd_rate_percent: good.map(|bd| rounded(bd.percent, 3)),
        reason: result.err().map(|error| error.to_string()),
        psnr_from_db: good.map(|bd| rounded(bd.from, 4)),
        psnr_to_db: good.map(|bd| rounded(bd.to, 4)),
        max_kbps,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(codec: Codec, target_kbps: Option<f64>, kbps: f64, psnr_y_db: f64) -> Point {
        Point {
            clip: "a".to_owned(),
            codec,
            target_kbps,
            kbps,
            psnr_y_db,
            ssim: None,
            st_lpips: None,
            ms_per_frame: 1.0,
            setting: String::new(),
        }
    }

    fn comparison(max_kbps: Option<f64>) -> Comparison {
        let points = [
            point(Codec::X264Ultrafast, Some(100.0), 100.0, 30.0),
            point(Codec::X264Ultrafast, Some(400.0), 400.0, 36.0),
            point(Codec::X264Veryfast, Some(100.0), 80.0, 30.0),
            point(Codec::X264Veryfast, Some(400.0), 320.0, 36.0),
            point(Codec::Jpeg, None, 200.0, 31.0),
        ];
        Comparison::new(&points, max_kbps)
    }

    #[test]
    fn each_codec_is_held_against_each_other_one() {
        let comparison = comparison(None);
        let percent = |codec, reference| {
            let record = comparison.of("a", codec, reference).unwrap();
            record.bd_rate_percent
        };
        let (fast, very) = (Codec::X264Ultrafast, Codec::X264Veryfast);
        assert_eq!(percent(very, fast), Some(-20.0));
        assert_eq!(percent(fast, very), Some(25.0));
        assert_eq!(percent(Codec::Jpeg, fast), None);
        let record = comparison.of("a", Codec::Jpeg, fast).unwrap();
        assert!(record.reason.as_ref().unwrap().contains("two points"));
        assert_eq!(comparison.bd_rate.len(), 6);
        let table = comparison.table("a", &[fast, very]);
        assert!(
            table.contains("-20.0") && table.contains("+25.0"),
            "{table}"
        );
    }

    #[test]
    fn quality_is_compared_at_the_measured_rate() {
        // Points that complete a curve are compared with, but are not compared themselves.
        let records = comparison(None).equal_rate;
        assert_eq!(records.len(), 8);
        let at = |codec, target_kbps, other| {
            let found = records.iter().find(|record| {
                (record.codec, record.target_kbps, record.other) == (codec, target_kbps, other)
            });
            found.unwrap().other_psnr_y_db
        };
        let (fast, very) = (Codec::X264Ultrafast, Codec::X264Veryfast);
        // 6 dB a factor of 4 from 100 kbit/s: at 320, 3 · log2(3.2) more.
        assert_eq!(at(very, 400.0, fast), Some(35.0342));
        assert_eq!(at(very, 100.0, fast), None, "below its lowest rate");
        assert_eq!(at(very, 400.0, Codec::Jpeg), None);
    }

    #[test]
    fn a_limit_is_noted() {
        let record = comparison(Some(90.0)).bd_rate.remove(0);
        assert_eq!(
            (record.bd_rate_percent, record.max_kbps),
            (None, Some(90.0))
        );
        assert!(record.reason.unwrap().contains("--bd-max-kbps"));
    }
}
