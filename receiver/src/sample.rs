//! A small model and a sender of resets, for tests.

use std::sync::Arc;

use raq_shared::codebook::{Codebook, CodewordShape};
use raq_shared::codebooks::{Codebooks, Stage};
use raq_shared::coding::tables::TableCounts;
use raq_shared::coding::{Framing, Sink, Tables, write};
use raq_shared::model::Temporal;
use raq_shared::stage::{POSITIONS, Stages};
use raq_shared::tile::{Basis, Operation, Start, TileGrid, Update};
use raq_shared::wire::parity::{ParityHeader, fill_shard, shard_len};
use raq_shared::wire::update::UpdateHeader;
use reed_solomon_simd::ReedSolomonEncoder;

use crate::assembly::ReceivedFrame;

/// Numbers in a latent.
pub(crate) const DIM: usize = 4;
/// The stage of single positions.
const POSITION: usize = 1;
const CODEWORDS: usize = 256;

/// Codebooks for positions and for quarters.
pub(crate) fn codebooks(seed: i16) -> Arc<Codebooks> {
    let rows = |count: usize| (0..count as i16).map(|i| i % 97 - 48 + seed).collect();
    let position = Codebook::new(DIM, rows(CODEWORDS * DIM)).unwrap();
    let shape = CodewordShape { cover: 2, lead: 3 };
    let quarter = Codebook::named("quarter", shape, rows(64 * 12)).unwrap();
    let stages = [(1, 0), (0, 0), (0, 2)].map(|(codebook, shift)| Stage { codebook, shift });
    Arc::new(Codebooks::new(DIM, vec![position, quarter], stages.to_vec()).unwrap())
}

/// A model with these codebooks that was never trained.
pub(crate) fn temporal(codebooks: &Codebooks) -> Temporal {
    let stages = Stages::of(codebooks).unwrap();
    let mut rows = [[0; 96]; DIM];
    for (i, row) in rows.iter_mut().enumerate() {
        row[i] = 4096;
    }
    let tables = Tables::new(&TableCounts::flat(&stages), &stages).unwrap();
    Temporal {
        stages: Arc::new(stages),
        basis: Arc::new(Basis::new(DIM, rows.as_flattened()).unwrap()),
        tables: Arc::new(tables),
    }
}

/// The codeword that the sender gives to a position of a tile.
fn index(frame: u32, tile: usize, inner: usize) -> u16 {
    ((frame as usize * 31 + tile * 7 + inner * 3) % CODEWORDS) as u16
}

/// The level that tells the frame: 1 for frame 0.
pub(crate) fn level(frame: u32) -> u8 {
    (frame % 95) as u8 + 1
}

/// A datagram that resets every tile that rides in it.
pub(crate) fn datagram(grid: TileGrid, frame: u32, index: u8, count: u8) -> Vec<u8> {
    let temporal = temporal(&codebooks(0));
    let tiles = grid.interleave(count).positions(index.into());
    let updates: Vec<Update> = tiles
        .map(|tile| {
            let mut update = Update::new(tile as u32, Start::Reset);
            update.operations = (0..POSITIONS)
                .map(|inner| Operation {
                    stage: POSITION as u8,
                    block: inner as u8,
                    index: self::index(frame, tile, inner),
                })
                .collect();
            update
        })
        .collect();
    let framing = Framing {
        grid,
        stages: &temporal.stages,
        tables: &temporal.tables,
        level: level(frame),
        codewords: None,
        floor: 0,
        index,
        count,
    };
    let mut body = Vec::new();
    let coding = write(&framing, &updates, &mut Sink::new(), &mut body);
    let header = UpdateHeader {
        coding,
        names_codewords: false,
        level: level(frame),
        frame: frame as u16,
        capture: frame * 400,
        send_delay: 0,
        index,
        count,
        floor: 0,
    };
    [&header.encode()[..], &body].concat()
}

/// All datagrams of a frame.
pub(crate) fn datagrams(grid: TileGrid, frame: u32, count: u8) -> Vec<Vec<u8>> {
    (0..count)
        .map(|index| datagram(grid, frame, index, count))
        .collect()
}

/// `parity` datagrams of parity for the datagrams of a frame.
pub(crate) fn parity(frame: u32, datagrams: &[Vec<u8>], parity: u8) -> Vec<Vec<u8>> {
    let longest = datagrams.iter().map(Vec::len).max().unwrap();
    let len = shard_len(longest);
    let mut code = ReedSolomonEncoder::new(datagrams.len(), parity.into(), len).unwrap();
    let mut shard = Vec::new();
    for datagram in datagrams {
        assert!(fill_shard(datagram, len, &mut shard));
        code.add_original_shard(&shard).unwrap();
    }
    let made = code.encode().unwrap();
    let header = |index| ParityHeader {
        frame: frame as u16,
        capture: frame * 400,
        send_delay: 0,
        index,
        count: datagrams.len() as u8,
        parity,
    };
    let made = (0..).zip(made.recovery_iter());
    made.map(|(index, shard)| [&header(index).encode()[..], shard].concat())
        .collect()
}

/// Checks every position against what the sender sent, and gives how many tiles show `frame`
/// itself.
pub(crate) fn check(grid: TileGrid, frame: &ReceivedFrame) -> usize {
    let codebooks = codebooks(0);
    let book = codebooks.of_stage(POSITION).unwrap();
    let mut current = 0;
    for tile in 0..grid.tiles() {
        let at = |inner| grid.position(tile, inner);
        let depth = frame.depths[at(0)];
        current += usize::from(depth == f32::from(level(frame.number)));
        for inner in 0..POSITIONS {
            let position = at(inner);
            assert_eq!(frame.depths[position], depth, "a tile is updated whole");
            if depth == 0.0 {
                continue;
            }
            // Frames of a test are fewer than levels.
            let row = usize::from(index(depth as u32 - 1, tile, inner));
            let sent = book.rows()[row * DIM..][..DIM].iter().copied();
            let got = &frame.latents[position * DIM..][..DIM];
            assert!(
                sent.map(f32::from).eq(got.iter().copied()),
                "tile {tile}, position {inner} of frame {}",
                frame.number
            );
        }
    }
    current
}
