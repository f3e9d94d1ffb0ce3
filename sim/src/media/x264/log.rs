//! What each frame was coded as: the bitstream would say so.

use std::collections::BTreeMap;

/// A frame of a rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sent {
    /// The rung's number.
    pub(super) rung: usize,
    /// The frame that it builds on; none for a key frame.
    pub(super) base: Option<u32>,
}

/// Frames that were sent and are not yet closed, by number.
#[derive(Debug, Default)]
pub(super) struct Log(BTreeMap<u32, Sent>);

impl Log {
    pub(super) fn sent(&mut self, frame: u32, sent: Sent) {
        self.0.insert(frame, sent);
    }

    /// What `frame` was; forgets it and all before.
    pub(super) fn closed(&mut self, frame: u32) -> Option<Sent> {
        let later = self.0.split_off(&frame.saturating_add(1));
        let mut closed = std::mem::replace(&mut self.0, later);
        closed.remove(&frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_frames_are_forgotten() {
        let mut log = Log::default();
        let sent = |base| Sent { rung: 1, base };
        log.sent(3, sent(None));
        log.sent(5, sent(Some(3)));
        log.sent(6, sent(Some(5)));
        assert_eq!(log.closed(5), Some(sent(Some(3))));
        assert_eq!((log.closed(3), log.0.len()), (None, 1));
        assert_eq!(log.closed(6), Some(sent(Some(5))));
    }
}
