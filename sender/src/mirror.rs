//! What the receiver has: certainly, and if everything on its way arrives.
//!
//! The *proven* scene runs the receiver's own code on the datagrams that reports say arrived, so
//! it equals the receiver's state as of the last reported frame. The *hoped* scene assumes that what
//! was not reported yet arrives too; a loss rebuilds it from the proven one. Rules (8) to (10) of
//! `shared/docs/PROTOCOL.md`, "Loss".

use std::collections::VecDeque;
use std::sync::Arc;

use raq_shared::coding::UpdateList;
use raq_shared::stage::Stages;
use raq_shared::tile::apply::sources;
use raq_shared::tile::ring::KEPT;
use raq_shared::tile::scene::{Arrivals, FrameHead};
use raq_shared::tile::update::MAX_DELTA;
use raq_shared::tile::{Base, Basis, Scene, Start, TileGrid, Update};

use crate::choice::Known;
use crate::flight::{Flight, Needs};

/// The most frames without a report; the oldest of more is given up as unknown.
const PENDING: usize = 64;

/// A frame that was sent and not reported yet.
#[derive(Debug, Clone)]
struct Sent {
    head: FrameHead,
    /// Updates per datagram; those past the frame's last one are of no meaning.
    lists: Vec<UpdateList>,
}

impl Sent {
    fn datagrams(&self) -> impl Iterator<Item = &[Update]> {
        let lists = self.lists.iter().take(self.head.count.into());
        lists.map(UpdateList::as_slice)
    }

    fn updates(&self) -> impl Iterator<Item = &Update> {
        self.datagrams().flatten()
    }
}

/// The sender's knowledge of the receiver.
#[derive(Debug)]
pub struct Mirror {
    grid: TileGrid,
    proven: Scene,
    hoped: Scene,
    pending: VecDeque<Sent>,
    /// Lists of frames that are not pending any more, used again.
    spare: Vec<Vec<UpdateList>>,
    flight: Flight,
    /// The newest frame that is closed and reported.
    floor: Option<u32>,
    /// Per tile the newest frame of which nothing can be known any more.
    unknown: Vec<Option<u32>>,
    newest: Option<u32>,
}

impl Mirror {
    /// Of a receiver that has nothing.
    pub fn new(grid: TileGrid, stages: &Arc<Stages>, basis: &Arc<Basis>) -> Self {
        let scene = Scene::new(grid, Arc::clone(stages), Arc::clone(basis));
        Self {
            grid,
            proven: scene.clone(),
            hoped: scene,
            pending: VecDeque::with_capacity(PENDING + 1),
            spare: Vec::with_capacity(PENDING + 1),
            flight: Flight::new(grid),
            floor: None,
            unknown: vec![None; grid.tiles()],
            newest: None,
        }
    }

    /// What the receiver had when it closed the last reported frame; tiles of which nothing can be
    /// known are empty.
    pub fn proven(&self) -> &Scene {
        &self.proven
    }

    /// What it has if everything arrives.
    pub fn hoped(&self) -> &Scene {
        &self.hoped
    }

    /// Bytes of both scenes and of what is pending, buffers that are kept included.
    pub fn held(&self) -> usize {
        let pending = self.pending.iter().map(|sent| &sent.lists);
        let lists = pending.chain(&self.spare).flatten();
        self.proven.held() + self.hoped.held() + lists.map(UpdateList::held).sum::<usize>()
    }

    /// The floor that frame `frame` may name.
    pub fn floor(&self, frame: u32) -> Option<u32> {
        self.floor.filter(|floor| frame - floor <= MAX_DELTA.into())
    }

    /// The newest frame sent.
    pub fn newest(&self) -> Option<u32> {
        self.newest
    }

    /// The newest frame that is closed and reported.
    pub fn newest_reported(&self) -> Option<u32> {
        self.floor
    }

    /// Datagrams of a frame that was sent and not reported.
    pub fn pending_count(&self, frame: u32) -> Option<u8> {
        let sent = self.pending.iter().find(|sent| sent.head.frame == frame);
        sent.map(|sent| sent.head.count)
    }

    /// Frames sent and not reported.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// What updates of frame `frame` may build on for a tile: first what the receiver is known to
    /// have, if anything is, then what it may have, ascending by frame.
    pub fn bases(&self, tile: usize, frame: u32) -> impl Iterator<Item = Known<'_>> {
        let floor = self.floor(frame);
        let proven = floor.and_then(|floor| self.proven.tile(tile).newest_through(floor));
        let proven = proven.map(|generation| (generation, Base::Floor, Needs::default()));
        let hoped = self
            .hoped
            .tile(tile)
            .all()
            .iter()
            .filter_map(move |generation| {
                if self.floor.is_some_and(|floor| generation.frame <= floor) {
                    return None;
                }
                let back = u8::try_from(frame - generation.frame).ok()?;
                let needs = self.flight.needs(tile, generation.frame);
                Some((generation, Base::Before(back), needs))
            });
        proven
            .into_iter()
            .chain(hoped)
            .filter_map(move |(generation, base, needs)| {
                // The receiver may have closed more frames than it has told of, and keeps only so many.
                let kept = self.flight.newer(tile, generation.frame) < KEPT;
                kept.then_some(Known {
                    content: &generation.content,
                    frame: generation.frame,
                    base,
                    needs,
                })
            })
    }

    /// Notes a frame that was sent, its updates per datagram.
    pub fn sent<'u>(&mut self, head: FrameHead, datagrams: impl Iterator<Item = &'u [Update]>) {
        self.newest = Some(head.frame);
        let mut lists = self.spare.pop().unwrap_or_default();
        lists.resize_with(lists.len().max(head.count.into()), UpdateList::new);
        for (index, updates) in datagrams.enumerate() {
            // The hoped scene has room for what is pending: its frames close as reports come.
            let taken = self.hoped.receive(head, index as u8, updates);
            debug_assert!(taken.is_ok(), "{taken:?}");
            self.flight.sent(&head, index as u8, updates);
            lists[index].assign(updates);
        }
        self.pending.push_back(Sent { head, lists });
        if self.pending.len() > PENDING {
            self.give_up_oldest();
            self.rebuild();
        }
    }

    /// Learns that the receiver closed `frame` with these datagrams of it, and every frame before.
    /// Frames before it without a report of their own stay unknown. Returns whether what is hoped
    /// for has changed other than by coming true.
    pub fn report(&mut self, frame: u32, arrived: Arrivals) -> bool {
        let mut changed = false;
        while self.pending.front().is_some_and(|s| s.head.frame < frame) {
            self.give_up_oldest();
            changed = true;
        }
        if self.floor.is_some_and(|floor| frame <= floor) || self.newest < Some(frame) {
            return changed;
        }
        let reported = self.pending.front().is_some_and(|s| s.head.frame == frame);
        let sent = if reported {
            self.pending.pop_front()
        } else {
            None
        };
        if let Some(sent) = sent {
            for (index, updates) in sent.datagrams().enumerate() {
                if arrived.contains(index as u8) {
                    receive_known(&mut self.proven, &self.unknown, &sent.head, index, updates);
                } else {
                    changed = true;
                }
            }
            self.spare.push(sent.lists);
        }
        self.flight.landed(frame);
        self.proven.close(frame);
        self.floor = Some(frame);
        if changed {
            self.rebuild();
        } else {
            self.hoped.close(frame);
        }
        changed
    }

    /// Compares a tile as of the last reported frame with the receiver's fingerprint of it (0 for
    /// none). A tile that differs, which no loss explains, is forgotten and reset by what follows;
    /// false then. What is unknown anyway agrees.
    pub fn audit(&mut self, tile: usize, fingerprint: u32) -> bool {
        let Some(floor) = self.floor.filter(|_| tile < self.grid.tiles()) else {
            return true;
        };
        let here = self.proven.tile(tile).newest_through(floor);
        let agrees = match here {
            None => fingerprint == 0 || self.unknown[tile].is_some(),
            Some(generation) => generation.content.fingerprint() == fingerprint,
        };
        if !agrees {
            let mut lost = vec![false; self.grid.tiles()];
            lost[tile] = true;
            self.lose(lost);
            self.rebuild();
        }
        agrees
    }

    /// Nothing will be known of the oldest pending frame, nor of what builds on it. (9)
    fn give_up_oldest(&mut self) {
        let Some(oldest) = self.pending.pop_front() else {
            return;
        };
        let mut lost = vec![false; self.grid.tiles()];
        for update in oldest.updates() {
            lost[update.tile as usize] = true;
        }
        self.spare.push(oldest.lists);
        self.lose(lost);
        self.flight.landed(oldest.head.frame);
    }

    /// Nothing is known any more of these tiles, nor of what was copied from them since.
    fn lose(&mut self, mut lost: Vec<bool>) {
        // A lost tile is unknown in all pending frames, so earlier copies from it are lost as well:
        // one pass does not find all.
        let mut spreads = true;
        while spreads {
            spreads = false;
            for update in self.pending.iter().flat_map(Sent::updates) {
                let tile = update.tile as usize;
                if let Start::Copy {
                    displacements,
                    filter,
                } = &update.start
                    && !lost[tile]
                    && sources(self.grid, tile, displacements, *filter).any(|source| lost[source])
                {
                    lost[tile] = true;
                    spreads = true;
                }
            }
        }
        let through = self.newest;
        for (tile, _) in lost.iter().enumerate().filter(|(_, lost)| **lost) {
            self.unknown[tile] = through;
            self.proven.forget(tile);
        }
    }

    /// The hoped scene anew: what is proven and all that is pending.
    fn rebuild(&mut self) {
        self.hoped = self.proven.clone();
        for sent in &self.pending {
            for (index, updates) in sent.datagrams().enumerate() {
                receive_known(&mut self.hoped, &self.unknown, &sent.head, index, updates);
            }
        }
    }
}

/// Receives the updates of tiles that are not unknown at this frame.
fn receive_known(
    scene: &mut Scene,
    unknown: &[Option<u32>],
    head: &FrameHead,
    index: usize,
    updates: &[Update],
) {
    let certain = |u: &&Update| unknown[u.tile as usize] < Some(head.frame);
    let taken = if updates.iter().all(|u| certain(&u)) {
        scene.receive(*head, index as u8, updates)
    } else {
        let certain: Vec<Update> = updates.iter().filter(certain).cloned().collect();
        scene.receive(*head, index as u8, &certain)
    };
    debug_assert!(taken.is_ok(), "{taken:?}");
}

#[cfg(test)]
mod tests;
