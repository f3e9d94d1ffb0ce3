//! What the networks give in Rust is what they gave in Python when the model was made:
//! `reference.bin`, laid out as `onnx/raq_train/export.py` says.

use raq_shared::{
    frame::{Frame, FrameSize},
    model::{Model, ModelOptions, Provider},
};
use raq_tests::model;

const SIDE: u32 = 64;
/// Pixels of luma, of both chroma planes, and positions.
const LUMA: usize = 64 * 64;
const CHROMA: usize = 2 * 32 * 32;
const POSITIONS: usize = 8 * 8;

struct Reference {
    source: [Vec<u8>; 2],
    latents: Vec<f32>,
    decoded: [Vec<u8>; 2],
}

fn reference(model: &Model) -> Reference {
    let bytes = model.folder().read("reference.bin").unwrap();
    let mut rest = &bytes[..];
    let mut take = |length: usize| rest.split_off(..length).expect("reference.bin is whole");
    let reference = Reference {
        source: [take(LUMA).to_vec(), take(CHROMA).to_vec()],
        latents: take(4 * POSITIONS * model.manifest().latent_dim)
            .chunks_exact(4)
            .map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()))
            .collect(),
        decoded: [take(LUMA).to_vec(), take(CHROMA).to_vec()],
    };
    assert!(rest.is_empty());
    reference
}

fn open(threads: usize) -> Model {
    Model::open(&ModelOptions {
        folder: Some(model()),
        provider: Provider::Cpu,
        threads,
        ..ModelOptions::default()
    })
    .unwrap()
}

fn size() -> FrameSize {
    FrameSize::new(SIDE, SIDE).unwrap()
}

#[test]
fn the_encoder_gives_the_latents_that_python_gave() {
    let model = open(1);
    let reference = reference(&model);
    let mut frame = Frame::new(size());
    let (luma, chroma) = frame.tensors_mut();
    luma.copy_from_slice(&reference.source[0]);
    chroma.copy_from_slice(&reference.source[1]);
    let mut encoder = model.encoder().unwrap();
    encoder.prepare(size()).unwrap();
    let latents = encoder.encode(&frame).unwrap();
    assert_eq!(latents.len(), reference.latents.len());
    // A pixel step of 1/255 is `latent_scale` grid units.
    let step = model.manifest().latent_scale;
    for (at, (found, expected)) in latents.iter().zip(&reference.latents).enumerate() {
        let off = (found - expected).abs() / step;
        assert!(off <= 0.1, "latent {at} is {found}, was {expected}");
    }
    assert!(
        reference.latents.iter().any(|value| value.abs() > 10.0),
        "the picture is not flat"
    );
}

#[test]
fn the_decoder_gives_the_picture_that_python_gave() {
    let model = open(2);
    let reference = reference(&model);
    let mut decoder = model.decoder().unwrap();
    decoder.prepare(size()).unwrap();
    let (latents, depth) = decoder.inputs();
    for (input, latent) in latents.iter_mut().zip(&reference.latents) {
        *input = latent.round_ties_even();
    }
    depth.fill(model.manifest().unquantised_depth);
    let mut frame = Frame::new(size());
    decoder.decode(&mut frame).unwrap();
    for (name, found, expected) in [
        ("luma", frame.luma_tensor(), &reference.decoded[0]),
        ("chroma", frame.chroma_tensor(), &reference.decoded[1]),
    ] {
        for (at, (&found, &expected)) in found.iter().zip(expected).enumerate() {
            assert!(
                found.abs_diff(expected) <= 1,
                "{name} {at} is {found}, was {expected}"
            );
        }
    }
}
