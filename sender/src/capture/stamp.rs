//! The frame number, written into the picture.

use raq_shared::frame::{Frame, Plane};

/// Digits of 3×5 dots, a row per octal digit.
const DIGITS: [[u8; 5]; 10] = [
    [0o7, 0o5, 0o5, 0o5, 0o7],
    [0o2, 0o6, 0o2, 0o2, 0o7],
    [0o7, 0o1, 0o7, 0o4, 0o7],
    [0o7, 0o1, 0o7, 0o1, 0o7],
    [0o5, 0o5, 0o7, 0o1, 0o1],
    [0o7, 0o4, 0o7, 0o1, 0o7],
    [0o7, 0o4, 0o7, 0o5, 0o7],
    [0o7, 0o1, 0o1, 0o2, 0o2],
    [0o7, 0o5, 0o7, 0o5, 0o7],
    [0o7, 0o5, 0o7, 0o1, 0o7],
];
/// Digits written, leading zeros included.
const PLACES: usize = 6;

/// Writes `number` in white on black into the top left corner, as far as there is room.
pub(super) fn write(frame: &mut Frame, number: u32) {
    let (width, height) = frame.plane_size(Plane::Y);
    let dot = (height / 72).max(1);
    // A dot of border around the digits; an even size keeps chroma in step.
    let box_width = ((PLACES * 4 + 1) * dot).next_multiple_of(2).min(width);
    let box_height = (7 * dot).next_multiple_of(2).min(height);
    for y in 0..box_height {
        for (x, value) in frame.row_mut(Plane::Y, y)[..box_width]
            .iter_mut()
            .enumerate()
        {
            *value = if is_lit(number, x / dot, y / dot) {
                235
            } else {
                16
            };
        }
    }
    for plane in [Plane::U, Plane::V] {
        for y in 0..box_height / 2 {
            frame.row_mut(plane, y)[..box_width / 2].fill(128);
        }
    }
}

fn is_lit(number: u32, column: usize, row: usize) -> bool {
    let (Some(column), Some(row)) = (column.checked_sub(1), row.checked_sub(1)) else {
        return false;
    };
    let (place, x) = (column / 4, column % 4);
    if place >= PLACES || x == 3 || row >= 5 {
        return false;
    }
    let digit = number / 10u32.pow((PLACES - 1 - place) as u32) % 10;
    DIGITS[digit as usize][row] >> (2 - x) & 1 == 1
}
