use std::time::Duration;

use proptest::prelude::*;
use raq_shared::interleave::Interleave;
use raq_shared::packing::pack;
use raq_shared::wire::datagram::Header;

use super::*;
use crate::assembly::Assembler;

const DIM: usize = 2;

fn codebook() -> Codebook {
    Codebook::new(DIM, (0..64).map(|i| i * 10 - 300).collect()).unwrap()
}

/// A frame of which the datagrams in `arrived` came; every position has the index `index`.
fn frame(grid: Grid, count: u8, arrived: &[u8], codewords: u16, index: u16) -> ReceivedFrame {
    let mut assembler = Assembler::new(grid, 4096, Duration::ZERO);
    for &at in arrived {
        let header = Header {
            codewords,
            frame: 0,
            capture_us: 0,
            send_delay: 0,
            index: at,
            count,
        };
        let mut bytes = header.encode().to_vec();
        let positions = Interleave::new(grid, count).len(at.into());
        pack(
            std::iter::repeat_n(index, positions),
            codewords.into(),
            &mut bytes,
        );
        // Patience is zero only for the last one: the others come before time begins.
        assembler.datagram(Duration::ZERO, &bytes).unwrap();
    }
    assembler.flush();
    assembler.next_frame().unwrap()
}

/// The received part of a frame, position by position; `None` is missing.
fn pieces(indices: &[Option<u16>], codewords: u16) -> ReceivedFrame {
    let grid = Grid {
        columns: indices.len(),
        rows: 1,
    };
    let mut frame = frame(grid, 1, &[0], codewords, 0);
    frame.indices = indices
        .iter()
        .map(|index| index.unwrap_or(MISSING))
        .collect();
    frame
}

struct Picture {
    concealment: Concealment,
    latents: Vec<f32>,
    depth: Vec<f32>,
}

impl Picture {
    fn new(grid: Grid) -> Self {
        let positions = grid.positions();
        Self {
            concealment: Concealment::new(grid, DIM),
            latents: vec![f32::NAN; positions * DIM],
            depth: vec![f32::NAN; positions],
        }
    }

    fn apply(&mut self, frame: &ReceivedFrame) -> u32 {
        self.concealment
            .apply(frame, &codebook(), &mut self.latents, &mut self.depth)
    }

    fn latent(&self, position: usize) -> &[f32] {
        &self.latents[position * DIM..][..DIM]
    }
}

#[test]
fn a_lost_position_keeps_its_codeword_and_depth() {
    let mut picture = Picture::new(Grid {
        columns: 3,
        rows: 1,
    });
    assert_eq!(picture.apply(&pieces(&[Some(1), Some(2), Some(3)], 16)), 0);
    assert_eq!(picture.apply(&pieces(&[Some(4), None, Some(5)], 8)), 1);
    assert_eq!(picture.latent(0), [-220.0, -210.0]);
    assert_eq!(
        picture.latent(1),
        [-260.0, -250.0],
        "codeword 2 of the frame before"
    );
    assert_eq!(picture.depth, [3.0, 4.0, 3.0]);
}

#[test]
fn what_never_came_is_the_mean_of_its_neighbours() {
    let mut picture = Picture::new(Grid {
        columns: 5,
        rows: 1,
    });
    let first = pieces(&[Some(0), None, Some(4), None, None], 16);
    assert_eq!(picture.apply(&first), 3);
    assert_eq!(picture.latent(1), [-260.0, -250.0], "between 0 and 4");
    assert_eq!(picture.latent(3), picture.latent(2), "from one side");
    assert_eq!(picture.latent(4), picture.latent(2), "in the second round");
    assert!(picture.depth.iter().all(|&depth| depth == 4.0));
    // A guess is no codeword: it is made again when its neighbours change.
    picture.apply(&pieces(&[Some(4), None, Some(4), None, None], 16));
    assert_eq!(picture.latent(1), picture.latent(2));
}

#[test]
fn indices_beyond_the_codebook_count_as_lost() {
    let mut picture = Picture::new(Grid {
        columns: 2,
        rows: 1,
    });
    assert_eq!(picture.apply(&pieces(&[Some(1), Some(4000)], 4096)), 1);
    assert_eq!(picture.latent(1), picture.latent(0));
}

#[test]
fn nothing_at_all_is_mid_grey() {
    let mut picture = Picture::new(Grid {
        columns: 4,
        rows: 1,
    });
    assert_eq!(picture.apply(&pieces(&[None; 4], 16)), 4);
    assert!(
        picture
            .latents
            .iter()
            .chain(&picture.depth)
            .all(|&value| value == 0.0)
    );
}

proptest! {
    /// One flat picture, any part of it: the rest is filled to the same flat picture.
    #[test]
    fn a_flat_picture_survives_any_loss(
        columns in 1usize..20, rows in 1usize..20, count in 1u8..12, kept in 0u8..12, index in 0u16..32,
    ) {
        let grid = Grid { columns, rows };
        let at = kept % count;
        prop_assume!(Interleave::new(grid, count).positions(at.into()).next().is_some());
        let mut picture = Picture::new(grid);
        let received = frame(grid, count, &[at], 32, index);
        let concealed = picture.apply(&received) as usize;
        prop_assert_eq!(concealed, grid.positions() - Interleave::new(grid, count).len(at.into()));
        let book = codebook();
        let codeword: Vec<f32> = book.codeword(index).unwrap().iter().map(|&v| v.into()).collect();
        for position in 0..grid.positions() {
            for (got, want) in picture.latent(position).iter().zip(&codeword) {
                prop_assert!((got - want).abs() < 0.01, "{} {}", got, want);
            }
            prop_assert!((picture.depth[position] - 5.0).abs() < 1e-4);
        }
    }
}
