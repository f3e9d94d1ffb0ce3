//! The sender's coder, a bad link both ways, and the receiver's assembler, in virtual time.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use raq_recv::assembly::Assembler;
use raq_recv::intake::Refused;
use raq_shared::coding::Tables;
use raq_shared::coding::tables::TableCounts;
use raq_shared::frame::Grid;
use raq_shared::latent::Latents;
use raq_shared::model::Temporal;
use raq_shared::stage::{Cover, Stage, StageCodebook, Stages};
use raq_shared::tile::basis::PATCH;
use raq_shared::tile::scene::Arrivals;
use raq_shared::tile::{Basis, Start, TileGrid};
use raq_shared::wire::report::{FrameReport, Report};

use super::*;
use crate::choice::{Picture, Speed};
use crate::frame_coder::Allowance;

const DIM: usize = 3;
const TILES: TileGrid = TileGrid {
    columns: 3,
    rows: 2,
};
const GRID: Grid = Grid {
    columns: 12,
    rows: 8,
};
const FRAME: Duration = Duration::from_millis(40);

fn temporal() -> Temporal {
    let rows = (0..120).map(|i| (i * 71 % 241 - 120) as i16).collect();
    let book = StageCodebook::new(Cover::Position, DIM, rows).unwrap();
    let stage = |shift| Stage { codebook: 0, shift };
    let stages = Stages::new(DIM, vec![book], vec![stage(0), stage(2)]).unwrap();
    // The mean of luma, of U and of V.
    let mut basis = [[0i16; PATCH]; DIM];
    basis[0][..64].fill(512);
    basis[1][64..80].fill(1024);
    basis[2][80..].fill(1024);
    let tables = Tables::new(&TableCounts::flat(&stages), &stages).unwrap();
    Temporal {
        stages: Arc::new(stages),
        basis: Arc::new(Basis::new(DIM, basis.as_flattened()).unwrap()),
        tables: Arc::new(tables),
    }
}

/// Both ends and what is on its way back.
struct Ends {
    coder: FrameCoder,
    feedback: Feedback,
    assembler: Assembler,
    latents: Latents,
    luma: Vec<u8>,
    number: u32,
    allowance: Allowance,
    /// Datagrams of the last frame.
    count: usize,
    /// Datagrams that wait for another one, since their frames are far ahead.
    far: usize,
    /// The frame that was given out last, its updates applied, and tiles that were never received.
    shown: (u32, u32, u32),
}

impl Ends {
    fn new() -> Self {
        let model = temporal();
        let (stages, basis, tables) = (&model.stages, &model.basis, &model.tables);
        Self {
            coder: FrameCoder::new(TILES, stages, basis, tables, Speed::Fast),
            feedback: Feedback::default(),
            assembler: Assembler::new(TILES, &model, 2 * FRAME, FRAME),
            latents: Latents::new(GRID, DIM),
            luma: vec![128; TILES.width() * TILES.height()],
            number: 0,
            allowance: Allowance::of(500, Some(3)),
            count: 0,
            far: 0,
            shown: (0, 0, 0),
        }
    }

    /// Changes the picture, sends it, and gives what the receiver reports of closed frames, if it
    /// reports.
    fn frame(
        &mut self,
        change: impl FnMut(&mut i16),
        mut arrives: impl FnMut() -> bool,
    ) -> Option<Closings> {
        self.latents.values_mut().iter_mut().for_each(change);
        let picture = Picture {
            target: &self.latents,
            luma: &self.luma,
        };
        let now = FRAME * self.number;
        let datagrams = self
            .coder
            .encode(self.number, picture, self.allowance, 0, || false);
        self.number += 1;
        self.count = datagrams.len();
        for datagram in datagrams {
            if arrives() {
                match self.assembler.datagram(now, datagram) {
                    Err(Refused::Far(_)) => self.far += 1,
                    taken => taken.unwrap(),
                }
            }
        }
        let later = now + FRAME / 2;
        self.assembler.advance(later);
        while let Some(frame) = self.assembler.next_frame() {
            self.shown = (frame.number, frame.updated_tiles, frame.concealed_tiles);
            self.assembler.recycle(frame);
        }
        // As it travels.
        let report = self.assembler.report(later, 0)?;
        let mut bytes = Vec::new();
        report.encode(&mut bytes);
        Closings::of(Report::parse(&bytes).unwrap(), self.number - 1)
    }
}

#[test]
fn datagrams_are_as_many_as_what_is_sent_needs() {
    let mut ends = Ends::new();
    ends.allowance = Allowance::of(20_000, None);
    assert!(ends.allowance.count > 10);
    for _ in 0..20 {
        let report = ends.frame(|value| *value = 77, || true).unwrap();
        ends.feedback.take(&mut ends.coder, &report);
    }
    assert_eq!(ends.count, 1, "a still picture has nothing to say");
    ends.allowance = Allowance::of(20_000, Some(5));
    ends.frame(|_| {}, || true);
    assert!(ends.count >= 5, "as many as were asked for");
}

#[test]
fn loss_is_learned_from_reports() {
    let mut ends = Ends::new();
    for n in 0..40 {
        let mut index = 0;
        let lossy = || {
            index += 1;
            index != 2
        };
        if let Some(report) = ends.frame(|value| *value = n % 50, lossy) {
            ends.feedback.take(&mut ends.coder, &report);
        }
    }
    let share = ends.feedback.loss().share();
    assert!((0.2..0.4).contains(&share), "{share} of a third");
    assert_eq!(ends.feedback.mismatches(), 0);
}

#[test]
fn reports_that_cannot_be_change_nothing() {
    let mut ends = Ends::new();
    let first = ends.frame(|value| *value = 30, || true).unwrap();
    ends.feedback.take(&mut ends.coder, &first);
    assert_eq!(ends.coder.mirror().newest_reported(), Some(0));
    // Again; of a frame that was not sent yet; of another number of datagrams.
    let second = ends.frame(|value| *value = 40, || true).unwrap();
    let mut future = second.clone();
    future.newest = 7;
    let mut other = second.clone();
    other.frames[0] = FrameReport::Some {
        count: 9,
        arrived: Arrivals::all(4),
    };
    for wrong in [first, future, other] {
        ends.feedback.take(&mut ends.coder, &wrong);
        assert_eq!(ends.coder.mirror().newest_reported(), Some(0));
    }
    ends.feedback.take(&mut ends.coder, &second);
    assert_eq!(ends.coder.mirror().newest_reported(), Some(1));
    assert_eq!(ends.feedback.mismatches(), 0);
}

#[test]
fn a_tile_that_differs_is_reset() {
    let mut ends = Ends::new();
    let mut report = ends.frame(|value| *value = 50, || true).unwrap();
    let audit = report.audit.as_mut().unwrap();
    audit.fingerprint ^= 1;
    let tile = u32::from(audit.tile);
    ends.feedback.take(&mut ends.coder, &report);
    assert_eq!(ends.feedback.mismatches(), 1);
    let report = ends.frame(|value| *value = 60, || true).unwrap();
    let updates: Vec<_> = ends.coder.chooser().updates().flatten().collect();
    let repaired = updates.iter().find(|update| update.tile == tile).unwrap();
    assert_eq!(repaired.start, Start::Reset);
    ends.feedback.take(&mut ends.coder, &report);
    assert_eq!(ends.feedback.mismatches(), 1, "they agree again");
}

#[test]
fn after_five_seconds_of_silence_frames_are_decodable() {
    // Reports alone get lost, or everything.
    for outage in [false, true] {
        let mut ends = Ends::new();
        let pattern = |n: i16| move |value: &mut i16| *value = n * 67 % 241 - 120;
        for n in 0..10 {
            let report = ends.frame(pattern(n), || true).unwrap();
            ends.feedback.take(&mut ends.coder, &report);
        }
        for n in 10..160 {
            ends.frame(pattern(n), || !outage);
        }
        let report = ends.frame(pattern(160), || true).unwrap();
        assert_eq!(ends.far, usize::from(outage), "the second one agrees");
        ends.feedback.take(&mut ends.coder, &report);
        let mut total = 0;
        for n in 161..180 {
            let report = ends.frame(pattern(n), || true).unwrap();
            let updates: usize = ends.coder.chooser().updates().map(<[_]>::len).sum();
            total += updates;
            assert_eq!(
                ends.shown,
                (n as u32, updates as u32, 0),
                "outage: {outage}"
            );
            ends.feedback.take(&mut ends.coder, &report);
        }
        assert!(total > 80, "{total} updates");
        assert_eq!(ends.feedback.mismatches(), 0);
        assert_eq!(ends.coder.mirror().pending(), 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Datagrams and reports get lost, reports come late and out of order: no audit ever differs,
    /// so both ends agree on every tile that one of them knows.
    #[test]
    fn both_ends_agree_whatever_gets_lost(
        draws in prop::collection::vec(any::<u32>(), 240),
        loss in 0u32..100, report_loss in 0u32..100, delay in 0usize..8,
    ) {
        let mut ends = Ends::new();
        let mut draws = draws.iter().cycle();
        let mut draw = || *draws.next().unwrap();
        let mut under_way: Vec<(usize, Closings)> = Vec::new();
        for n in 0..60 {
            let level = (draw() % 400) as i16 - 200;
            let report = ends.frame(|value| *value = (*value / 2) + level, || draw() % 100 >= loss);
            if let Some(report) = report
                && draw() % 100 >= report_loss
            {
                under_way.push((n + delay + draw() as usize % 3, report));
            }
            let (due, rest) = under_way.into_iter().partition(|(at, _)| *at <= n);
            under_way = rest;
            for (_, report) in due {
                ends.feedback.take(&mut ends.coder, &report);
            }
        }
        prop_assert_eq!(ends.feedback.mismatches(), 0);
    }
}
