//! What the receiver's reports say of closed frames, told to the coder.

use crate::closings::Closings;
use crate::frame_coder::FrameCoder;
use crate::loss::Loss;

/// Takes closings in any order; each tells of up to 16 frames, so that some may be lost.
#[derive(Debug, Default)]
pub struct Feedback {
    loss: Loss,
    mismatches: u64,
}

impl Feedback {
    /// Tells `coder` what `closings` say of frames that it did not know about; those that cannot be
    /// about this session change nothing.
    pub fn take(&mut self, coder: &mut FrameCoder, closings: &Closings) {
        let newest = closings.newest;
        if Some(newest) > coder.mirror().newest()
            || Some(newest) <= coder.mirror().newest_reported()
        {
            return;
        }
        // The oldest first: what is known of a frame builds on those before it.
        for (back, frame) in closings.frames.iter().enumerate().rev() {
            let Some(number) = newest.checked_sub(back as u32) else {
                continue;
            };
            let Some(count) = coder.mirror().pending_count(number) else {
                continue;
            };
            if let Some(arrived) = frame.arrived(count) {
                self.loss.note(count, &arrived);
                coder.report(number, arrived);
            }
        }
        // The newest may be a frame of which this end knows nothing: then the audit is about a
        // later state than the proven one.
        if let Some(audit) = closings.audit
            && coder.mirror().newest_reported() == Some(newest)
            && !coder.audit(audit.tile.into(), audit.fingerprint)
        {
            self.mismatches += 1;
            tracing::warn!(
                tile = audit.tile,
                "the receiver's picture differs from what it should be; resetting the tile"
            );
        }
        coder.set_loss(self.loss.share() as f32);
    }

    /// How many datagrams get lost.
    pub fn loss(&self) -> &Loss {
        &self.loss
    }

    /// Audits that found a difference, which no loss explains.
    pub fn mismatches(&self) -> u64 {
        self.mismatches
    }
}

#[cfg(test)]
mod tests;
