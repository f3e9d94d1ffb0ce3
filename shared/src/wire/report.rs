//! What the receiver tells: which frames are closed, when datagrams arrived, how it keeps up.
//!
//! A report alone says nothing new twice, and each repeats enough that one or two may be lost.

mod arrival;
mod closed;
mod field;

use std::time::Duration;

use self::field::Reader;
use super::datagram::DatagramError;

pub use arrival::{Arrival, MAX_ARRIVALS};
pub use closed::{Audit, Closed, FrameReport};

/// The kind of a datagram that carries a report.
const KIND_REPORT: u8 = 3;
/// Flag: an audit follows the closed frames.
const AUDITED: u8 = 1;
/// The longest report in bytes: a path of any QUIC connection carries it (RFC 9000, 14).
pub const MAX_REPORT: usize = 1150;
/// Longest time between an arrival and a report that is told; longer ones are told as this one.
pub const MAX_HELD: Duration = Duration::from_micros(field::MAX_VARINT as u64);

/// The send time of the newest arrival, given back: the sender learns the round trip from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Echo {
    /// Capture time and send delay of the newest arrival added, in units of 100 µs; low 24 bits.
    pub sent: u32,
    /// From its arrival to the making of the report; whole µs up to [`MAX_HELD`].
    pub held: Duration,
}

/// A report. On the wire, numbers big-endian, *varints* of up to 28 bits in LEB128 (DWARF 5, 7.6)
/// without superfluous bytes:
///
/// | bytes | field |
/// |---|---|
/// | 1 | kind (upper 4 bits, 3 = report), flag 1 = audited |
/// | 1 | number of the report, wrapping |
/// | 1 | backlog |
/// | 1 | k, number of frames told of as closed, 0 to 16 |
/// | 3 | echo: send time |
/// | varint | echo: µs held |
/// | if k > 0 | [`Closed`] |
/// | if audited, which needs k > 0 | [`Audit`] |
/// | the rest, may be empty | arrivals, see [`Arrival`] |
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Counts the reports of a session, wrapping.
    pub number: u8,
    /// Frames received and not yet decoded, saturating.
    pub backlog: u8,
    /// The newest closed frames; none where none was closed since the report before.
    pub closed: Option<Closed>,
    /// One tile in turn, in reports that tell of closed frames.
    pub audit: Option<Audit>,
    /// The newest arrival's send time.
    pub echo: Echo,
    /// In order of arrival, the newest last: those that no report told of before and those that the
    /// report before was the first to tell; at most [`MAX_ARRIVALS`], the newest.
    pub arrivals: Vec<Arrival>,
}

impl Report {
    /// Appends the report's bytes, at most [`MAX_REPORT`]. What they cannot hold is left out: frames
    /// and arrivals beyond the newest ones, arrivals before a gap of more than 8 s, times that run
    /// backwards, an audit without a closed frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let closed = self.closed.as_ref().filter(|it| !it.frames.is_empty());
        let audit = self.audit.filter(|_| closed.is_some());
        let flags = if audit.is_some() { AUDITED } else { 0 };
        let frames = closed.map_or(0, Closed::told);
        out.extend([KIND_REPORT << 4 | flags, self.number, self.backlog]);
        out.push(frames as u8);
        out.extend_from_slice(&self.echo.sent.to_be_bytes()[1..]);
        let held = self.echo.held.min(MAX_HELD).as_micros();
        field::put_varint(held as u32, out);
        if let Some(closed) = closed {
            closed.encode(out);
        }
        if let Some(audit) = audit {
            audit.encode(out);
        }
        arrival::encode(&self.arrivals, out);
    }

    /// Reads a report.
    ///
    /// # Errors
    /// [`DatagramError`] when it is of another kind, too short, too long, or says anything in other
    /// bytes than [`Self::encode`] would.
    pub fn parse(datagram: &[u8]) -> Result<Self, DatagramError> {
        let mut reader = Reader::new(datagram);
        let first = reader.byte()?;
        if first >> 4 != KIND_REPORT {
            return Err(DatagramError::Kind(first >> 4));
        }
        let [number, backlog, frames] = reader.array()?;
        let [a, b, c] = reader.array()?;
        let held = reader.varint()?;
        let audited = match first & 0xf {
            0 => false,
            AUDITED if frames > 0 => true,
            _ => return Err(DatagramError::Field),
        };
        let closed = match frames {
            0 => None,
            _ => Some(Closed::parse(usize::from(frames), &mut reader)?),
        };
        let audit = match audited {
            true => Some(Audit::parse(&mut reader)?),
            false => None,
        };
        Ok(Self {
            number,
            backlog,
            closed,
            audit,
            echo: Echo {
                sent: u32::from_be_bytes([0, a, b, c]),
                held: Duration::from_micros(held.into()),
            },
            arrivals: arrival::parse(&mut reader)?,
        })
    }
}

#[cfg(test)]
mod tests;
