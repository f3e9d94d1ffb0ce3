//! What the sender codes while it does not know what has arrived.

use std::sync::Arc;

use raq_send::choice::{Picture, Speed};
use raq_send::frame_coder::{Allowance, FrameCoder};
use raq_shared::coding::{Tables, tables::TableCounts};
use raq_shared::frame::Grid;
use raq_shared::latent::Latents;
use raq_shared::stage::{Cover, Stage, StageCodebook, Stages};
use raq_shared::tile::basis::PATCH;
use raq_shared::tile::scene::Arrivals;
use raq_shared::tile::{Base, Basis, Start, TileGrid};

const GRID: TileGrid = TileGrid {
    columns: 4,
    rows: 3,
};
const SIZE: Grid = Grid {
    columns: 16,
    rows: 12,
};
const CODEWORDS: usize = 8;

/// A codeword for each number: all its components are 100 times as large.
fn coder() -> FrameCoder {
    let rows = (0..CODEWORDS).flat_map(|k| [k as i16 * 100; 4]).collect();
    let book = StageCodebook::new(Cover::Quarter, 1, rows).unwrap();
    let stage = Stage {
        codebook: 0,
        shift: 0,
    };
    let stages = Arc::new(Stages::new(1, vec![book], vec![stage]).unwrap());
    // The mean of U: luma stays flat, so that nothing seems to move.
    let mut basis = [0; PATCH];
    basis[64..80].fill(1024);
    let basis = Arc::new(Basis::new(1, &basis).unwrap());
    let tables = Tables::new(&TableCounts::flat(&stages), &stages).unwrap();
    FrameCoder::new(GRID, &stages, &basis, &Arc::new(tables), Speed::Medium)
}

fn all(count: u8) -> Arrivals {
    let mut all = Arrivals::default();
    for index in 0..count {
        all.insert(index);
    }
    all
}

/// Codes a picture of one value; gives the tiles updated and what they start from.
fn code(coder: &mut FrameCoder, frame: u32, value: i16, bytes: usize) -> Vec<(u32, Start)> {
    let mut target = Latents::new(SIZE, 1);
    target.values_mut().fill(value);
    let luma = [128; 128 * 96];
    let picture = Picture {
        target: &target,
        luma: &luma,
    };
    let allowance = Allowance::of(bytes, Some(2));
    coder.encode(frame, picture, allowance, 0, || false);
    let updates = coder.chooser().updates().flatten();
    updates.map(|update| (update.tile, update.start)).collect()
}

/// A coder whose receiver has shown 100 everywhere since frame 0, and of which frame 1 to 200 for
/// some tiles, completely, was sent and is not reported; those tiles.
fn half_sent(loss: f32) -> (FrameCoder, Vec<u32>) {
    let mut coder = coder();
    assert_eq!(code(&mut coder, 0, 100, 400).len(), GRID.tiles());
    coder.report(0, all(2));
    coder.set_loss(loss);
    let sent = code(&mut coder, 1, 200, 48);
    // The last one may have got a part of its refinements.
    let complete = |&tile: &u32| {
        let content = coder.mirror().hoped().shown(tile as usize).unwrap();
        content.sums.iter().all(|&sum| sum == 200)
    };
    let tiles = sent.into_iter().map(|(tile, _)| tile).filter(complete);
    let tiles: Vec<u32> = tiles.collect();
    assert!(tiles.len() >= 3 && tiles.len() <= 9, "{tiles:?}");
    (coder, tiles)
}

#[test]
fn a_tile_is_not_coded_again_while_its_update_will_probably_arrive() {
    for loss in [0.05, 0.1, 0.2] {
        let (mut coder, sent) = half_sent(loss);
        let next = code(&mut coder, 2, 200, 42);
        assert!(next.len() >= 2);
        for (tile, _) in next {
            assert!(!sent.contains(&tile), "tile {tile} at {loss}, on its way");
        }
    }
}

#[test]
fn what_was_lost_is_coded_again_once_that_is_known() {
    let (mut coder, sent) = half_sent(0.1);
    let rest = code(&mut coder, 2, 200, 400);
    assert!(rest.len() >= GRID.tiles() - sent.len());
    coder.report(1, Arrivals::default());
    coder.report(2, all(2));
    let again = code(&mut coder, 3, 200, 400);
    let came: Vec<u32> = rest.iter().map(|update| update.0).collect();
    for tile in sent {
        let coded = again.iter().any(|update| update.0 == tile);
        assert_eq!(coded, !came.contains(&tile), "tile {tile}");
    }
}

#[test]
fn where_half_gets_lost_updates_are_sent_again_and_build_on_what_is_proven() {
    let (mut coder, sent) = half_sent(0.5);
    let rest = code(&mut coder, 2, 200, 400);
    let again = rest.iter().filter(|update| sent.contains(&update.0));
    assert!(
        again.count() > 0,
        "with bytes to spare nothing else is worth more"
    );
    for (tile, start) in rest.iter().chain(&code(&mut coder, 3, 300, 400)) {
        let proven = matches!(start, Start::Keep(Base::Floor) | Start::Reset);
        assert!(proven, "tile {tile} builds on {start:?}");
    }
}

#[test]
fn where_little_gets_lost_updates_build_on_what_is_hoped_for() {
    for loss in [0.0, 0.01] {
        let (mut coder, sent) = half_sent(loss);
        let next = code(&mut coder, 2, 201, 400);
        for (tile, start) in next.iter().filter(|update| sent.contains(&update.0)) {
            assert_eq!(*start, Start::Keep(Base::Before(1)), "tile {tile}");
        }
    }
}
