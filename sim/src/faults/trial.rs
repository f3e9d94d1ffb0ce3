//! A script from its healthy beginning until a tile that was made wrong is right again.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use super::{script::Script, watch::Watch, world::World};

/// How long everything goes well first.
const BEFORE: Duration = Duration::from_secs(2);
/// How long everything must go well again until that counts.
const STEADY: Duration = Duration::from_secs(3);
/// How long after the faults the picture may be old or wrong.
pub const HEALED: Duration = Duration::from_secs(10);
/// How long a tile may be wrong without faults.
pub const REPAIRED: Duration = HEALED;

/// What became of a script.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trial {
    /// How long after the faults frames came onto the screen late or not at all.
    pub fresh: Duration,
    /// How long after them the receiver's picture was not what the sender took it for.
    pub equal: Duration,
    /// How long a tile was wrong.
    pub repaired: Duration,
    /// The most bytes that the sender held.
    pub sending: usize,
    /// The most bytes that the receiver held.
    pub receiving: usize,
    /// Connections that were made.
    pub connections: u32,
    /// Frames that came onto the screen.
    pub frames: u64,
    /// Audits that differed.
    pub mismatches: u64,
    /// What should not have been.
    pub misses: Vec<String>,
}

impl Trial {
    /// Plays a script; a panic is a miss like others.
    pub fn of(script: &Script) -> Self {
        let played = catch_unwind(AssertUnwindSafe(|| Self::play(script)));
        played.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()));
            Self {
                misses: vec![format!("panicked: {}", text.unwrap_or_default())],
                ..Self::default()
            }
        })
    }

    fn play(script: &Script) -> Self {
        let mut world = World::new(script.chance());
        let mut watch = Watch::default();
        let mut trial = Self::default();
        let played = trial.phases(script, &mut world, &mut watch);
        trial.misses.extend(played.err());
        trial.sending = watch.sending;
        trial.receiving = watch.receiving;
        trial.connections = world.connection;
        trial.frames = world.frames();
        trial.mismatches = world.mismatches();
        trial
    }

    fn phases(
        &mut self,
        script: &Script,
        world: &mut World,
        watch: &mut Watch,
    ) -> Result<(), String> {
        watch.run(world, BEFORE)?;
        if watch.is_bad_now(world) {
            return Err(format!("before any fault {}", watch.bad(world)));
        }
        self.faults(script, world, watch)
    }

    /// Faults, until all is well again, and then a tile that is made wrong.
    ///
    /// # Errors
    /// What does not hold.
    pub(super) fn faults(
        &mut self,
        script: &Script,
        world: &mut World,
        watch: &mut Watch,
    ) -> Result<(), String> {
        world.fail(script);
        watch.run(world, script.length())?;
        world.heal();
        let (fresh, equal) = watch.settle(world, HEALED, STEADY)?;
        (self.fresh, self.equal) = (fresh, equal);
        if fresh.max(equal) > HEALED {
            let text = watch.bad(world);
            return Err(format!("{HEALED:?} after the faults {text}"));
        }
        world.forge();
        while world.forged.is_none() {
            watch.run(world, Duration::from_millis(1))?;
        }
        let (_, repaired) = watch.settle(world, REPAIRED, STEADY)?;
        self.repaired = repaired;
        if repaired > REPAIRED {
            let text = watch.bad(world);
            return Err(format!("{REPAIRED:?} after a tile was made wrong {text}"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::{Fault, Faults};

    fn script(faults: Faults, seed: u64, seconds: u32) -> Script {
        Script {
            faults,
            seed,
            seconds,
        }
    }

    #[test]
    fn without_faults_the_picture_stays_right_and_a_wrong_tile_is_repaired() {
        let trial = Trial::of(&script(Faults::default(), 1, 1));
        assert_eq!(trial.misses, [""; 0]);
        assert_eq!((trial.fresh, trial.equal), Default::default());
        assert!(trial.repaired > Duration::ZERO && trial.mismatches > 0);
        assert!(trial.sending > 0 && trial.receiving > 0);
        assert_eq!(trial.connections, 1);
    }

    #[test]
    fn everything_at_once_is_survived_and_can_be_repeated() {
        let all = script(Faults::ALL, 1, 3);
        let trial = Trial::of(&all);
        assert_eq!(trial.misses, [""; 0]);
        assert_eq!(trial.connections, 2);
        assert_eq!(trial, Trial::of(&all));
    }

    #[test]
    fn numbers_that_are_wrong_do_not_stop_the_picture() {
        // A frame number thousands ahead came with this seed, and nothing after it.
        let corruption = Faults::default().with(Fault::Corruption);
        let trial = Trial::of(&script(corruption, 8, 20));
        assert_eq!(trial.misses, [""; 0]);
    }
}
