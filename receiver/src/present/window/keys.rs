//! What the user types.

use std::cell::RefCell;
use std::rc::Rc;

use minifb::{InputCallback, Key};

/// Keys that were pressed and not yet looked at. A window tells of events whenever it is touched, also
/// while it draws.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys(Rc<RefCell<Vec<Key>>>);

/// Nobody types so much between two looks.
const MOST: usize = 16;

impl Keys {
    /// The next one, in order.
    pub(super) fn next(&self) -> Option<Key> {
        let mut keys = self.0.borrow_mut();
        (!keys.is_empty()).then(|| keys.remove(0))
    }
}

impl InputCallback for Keys {
    fn add_char(&mut self, _: u32) {}

    fn set_key_state(&mut self, key: Key, down: bool) {
        let mut keys = self.0.borrow_mut();
        if down && keys.len() < MOST {
            keys.push(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_taken_in_order_and_only_so_many_wait() {
        let mut keys = Keys::default();
        keys.set_key_state(Key::O, true);
        keys.set_key_state(Key::O, false);
        keys.set_key_state(Key::S, true);
        assert_eq!(
            [keys.next(), keys.next(), keys.next()],
            [Some(Key::O), Some(Key::S), None]
        );
        (0..100).for_each(|_| keys.set_key_state(Key::Q, true));
        assert_eq!(std::iter::from_fn(|| keys.next()).count(), MOST);
    }
}
