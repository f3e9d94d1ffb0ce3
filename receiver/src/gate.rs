//! Which of several senders is received.

use std::fmt;
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
pub(crate) struct Gate(Mutex<Option<Holder>>);

struct Holder {
    key: Option<KeyId>,
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
    /// Lets the holder of `key` in, from whom `packets` came so far; none where the holder of another
    /// one is being received. Where that one is silent, it takes 5 s to tell.
    pub(crate) async fn claim(
        self: &Arc<Self>,
        key: Option<KeyId>,
        packets: impl Fn() -> u64 + Send + 'static,
    ) -> Option<Claim> {
        let mut silent = Duration::ZERO;
        let mut heard = None;
        loop {
            {
                let mut holder = self.lock();
                let same = |before: &Holder| before.key.is_some() && before.key == key;
                let free = holder.as_ref().is_none_or(same);
                if free || silent >= SILENCE {
                    return Some(self.give(&mut holder, key, Box::new(packets)));
                }
                let now = holder.as_ref().map(|before| (before.packets)());
                if heard.is_some_and(|heard| now != heard) {
                    return None;
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
        key: Option<KeyId>,
        packets: Box<dyn Fn() -> u64 + Send>,
    ) -> Claim {
        let (sender, superseded) = watch::channel(false);
        let before = holder.replace(Holder {
            key,
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
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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

    #[tokio::test(start_paused = true)]
    async fn the_newest_with_a_key_is_let_in_and_others_wait() {
        let [own, other] = keys();
        let gate = Arc::new(Gate::default());
        let first = gate.claim(own, lively()).await.unwrap();
        assert!(gate.claim(other, lively()).await.is_none());
        assert!(gate.claim(None, lively()).await.is_none());
        let second = gate.claim(own, lively()).await.unwrap();
        assert!(*first.superseded().borrow());
        drop(first);
        let refused = gate.claim(other, lively()).await;
        assert!(refused.is_none(), "the second is still there");
        assert!(!*second.superseded().borrow());
        drop(second);
        assert!(gate.claim(other, lively()).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn those_without_a_key_are_strangers_to_each_other() {
        let gate = Arc::new(Gate::default());
        let _first = gate.claim(None, lively()).await.unwrap();
        assert!(gate.claim(None, lively()).await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn one_who_is_silent_gives_way_and_one_who_goes_in_time_too() {
        let [own, other] = keys();
        let gate = Arc::new(Gate::default());
        let silent = gate.claim(own, || 7).await.unwrap();
        let began = now();
        let next = gate.claim(other, || 0).await.unwrap();
        assert_eq!(began.elapsed(), SILENCE);
        assert!(*silent.superseded().borrow() && !*next.superseded().borrow());
        drop(silent);

        let began = now();
        let (third, ()) = tokio::join!(gate.claim(own, || 0), async {
            sleep(Duration::from_secs(1)).await;
            drop(next);
        });
        assert!(third.is_some() && began.elapsed() <= Duration::from_secs(1) + LOOK);
    }
}
