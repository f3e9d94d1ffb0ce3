//! What updates come to: a guess of the error that a tile is left with and of the bits it takes.

use super::promise::Promises;

/// How fast the means follow.
const PACE: f32 = 0.02;

/// What updates have come to so far, by octave of the tile's error per bit's worth: running means
/// of the share of the error that was left, and of the bits.
#[derive(Debug, Clone)]
pub struct Yields {
    left: [f32; Promises::OCTAVES],
    bits: [f32; Promises::OCTAVES],
}

impl Default for Yields {
    fn default() -> Self {
        // About what clips of all kinds come to: a fall by half for every dozen bits.
        let octaves: [f32; Promises::OCTAVES] = std::array::from_fn(|octave| octave as f32);
        Self {
            left: octaves.map(|octave| (4.0 - octave).exp2().clamp(0.05, 1.0)),
            bits: octaves.map(|octave| 12.0 * (octave - 3.0).max(0.0)),
        }
    }
}

impl Yields {
    /// The error left and the bits of an update that starts with `error`, where a bit is worth
    /// `lambda`.
    pub fn of(&self, error: f32, lambda: f32) -> (f32, f32) {
        let octave = Promises::octave(error, lambda);
        (error * self.left[octave], self.bits[octave])
    }

    /// The most that such an update gains per bit, its first `bits` included, when it is ended
    /// where that is largest; `rest` is the error without it.
    pub fn ratio(&self, error: f32, lambda: f32, rest: f32, bits: f32) -> f32 {
        let (left, more) = self.of(error, lambda);
        let fall = (left / error.max(1.0)).clamp(0.001, 1.0).log2();
        let ratio = |part: f32| (rest - error * (fall * part).exp2()) / (bits + more * part);
        [0.25, 0.5, 0.75, 1.0]
            .map(ratio)
            .into_iter()
            .fold(f32::NEG_INFINITY, f32::max)
    }

    /// Learns what an update came to.
    pub fn learn(&mut self, error: f32, lambda: f32, left: f32, bits: f32) {
        let octave = Promises::octave(error, lambda);
        self.left[octave] += PACE * (left / error.max(1.0) - self.left[octave]);
        self.bits[octave] += PACE * (bits - self.bits[octave]);
    }
}
