//! How close a decoded picture comes to the original: PSNR of any plane, SSIM of luma.

use crate::frame::{Frame, Plane};

/// Peak signal-to-noise ratio of luma in decibels; infinite for equal pictures.
///
/// # Panics
/// When the sizes differ.
pub fn psnr_y(a: &Frame, b: &Frame) -> f64 {
    psnr(a, b, Plane::Y)
}

/// Peak signal-to-noise ratio of one plane in decibels; infinite for equal planes.
///
/// # Panics
/// When the sizes differ.
pub fn psnr(a: &Frame, b: &Frame, plane: Plane) -> f64 {
    10.0 * (255.0f64.powi(2) / mse(a, b, plane)).log10()
}

/// Mean squared error of one plane over its visible samples.
///
/// # Panics
/// When the sizes differ.
pub fn mse(a: &Frame, b: &Frame, plane: Plane) -> f64 {
    assert_eq!(a.size(), b.size(), "pictures of one size");
    let (width, height) = a.plane_size(plane);
    let sum: u64 = (0..height)
        .flat_map(|y| a.row(plane, y).iter().zip(b.row(plane, y)))
        .map(|(&a, &b)| u64::from(a.abs_diff(b)).pow(2))
        .sum();
    sum as f64 / (width * height) as f64
}

/// Side of the SSIM window.
const WINDOW: usize = 11;

/// Structural similarity of luma, 1 for equal pictures: Gaussian window of 11×11 with σ = 1.5,
/// K1 = 0.01, K2 = 0.03, L = 255, mean over the windows that lie wholly inside (Wang et al.,
/// "Image quality assessment", IEEE TIP 13(4), 2004). `None` when a side is below 11 pixels.
///
/// # Panics
/// When the sizes differ.
pub fn ssim_y(a: &Frame, b: &Frame) -> Option<f64> {
    assert_eq!(a.size(), b.size(), "pictures of one size");
    let (width, height) = a.plane_size(Plane::Y);
    if width < WINDOW || height < WINDOW {
        return None;
    }
    let weights = gaussian();
    let across = width - WINDOW + 1;
    // The last 11 rows, filtered across: sums of a, b, a², b², ab.
    let mut rows = vec![[0.0f64; 5]; across * WINDOW];
    let mut total = 0.0;
    for y in 0..height {
        let (ra, rb) = (a.row(Plane::Y, y), b.row(Plane::Y, y));
        let filtered = &mut rows[y % WINDOW * across..][..across];
        for (x, out) in filtered.iter_mut().enumerate() {
            *out = [0.0; 5];
            for (k, weight) in weights.iter().enumerate() {
                let (p, q) = (f64::from(ra[x + k]), f64::from(rb[x + k]));
                for (sum, value) in out.iter_mut().zip([p, q, p * p, q * q, p * q]) {
                    *sum += weight * value;
                }
            }
        }
        if y + 1 < WINDOW {
            continue;
        }
        for x in 0..across {
            let mut moments = [0.0; 5];
            for (k, weight) in weights.iter().enumerate() {
                let row = (y + 1 + k) % WINDOW;
                for (sum, value) in moments.iter_mut().zip(rows[row * across + x]) {
                    *sum += weight * value;
                }
            }
            total += similarity(moments);
        }
    }
    Some(total / (across * (height - WINDOW + 1)) as f64)
}

fn similarity([a, b, aa, bb, ab]: [f64; 5]) -> f64 {
    const C1: f64 = (0.01 * 255.0) * (0.01 * 255.0);
    const C2: f64 = (0.03 * 255.0) * (0.03 * 255.0);
    let (var_a, var_b, covariance) = (aa - a * a, bb - b * b, ab - a * b);
    (2.0 * a * b + C1) * (2.0 * covariance + C2) / ((a * a + b * b + C1) * (var_a + var_b + C2))
}

fn gaussian() -> [f64; WINDOW] {
    let mut weights = [0.0; WINDOW];
    for (k, weight) in weights.iter_mut().enumerate() {
        let x = k as f64 - (WINDOW / 2) as f64;
        *weight = (-x * x / (2.0 * 1.5 * 1.5)).exp();
    }
    let sum: f64 = weights.iter().sum();
    weights.map(|weight| weight / sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::FrameSize;

    fn luma(width: u32, height: u32, pixel: impl Fn(usize, usize) -> usize) -> Frame {
        let mut frame = Frame::new(FrameSize::new(width, height).unwrap());
        for y in 0..height as usize {
            for (x, value) in frame.row_mut(Plane::Y, y).iter_mut().enumerate() {
                *value = pixel(x, y).min(255) as u8;
            }
        }
        frame.pad();
        frame
    }

    /// The expected values are scikit-image 0.26's: `peak_signal_noise_ratio` and
    /// `structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
    /// data_range=255)` of the same pictures.
    #[test]
    fn it_agrees_with_scikit_image() {
        for (width, height, psnr, ssim) in [
            (11, 11, 27.392560130186613, 0.953756908574709),
            (37, 29, 26.562355112120464, 0.9677272535775024),
            (64, 48, 26.47474396972683, 0.9683256345297836),
        ] {
            let a = luma(width, height, |x, y| (x * 7 + y * 13) % 256);
            let b = luma(width, height, |x, y| (x * 7 + y * 13) % 256 + (x * y) % 23);
            assert!((psnr_y(&a, &b) - psnr).abs() < 1e-9, "{}", psnr_y(&a, &b));
            assert!(
                (ssim_y(&a, &b).unwrap() - ssim).abs() < 1e-9,
                "{:?}",
                ssim_y(&a, &b)
            );
        }
    }

    #[test]
    fn planes_are_told_apart_and_padding_does_not_count() {
        let a = Frame::new(FrameSize::new(6, 3).unwrap());
        let mut b = a.clone();
        // 3×2 visible chroma samples, of which one is off by 12.
        b.row_mut(Plane::V, 1)[2] += 12;
        assert_eq!(mse(&a, &b, Plane::V), 24.0);
        b.pad();
        assert_eq!(mse(&a, &b, Plane::V), 24.0);
        assert!((psnr(&a, &b, Plane::V) - 34.328_691).abs() < 1e-6);
        assert_eq!(psnr(&a, &b, Plane::U), f64::INFINITY);
        assert_eq!(mse(&a, &b, Plane::Y), 0.0);
    }

    #[test]
    fn equal_pictures_are_perfect_and_small_ones_have_no_window() {
        let a = luma(20, 11, |x, y| x * y);
        assert_eq!(psnr_y(&a, &a), f64::INFINITY);
        assert!((ssim_y(&a, &a).unwrap() - 1.0).abs() < 1e-12);
        let small = luma(20, 10, |x, y| x * y);
        assert_eq!(ssim_y(&small, &small), None);
    }
}
