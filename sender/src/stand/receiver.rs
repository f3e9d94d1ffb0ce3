//! The receiver's arrival log, and when it reports.

use std::collections::HashMap;
use std::time::Duration;

use raq_recv::arrivals::ArrivalLog;
use raq_shared::wire::datagram::extend_frame_number;
use raq_shared::wire::heartbeat::Heartbeat;
use raq_shared::wire::parity::ParityHeader;
use raq_shared::wire::report::Report;
use raq_shared::wire::update::UpdateHeader;

type Clock = Box<dyn Fn(Duration) -> Duration>;

/// See the module.
#[derive(Default)]
pub(crate) struct Receiver {
    log: ArrivalLog,
    /// How many datagrams of a frame came.
    came: HashMap<u32, u8>,
    newest: Option<u32>,
    number: u8,
    /// Datagrams of parity that came.
    pub(super) parity: u32,
    due: Option<Duration>,
}

impl Receiver {
    /// A datagram came; gives the number of a frame that is complete.
    pub(crate) fn arrive(&mut self, now: Duration, clock: &Clock, bytes: &[u8]) -> Option<u32> {
        let here = clock(now);
        let mut complete = None;
        match (Heartbeat::parse(bytes), ParityHeader::parse(bytes)) {
            (Some(beat), _) => self.log.beat(here, beat.unwrap().sent),
            (_, Some(parity)) => {
                let (header, _) = parity.unwrap();
                let frame = extend_frame_number(self.newest, header.frame).unwrap();
                let sent = header.capture.wrapping_add(header.send_delay.into());
                self.log.note(here, frame, header.place(), sent);
                self.parity += 1;
            }
            (None, None) => {
                let (header, _) = UpdateHeader::parse(bytes).unwrap();
                let frame = extend_frame_number(self.newest, header.frame).unwrap();
                self.newest = self.newest.max(Some(frame));
                let sent = header.capture.wrapping_add(header.send_delay.into());
                if self.log.note(here, frame, header.index, sent) {
                    let came = self.came.entry(frame).or_default();
                    *came += 1;
                    complete = (*came == header.count).then_some(frame);
                }
                self.came.retain(|&it, _| it + 100 > frame);
            }
        }
        let wait = |due: Duration| now + due.saturating_sub(here);
        self.due = self.log.due().map(wait);
        complete
    }

    /// When a report is due.
    pub(crate) fn due(&self) -> Option<Duration> {
        self.due
    }

    /// A report.
    pub(crate) fn report(&mut self, now: Duration, clock: &Clock) -> Vec<u8> {
        let (echo, arrivals) = self.log.tell(clock(now));
        self.number = self.number.wrapping_add(1);
        self.due = None;
        let report = Report {
            number: self.number,
            echo,
            arrivals,
            ..Report::default()
        };
        let mut bytes = Vec::new();
        report.encode(&mut bytes);
        bytes
    }
}
