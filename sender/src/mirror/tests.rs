use super::*;
use proptest::prelude::*;
use raq_shared::stage::{Cover, Stage, StageCodebook};
use raq_shared::tile::basis::PATCH;
use raq_shared::tile::{Content, Displacement, Filter, Operation, Updater};
use std::collections::BTreeMap;

const GRID: TileGrid = TileGrid {
    columns: 3,
    rows: 2,
};
const DIM: usize = 3;

fn model() -> (Arc<Stages>, Arc<Basis>) {
    let rows = (0..48).map(|i| (i * 31 % 67 - 33) as i16).collect();
    let book = StageCodebook::new(Cover::Quarter, DIM, rows).unwrap();
    let stage = |shift| Stage { codebook: 0, shift };
    let stages = Stages::new(DIM, vec![book], vec![stage(0), stage(1)]).unwrap();
    // The mean of luma, of U and of V.
    let mut basis = [[0i16; PATCH]; DIM];
    basis[0][..64].fill(512);
    basis[1][64..80].fill(1024);
    basis[2][80..].fill(1024);
    let basis = Basis::new(DIM, basis.as_flattened()).unwrap();
    (Arc::new(stages), Arc::new(basis))
}

/// Numbers from a seed.
#[derive(Clone)]
struct Draw(u64);

impl Draw {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// A link and two ends.
#[derive(Debug, Clone)]
struct Weather {
    seed: u64,
    datagrams: u8,
    loss: usize,
    duplicates: usize,
    /// Frames that a datagram may be late.
    late: usize,
    /// Frames after which the receiver closes one.
    patience: u32,
    report_loss: usize,
    report_delay: usize,
}

fn weather() -> impl Strategy<Value = Weather> {
    let percent = || prop_oneof![Just(0usize), Just(10), Just(50), Just(90)];
    (
        any::<u64>(),
        1u8..4,
        percent(),
        percent(),
        0usize..6,
        prop_oneof![0u32..6, Just(30)],
        percent(),
        0usize..20,
    )
        .prop_map(
            |(seed, datagrams, loss, duplicates, late, patience, report_loss, report_delay)| {
                Weather {
                    seed,
                    datagrams,
                    loss,
                    duplicates,
                    late,
                    patience,
                    report_loss,
                    report_delay,
                }
            },
        )
}

fn random_update(mirror: &Mirror, tile: usize, frame: u32, draw: &mut Draw) -> Update {
    // Any of what may be built on, for every tile another one.
    let mut picks = draw.clone();
    draw.below(1);
    let mut known = |tile: usize| {
        let bases: Vec<Base> = mirror.bases(tile, frame).map(|k| k.base).collect();
        (!bases.is_empty()).then(|| bases[picks.below(bases.len())])
    };
    let mut update = Update::new(tile as u32, Start::Reset);
    match (draw.below(4), known(tile)) {
        (0, _) | (1, None) => {}
        (1 | 2, Some(base)) => update.start = Start::Keep(base),
        _ => {
            let filter = Filter::ALL[draw.below(3)];
            let by = Displacement {
                dx: draw.below(3) as i16 - 1,
                dy: draw.below(3) as i16 - 1,
            };
            let inside = (0..4).all(|quarter| {
                let (left, top) = raq_shared::tile::apply::quarter_place(GRID, tile, quarter);
                by.stays_inside(GRID, left, top)
            });
            let displacements = [by; 4];
            let named: Option<Vec<Base>> = sources(GRID, tile, &displacements, filter)
                .map(&mut known)
                .collect();
            if let (true, Some(bases)) = (inside, named) {
                update.source_bases = bases;
                update.start = Start::Copy {
                    displacements,
                    filter,
                };
            }
        }
    }
    for stage in 0..2 {
        for block in 0..4 {
            if draw.chance(30) {
                let index = draw.below(4) as u16;
                update.operations.push(Operation {
                    stage,
                    block,
                    index,
                });
            }
        }
    }
    update
}

/// A decoder without bounds: applies what arrived in order of frames and forgets nothing.
fn plain_decode(arrived: &BTreeMap<u32, (FrameHead, Vec<Update>)>) -> Vec<BTreeMap<u32, Content>> {
    let (stages, basis) = model();
    let mut tiles = vec![BTreeMap::<u32, Content>::new(); GRID.tiles()];
    for (&frame, (head, updates)) in arrived {
        for update in updates {
            let find = |tile: usize, base: &Base| match base {
                Base::Floor => head
                    .floor
                    .and_then(|floor| tiles[tile].range(..=floor).next_back()),
                Base::Before(back) => tiles[tile].get_key_value(&(frame - u32::from(*back))),
            };
            let tile = update.tile as usize;
            let mut updater = Updater::new(GRID, Arc::clone(&stages), Arc::clone(&basis));
            let mut before = None;
            let complete = match &update.start {
                Start::Reset => true,
                Start::Keep(base) => {
                    before = find(tile, base).map(|(_, content)| content);
                    before.is_some()
                }
                Start::Copy {
                    displacements,
                    filter,
                } => sources(GRID, tile, displacements, *filter)
                    .zip(&update.source_bases)
                    .all(|(source, base)| {
                        let found = find(source, base);
                        if let Some((&frame, content)) = found {
                            updater.render(source, frame, content);
                        }
                        found.is_some()
                    }),
            };
            if complete {
                let mut content = Content::new(DIM);
                updater.apply(update, head.level, before, &mut content);
                tiles[tile].insert(frame, content);
            }
        }
    }
    tiles
}

type Shown = Vec<Option<(u32, Content)>>;

fn shown(scene: &Scene, through: u32) -> Shown {
    let newest = |tile| scene.tile(tile).newest_through(through);
    (0..GRID.tiles())
        .map(|tile| newest(tile).map(|g| (g.frame, g.content.clone())))
        .collect()
}

fn run(weather: &Weather) -> Result<(), TestCaseError> {
    let mut draw = Draw(weather.seed);
    let (stages, basis) = model();
    let mut mirror = Mirror::new(GRID, &stages, &basis);
    let mut receiver = Scene::new(GRID, stages, basis);
    let spread = GRID.interleave(weather.datagrams);
    let mut flying: Vec<(usize, FrameHead, u8, Vec<Update>)> = vec![];
    let mut reports: Vec<(usize, Vec<(u32, Arrivals)>)> = vec![];
    let mut arrivals = BTreeMap::<u32, Arrivals>::new();
    let mut arrived = BTreeMap::<u32, (FrameHead, Vec<Update>)>::new();
    let mut at_close = BTreeMap::<u32, Shown>::new();
    let mut needed = vec![];
    for tick in 0..40usize {
        let frame = tick as u32;
        if draw.chance(90) {
            let mut datagrams = vec![vec![]; weather.datagrams.into()];
            for tile in 0..GRID.tiles() {
                if draw.chance(50) {
                    let (x, y) = GRID.place(tile);
                    let update = random_update(&mirror, tile, frame, &mut draw);
                    datagrams[spread.datagram_of(x, y)].push(update);
                }
            }
            let head = FrameHead {
                frame,
                floor: mirror.floor(frame),
                level: draw.below(97) as u8,
                count: weather.datagrams,
            };
            for (index, updates) in datagrams.iter().enumerate() {
                for _ in 0..1 + usize::from(draw.chance(weather.duplicates)) {
                    if !draw.chance(weather.loss) {
                        let due = tick + draw.below(weather.late + 1);
                        flying.push((due, head, index as u8, updates.clone()));
                    }
                }
            }
            mirror.sent(head, datagrams.iter().map(Vec::as_slice));
            for update in datagrams.iter().flatten() {
                let tile = update.tile as usize;
                needed.push((tile, frame, mirror.flight.needs(tile, frame), mirror.floor));
            }
        }
        while let Some(n) = flying.iter().position(|f| f.0 <= tick) {
            let (_, head, index, updates) = flying.swap_remove(n);
            let before = receiver.first_open();
            if receiver.receive(head, index, &updates).is_ok() {
                arrivals.entry(head.frame).or_default().insert(index);
                let entry = arrived.entry(head.frame);
                entry.or_insert_with(|| (head, vec![])).1.extend(updates);
            }
            for closed in before..receiver.first_open() {
                at_close.insert(closed, shown(&receiver, closed));
            }
        }
        if let Some(closing) = frame.checked_sub(weather.patience) {
            for closed in receiver.first_open()..=closing {
                receiver.close(closed);
                at_close.insert(closed, shown(&receiver, closed));
            }
        }
        if receiver.first_open() > 0 && !draw.chance(weather.report_loss) {
            let last = receiver.first_open() - 1;
            let told = (last.saturating_sub(15)..=last)
                .map(|f| (f, arrivals.get(&f).copied().unwrap_or_default()))
                .collect();
            reports.push((tick + draw.below(weather.report_delay + 1), told));
        }
        while let Some(n) = reports.iter().position(|r| r.0 <= tick) {
            for (frame, arrivals) in reports.swap_remove(n).1 {
                mirror.report(frame, arrivals);
            }
            let Some(floor) = mirror.floor else { continue };
            let tile = draw.below(GRID.tiles());
            let there = at_close[&floor][tile].as_ref();
            let fingerprint = there.map_or(0, |(_, content)| content.fingerprint());
            prop_assert!(
                mirror.audit(tile, fingerprint),
                "an audit that finds nothing"
            );
            for (tile, there) in at_close[&floor].iter().enumerate() {
                let here = mirror.proven.tile(tile).newest_through(floor);
                if mirror.unknown[tile].is_some() && here.is_none() {
                    continue;
                }
                let here = here.map(|g| (g.frame, g.content.clone()));
                prop_assert_eq!(&here, there, "tile {} as of frame {}", tile, floor);
            }
        }
    }
    let plain = plain_decode(&arrived);
    // A generation is there if what it was said to need is, of what was still on its way.
    for (tile, frame, needs, floor) in needed {
        let first = floor.map_or(0, |floor| floor + 1);
        let mut missing = (first..=frame).flat_map(|f| (0..weather.datagrams).map(move |i| (f, i)));
        let complete = !missing.any(|(f, index)| {
            let needed = needs.contains(f, index);
            needed && !arrivals.get(&f).is_some_and(|a| a.contains(index))
        });
        prop_assert_eq!(
            complete,
            plain[tile].contains_key(&frame),
            "tile {} frame {}",
            tile,
            frame
        );
    }
    for (tile, generations) in plain.iter().enumerate() {
        let newest = generations.last_key_value().map(|(_, content)| content);
        prop_assert_eq!(receiver.shown(tile), newest, "tile {}", tile);
    }
    let waits = weather.late as u32 <= weather.patience && weather.patience < 16;
    if weather.loss == 0 && weather.report_loss == 0 && waits {
        prop_assert_eq!(
            receiver.counts().1,
            0,
            "nothing is dropped where nothing is lost"
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, max_shrink_iters: 200, ..ProptestConfig::default() })]

    /// Whatever happens on the way, the sender's proven state is the receiver's, and the receiver
    /// shows what a decoder with unbounded memory makes of the datagrams that arrived.
    #[test]
    fn both_ends_agree_after_any_history(weather in weather()) {
        run(&weather)?;
    }
}

#[test]
fn an_audit_that_differs_resets_the_tile() {
    let (stages, basis) = model();
    let mut mirror = Mirror::new(GRID, &stages, &basis);
    let head = |frame| FrameHead {
        frame,
        floor: None,
        level: 9,
        count: 1,
    };
    let resets: Vec<Update> = (0..6).map(|tile| Update::new(tile, Start::Reset)).collect();
    mirror.sent(head(0), [&resets[..]].into_iter());
    let mut all = Arrivals::default();
    all.insert(0);
    mirror.report(0, all);
    let copy = Start::Copy {
        displacements: [Displacement { dx: -1, dy: 0 }; 4],
        filter: Filter::Linear,
    };
    let mut copied = Update::new(2, copy);
    copied.source_bases = vec![Base::Before(1), Base::Before(1)];
    mirror.sent(head(1), [&[copied][..]].into_iter());
    let good = mirror.proven().shown(1).unwrap().fingerprint();
    assert!(mirror.audit(1, good));
    assert!(!mirror.audit(1, good ^ 1));
    let known = |tile| mirror.bases(tile, 2).next().is_some();
    assert!(!known(1), "it differs");
    assert!(!known(2), "it was copied from what differs");
    assert!(known(0) && known(3));
}

/// Tile 2 is lost with frame 1, tile 1 because a later frame copied it from there, and with it tile
/// 0, which an earlier frame had copied from tile 1.
#[test]
fn what_was_copied_from_a_lost_tile_before_is_lost_too() {
    let (stages, basis) = model();
    let mut mirror = Mirror::new(GRID, &stages, &basis);
    let mut all = Arrivals::default();
    all.insert(0);
    let copy = |tile: u32, back: [u8; 2]| {
        let by = Displacement { dx: 1, dy: 0 };
        let start = Start::Copy {
            displacements: [by; 4],
            filter: Filter::Linear,
        };
        let mut update = Update::new(tile, start);
        update.source_bases = back.map(Base::Before).to_vec();
        update
    };
    let resets = (0..6).map(|tile| Update::new(tile, Start::Reset)).collect();
    let frames: [Vec<Update>; 4] = [
        resets,
        vec![Update::new(2, Start::Reset)],
        vec![copy(0, [2, 2])],
        vec![copy(1, [3, 2])],
    ];
    for (frame, updates) in frames.iter().enumerate() {
        let head = FrameHead {
            frame: frame as u32,
            floor: None,
            level: 9,
            count: 1,
        };
        mirror.sent(head, [&updates[..]].into_iter());
        if frame == 0 {
            mirror.report(0, all);
        }
    }
    mirror.report(2, all);
    let known = |tile| mirror.bases(tile, 4).next().is_some();
    assert!(!known(2) && !known(1), "lost, and copied from what is lost");
    assert!(!known(0), "copied from what was copied later");
    assert!(known(3) && known(4) && known(5));
}
