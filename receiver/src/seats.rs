//! Which of several senders is received.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use raq_shared::identity::KeyId;
use tokio::sync::watch;
use tokio::time::sleep;

/// A sender that says nothing for so long gives way to another one: even without frames it says
/// something every 3 s.
const SILENCE: Duration = Duration::from_secs(5);
/// How often is looked whether it says anything; who does streams, with at least 4 packets a second.
const LOOK: Duration = Duration::from_millis(250);

/// One sender at a time. Of those with the same key it is the one that came last: a sender that has
/// lost its connection is not to wait until this end notices. Others get in when it has been silent.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    holder: Mutex<Option<Holder>>,
    came: AtomicU64,
}

/// When a sender came, among all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Turn(u64);

/// What became of a claim.
#[derive(Debug)]
pub(crate) enum Place {
    Given(Claim),
    /// The holder of another key is being received.
    Taken,
    /// One with the same key that came later has it.
    Superseded,
}

struct Holder {
    key: Option<KeyId>,
    turn: Turn,
    /// Packets that came from it.
    packets: Box<dyn Fn() -> u64 + Send>,
    /// Turns true when another one takes over.
    superseded: watch::Sender<bool>,
}

impl fmt::Debug for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut holder = f.debug_struct("Holder");
        holder.field("key", &self.key).finish_non_exhaustive()
    }
}

/// The right to be received, until it is dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    gate: Arc<Gate>,
    superseded: watch::Receiver<bool>,
}

impl Gate {
    /// A sender has come. It claims the place later, when it is known that it may have it.
    pub(crate) fn arrive(&self) -> Turn {
        Turn(self.came.fetch_add(1, Ordering::Relaxed))
    }

    /// Lets the holder of `key` in, who came at `turn` and from whom `packets` came so far. Where the
    /// holder of another key is silent, it takes 5 s to tell.
    pub(crate) async fn claim(
        self: &Arc<Self>,
        turn: Turn,
        key: Option<KeyId>,
        packets: impl Fn() -> u64 + Send + 'static,
    ) -> Place {
        let mut silent = Duration::ZERO;
        let mut heard = None;
        loop {
            {
                let mut holder = self.lock();
                let same = |before: &Holder| before.key.is_some() && before.key == key;
                if holder.as_ref().is_some_and(|it| same(it) && it.turn > turn) {
                    return Place::Superseded;
                }
                let free = holder.as_ref().is_none_or(same);
                if free || silent >= SILENCE {
                    return Place::Given(self.give(&mut holder, turn, key, Box::new(packets)));
                }
                let now = holder.as_ref().map(|before| (before.packets)());
                if heard.is_some_and(|heard| now != heard) {
                    return Place::Taken;
                }
                heard = Some(now);
            }
            sleep(LOOK).await;
            silent += LOOK;
        }
    }

    fn give(
        self: &Arc<Self>,
        holder: &mut Option<Holder>,
        turn: Turn,
        key: Option<KeyId>,
        packets: Box<dyn Fn() -> u64 + Send>,
    ) -> Claim {
        let (sender, superseded) = watch::channel(false);
        let before = holder.replace(Holder {
            key,
            turn,
            packets,
            superseded: sender,
        });
        if let Some(before) = before {
            before.superseded.send_replace(true);
        }
        Claim {
            gate: self.clone(),
            superseded,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Holder>> {
        // Nothing in here can panic half way.
        self.holder.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claim {
    /// Turns true when another one takes over.
    pub(crate) fn superseded(&self) -> watch::Receiver<bool> {
        self.superseded.clone()
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut holder = self.gate.lock();
        // One that was superseded has nothing to give back.
        if !*self.superseded.borrow() {
            *holder = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use raq_shared::identity::Identity;
    use tokio::time::Instant;

    use super::*;

    fn keys() -> [Option<KeyId>; 2] {
        [(); 2].map(|()| Some(Identity::ephemeral().unwrap().id()))
    }

    #[expect(clippy::disallowed_methods, reason = "the clock is paused")]
    fn now() -> Instant {
        Instant::now()
    }

    /// One who goes on sending.
    fn lively() -> impl Fn() -> u64 + Send + 'static {
        let packets = AtomicU64::new(0);
        move || packets.fetch_add(1, Ordering::Relaxed)
    }

    /// What became of a claim of one who has just come.
    async fn claim(
        gate: &Arc<Gate>,
        key: Option<KeyId>,
        packets: impl Fn() -> u64 + Send + 'static,
    ) -> Option<Claim> {
        match gate.claim(gate.arrive(), key, packets).await {
            Place::Given(claim) => Some(claim),
            Place::Taken => None,
            Place::Superseded => panic!("nobody came later"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_newest_with_a_key_is_let_in_and_others_wait() {
        let [own, other] = keys();
        let gate = Arc::new(Gate::default());
        let slow = gate.arrive();
        let first = claim(&gate, own, lively()).await.unwrap();
        assert!(claim(&gate, other, lively()).await.is_none());
        assert!(claim(&gate, None, lively()).await.is_none());
        let second = claim(&gate, own, lively()).await.unwrap();
        assert!(*first.superseded().borrow());
        drop(first);
        let refused = claim(&gate, other, lively()).await;
        assert!(refused.is_none(), "the second is still there");
        let late = gate.claim(slow, own, lively()).await;
        assert!(matches!(late, Place::Superseded), "the second came later");
        assert!(!*second.superseded().borrow());
        drop(second);
        assert!(claim(&gate, other, lively()).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn those_without_a_key_are_strangers_to_each_other() {
        let gate = Arc::new(Gate::default());
        let _first = claim(&gate, None, lively()).await.unwrap();
        assert!(claim(&gate, None, lively()).await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn one_who_is_silent_gives_way_and_one_who_goes_in_time_too() {
        let [own, other] = keys();
        let gate = Arc::new(Gate::default());
        let silent = claim(&gate, own, || 7).await.unwrap();
        let began = now();
        let next = claim(&gate, other, || 0).await.unwrap();
        assert_eq!(began.elapsed(), SILENCE);
        assert!(*silent.superseded().borrow() && !*next.superseded().borrow());
        drop(silent);

        let began = now();
        let (third, ()) = tokio::join!(claim(&gate, own, || 0), async {
            sleep(Duration::from_secs(1)).await;
            drop(next);
        });
        assert!(third.is_some() && began.elapsed() <= Duration::from_secs(1) + LOOK);
    }
}
