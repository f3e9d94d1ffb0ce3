//! What became of every frame of a flow.

use std::{collections::VecDeque, time::Duration};

use crate::{
    media::{Coded, Quality},
    record::FrameRow,
};

use raq_shared::units::Bitrate;

/// A frame that is neither closed nor overtaken after this time is given up; it bounds the memory.
const GIVEN_UP: Duration = Duration::from_secs(120);

/// What the sending end notes.
#[derive(Debug)]
pub(super) enum SentFrame {
    /// A frame was coded, or skipped.
    Coded {
        frame: u32,
        captured: Duration,
        skipped: bool,
        estimate: Bitrate,
        budget: u64,
        bytes: u64,
        datagrams: u8,
        said: Coded,
    },
    /// A datagram of it was handed to the network.
    Left { frame: u32, at: Duration },
}

/// What the receiving end notes. Frame numbers rise.
#[derive(Debug)]
pub(super) enum SeenFrame {
    /// A frame was given out to be decoded.
    Closed {
        frame: u32,
        arrived: u8,
        at: Duration,
        updates: Option<u32>,
        quality: Option<Quality>,
    },
    /// It came onto the screen.
    Shown { frame: u32, at: Duration },
}

/// Rows of frames that are not settled yet, in order of their numbers.
#[derive(Debug)]
pub struct Book {
    flow: u32,
    playout: Duration,
    rows: VecDeque<Row>,
    /// Rows at the front that were judged.
    judged: usize,
    /// Number after the newest frame that was closed and, if it is shown at all, shown.
    settled: u32,
}

#[derive(Debug)]
struct Row {
    row: FrameRow,
    due: Duration,
}

impl Book {
    /// Of a flow whose frames are due `playout` after their capture.
    pub fn new(flow: usize, playout: Duration) -> Self {
        Self {
            flow: flow as u32,
            playout,
            rows: VecDeque::new(),
            judged: 0,
            settled: 0,
        }
    }

    pub(super) fn sent(&mut self, sent: SentFrame) {
        match sent {
            SentFrame::Coded {
                frame,
                captured,
                skipped,
                estimate,
                budget,
                bytes,
                datagrams,
                said,
            } => self.rows.push_back(Row {
                due: captured + self.playout,
                row: FrameRow {
                    flow: self.flow,
                    frame: frame.into(),
                    captured_us: micros(captured),
                    skipped,
                    estimate_kbps: Some(estimate.kilobits_per_second()),
                    budget: (!skipped).then_some(budget),
                    bytes,
                    datagrams: datagrams.into(),
                    level: said.level,
                    codewords: said.codewords.into_iter().map(u32::from).collect(),
                    updates_due: said.updates,
                    ..FrameRow::default()
                },
            }),
            SentFrame::Left { frame, at } => {
                if let Some(row) = self.row(frame) {
                    row.sent_us = Some(micros(at));
                }
            }
        }
    }

    pub(super) fn seen(&mut self, seen: SeenFrame) {
        match seen {
            SeenFrame::Closed {
                frame,
                arrived,
                at,
                updates,
                quality,
            } => {
                if let Some(row) = self.row(frame) {
                    row.arrived = arrived.into();
                    row.closed_us = Some(micros(at));
                    row.updates_applied = updates;
                    row.psnr_y_db = quality.map(|it| it.psnr_y_db);
                    row.ssim = quality.map(|it| it.ssim);
                }
                self.settled = self.settled.max(frame);
            }
            SeenFrame::Shown { frame, at } => {
                if let Some(row) = self.row(frame) {
                    row.shown_us = Some(micros(at));
                }
                self.settled = self.settled.max(frame + 1);
            }
        }
    }

    /// A frame whose playout deadline has come, and when it was captured: say what is on the screen
    /// ([`Self::judged`]).
    pub(super) fn due(&self, now: Duration) -> Option<(u32, Duration)> {
        let Row { row, due } = self.rows.get(self.judged)?;
        (*due <= now).then_some((row.frame as u32, *due - self.playout))
    }

    pub(super) fn judged(&mut self, _frame: u32, quality: Option<Quality>) {
        let row = &mut self.rows[self.judged].row;
        row.psnr_due_db = quality.map(|it| it.psnr_y_db);
        row.ssim_due = quality.map(|it| it.ssim);
        self.judged += 1;
    }

    /// When the next frame is due.
    pub(super) fn wake(&self) -> Option<Duration> {
        self.rows.get(self.judged).map(|row| row.due)
    }

    /// The next row that will not change any more.
    pub fn settled(&mut self, now: Duration) -> Option<FrameRow> {
        let first = self.rows.front()?;
        let over = (first.row.frame as u32) < self.settled || now >= first.due + GIVEN_UP;
        let gone = first.row.skipped || over;
        if self.judged == 0 || !gone {
            return None;
        }
        self.pop()
    }

    /// The next row as it is, at the end.
    pub fn pop(&mut self) -> Option<FrameRow> {
        let row = self.rows.pop_front()?;
        self.judged = self.judged.saturating_sub(1);
        Some(row.row)
    }

    fn row(&mut self, frame: u32) -> Option<&mut FrameRow> {
        let frame = u64::from(frame);
        let at = self.rows.partition_point(|row| row.row.frame < frame);
        let row = self.rows.get_mut(at).map(|row| &mut row.row)?;
        (row.frame == frame).then_some(row)
    }
}

fn micros(time: Duration) -> u64 {
    time.as_micros() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn coded(frame: u32, skipped: bool) -> SentFrame {
        SentFrame::Coded {
            frame,
            captured: at(100 * u64::from(frame)),
            skipped,
            estimate: Bitrate::from_kilobits_per_second(500),
            budget: 900,
            bytes: 800,
            datagrams: 2,
            said: Coded::default(),
        }
    }

    #[test]
    fn a_row_is_given_out_once_nothing_about_it_can_change() {
        let mut book = Book::new(3, at(150));
        book.sent(coded(0, false));
        book.sent(SentFrame::Left {
            frame: 0,
            at: at(5),
        });
        assert_eq!(book.wake(), Some(at(150)));
        book.sent(coded(1, true));
        book.seen(SeenFrame::Closed {
            frame: 0,
            arrived: 1,
            at: at(40),
            updates: Some(7),
            quality: None,
        });
        book.seen(SeenFrame::Shown {
            frame: 0,
            at: at(50),
        });
        assert_eq!(book.settled(at(149)), None, "not judged");
        assert_eq!(book.due(at(149)), None);
        assert_eq!(book.due(at(150)), Some((0, at(0))));
        let quality = Quality {
            psnr_y_db: 30.0,
            ssim: 0.5,
        };
        book.judged(0, Some(quality));
        let row = book.settled(at(150)).unwrap();
        assert_eq!((row.flow, row.frame, row.arrived), (3, 0, 1));
        assert_eq!((row.sent_us, row.shown_us), (Some(5000), Some(50_000)));
        assert_eq!(row.closed_us, Some(40_000));
        assert_eq!(row.psnr_due_db, Some(30.0));
        // A skipped frame only waits for its deadline.
        assert_eq!(book.settled(at(249)), None);
        assert_eq!(book.due(at(250)), Some((1, at(100))));
        book.judged(1, None);
        assert!(book.settled(at(250)).unwrap().skipped);
        // One that never comes stays until a newer one is shown.
        book.sent(coded(2, false));
        book.sent(coded(3, false));
        book.judged(2, None);
        assert_eq!(book.settled(at(9000)), None);
        book.seen(SeenFrame::Shown {
            frame: 3,
            at: at(9001),
        });
        let lost = book.settled(at(9001)).unwrap();
        assert_eq!((lost.frame, lost.shown_us), (2, None));
        assert_eq!(book.pop().unwrap().frame, 3);
        assert!(book.pop().is_none());
    }
}
