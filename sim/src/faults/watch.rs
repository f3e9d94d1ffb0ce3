//! What must hold, looked at again and again.

use std::time::Duration;

use super::world::World;

/// How often all tiles are compared.
const LOOK: Duration = Duration::from_millis(20);
/// How often what is held is counted: buffers grow and stay.
const COUNTED: Duration = Duration::from_millis(10);
/// How old the picture may be: the round trip, the playout and some frames.
const FRESH: Duration = Duration::from_millis(500);
/// The most bytes that the sender may hold.
pub const MOST_SENDING: usize = 8 << 20;
/// The most bytes that the receiver may hold.
pub const MOST_RECEIVING: usize = 2 << 20;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// The most bytes that the sender held.
    pub(super) sending: usize,
    /// The most bytes that the receiver held.
    pub(super) receiving: usize,
    /// When they were counted last.
    counted: Duration,
}

impl Watch {
    /// Lets `length` go by.
    ///
    /// # Errors
    /// What does not hold.
    pub(super) fn run(&mut self, world: &mut World, length: Duration) -> Result<(), String> {
        let until = world.now + length;
        while world.now < until {
            world.step(until)?;
            if world.now >= self.counted + COUNTED {
                self.counted = world.now;
                self.sending = self.sending.max(world.sending.held());
                self.receiving = self.receiving.max(world.receiving.held());
            }
            if self.sending > MOST_SENDING {
                return Err(format!("the sender holds {} bytes", self.sending));
            }
            if self.receiving > MOST_RECEIVING {
                return Err(format!("the receiver holds {} bytes", self.receiving));
            }
            if let Some(end) = world.ended()
                && !world.greets_again()
            {
                return Err(format!("{end} at {:?}", world.now));
            }
        }
        Ok(())
    }

    /// Waits until all has been well for `steady`, or longer than `most` after now; for how long the
    /// picture was old, and for how long it was wrong.
    ///
    /// # Errors
    /// What does not hold.
    pub(super) fn settle(
        &mut self,
        world: &mut World,
        most: Duration,
        steady: Duration,
    ) -> Result<(Duration, Duration), String> {
        let began = world.now;
        let (mut old, mut wrong) = (began, began);
        loop {
            self.run(world, LOOK)?;
            if is_old(world) {
                old = world.now;
            }
            if wrong_tiles(world) > 0 {
                wrong = world.now;
            }
            let last = old.max(wrong);
            if world.now >= last + steady || last > began + most {
                return Ok((old - began, wrong - began));
            }
        }
    }

    /// Whether the picture is old or wrong.
    pub(super) fn is_bad_now(&self, world: &World) -> bool {
        is_old(world) || wrong_tiles(world) > 0
    }

    /// What is bad, for people.
    pub(super) fn bad(&self, world: &World) -> String {
        let age = match age(world) {
            Some(age) => format!("is {} ms old", age.as_millis()),
            None => "is not there".to_owned(),
        };
        let (wrong, estimate) = (wrong_tiles(world), world.sending.estimate());
        format!(
            "the picture {age}, {wrong} tiles differ from what the sender takes them for, the path \
             is taken to carry {:.0} kbit/s",
            estimate.kilobits_per_second()
        )
    }
}

fn age(world: &World) -> Option<Duration> {
    let captured = world.sending.captured(world.receiving.shown()?)?;
    Some(world.now.saturating_sub(captured))
}

fn is_old(world: &World) -> bool {
    age(world).is_none_or(|age| age > FRESH)
}

/// Tiles of which the receiver has something else than the sender knows it to have, as of the newest
/// frame that was reported; all where there is none.
fn wrong_tiles(world: &World) -> usize {
    let mirror = world.sending.mirror();
    let known = mirror.proven();
    let tiles = known.grid().tiles();
    let (Some(scene), Some(floor)) = (world.receiving.scene(), mirror.newest_reported()) else {
        return tiles;
    };
    let wrong = |&tile: &usize| {
        let of = |scene: &raq_shared::tile::Scene| {
            let found = scene.tile(tile).newest_through(floor);
            found.map(|generation| generation.content.fingerprint())
        };
        let (theirs, ours) = (of(scene), of(known));
        theirs.is_none() || theirs != ours
    };
    (0..tiles).filter(wrong).count()
}
