//! Datagrams that are not what was sent.

use std::time::Duration;

use bytes::Bytes;
use raq_shared::{
    coding::{Framing, Sink, write},
    tile::{Operation, Start, Update},
    wire::{
        report::Report,
        update::{UPDATE_HEADER_LEN, UpdateHeader, time_units},
    },
};

use super::sample::{Sample, WHOLE};

/// Most bits that are wrong.
const BITS: usize = 8;
/// The bits of a capture time on the wire.
const CAPTURE: u32 = 0x00ff_ffff;

/// With one to [`BITS`] bits turned over, every other time in the header alone.
pub(super) fn corrupt(bytes: &[u8], chance: &mut fastrand::Rng) -> Bytes {
    let mut bytes = bytes.to_vec();
    if !bytes.is_empty() {
        let end = match chance.bool() {
            true => bytes.len(),
            false => bytes.len().min(UPDATE_HEADER_LEN),
        };
        for _ in 0..chance.usize(1..=BITS) {
            let at = chance.usize(..end);
            bytes[at] ^= 1 << chance.u8(..8);
        }
    }
    bytes.into()
}

/// Without some of its end.
pub(super) fn truncate(bytes: &Bytes, chance: &mut fastrand::Rng) -> Bytes {
    bytes.slice(..chance.usize(..bytes.len().max(1)))
}

/// A datagram of updates with the same header that makes something else of some of its tiles; none
/// where it is no such datagram.
pub(super) fn forge(bytes: &[u8], sample: &Sample) -> Option<Bytes> {
    let (header, _) = UpdateHeader::parse(bytes).ok()?;
    let tiles = sample.grid.interleave(header.count);
    let updates: Vec<Update> = tiles
        .positions(header.index.into())
        .map(|tile| {
            let mut update = Update::new(tile as u32, Start::Reset);
            update.operations.push(Operation {
                stage: WHOLE,
                block: 0,
                index: tile as u16 % 4,
            });
            update
        })
        .collect();
    let framing = Framing {
        grid: sample.grid,
        stages: &sample.temporal.stages,
        tables: &sample.temporal.tables,
        level: header.level,
        codewords: None,
        floor: header.floor,
        index: header.index,
        count: header.count,
    };
    let mut body = Vec::new();
    let coding = write(&framing, &updates, &mut Sink::new(), &mut body);
    let header = UpdateHeader {
        coding,
        names_codewords: false,
        ..header
    };
    Some([&header.encode()[..], &body].concat().into())
}

/// A datagram of updates that says that it was captured so much earlier.
pub(super) fn captured_earlier(bytes: &Bytes, by: Duration) -> Bytes {
    match UpdateHeader::parse(bytes) {
        Ok((header, _)) if !by.is_zero() => {
            let header = UpdateHeader {
                capture: header.capture.wrapping_sub(time_units(by) as u32) & CAPTURE,
                ..header
            };
            // The flag that says whether it is padded is not in the header.
            let encoded = header.encode();
            let mut told = bytes.to_vec();
            told[1..UPDATE_HEADER_LEN].copy_from_slice(&encoded[1..]);
            told.into()
        }
        _ => bytes.clone(),
    }
}

/// A report whose arrivals were so much earlier. The sender finds the times that it gave: to its own
/// clock its own past is what it was.
pub(super) fn arrived_earlier(bytes: &Bytes, by: Duration) -> Bytes {
    match Report::parse(bytes) {
        Ok(mut report) if !by.is_zero() => {
            for arrival in &mut report.arrivals {
                arrival.at = arrival.at.wrapping_sub(by.as_micros() as u32);
            }
            report.echo.sent = report.echo.sent.wrapping_add(time_units(by) as u32) & CAPTURE;
            let mut told = Vec::new();
            report.encode(&mut told);
            told.into()
        }
        _ => bytes.clone(),
    }
}

#[cfg(test)]
mod tests {
    use raq_recv::intake::Intake;
    use raq_shared::{coding::Coding, wire::report::Arrival};

    use super::*;

    fn header(capture: u32) -> UpdateHeader {
        UpdateHeader {
            coding: Coding::Range,
            names_codewords: false,
            level: 3,
            frame: 5,
            capture,
            send_delay: 2,
            index: 1,
            count: 2,
            floor: 0,
        }
    }

    #[test]
    fn a_forged_datagram_is_taken() {
        let sample = Sample::get();
        let temporal = &sample.temporal;
        let forged = forge(&header(7).encode(), sample).unwrap();
        let mut intake = Intake::new(
            sample.grid,
            &temporal.stages,
            &temporal.basis,
            &temporal.tables,
        );
        let taken = intake.datagram(&forged).unwrap();
        assert_eq!((taken.frame, taken.header.capture), (5, 7));
        assert_eq!(intake.updated(5), sample.grid.tiles() / 2);
        assert_eq!(forge(&[0; 40], sample), None);
    }

    #[test]
    fn times_are_told_earlier_and_nothing_else_changes() {
        let told = [&header(100).encode()[..], &[9; 9]].concat().into();
        let earlier = captured_earlier(&told, Duration::from_micros(10_100));
        let expected = [&header(CAPTURE).encode()[..], &[9; 9]].concat();
        assert_eq!(earlier, expected);
        assert_eq!(captured_earlier(&told, Duration::ZERO), told);

        let mut report = Report::default();
        let arrival = |at| Arrival {
            frame: 3,
            index: 0,
            at,
        };
        report.arrivals = vec![arrival(50)];
        let mut bytes = Vec::new();
        report.encode(&mut bytes);
        let earlier = arrived_earlier(&bytes.into(), Duration::from_micros(60));
        let arrivals = Report::parse(&earlier).unwrap().arrivals;
        assert_eq!(arrivals, [arrival(50u32.wrapping_sub(60))]);
    }
}
