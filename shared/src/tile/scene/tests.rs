use super::*;
use crate::stage::{Cover, Stage, StageCodebook};
use crate::tile::Basis;
use crate::tile::{Displacement, Filter, Operation};
use proptest::prelude::*;

const GRID: TileGrid = TileGrid {
    columns: 3,
    rows: 2,
};

fn scene() -> Scene {
    let rows = (0..64).map(|i| (i * 31 % 67 - 33) as i16).collect();
    let book = StageCodebook::new(Cover::Quarter, 4, rows).unwrap();
    let stage = Stage {
        codebook: 0,
        shift: 0,
    };
    let stages = Stages::new(6, vec![book], vec![stage]).unwrap();
    Scene::new(GRID, Arc::new(stages), Arc::new(Basis::cosine(6).unwrap()))
}

fn head(frame: u32, floor: Option<u32>) -> FrameHead {
    FrameHead {
        frame,
        floor,
        level: 40,
        count: 3,
    }
}

fn refined(tile: u32, start: Start, index: u16) -> Update {
    let mut update = Update::new(tile, start);
    update.operations = vec![Operation {
        stage: 0,
        block: 2,
        index,
    }];
    update
}

fn copy(tile: u32, base: Base) -> Update {
    let displacements = [Displacement { dx: 1, dy: 0 }; 4];
    let filter = Filter::Smooth;
    let mut update = refined(
        tile,
        Start::Copy {
            displacements,
            filter,
        },
        1,
    );
    let named = sources(GRID, tile as usize, &displacements, filter).count();
    update.source_bases = vec![base; named];
    update
}

fn frames(scene: &Scene, tile: usize) -> Vec<u32> {
    scene.tile(tile).all().iter().map(|g| g.frame).collect()
}

#[test]
fn an_update_waits_for_its_base() {
    let mut scene = scene();
    let later = refined(0, Start::Keep(Base::Before(1)), 1);
    scene.receive(head(1, None), 0, &[later]).unwrap();
    assert!(scene.shown(0).is_none());
    scene
        .receive(head(0, None), 0, &[refined(0, Start::Reset, 0)])
        .unwrap();
    assert_eq!(frames(&scene, 0), [0, 1]);
    assert_eq!(scene.counts(), (2, 0, 0));
}

#[test]
fn what_waits_is_dropped_when_its_frame_closes() {
    let mut scene = scene();
    let later = refined(0, Start::Keep(Base::Before(1)), 1);
    scene.receive(head(1, None), 0, &[later]).unwrap();
    scene.close(1);
    assert_eq!(scene.counts(), (0, 1, 0));
    let reset = [refined(0, Start::Reset, 0)];
    assert_eq!(
        scene.receive(head(0, None), 0, &reset),
        Err(Discard::Closed)
    );
    assert_eq!(
        scene.receive(head(1, None), 1, &reset),
        Err(Discard::Closed)
    );
    assert!(scene.shown(0).is_none());
}

#[test]
fn an_older_frame_serves_as_base_and_is_not_shown() {
    let mut scene = scene();
    scene
        .receive(head(5, None), 0, &[refined(4, Start::Reset, 3)])
        .unwrap();
    let shown = scene.shown(4).cloned();
    scene
        .receive(head(4, None), 0, &[refined(4, Start::Reset, 1)])
        .unwrap();
    assert_eq!(scene.shown(4), shown.as_ref());
    scene
        .receive(
            head(6, None),
            0,
            &[refined(4, Start::Keep(Base::Before(2)), 2)],
        )
        .unwrap();
    assert_eq!(frames(&scene, 4), [4, 5, 6]);
}

#[test]
fn a_copy_needs_all_its_sources() {
    let mut scene = scene();
    for tile in [0, 1] {
        scene
            .receive(
                head(0, None),
                tile,
                &[refined(tile.into(), Start::Reset, 1)],
            )
            .unwrap();
    }
    scene
        .receive(head(1, None), 0, &[copy(0, Base::Before(1))])
        .unwrap();
    assert_eq!(frames(&scene, 0), [0], "tiles 3 and 4 are missing");
    scene
        .receive(
            head(0, None),
            2,
            &[refined(3, Start::Reset, 1), refined(4, Start::Reset, 1)],
        )
        .unwrap();
    assert_eq!(frames(&scene, 0), [0, 1]);
}

#[test]
fn datagrams_that_do_not_fit_change_nothing() {
    let mut scene = scene();
    scene
        .receive(head(3, None), 0, &[refined(0, Start::Reset, 0)])
        .unwrap();
    let before = frames(&scene, 0);
    let reset = [refined(0, Start::Reset, 1)];
    assert_eq!(
        scene.receive(head(3, None), 0, &reset),
        Err(Discard::Duplicate)
    );
    let other = FrameHead {
        level: 41,
        ..head(3, None)
    };
    assert_eq!(scene.receive(other, 1, &reset), Err(Discard::Disagrees));
    assert_eq!(
        scene.receive(head(4, Some(2)), 1, &reset),
        Err(Discard::Floor)
    );
    scene.close(2);
    assert_eq!(scene.receive(head(4, Some(2)), 1, &[]), Ok(()));
    assert_eq!(frames(&scene, 0), before);
    assert_eq!(
        scene
            .arrived(3)
            .map(|a| (a.len(), a.contains(0), a.contains(1))),
        Some((1, true, false))
    );
}

#[test]
fn old_frames_close_by_themselves_and_memory_is_bounded() {
    let mut scene = scene();
    for frame in 0..200 {
        let start = if frame == 0 {
            Start::Reset
        } else {
            Start::Keep(Base::Before(1))
        };
        scene
            .receive(head(frame, None), 0, &[refined(0, start, 1)])
            .unwrap();
        assert!(scene.tile(0).all().len() <= OPEN + crate::tile::ring::KEPT);
    }
    assert_eq!(scene.first_open(), 184);
    assert_eq!(scene.counts().0, 200);
}

/// One datagram of a scripted history.
#[derive(Debug, Clone)]
struct Sent {
    head: FrameHead,
    index: u8,
    updates: Vec<Update>,
}

/// Six frames of three datagrams; bases are any, whether they will be there or not.
fn history() -> impl Strategy<Value = Vec<Sent>> {
    let update = (0u32..6, 0usize..5, 1u8..4, 0u16..4);
    let datagram = prop::collection::vec(update, 0..3);
    prop::collection::vec(datagram, 18).prop_map(|datagrams| {
        let make = |(n, list): (usize, Vec<(u32, usize, u8, u16)>)| {
            let frame = n as u32 / 3;
            let mut updates: Vec<Update> = vec![];
            for (tile, kind, back, index) in list {
                // A datagram has its own tiles: two of six.
                let tile = tile % 2 * 3 + n as u32 % 3;
                if updates.iter().any(|u| u.tile == tile) {
                    continue;
                }
                updates.push(match kind {
                    0 => refined(tile, Start::Reset, index),
                    1 => copy(tile, Base::Before(back)),
                    _ => refined(tile, Start::Keep(Base::Before(back)), index),
                });
            }
            let (head, index) = (head(frame, None), (n % 3) as u8);
            Sent {
                head,
                index,
                updates,
            }
        };
        datagrams.into_iter().enumerate().map(make).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// The state depends on the set that arrived, not on its order.
    #[test]
    fn order_does_not_matter(
        history in history(), arrives in prop::collection::vec(0u8..5, 18),
        order in Just((0..18usize).collect::<Vec<_>>()).prop_shuffle(),
        again in prop::collection::vec(0usize..18, 0..6),
    ) {
        let mut straight = scene();
        for (sent, &arrives) in history.iter().zip(&arrives) {
            if arrives > 0 {
                straight.receive(sent.head, sent.index, &sent.updates).unwrap();
            }
        }
        let mut shuffled = scene();
        for &n in order.iter().chain(&again) {
            if arrives[n] > 0 {
                let sent = &history[n];
                let taken = shuffled.receive(sent.head, sent.index, &sent.updates);
                prop_assert!(matches!(taken, Ok(()) | Err(Discard::Duplicate)));
            }
        }
        straight.close(6);
        shuffled.close(6);
        prop_assert_eq!(straight.counts(), shuffled.counts());
        for tile in 0..GRID.tiles() {
            prop_assert_eq!(straight.tile(tile), shuffled.tile(tile));
        }
    }
}

#[test]
fn the_last_number_closes_as_well() {
    let mut scene = scene();
    scene.receive(head(u32::MAX - 1, None), 0, &[]).unwrap();
    scene.close(u32::MAX);
    assert_eq!(scene.first_open(), u32::MAX);
    let again = scene.receive(head(u32::MAX - 1, None), 1, &[]);
    assert_eq!(again, Err(Discard::Closed));
}
