//! Which of several senders is received.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use raq_shared::identity::KeyId;
use tokio::sync::watch;

/// One sender at a time, and of those with the same key the one that came last: a sender that has
/// lost its connection is not to wait until this end notices.
#[derive(Debug, Default)]
pub(crate) struct Gate(Mutex<Option<Holder>>);

#[derive(Debug)]
struct Holder {
    key: Option<KeyId>,
    /// Turns true when another one takes over.
    superseded: watch::Sender<bool>,
}

/// The right to be received, until it is dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    gate: Arc<Gate>,
    superseded: watch::Receiver<bool>,
}

impl Gate {
    /// Lets the holder of `key` in; none where the holder of another one is being received.
    pub(crate) fn claim(self: &Arc<Self>, key: Option<KeyId>) -> Option<Claim> {
        let mut holder = self.lock();
        if let Some(before) = &*holder {
            if before.key.is_none() || before.key != key {
                return None;
            }
            before.superseded.send_replace(true);
        }
        let (sender, superseded) = watch::channel(false);
        *holder = Some(Holder {
            key,
            superseded: sender,
        });
        Some(Claim {
            gate: self.clone(),
            superseded,
        })
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
    use raq_shared::identity::Identity;

    use super::*;

    #[test]
    fn the_newest_with_a_key_is_let_in_and_others_wait() {
        let [own, other] = [(); 2].map(|()| Some(Identity::ephemeral().unwrap().id()));
        let gate = Arc::new(Gate::default());
        let first = gate.claim(own).unwrap();
        assert!(gate.claim(other).is_none() && gate.claim(None).is_none());
        let second = gate.claim(own).unwrap();
        assert!(*first.superseded().borrow());
        drop(first);
        assert!(gate.claim(other).is_none(), "the second is still there");
        assert!(!*second.superseded().borrow());
        drop(second);
        assert!(gate.claim(other).is_some());
    }

    #[test]
    fn those_without_a_key_are_strangers_to_each_other() {
        let gate = Arc::new(Gate::default());
        let _first = gate.claim(None).unwrap();
        assert!(gate.claim(None).is_none());
    }
}
