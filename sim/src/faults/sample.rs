//! A model that was never trained and a clip made from formulas: nothing is needed to run them.

use std::{
    f64::consts::PI,
    sync::{Arc, LazyLock},
};

use raq_shared::{
    codebook::{Codebook, CodewordShape},
    codebooks::{Codebooks, Stage},
    coding::{Tables, tables::TableCounts},
    frame::Grid,
    latent::Latents,
    model::Temporal,
    stage::Stages,
    tile::{Basis, TileGrid, basis::PATCH},
    video::{ChromaSiting, ColourRange, Fraction, FrameRate, VideoFormat},
    wire::message::ModelId,
};

/// Numbers in a latent.
pub(super) const DIM: usize = 8;
/// Frames a second.
pub(super) const RATE: u32 = 30;
/// What both ends say of the model.
pub(super) const MODEL: ModelId = ModelId([9; 32]);
/// The stage whose codewords cover whole tiles.
pub(super) const WHOLE: u8 = 0;
/// Frames after which the clip begins anew.
const FRAMES: usize = 60;
/// The picture.
const SIZE: (u32, u32) = (96, 64);

/// What both ends hold, and what is filmed.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) video: VideoFormat,
    pub(super) grid: TileGrid,
    pub(super) codebooks: Arc<Codebooks>,
    pub(super) temporal: Temporal,
    clip: Vec<Filmed>,
}

/// A frame: what an encoder would give, and its luma.
#[derive(Debug)]
pub(super) struct Filmed {
    pub(super) latents: Latents,
    pub(super) luma: Vec<u8>,
}

impl Sample {
    /// The only one.
    pub(super) fn get() -> &'static Self {
        static MADE: LazyLock<Sample> = LazyLock::new(Sample::new);
        &MADE
    }

    /// The frame of this number.
    pub(super) fn frame(&self, number: u32) -> &Filmed {
        &self.clip[number as usize % FRAMES]
    }

    fn new() -> Self {
        let (width, height) = SIZE;
        let video = VideoFormat {
            width,
            height,
            frame_rate: FrameRate::new(RATE, 1).expect("a usual rate"),
            aspect: Fraction::new(1, 1),
            chroma_siting: ChromaSiting::Jpeg,
            colour_range: ColourRange::Full,
        };
        let grid = TileGrid::of(video.size().expect("a small picture"));
        let codebooks = Arc::new(codebooks());
        let stages = Stages::of(&codebooks).expect("stages of a model");
        let tables = Tables::new(&TableCounts::flat(&stages), &stages).expect("flat tables");
        let temporal = Temporal {
            stages: Arc::new(stages),
            basis: Arc::new(Basis::cosine(DIM).expect("at most 64 rows")),
            tables: Arc::new(tables),
        };
        let clip = (0..FRAMES)
            .map(|n| film(&temporal.basis, grid, n))
            .collect();
        Self {
            video,
            grid,
            codebooks,
            temporal,
            clip,
        }
    }
}

/// Codebooks of chance, of tiles, quarters and positions.
fn codebooks() -> Codebooks {
    let mut chance = fastrand::Rng::with_seed(7);
    let mut book = |name: &str, cover: usize, lead: usize, codewords: usize, size: f64| {
        let count = codewords * cover * cover * lead;
        let row = |at: usize| {
            let bell: f64 = (0..4).map(|_| chance.f64() - 0.5).sum();
            (bell * size / (1 + at % lead) as f64) as i16
        };
        let rows = (0..count).map(row).collect();
        Codebook::named(name, CodewordShape { cover, lead }, rows).expect("rows are whole")
    };
    let list = vec![
        book("tile", 4, 4, 64, 3000.0),
        book("quarter", 2, 6, 64, 1500.0),
        book("position", 1, DIM, 128, 900.0),
    ];
    let stages = [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2)];
    let stages = stages.map(|(codebook, shift)| Stage { codebook, shift });
    Codebooks::new(DIM, list, stages.to_vec()).expect("they go together")
}

/// Frame `number`: a pattern over which something moves in a circle.
fn film(basis: &Basis, grid: TileGrid, number: usize) -> Filmed {
    let (width, height) = (grid.width(), grid.height());
    let mut chance = fastrand::Rng::with_seed(number as u64);
    let turn = 2.0 * PI * number as f64 / FRAMES as f64;
    let (dx, dy) = (25.0 * turn.cos(), 15.0 * turn.sin());
    let texture = |x: f64, y: f64| 128.0 + 50.0 * (0.11 * x).sin() + 40.0 * (0.07 * y).cos();
    let luma = (0..width * height).map(|at| {
        let (x, y) = ((at % width) as f64, (at / width) as f64);
        let (rx, ry) = (x - width as f64 / 2.0 - dx, y - height as f64 / 2.0 - dy);
        let near = rx.hypot(ry) < height as f64 / 4.0;
        let value = if near {
            texture(3.0 * rx, 2.0 * ry)
        } else {
            texture(x, y)
        };
        (value + 3.0 * (chance.f64() - 0.5)).clamp(0.0, 255.0) as u8
    });
    let luma: Vec<u8> = luma.collect();
    let (columns, rows) = (width / 8, height / 8);
    let mut latents = Latents::new(Grid { columns, rows }, DIM);
    for (position, latent) in latents.values_mut().chunks_exact_mut(DIM).enumerate() {
        let (left, top) = (position % columns * 8, position / columns * 8);
        let mut patch = [0; PATCH];
        for (i, sample) in patch[..64].iter_mut().enumerate() {
            *sample = (i16::from(luma[(top + i / 8) * width + left + i % 8]) - 128) * 8;
        }
        basis.analyse(&patch, latent);
    }
    Filmed { latents, luma }
}
