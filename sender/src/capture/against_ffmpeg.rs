//! Pictures of cameras, converted here and by ffmpeg.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;

use raq_shared::frame::{Frame, FrameSize, Plane};
use raq_skips::skip;

use super::convert::{Yuyv, nv12, yu12};
use super::mjpeg::Mjpeg;

/// What ffmpeg writes to standard output when it is given `input`; none where it is not installed.
fn ffmpeg(arguments: &str, input: &[u8]) -> Option<Vec<u8>> {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error"]);
    command.args(arguments.split_whitespace()).arg("-");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        skip("ffmpeg is not installed (Debian, Ubuntu: apt-get install ffmpeg)");
        return None;
    };
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // It may write before it has read everything.
    let writer = thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "ffmpeg {arguments}");
    Some(output.stdout)
}

/// One picture of a scene with edges and colours in a raw pixel format, or as motion JPEG.
fn picture(size: &str, format: &str) -> Option<Vec<u8>> {
    let code = match format.strip_prefix("mjpeg:") {
        Some(pixels) => format!("-c:v mjpeg -q:v 2 -pix_fmt {pixels} -f mjpeg"),
        None => format!("-pix_fmt {format} -f rawvideo"),
    };
    let scene = format!("-f lavfi -i testsrc2=size={size}:rate=1 -frames:v 1 {code}");
    ffmpeg(&scene, b"")
}

/// A picture in ffmpeg's planar format as a frame.
fn planar(bytes: &[u8], size: &str) -> Frame {
    let size: FrameSize = size.parse().unwrap();
    let luma = size.width() * size.height();
    let (y, chroma) = bytes.split_at(luma);
    let (u, v) = chroma.split_at(chroma.len() / 2);
    let mut frame = Frame::new(size);
    frame.fill([y, u, v]);
    frame
}

const SIZES: [&str; 5] = ["64x48", "38x22", "640x360", "130x6", "2x2"];

#[test]
fn uncompressed_pictures_become_what_ffmpeg_makes_of_them() {
    for size in SIZES {
        for format in ["yuyv422", "nv12", "yuv420p"] {
            let Some(bytes) = picture(size, format) else {
                return;
            };
            let raw = format!("-f rawvideo -s {size} -pix_fmt");
            let conversion = format!("{raw} {format} -i - {raw} yuv420p");
            let expected = planar(&ffmpeg(&conversion, &bytes).unwrap(), size);
            let mut frame = Frame::new(expected.size());
            let width = frame.size().width();
            assert!(match format {
                "yuyv422" => Yuyv::default().convert(&bytes, 2 * width, &mut frame),
                "nv12" => nv12(&bytes, width, &mut frame),
                _ => yu12(&bytes, width, &mut frame),
            });
            for plane in Plane::ALL {
                for y in 0..frame.plane_size(plane).1 {
                    let (row, expected) = (frame.row(plane, y), expected.row(plane, y));
                    // ffmpeg rounds averages up or down, as the processor has it.
                    let most = u8::from(format == "yuyv422" && plane != Plane::Y);
                    assert!(
                        row.iter()
                            .zip(expected)
                            .all(|(a, b)| a.abs_diff(*b) <= most),
                        "{format} {size}: {plane:?} {y} is {row:?} and not {expected:?}"
                    );
                }
            }
        }
    }
}

/// Decoders may differ by a little in every sample (ITU-T T.83), and in how they spread colours.
#[test]
fn motion_jpeg_becomes_nearly_what_ffmpeg_makes_of_it() {
    for size in ["64x48", "38x22", "640x360"] {
        for pixels in ["yuvj420p", "yuvj422p", "yuvj444p"] {
            let Some(bytes) = picture(size, &format!("mjpeg:{pixels}")) else {
                return;
            };
            let conversion = "-f mjpeg -i - -f rawvideo -pix_fmt yuvj420p";
            let expected = planar(&ffmpeg(conversion, &bytes).unwrap(), size);
            let mut frame = Frame::new(expected.size());
            assert!(Mjpeg::default().decode(&bytes, &mut frame));
            for plane in Plane::ALL {
                let (width, height) = frame.plane_size(plane);
                let mut sum = 0.0;
                for y in 0..height {
                    for (a, b) in frame.row(plane, y).iter().zip(expected.row(plane, y)) {
                        sum += (f64::from(*a) - f64::from(*b)).powi(2);
                    }
                }
                let off = (sum / (width * height) as f64).sqrt();
                let most = match (plane, pixels) {
                    (Plane::Y, _) | (_, "yuvj420p") => 1.0,
                    _ => 4.0,
                };
                assert!(off < most, "{pixels} {size}: {plane:?} is off by {off:.2}");
            }
        }
    }
}
