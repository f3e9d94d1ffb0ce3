//! Search and packing at 640×384: 3840 positions, D = 32, on one thread.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use raq_shared::{
    codebook::Codebook,
    frame::FrameSize,
    latent::Latents,
    packing::{pack, unpack},
    search::Searcher,
};

const DIM: usize = 32;

/// Roughly bell-shaped values, the same in every run.
fn values(count: usize, seed: u64) -> impl Iterator<Item = i16> {
    let mut state = seed;
    (0..count).map(move |_| {
        (0..4)
            .map(|_| {
                state = state
                    .wrapping_mul(6364136223846793005)
                    .wrapping_add(1442695040888963407);
                (state >> 40) as i16 % 64
            })
            .sum()
    })
}

fn search(criterion: &mut Criterion) {
    let codebook = Codebook::new(DIM, values(4096 * DIM, 1).collect()).unwrap();
    let grid = FrameSize::new(640, 384).unwrap().grid();
    let mut latents = Latents::new(grid, DIM);
    for (value, drawn) in latents
        .values_mut()
        .iter_mut()
        .zip(values(grid.positions() * DIM, 2))
    {
        *value = drawn;
    }
    let searcher = Searcher::new(&codebook);
    let mut group = criterion.benchmark_group("search");
    for (name, build) in searcher.builds() {
        for codewords in [256, 4096] {
            let mut indices = Vec::new();
            group.bench_function(format!("{name}/{codewords}"), |b| {
                b.iter(|| build.search(black_box(&latents), codewords, &mut indices));
            });
        }
    }
    let ladder = [2, 8, 32, 128, 512, 2048, 4096];
    let mut lists = vec![Vec::new(); ladder.len()];
    group.bench_function("ladder of 7", |b| {
        b.iter(|| searcher.search_ladder(black_box(&latents), &ladder, &mut lists));
    });
    group.bench_function("layout", |b| b.iter(|| Searcher::new(black_box(&codebook))));
    group.finish();
}

fn packing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("packing");
    for codewords in [3, 256, 4095] {
        let indices: Vec<u16> = values(3840, 3).map(|v| v as u16 % codewords).collect();
        let (mut bytes, mut back) = (Vec::new(), Vec::new());
        group.bench_function(format!("pack/{codewords}"), |b| {
            b.iter(|| {
                bytes.clear();
                pack(
                    black_box(&indices).iter().copied(),
                    codewords.into(),
                    &mut bytes,
                );
            });
        });
        group.bench_function(format!("unpack/{codewords}"), |b| {
            b.iter(|| unpack(black_box(&bytes), 3840, codewords.into(), &mut back));
        });
    }
    group.finish();
}

criterion_group!(benches, search, packing);
criterion_main!(benches);
