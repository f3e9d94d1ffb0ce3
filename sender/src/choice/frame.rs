//! What a frame is chosen from, within what, and what training learns of it.

use raq_shared::latent::Latents;

/// The frame to be coded.
#[derive(Debug, Clone, Copy)]
pub struct Picture<'a> {
    /// The encoder's latents.
    pub target: &'a Latents,
    /// Luma, padded, `[height, width]`.
    pub luma: &'a [u8],
}

/// What a frame may take.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// Bits for the bodies of all datagrams, estimated as the tables price them.
    pub bits: f32,
    /// Datagrams of the frame.
    pub count: u8,
    /// Bits for the body of one datagram.
    pub datagram_bits: f32,
}

/// A refinement that was chosen, and what it had to code: what codebooks are trained on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Stage of the refinement.
    pub stage: u8,
    /// The block's residual before, leading components of its codebook, `[positions, lead]`.
    pub residual: Vec<i16>,
}
