//! What a report says of closed frames, for the coder.

use raq_shared::wire::datagram::reported_frame_number;
use raq_shared::wire::report::{Audit, FrameReport, Report};

/// The newest frames that the receiver has closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closings {
    /// Number of the newest closed frame.
    pub newest: u32,
    /// That frame and those before it, one after the other, 1 to 16.
    pub frames: Vec<FrameReport>,
    /// A tile's fingerprint as of the newest.
    pub audit: Option<Audit>,
}

impl Closings {
    /// Those of a report, which may be about frames through `sent`; none where it tells of no frame
    /// or of one that was never sent.
    pub fn of(report: Report, sent: u32) -> Option<Self> {
        let closed = report.closed?;
        Some(Self {
            newest: reported_frame_number(sent, closed.newest)?,
            frames: closed.frames,
            audit: report.audit,
        })
    }
}
