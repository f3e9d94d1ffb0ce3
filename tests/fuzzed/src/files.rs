//! Files from outside: clips, and what a model consists of.

use raq_shared::codebook::CodebookDigest;
use raq_shared::coding::Tables;
use raq_shared::coding::tables::TableCounts;
use raq_shared::frame::Frame;
use raq_shared::model::{MANIFEST_FORMAT, Manifest};
use raq_shared::wire::shipment::{self, Expected};
use raq_shared::y4m::Reader;

use crate::sample;

/// Frames of a clip that are read.
const FRAMES: usize = 20;
/// Pixels above which frames are passed over: larger ones only take time.
const PIXELS: u32 = 1 << 18;

/// Reads bytes as a clip.
pub fn y4m(bytes: &[u8]) {
    let Ok(mut reader) = Reader::new(bytes) else {
        return;
    };
    let format = reader.format();
    assert!(format.width > 0 && format.height > 0);
    let small = format.width.saturating_mul(format.height) <= PIXELS;
    let mut frame = small.then(|| Frame::new(reader.size()));
    for number in 0..FRAMES as u64 {
        assert_eq!(reader.frames(), number);
        let read = match &mut frame {
            Some(frame) => reader.read(frame),
            None => reader.skip(),
        };
        if !matches!(read, Ok(true)) {
            break;
        }
    }
}

/// Reads bytes as the manifest of a model.
pub fn manifest(bytes: &[u8]) {
    if let Ok(manifest) = Manifest::parse(bytes) {
        assert_eq!(manifest.format, MANIFEST_FORMAT);
        assert!(manifest.latent_scale > 0.0 && manifest.codeword_limit > 0);
    }
}

/// Reads bytes as the tables of a model, and as counts of one band whose other numbers are flat.
pub fn tables(bytes: &[u8]) {
    let stages = &sample::temporal().stages;
    if let Ok(counts) = serde_json::from_slice::<TableCounts>(bytes)
        && let Ok(tables) = Tables::new(&counts, stages)
    {
        for level in 0..=96 {
            let band = tables.band(level);
            for stage in stages.numbers() {
                let codewords = usize::from(band.codewords[stage]);
                assert!((1..=stages.codewords(stage)).contains(&codewords));
                assert!(band.class(stage, codewords).size() > 0);
            }
        }
    }
}

/// Reads bytes as codebooks that a sender sends, which may be those named or others.
pub fn shipment(bytes: &[u8]) {
    let like = sample::codebooks();
    let mut expected = Expected {
        codeword_limit: 200,
        digest: like.digest(),
        like,
    };
    if let Ok(codebooks) = shipment::decode(bytes, &expected) {
        assert_eq!(shipment::encode(&codebooks), bytes);
        assert_eq!(codebooks.digest(), expected.digest);
    }
    expected.digest = CodebookDigest([0; 32]);
    assert!(shipment::decode(bytes, &expected).is_err());
}
