//! A frame whose time is over is sent with what was chosen so far.

mod synthetic;

use raq_recv::intake::Intake;
use raq_send::choice::{Picture, Speed};
use raq_send::frame_coder::{Allowance, FrameCoder};
use raq_shared::tile::TileGrid;

#[test]
fn the_choice_ends_when_its_time_is_over() {
    let grid = TileGrid {
        columns: 4,
        rows: 3,
    };
    let model = synthetic::model();
    let clip = synthetic::clip(&model, grid, 1);
    let (stages, basis, tables) = (&model.stages, &model.basis, &model.tables);
    let picture = Picture {
        target: &clip[0].latents,
        luma: &clip[0].luma,
    };
    let chosen = |patience: usize| {
        let mut coder = FrameCoder::new(grid, stages, basis, tables, Speed::Medium);
        let mut intake = Intake::new(grid, stages, basis, tables);
        let allowance = Allowance::of(2000, Some(2));
        let mut asked = 0;
        let expired = || {
            asked += 1;
            asked > patience
        };
        let datagrams = coder.encode(0, picture, allowance, 0, expired);
        assert_eq!(datagrams.len(), 2, "the frame is sent whatever it holds");
        for datagram in datagrams {
            intake.datagram(datagram).unwrap();
        }
        // Once for the tiles and once for the filling, which may be topped up.
        assert!(
            asked <= patience + 4,
            "{asked} asked, over after {patience}"
        );
        let updates = coder.chooser().updates().flatten();
        updates.map(|u| u.operations.len()).sum::<usize>()
    };
    let found = [0, 5, grid.tiles() + 40, usize::MAX - 8].map(chosen);
    assert_eq!(found[..2], [0, 0], "not even all tiles were looked at");
    assert!(0 < found[2] && found[2] < found[3], "{found:?}");
}
