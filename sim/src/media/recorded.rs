//! A source whose frames take the bytes that a recording gives them.

use std::{fmt, path::Path, sync::Arc};

use bytes::BytesMut;
use raq_send::{closings::Closings, frame_coder::Allowance};
use raq_shared::{
    exit::{Exit, Failure},
    text_file,
    units::Bitrate,
    video::FrameRate,
};

use super::{
    Coded, Coder, Medium,
    ideal::{Blank, Sized, carrier},
};

/// The largest frame: what the most datagrams of a frame hold.
const LARGEST: u32 = 255_000;
/// What a file of them may take, in bytes.
const LARGEST_FILE: u64 = 256 << 20;
/// The largest file: a day at 30 frames a second.
const MOST_FRAMES: usize = 2_592_000;

/// Bytes of frame after frame, played in a loop. Never empty.
#[derive(Debug, Clone)]
pub struct Sizes(Arc<[u32]>);

impl Sizes {
    /// Reads a file with a line per frame: its bytes, headers of datagrams included, from 0 (not
    /// sent) to 255000. Empty lines and what follows a `#` count for nothing.
    ///
    /// # Errors
    /// [`Failure`] with file, line, cause and cure.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let shown = path.display();
        let failure = |what: &dyn fmt::Display| Failure::new(Exit::Failure, what);
        let text = text_file::read(path, LARGEST_FILE).map_err(|error| {
            failure(&format_args!(
                "cannot read the sizes {shown}: {error}; let media.sizes name a text file"
            ))
        })?;
        Self::parse(&text).map_err(|what| failure(&format_args!("{shown}{what}")))
    }

    /// Reads the text of such a file. Errors begin with what follows the file's name.
    fn parse(text: &str) -> Result<Self, String> {
        let mut sizes = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let size = line.split('#').next().unwrap_or_default().trim();
            if size.is_empty() {
                continue;
            }
            match size.parse() {
                Ok(size @ 0..=LARGEST) => sizes.push(size),
                _ => {
                    return Err(format!(
                        ":{}: {size:?} is no size of a frame; write whole bytes from 0 to {LARGEST}",
                        number + 1
                    ));
                }
            }
            if sizes.len() > MOST_FRAMES {
                return Err(format!(
                    ":{}: more than {MOST_FRAMES} frames; leave some out",
                    number + 1
                ));
            }
        }
        if sizes.iter().all(|&size| size == 0) {
            return Err(": no frame has a size; give a line with whole bytes for each".into());
        }
        Ok(Self(sizes.into()))
    }

    /// Bytes of frame `number`.
    fn of(&self, number: u32) -> usize {
        self.0[number as usize % self.0.len()] as usize
    }

    /// The rate at which every frame may be as large as the largest.
    fn peak(&self, frame_rate: FrameRate) -> Bitrate {
        let largest = self.0.iter().copied().max().unwrap_or(0);
        let bits = 8.0 * f64::from(largest) * frame_rate.as_f64();
        Bitrate::from_bits_per_second(bits.ceil() as u64)
    }
}

/// A medium whose frames have these sizes, or what they may have where that is less. `max_rate` is
/// what the scenario sends at most.
///
/// # Errors
/// [`Failure`] where the sizes or `max_rate` are more than the largest picture can take.
pub fn medium(frame_rate: FrameRate, max_rate: Bitrate, sizes: &Sizes) -> Result<Medium, Failure> {
    let most = max_rate.max(sizes.peak(frame_rate));
    let (agreement, coder) = carrier(frame_rate, most)?;
    let sizes = sizes.clone();
    Ok(Medium {
        agreement,
        coder: Box::new(Recorded { sizes, coder }),
        screen: Box::new(Blank),
    })
}

#[derive(Debug)]
struct Recorded {
    sizes: Sizes,
    coder: Sized,
}

impl Coder for Recorded {
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
        let bytes = self.sizes.of(frame).min(allowance.bytes);
        if bytes > 0 {
            let count = Allowance::of(bytes, None).count;
            self.coder.frame(frame, bytes, count, capture, datagrams);
        }
        Ok(Coded::default())
    }

    fn report(&mut self, _closings: &Closings) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_have_their_sizes_in_a_loop_and_never_more_than_they_may() {
        let sizes = Sizes::parse("# bytes\n1000\n\n5000 # large\n0\n200000\n").unwrap();
        let rate = FrameRate::new(30, 1).unwrap();
        let least = Bitrate::from_kilobits_per_second(10);
        let mut medium = medium(rate, least, &sizes).unwrap();
        let mut bytes = |frame, may| {
            let (allowance, mut datagrams) = (Allowance::of(may, None), Vec::new());
            let coder = &mut medium.coder;
            coder.code(frame, allowance, 0, &mut datagrams).unwrap();
            assert!(
                datagrams
                    .iter()
                    .all(|it| it.len() <= allowance.datagram_bytes)
            );
            datagrams.iter().map(BytesMut::len).sum::<usize>()
        };
        let found = [0, 1, 2, 3, 4, 5].map(|frame| bytes(frame, 300_000));
        assert_eq!(found, [1000, 5000, 0, 200_000, 1000, 5000]);
        assert_eq!([bytes(8, 900), bytes(9, 900)], [900, 900]);
    }

    #[test]
    fn errors_name_the_line() {
        for (text, says) in [
            ("100\n# x\n1.5\n", ":3: \"1.5\" is no size"),
            ("100\n-1\n", ":2: \"-1\""),
            ("255001", ":1: \"255001\""),
            ("1 2", "whole bytes"),
            ("", "no frame has a size"),
            ("0\n0\n", "no frame has a size"),
        ] {
            let error = Sizes::parse(text).unwrap_err();
            assert!(error.contains(says), "{text:?}: {error}");
        }
        let absent = Sizes::read(Path::new("not/there")).unwrap_err();
        assert!(absent.message.contains("media.sizes"), "{absent}");
    }
}
