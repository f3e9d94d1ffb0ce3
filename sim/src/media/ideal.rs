//! A source whose frames take exactly the bytes they may, in no time: it measures the transport
//! alone.

use std::sync::Arc;

use bytes::BytesMut;
use raq_recv::assembly::ReceivedFrame;
use raq_send::{closings::Closings, frame_coder::Allowance, rate::MOST_PER_TILE};
use raq_shared::{
    codebook::{Codebook, CodewordShape},
    codebooks::{Codebooks, Stage},
    coding::{Framing, Sink, Tables, tables::TableCounts, write},
    exit::{Exit, Failure},
    model::Temporal,
    stage::Stages,
    tile::{Basis, TileGrid},
    units::Bitrate,
    video::{ChromaSiting, ColourRange, Fraction, FrameRate, VideoFormat},
    wire::update::UpdateHeader,
};

use super::{Agreement, Coded, Coder, Medium, Screen, Seen};

/// Pixels along a side of a tile.
const TILE: usize = 32;
/// One in the basis' fixed point.
const ONE: i16 = 1 << 12;

/// A medium whose frames may take up to a frame's share of `max_rate`, twice over.
///
/// # Errors
/// [`Failure`] where `max_rate` is more than the largest picture can take.
pub fn medium(frame_rate: FrameRate, max_rate: Bitrate) -> Result<Medium, Failure> {
    let (agreement, coder) = carrier(frame_rate, max_rate)?;
    Ok(Medium {
        agreement,
        coder: Box::new(Ideal(coder)),
        screen: Box::new(Blank),
    })
}

/// What makes the datagrams of media that have no updates, and the picture that the sessions agree
/// on then: large enough for frames of up to a frame's share of `max_rate`, twice over.
///
/// # Errors
/// [`Failure`] where `max_rate` is more than the largest picture can take.
pub fn carrier(frame_rate: FrameRate, max_rate: Bitrate) -> Result<(Agreement, Sized), Failure> {
    let bytes = 2 * max_rate.bytes_per_frame(frame_rate).max(1200);
    let tiles = (bytes as usize).div_ceil(MOST_PER_TILE);
    let columns = (tiles as f64).sqrt().ceil() as usize;
    let rows = tiles.div_ceil(columns);
    let wrong = |what: &dyn std::fmt::Display| {
        Failure::new(
            Exit::Failure,
            format_args!(
                "no picture takes {max_rate} at {frame_rate} frames a second: {what}; lower media.max-rate"
            ),
        )
    };
    let video = VideoFormat {
        width: (columns * TILE) as u32,
        height: (rows * TILE) as u32,
        frame_rate,
        aspect: Fraction { num: 1, den: 1 },
        chroma_siting: ChromaSiting::Unspecified,
        colour_range: ColourRange::Unspecified,
    };
    let size = video.size().map_err(|e| wrong(&e))?;
    let (codebooks, temporal) = model().map_err(|e| wrong(&e))?;
    let coder = Sized::new(TileGrid::of(size), &temporal);
    let agreement = Agreement {
        video,
        codebooks: Arc::new(codebooks),
        temporal,
    };
    Ok((agreement, coder))
}

/// The smallest model there is: nothing is ever updated with it.
fn model() -> Result<(Codebooks, Temporal), Box<dyn std::error::Error>> {
    let shape = CodewordShape { cover: 1, lead: 1 };
    let position = Codebook::named("position", shape, vec![0, 1])?;
    let stage = Stage {
        codebook: 0,
        shift: 0,
    };
    let codebooks = Codebooks::new(1, vec![position], vec![stage])?;
    let stages = Stages::of(&codebooks)?;
    let tables = Tables::new(&TableCounts::flat(&stages), &stages)?;
    let mut row = [0; 96];
    row[0] = ONE;
    let temporal = Temporal {
        stages: Arc::new(stages),
        basis: Arc::new(Basis::new(1, &row)?),
        tables: Arc::new(tables),
    };
    Ok((codebooks, temporal))
}

/// Makes datagrams of given sizes that update nothing.
#[derive(Debug)]
pub struct Sized {
    grid: TileGrid,
    temporal: Temporal,
    sink: Sink,
    body: Vec<u8>,
}

impl Sized {
    /// For pictures of these tiles.
    pub fn new(grid: TileGrid, temporal: &Temporal) -> Self {
        Self {
            grid,
            temporal: temporal.clone(),
            sink: Sink::new(),
            body: Vec::new(),
        }
    }

    /// A frame of `bytes` bytes in `count` datagrams that differ by at most one byte; a little more
    /// where so few bytes do not hold their headers. `capture` is the time of capture in the header's
    /// units.
    pub fn frame(
        &mut self,
        frame: u32,
        bytes: usize,
        count: u8,
        capture: u32,
        datagrams: &mut Vec<BytesMut>,
    ) {
        let of = usize::from(count);
        for index in 0..count {
            let len = (bytes + of - 1 - usize::from(index)) / of;
            datagrams.push(self.datagram(frame, index, count, capture, len));
        }
    }

    fn datagram(&mut self, frame: u32, index: u8, count: u8, capture: u32, len: usize) -> BytesMut {
        let framing = Framing {
            grid: self.grid,
            stages: &self.temporal.stages,
            tables: &self.temporal.tables,
            level: 0,
            codewords: None,
            floor: 0,
            index,
            count,
        };
        self.body.clear();
        let coding = write(&framing, &[], &mut self.sink, &mut self.body);
        let header = UpdateHeader {
            coding,
            names_codewords: false,
            level: 0,
            frame: frame as u16,
            capture,
            send_delay: 0,
            index,
            count,
            floor: 0,
        };
        let mut datagram = Vec::with_capacity(len);
        datagram.extend_from_slice(&header.encode());
        datagram.extend_from_slice(&self.body);
        UpdateHeader::pad(&mut datagram, len);
        BytesMut::from(&datagram[..])
    }
}

#[derive(Debug)]
struct Ideal(Sized);

impl Coder for Ideal {
    fn capture(&mut self, _frame: u32) -> Result<(), Failure> {
        Ok(())
    }

    fn code(
        &mut self,
        frame: u32,
        allowance: Allowance,
        capture: u32,
        datagrams: &mut Vec<BytesMut>,
    ) -> Result<Coded, Failure> {
        let Allowance { bytes, count, .. } = allowance;
        self.0.frame(frame, bytes, count, capture, datagrams);
        Ok(Coded::default())
    }

    fn report(&mut self, _closings: &Closings) {}
}

/// Shows whatever of a frame came.
#[derive(Debug)]
pub(super) struct Blank;

impl Screen for Blank {
    fn decode(&mut self, _frame: &ReceivedFrame) -> Result<Seen, Failure> {
        Ok(Seen {
            shown: true,
            ..Seen::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use raq_recv::intake::Intake;

    #[test]
    fn frames_have_exactly_the_bytes_asked_for_and_the_receiver_takes_them() {
        let rate = FrameRate::new(30, 1).unwrap();
        let mut medium = medium(rate, Bitrate::from_kilobits_per_second(6000)).unwrap();
        let Temporal {
            stages,
            basis,
            tables,
        } = &medium.agreement.temporal;
        let grid = TileGrid::of(medium.agreement.video.size().unwrap());
        assert!(grid.tiles() * MOST_PER_TILE >= 2 * 25_000);
        let mut intake = Intake::new(grid, stages, basis, tables);
        for (frame, bytes) in [120, 600, 1150, 1151, 7000, 25_000].into_iter().enumerate() {
            let allowance = Allowance::of(bytes, None);
            let mut datagrams = Vec::new();
            let coded = medium
                .coder
                .code(frame as u32, allowance, 0, &mut datagrams);
            assert_eq!(coded.unwrap(), Coded::default());
            assert_eq!(datagrams.len(), usize::from(allowance.count));
            assert_eq!(datagrams.iter().map(BytesMut::len).sum::<usize>(), bytes);
            for datagram in &datagrams {
                assert!(datagram.len() <= allowance.datagram_bytes);
                intake.datagram(datagram).unwrap();
            }
            assert_eq!(intake.close(frame as u32).len(), u32::from(allowance.count));
        }
    }
}
