//! What the receiver's reports say, told to the coder.

use raq_shared::wire::datagram::extend_frame_number;
use raq_shared::wire::report::Report;

use crate::frame_coder::FrameCoder;
use crate::loss::Loss;

/// Takes reports in any order; each tells of up to 16 frames, so that one may be lost.
#[derive(Debug, Default)]
pub struct Feedback {
    loss: Loss,
    mismatches: u64,
}

impl Feedback {
    /// Tells `coder` what `report` says of frames that it did not know about; a report that cannot
    /// be about this session changes nothing.
    pub fn take(&mut self, coder: &mut FrameCoder, report: &Report) {
        let Some(sent) = coder.mirror().newest() else {
            return;
        };
        let newest = extend_frame_number(Some(sent), report.newest);
        let Some(newest) = newest.filter(|&newest| newest <= sent) else {
            return;
        };
        if Some(newest) <= coder.mirror().newest_reported() {
            return;
        }
        // The oldest first: what is known of a frame builds on those before it.
        for (back, frame) in report.frames.iter().enumerate().rev() {
            let Some(number) = newest.checked_sub(back as u32) else {
                continue;
            };
            let Some(count) = coder.mirror().pending_count(number) else {
                continue;
            };
            if frame.count == count || frame.count == 0 {
                self.loss.note(count, &frame.arrived);
                coder.report(number, frame.arrived);
            }
        }
        // The newest may be a frame of which this end knows nothing: then the audit is about a
        // later state than the proven one.
        if coder.mirror().newest_reported() == Some(newest)
            && !coder.audit(report.audit.tile.into(), report.audit.fingerprint)
        {
            self.mismatches += 1;
            tracing::warn!(
                tile = report.audit.tile,
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
