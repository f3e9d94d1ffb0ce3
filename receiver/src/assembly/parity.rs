//! Datagrams of parity: lost ones of their frame count as arrived once they are made again.

use std::time::Duration;

use raq_shared::wire::datagram::{DatagramError, extend_frame_number};
use raq_shared::wire::parity::ParityHeader;

use super::{Assembler, Refused};

impl Assembler {
    /// Takes a datagram of parity that arrived at `now`, as [`ParityHeader::parse`] has split it.
    pub(super) fn parity(
        &mut self,
        now: Duration,
        parsed: Result<(ParityHeader, &[u8]), DatagramError>,
    ) -> Result<(), Refused> {
        let (header, shard) = parsed.inspect_err(|_| self.counts.malformed += 1)?;
        let number = extend_frame_number(self.newest, header.frame);
        // What it protects says first that numbers jump.
        let number = number.filter(|&number| self.distant.is_near(self.newest, number));
        let Some(number) = number else {
            self.counts.stale += 1;
            return Err(Refused::Far(header.frame));
        };
        let sent = header.capture.wrapping_add(header.send_delay.into());
        self.arrivals.note(now, number, header.place(), sent);
        self.kept.expect(number);
        if number < self.closed_below {
            // It is of no use, as most are, but came in time.
            self.advance(now);
            return Ok(());
        }
        if let Some(frame) = self.open.iter_mut().find(|it| it.number == number) {
            frame.seen(now);
        }
        self.kept.keep_parity(number, &header, shard);
        self.restore(now, number);
        self.advance(now);
        Ok(())
    }

    /// Makes the datagrams again that miss of an open frame, if what came suffices.
    pub(super) fn restore(&mut self, now: Duration, number: u32) {
        let frame = self.open.iter().find(|frame| frame.number == number);
        let arrived = frame.map(|frame| frame.arrived).unwrap_or_default();
        let mut restored = std::mem::take(&mut self.restored);
        if self.kept.restore(number, &arrived, &mut restored) {
            for datagram in restored.iter() {
                match self.intake.datagram(datagram) {
                    Ok(taken) => {
                        self.counts.restored += 1;
                        self.note(now, &taken);
                    }
                    Err(error) => tracing::debug!(number, %error, "made again in vain"),
                }
            }
        }
        self.restored = restored;
    }
}
