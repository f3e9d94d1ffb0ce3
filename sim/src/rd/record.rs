//! What is written per frame and per point of a curve, measured in one way for every codec.

use raq_shared::{
    exit::{Exit, Failure},
    frame::Plane,
    quality::{psnr, ssim_y},
    units::Bitrate,
};
use serde::Serialize;

use super::{Clip, Codec, FIRST_MEASURED, encoded::Encoded};

/// Equal planes have an infinite PSNR, which has no mean: they count as this many decibels.
pub const BEST_PSNR_DB: f64 = 100.0;

/// One frame of one encode: a row of `frames.csv` (with these names in its first line) and an
/// object of the list in `frames.json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FrameRecord {
    /// The clip's file name without folder and ending.
    pub clip: String,
    /// The codec's name.
    pub codec: Codec,
    /// The bitrate asked for, kbit/s; none for points that
    /// only complete a comparator's curve.
    pub target_kbps: Option<f64>,
    /// How the codec was set, in words.
    pub setting: String,
    /// The frame's number, from 0.
    pub frame: usize,
    /// Bits sent for it.
    pub bits: u64,
    /// PSNR of the 8-bit Y plane in decibels, at most [`BEST_PSNR_DB`]; four decimals.
    pub psnr_y_db: f64,
    /// Likewise of U.
    pub psnr_u_db: f64,
    /// Likewise of V.
    pub psnr_v_db: f64,
    /// SSIM of Y, at most 1, six decimals; none for pictures with a side below 11 pixels.
    pub ssim: Option<f64>,
    /// ST-LPIPS of the picture in RGB, 0 for equal ones, six decimals; none where not measured.
    pub st_lpips: Option<f64>,
}

/// One encode of one clip: an object of the list in `rd.json`. All means and the rate are over the
/// frames from [`FIRST_MEASURED`] on, so that the first frame, which predicts from nothing, and
/// the buffer's settling do not weigh on a short clip. It is the same for every codec.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// The clip's file name without folder and ending.
    pub clip: String,
    /// The codec's name.
    pub codec: Codec,
    /// The bitrate asked for, kbit/s; null for points that
    /// only complete a comparator's curve.
    pub target_kbps: Option<f64>,
    /// Bits of the measured frames over their duration, kbit/s; three decimals.
    pub kbps: f64,
    /// Mean over the measured frames of [`FrameRecord::psnr_y_db`].
    pub psnr_y_db: f64,
    /// Mean over the measured frames of [`FrameRecord::ssim`]; null for tiny pictures.
    pub ssim: Option<f64>,
    /// Mean over the measured frames of [`FrameRecord::st_lpips`]; null where not measured.
    pub st_lpips: Option<f64>,
    /// Time on the wall for encoding all frames, over their number, in milliseconds. For codecs in
    /// ffmpeg it includes the start of the process, which weighs on short clips.
    pub ms_per_frame: f64,
    /// How the codec was set, in words.
    pub setting: String,
}

/// Measures the pictures of an encode against the clip, but for ST-LPIPS.
///
/// # Errors
/// [`Failure`] where the codec gave another number or size of pictures than the clip has.
pub fn measure(
    clip: &Clip,
    codec: Codec,
    target: Option<Bitrate>,
    encoded: &Encoded,
) -> Result<(Vec<FrameRecord>, Point), Failure> {
    let pictures = &encoded.frames;
    let fits = |size| pictures.iter().all(|frame| frame.picture.size() == size);
    if pictures.len() != clip.frames.len() || !fits(clip.size()) {
        return Err(Failure::new(
            Exit::Failure,
            format_args!(
                "{codec} gave {} pictures for {clip}, or another size; please report this",
                pictures.len()
            ),
        ));
    }
    let target_kbps = target.map(Bitrate::kilobits_per_second);
    let records: Vec<_> = clip
        .frames
        .iter()
        .zip(pictures)
        .enumerate()
        .map(|(number, (original, frame))| {
            let [y, u, v] = Plane::ALL.map(|plane| {
                let psnr = psnr(original, &frame.picture, plane);
                rounded(psnr.min(BEST_PSNR_DB), 4)
            });
            FrameRecord {
                clip: clip.name.clone(),
                codec,
                target_kbps,
                setting: encoded.setting.clone(),
                frame: number,
                bits: 8 * frame.bytes,
                psnr_y_db: y,
                psnr_u_db: u,
                psnr_v_db: v,
                ssim: ssim_y(original, &frame.picture).map(|ssim| rounded(ssim, 6)),
                st_lpips: None,
            }
        })
        .collect();
    let measured = &records[FIRST_MEASURED..];
    let count = measured.len() as f64;
    let bits: u64 = measured.iter().map(|frame| frame.bits).sum();
    let psnr: f64 = measured.iter().map(|frame| frame.psnr_y_db).sum();
    let ssim: Option<f64> = measured.iter().map(|frame| frame.ssim).sum();
    let millis = 1000.0 * encoded.encode_time.as_secs_f64();
    let point = Point {
        clip: clip.name.clone(),
        codec,
        target_kbps,
        kbps: rounded(bits as f64 * clip.fps() / count / 1000.0, 3),
        psnr_y_db: rounded(psnr / count, 4),
        ssim: ssim.map(|sum| rounded(sum / count, 6)),
        st_lpips: None,
        ms_per_frame: rounded(millis / records.len() as f64, 3),
        setting: encoded.setting.clone(),
    };
    Ok((records, point))
}

/// Adds the ST-LPIPS of each frame to what [`measure`] gave.
pub fn add_st_lpips(records: &mut [FrameRecord], point: &mut Point, distances: &[f64]) {
    for (record, distance) in records.iter_mut().zip(distances) {
        record.st_lpips = Some(rounded(*distance, 6));
    }
    let measured = &records[FIRST_MEASURED..];
    let sum: Option<f64> = measured.iter().map(|frame| frame.st_lpips).sum();
    point.st_lpips = sum.map(|sum| rounded(sum / measured.len() as f64, 6));
}

/// `value` with so many decimals.
pub(super) fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use raq_shared::{
        frame::{Frame, FrameSize},
        video::{ChromaSiting, ColourRange, Fraction, FrameRate, VideoFormat},
    };

    use super::*;
    use crate::rd::encoded::EncodedFrame;

    fn clip() -> Clip {
        Clip {
            name: "grey".to_owned(),
            format: VideoFormat {
                width: 16,
                height: 16,
                frame_rate: FrameRate::new(25, 1).unwrap(),
                aspect: Fraction::new(1, 1),
                chroma_siting: ChromaSiting::Jpeg,
                colour_range: ColourRange::Limited,
            },
            frames: vec![Frame::new(FrameSize::new(16, 16).unwrap()); 7],
        }
    }

    /// Frame n costs 100 n bytes; luma of frame 6 is off by 5 everywhere.
    fn encoded(clip: &Clip) -> Encoded {
        let mut frames: Vec<_> = clip
            .frames
            .iter()
            .zip(0..)
            .map(|(frame, n)| EncodedFrame {
                bytes: 100 * n,
                picture: frame.clone(),
            })
            .collect();
        for y in 0..16 {
            frames[6].picture.row_mut(Plane::Y, y).fill(133);
        }
        Encoded {
            setting: "as told".to_owned(),
            frames,
            encode_time: Duration::from_millis(14),
        }
    }

    #[test]
    fn means_begin_with_the_sixth_frame() {
        let clip = clip();
        let target = Some(Bitrate::from_kilobits_per_second(60));
        let (records, point) = measure(&clip, Codec::Jpeg, target, &encoded(&clip)).unwrap();
        assert_eq!(records.len(), 7);
        assert_eq!((records[6].frame, records[6].bits), (6, 4800));
        // 255² / 25 is 34.1514 dB.
        assert_eq!(records[6].psnr_y_db, 34.1514);
        assert_eq!((records[6].psnr_u_db, records[0].psnr_y_db), (100.0, 100.0));
        // Frames 5 and 6: 1100 bytes in 2/25 s.
        assert_eq!(point.kbps, 110.0);
        assert_eq!(point.psnr_y_db, 67.0757);
        assert_eq!(point.ms_per_frame, 2.0);
        let ssim = (1.0 + records[6].ssim.unwrap()) / 2.0;
        assert!((point.ssim.unwrap() - ssim).abs() < 1e-6);
    }

    #[test]
    fn st_lpips_is_added_to_frames_and_mean() {
        let clip = clip();
        let (mut records, mut point) = measure(&clip, Codec::Vp8, None, &encoded(&clip)).unwrap();
        assert_eq!((records[6].st_lpips, point.st_lpips), (None, None));
        let distances = [0.9, 0.9, 0.9, 0.9, 0.9, 0.12345678, 0.2];
        add_st_lpips(&mut records, &mut point, &distances);
        assert_eq!(records[5].st_lpips, Some(0.123457));
        assert_eq!(point.st_lpips, Some(0.161729));
    }

    #[test]
    fn missing_pictures_are_no_result() {
        let clip = clip();
        let mut encoded = encoded(&clip);
        encoded.frames.pop();
        let failure = measure(&clip, Codec::Vp8, None, &encoded).unwrap_err();
        assert!(failure.message.contains("6 pictures"), "{failure}");
    }
}
