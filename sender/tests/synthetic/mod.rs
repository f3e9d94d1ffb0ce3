//! A model and a clip made from formulas: for tests and benches that need no training.

use std::f64::consts::PI;
use std::sync::Arc;

use raq_shared::coding::Tables;
use raq_shared::coding::tables::TableCounts;
use raq_shared::frame::Grid;
use raq_shared::latent::Latents;
use raq_shared::stage::{Cover, Stage, StageCodebook, Stages};
use raq_shared::tile::basis::PATCH;
use raq_shared::tile::{Basis, TileGrid};

/// Numbers of a latent.
pub(crate) const DIM: usize = 48;

/// What both ends of a session hold.
pub(crate) struct Model {
    /// A tile, a quarter and two position codebooks.
    pub(crate) stages: Arc<Stages>,
    /// A cosine transform.
    pub(crate) basis: Arc<Basis>,
    /// Flat.
    pub(crate) tables: Arc<Tables>,
}

/// Numbers from a seed.
struct Draw(u64);

impl Draw {
    /// Roughly bell-shaped around zero, deviation about one.
    fn bell(&mut self) -> f64 {
        let mut uniform = || {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 40) as f64 / (1u64 << 24) as f64 - 0.5
        };
        (0..6).map(|_| uniform()).sum::<f64>() * std::f64::consts::SQRT_2
    }
}

/// Codebooks of the shapes and sizes of trained ones.
pub(crate) fn model() -> Model {
    let mut draw = Draw(7);
    let mut book = |cover: Cover, lead: usize, codewords: usize, size: f64, falloff: f64| {
        let mut rows = Vec::new();
        for index in 0..codewords {
            let size = size * (-2.0 * index as f64 / codewords as f64).exp2();
            for position in 0..cover.positions() * lead {
                let falls = 1.0 + falloff * (position % lead) as f64;
                rows.push((draw.bell() * size / falls) as i16);
            }
        }
        StageCodebook::new(cover, lead, rows).expect("a codebook")
    };
    let books = vec![
        book(Cover::Tile, 12, 1024, 300.0, 1.0),
        book(Cover::Quarter, 24, 2048, 200.0, 0.5),
        book(Cover::Position, DIM, 4096, 120.0, 0.2),
        book(Cover::Position, DIM, 4096, 80.0, 0.0),
    ];
    let shifts: [&[u8]; 4] = [&[0], &[0, 1], &[0, 1, 2], &[1, 2, 3, 4]];
    let stages = shifts
        .iter()
        .enumerate()
        .flat_map(|(codebook, shifts)| shifts.iter().map(move |&shift| Stage { codebook, shift }));
    let stages = Stages::new(DIM, books, stages.collect()).expect("stages");
    let tables = Tables::new(&TableCounts::flat(&stages), &stages).expect("tables");
    Model {
        stages: Arc::new(stages),
        basis: Arc::new(Basis::cosine(DIM).expect("at most 64 rows")),
        tables: Arc::new(tables),
    }
}

/// A frame: what the encoder gives, and its luma.
pub(crate) struct Frame {
    pub(crate) latents: Latents,
    pub(crate) luma: Vec<u8>,
}

/// `count` frames of a noisy picture in which something moves; the last leads to the first.
pub(crate) fn clip(model: &Model, grid: TileGrid, count: usize) -> Vec<Frame> {
    let (width, height) = (grid.width(), grid.height());
    let mut draw = Draw(11);
    let texture = |x: f64, y: f64| {
        128.0 + 40.0 * (0.19 * x + 0.05 * y).sin() + 30.0 * (0.13 * y - 0.002 * x * y / 8.0).cos()
    };
    let frame = |n: usize| {
        let turn = 2.0 * PI * n as f64 / count as f64;
        let (dx, dy) = (9.0 * turn.cos(), 6.0 * turn.sin());
        let centre = (width as f64 / 2.0 + dx, height as f64 / 2.0 + dy);
        let luma = (0..width * height).map(|i| {
            let (x, y) = ((i % width) as f64, (i / width) as f64);
            let near = (x - centre.0).hypot(y - centre.1) < height as f64 / 4.0;
            let value = if near {
                texture(1.7 * (x - dx), 1.3 * (y - dy))
            } else {
                texture(x, y)
            };
            (value + 1.5 * draw.bell()).clamp(0.0, 255.0) as u8
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
            model.basis.analyse(&patch, latent);
        }
        Frame { latents, luma }
    };
    (0..count).map(frame).collect()
}
