//! What the networks give in Rust is what they gave in Python when the model was made:
//! `reference.bin`, laid out as `onnx/raq_train/export.py` says.

use raq_shared::{
    frame::{Frame, FrameSize},
    model::{Decoder, Model, ModelOptions, Precision, Provider, quick_bytes},
    quality::psnr_y,
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

fn open(precision: Precision, threads: usize) -> Model {
    Model::open(&ModelOptions {
        folder: Some(model()),
        provider: Provider::Cpu,
        precision,
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
    let model = open(Precision::F32, 1);
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

/// What `decoder` makes of the latents of `reference`.
fn decode(decoder: &mut Decoder, reference: &Reference, depth: f32) -> Frame {
    decoder.prepare(size()).unwrap();
    let (latents, depths) = decoder.inputs();
    for (input, latent) in latents.iter_mut().zip(&reference.latents) {
        *input = latent.round_ties_even();
    }
    depths.fill(depth);
    let mut frame = Frame::new(size());
    decoder.decode(&mut frame).unwrap();
    frame
}

#[test]
fn the_decoder_gives_the_picture_that_python_gave() {
    let model = open(Precision::F32, 2);
    let reference = reference(&model);
    let mut decoder = model.decoder().unwrap();
    assert_eq!(decoder.precision(), Precision::F32);
    let depth = model.manifest().unquantised_depth;
    let frame = decode(&mut decoder, &reference, depth);
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

#[test]
fn the_decoder_of_integers_gives_nearly_that_picture() {
    let model = open(Precision::Auto, 1);
    let reference = reference(&model);
    let depth = model.manifest().unquantised_depth;
    let chosen = model.decoder().unwrap().precision();
    assert_eq!(chosen == Precision::Int8, quick_bytes());
    let mut rounded = open(Precision::Int8, 1).decoder().unwrap();
    assert_eq!(rounded.precision(), Precision::Int8);
    let rounded = decode(&mut rounded, &reference, depth);
    let mut exact = open(Precision::F32, 1).decoder().unwrap();
    let exact = decode(&mut exact, &reference, depth);
    // Sums of bytes saturate on other processors.
    let least = if quick_bytes() { 40.0 } else { 25.0 };
    let psnr = psnr_y(&exact, &rounded);
    assert!(psnr > least, "{psnr:.2} dB between the decoders");
    assert!(psnr < 90.0, "it is another decoder");
}

#[test]
fn integers_are_for_the_cpu() {
    let model = Model::open(&ModelOptions {
        folder: Some(model()),
        provider: Provider::Cuda(0),
        precision: Precision::Int8,
        ..ModelOptions::default()
    })
    .unwrap();
    let error = model.decoder().err().unwrap().to_string();
    assert!(
        error.contains("decoder_int8.onnx is for the CPU"),
        "{error}"
    );
}
