//! What happens in the loop.

use std::time::Duration;

use bytes::Bytes;

use super::Running;
use crate::session::Input;

/// Something that happens at a time.
pub(crate) enum Event {
    /// A frame of the source is due.
    Frame(u32),
    /// Bytes of the session are through the link.
    Through(u64),
    /// A datagram comes to the receiver.
    Datagram(Bytes),
    /// A report comes to the sender.
    Report(Vec<u8>),
    /// The rival may send.
    Rival,
    /// A packet of the rival came through.
    RivalAcked,
    /// A packet of the rival is known to be lost.
    RivalLost,
}

impl Running {
    pub(super) fn happen(&mut self, now: Duration, event: Event) {
        match event {
            Event::Frame(number) => self.frame(now, number),
            Event::Through(bytes) => self.through += bytes,
            Event::Datagram(bytes) => {
                let complete = self.receiver.arrive(now, &self.stand.clock, &bytes);
                self.run.parity = self.receiver.parity;
                if let Some(frame) = complete {
                    self.run.arrivals.push((frame, now));
                    self.report(now);
                }
            }
            Event::Report(bytes) => {
                self.session.handle(now, Input::Datagram(&bytes));
                self.drain(now);
            }
            Event::Rival => self.rival(now, |_, _| {}),
            Event::RivalAcked => self.rival(now, |rival, _| rival.acked()),
            Event::RivalLost => self.rival(now, |rival, now| rival.lost(now)),
        }
    }

    fn rival(&mut self, now: Duration, then: impl Fn(&mut super::Rival, Duration)) {
        let Some(mut rival) = self.stand.rival.take() else {
            return;
        };
        then(&mut rival, now);
        let round_trip = 2 * (self.stand.delay)(now);
        while rival.sends(now) {
            match self.stand.link.take(now, super::rival::PACKET) {
                Some(out) => self.at(out + round_trip, Event::RivalAcked),
                None => {
                    let known = now + self.stand.link.queue(now) + round_trip;
                    self.at(known, Event::RivalLost);
                }
            }
        }
        self.stand.rival = Some(rival);
    }
}
