//! Pictures whose sides are no multiples of anything.

use raq_tests::{clips, sandbox::Sandbox, transfer::Transfer};

fn arrives(width: u32, height: u32, frames: u32) {
    let sandbox = Sandbox::new();
    let clip = clips::generate(&sandbox, &clips::format(width, height, 2), frames);
    let transfer = Transfer::run(&sandbox, &clip, &[]);
    let psnr = transfer.psnr(&clip);
    assert!(psnr > 20.0, "{width}x{height}: {psnr:.2} dB");
}

#[test]
fn one_pixel() {
    arrives(1, 1, 2);
}

#[test]
fn odd_sides() {
    arrives(17, 31, 2);
}

#[test]
fn full_hd_which_is_no_multiple_of_32() {
    arrives(1920, 1080, 2);
}

#[test]
fn a_line_and_a_column() {
    arrives(257, 1, 2);
    arrives(1, 257, 2);
}
