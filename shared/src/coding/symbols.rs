//! Symbols to bytes and back, range-coded or as plain bits.

use std::borrow::Borrow;
use std::num::NonZero;

use constriction::stream::model::{DecoderModel, EncoderModel, EntropyModel, UniformModel};
use constriction::stream::queue::{RangeDecoder, RangeEncoder};
use constriction::stream::{Decode, Encode};

use super::frequencies::{Frequencies, PRECISION};

/// How a datagram's symbols are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// Range coding with 16-bit words and a 64-bit state, as the crate `constriction` does it.
    Range,
    /// Each symbol of an alphabet of n in ⌈log2 n⌉ bits, most significant first.
    Plain,
}

/// A flag that is set with probability `ones` / 2^16, which is neither 0 nor 1.
#[derive(Debug, Clone, Copy)]
struct Flag {
    ones: u16,
}

impl Flag {
    /// Of `left` flags `set` are set: 0 < set < left.
    fn new(set: usize, left: usize) -> Self {
        let ones = ((set << PRECISION) / left).clamp(1, (1 << PRECISION) - 1);
        Self { ones: ones as u16 }
    }

    fn share(self, set: bool) -> (u16, NonZero<u16>) {
        // Set flags come first.
        let (start, size) = if set {
            (0, self.ones)
        } else {
            (self.ones, self.ones.wrapping_neg())
        };
        (
            start,
            NonZero::new(size).expect("neither certain nor impossible"),
        )
    }
}

impl EntropyModel<PRECISION> for Flag {
    type Symbol = bool;
    type Probability = u16;
}

impl EncoderModel<PRECISION> for Flag {
    fn left_cumulative_and_probability(
        &self,
        symbol: impl Borrow<bool>,
    ) -> Option<(u16, NonZero<u16>)> {
        Some(self.share(*symbol.borrow()))
    }
}

impl DecoderModel<PRECISION> for Flag {
    fn quantile_function(&self, quantile: u16) -> (bool, u16, NonZero<u16>) {
        let set = quantile < self.ones;
        let (start, size) = self.share(set);
        (set, start, size)
    }
}

/// Bits of a plain symbol of an alphabet of `size`.
fn plain_bits(size: usize) -> u32 {
    usize::BITS - (size - 1).leading_zeros()
}

/// Bytes of plain bits that there is room for from the beginning: more than a datagram holds.
const PLAIN_ROOM: usize = 2048;

/// Takes symbols and makes bytes; its buffers are used again.
#[derive(Debug)]
pub struct Sink {
    coding: Coding,
    range: RangeEncoder<u16, u64>,
    plain: Vec<u8>,
    /// Bits that plain coding takes, whichever is in use.
    plain_bits: usize,
}

impl Sink {
    /// An empty sink.
    pub fn new() -> Self {
        Self {
            coding: Coding::Range,
            range: RangeEncoder::new(),
            plain: Vec::new(),
            plain_bits: 0,
        }
    }

    /// An empty sink that need not grow for a datagram of plain bits.
    pub fn with_room() -> Self {
        Self {
            plain: Vec::with_capacity(PLAIN_ROOM),
            ..Self::new()
        }
    }

    /// Forgets everything and begins anew.
    pub fn start(&mut self, coding: Coding) {
        self.coding = coding;
        // Its own `clear` (0.4.2) keeps words it holds back for a carry.
        let (mut words, _, _) = std::mem::take(&mut self.range).into_raw_parts();
        words.clear();
        self.range = RangeEncoder::with_backend(words);
        self.plain.clear();
        self.plain_bits = 0;
    }

    /// A symbol of a static alphabet.
    ///
    /// # Panics
    /// When there is no such symbol.
    pub fn table(&mut self, symbol: usize, frequencies: &Frequencies) {
        assert!(symbol < frequencies.size(), "symbol {symbol}");
        let Some(model) = frequencies.model() else {
            return;
        };
        match self.coding {
            Coding::Range => self.encode(symbol, model),
            Coding::Plain => self.push(symbol, plain_bits(frequencies.size())),
        }
        if self.coding == Coding::Range {
            self.plain_bits += plain_bits(frequencies.size()) as usize;
        }
    }

    /// A number below `size`, all equally likely; at most 2^16.
    ///
    /// # Panics
    /// When it is not below.
    pub fn uniform(&mut self, value: usize, size: usize) {
        assert!(value < size && size <= 1 << PRECISION, "{value} of {size}");
        if size == 1 {
            return;
        }
        match self.coding {
            Coding::Range => self.encode(value, UniformModel::<u16, PRECISION>::new(size)),
            Coding::Plain => self.push(value, plain_bits(size)),
        }
        if self.coding == Coding::Range {
            self.plain_bits += plain_bits(size) as usize;
        }
    }

    /// One of `left` flags, `set` of which (this one included) are set.
    ///
    /// # Panics
    /// When more are set than left.
    pub fn flag(&mut self, flag: bool, set: usize, left: usize) {
        assert!(set <= left && left > 0, "{set} of {left}");
        if set == 0 || set == left {
            assert_eq!(flag, set > 0, "a flag that its count decides");
            return;
        }
        match self.coding {
            Coding::Range => self.encode(flag, Flag::new(set, left)),
            Coding::Plain => self.push(flag.into(), 1),
        }
        if self.coding == Coding::Range {
            self.plain_bits += 1;
        }
    }

    fn encode<S, M: EncoderModel<PRECISION, Symbol = S, Probability = u16>>(
        &mut self,
        symbol: S,
        model: M,
    ) {
        let coded = self.range.encode_symbol(symbol, model);
        coded.expect("a symbol of the model, into memory");
    }

    fn push(&mut self, value: usize, bits: u32) {
        for bit in (0..bits).rev() {
            if self.plain_bits.is_multiple_of(8) {
                self.plain.push(0);
            }
            let byte = self.plain.last_mut().expect("just made sure");
            *byte |= ((value >> bit & 1) as u8) << (7 - self.plain_bits % 8);
            self.plain_bits += 1;
        }
    }

    /// Bytes that plain coding of the same symbols takes.
    pub fn plain_len(&self) -> usize {
        self.plain_bits.div_ceil(8)
    }

    /// Appends the bytes to `out`. Range-coded ones lose zero bytes at the end: a reader takes
    /// zeros for what is missing.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let start = out.len();
        match self.coding {
            Coding::Range => {
                let words = self.range.get_compressed();
                out.extend(words.iter().flat_map(|word| word.to_be_bytes()));
                let zeros = out[start..].iter().rev().take_while(|&&b| b == 0).count();
                out.truncate(out.len() - zeros);
            }
            Coding::Plain => out.extend_from_slice(&self.plain),
        }
    }

    /// Bytes that [`Self::finish`] appends, at most (range-coded ones may end in zeros).
    pub fn len(&self) -> usize {
        match self.coding {
            Coding::Range => 2 * self.range.num_words(),
            Coding::Plain => self.plain.len(),
        }
    }

    /// Whether nothing was coded yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Default for Sink {
    fn default() -> Self {
        Self::new()
    }
}

/// Bytes that no [`Sink`] makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are not a sequence of symbols")]
pub struct Garbage;

type Words<'a> = constriction::backends::Cursor<u16, &'a [u16]>;

/// Gives symbols back.
pub struct Source<'a>(Inner<'a>);

enum Inner<'a> {
    Range(RangeDecoder<u16, u64, Words<'a>>),
    Plain { bytes: &'a [u8], at: usize },
}

impl<'a> Source<'a> {
    /// Reads `bytes`; `words` is scratch space that lives as long.
    pub fn new(coding: Coding, bytes: &'a [u8], words: &'a mut Vec<u16>) -> Self {
        Self(match coding {
            Coding::Range => {
                words.clear();
                words.extend(bytes.chunks(2).map(|pair| {
                    let low = pair.get(1).copied().unwrap_or(0);
                    u16::from_be_bytes([pair[0], low])
                }));
                let cursor = Words::new_at_write_beginning(&words[..]);
                let Ok(decoder) = RangeDecoder::with_backend(cursor);
                Inner::Range(decoder)
            }
            Coding::Plain => Inner::Plain { bytes, at: 0 },
        })
    }

    /// A symbol of a static alphabet.
    ///
    /// # Errors
    /// [`Garbage`].
    pub fn table(&mut self, frequencies: &Frequencies) -> Result<usize, Garbage> {
        let size = frequencies.size();
        match (&mut self.0, frequencies.model()) {
            (_, None) => Ok(0),
            (Inner::Range(decoder), Some(model)) => {
                decoder.decode_symbol(model).map_err(|_| Garbage)
            }
            (Inner::Plain { .. }, Some(_)) => self.pull(size),
        }
    }

    /// A number below `size`.
    ///
    /// # Errors
    /// [`Garbage`].
    pub fn uniform(&mut self, size: usize) -> Result<usize, Garbage> {
        match &mut self.0 {
            _ if size == 1 => Ok(0),
            Inner::Range(decoder) => {
                let model = UniformModel::<u16, PRECISION>::new(size);
                decoder.decode_symbol(model).map_err(|_| Garbage)
            }
            Inner::Plain { .. } => self.pull(size),
        }
    }

    /// One of `left` flags, `set` of which are set.
    ///
    /// # Errors
    /// [`Garbage`].
    pub fn flag(&mut self, set: usize, left: usize) -> Result<bool, Garbage> {
        match &mut self.0 {
            _ if set == 0 || set == left => Ok(set > 0),
            Inner::Range(decoder) => decoder
                .decode_symbol(Flag::new(set, left))
                .map_err(|_| Garbage),
            Inner::Plain { .. } => Ok(self.pull(2)? == 1),
        }
    }

    fn pull(&mut self, size: usize) -> Result<usize, Garbage> {
        let Inner::Plain { bytes, at } = &mut self.0 else {
            return Err(Garbage);
        };
        let mut value = 0;
        for _ in 0..plain_bits(size) {
            let byte = bytes.get(*at / 8).ok_or(Garbage)?;
            value = value << 1 | usize::from(byte >> (7 - *at % 8) & 1);
            *at += 1;
        }
        if value < size {
            Ok(value)
        } else {
            Err(Garbage)
        }
    }

    /// The end: nothing may be left but zero bits that fill a byte.
    ///
    /// # Errors
    /// [`Garbage`].
    pub fn finish(self) -> Result<(), Garbage> {
        let done = match self.0 {
            Inner::Range(decoder) => decoder.maybe_exhausted(),
            Inner::Plain { bytes, at } => {
                at.div_ceil(8) == bytes.len()
                    && (at.is_multiple_of(8) || bytes[at / 8] << (at % 8) == 0)
            }
        };
        if done { Ok(()) } else { Err(Garbage) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, Clone)]
    enum Symbol {
        Table(usize),
        Uniform(usize, usize),
        Flags(Vec<bool>),
    }

    fn symbols() -> impl Strategy<Value = Vec<Symbol>> {
        let symbol = prop_oneof![
            (0usize..5).prop_map(Symbol::Table),
            (1usize..=65536, any::<prop::sample::Index>())
                .prop_map(|(size, i)| Symbol::Uniform(i.index(size), size)),
            prop::collection::vec(any::<bool>(), 1..17).prop_map(Symbol::Flags),
        ];
        prop::collection::vec(symbol, 0..60)
    }

    fn table() -> Frequencies {
        Frequencies::new(&[1000, 3, 0, 40, 7])
    }

    fn code(sink: &mut Sink, symbols: &[Symbol]) {
        for symbol in symbols {
            match symbol {
                Symbol::Table(s) => sink.table(*s, &table()),
                Symbol::Uniform(value, size) => sink.uniform(*value, *size),
                Symbol::Flags(flags) => {
                    let mut set = flags.iter().filter(|&&f| f).count();
                    for (n, &flag) in flags.iter().enumerate() {
                        sink.flag(flag, set, flags.len() - n);
                        set -= usize::from(flag);
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn symbols_come_back(before in symbols(), symbols in symbols(), plain: bool) {
            let coding = if plain { Coding::Plain } else { Coding::Range };
            let mut sink = Sink::new();
            code(&mut sink, &before);
            sink.start(coding);
            code(&mut sink, &symbols);
            let (mut bytes, mut words) = (vec![], vec![]);
            sink.finish(&mut bytes);
            prop_assert!(bytes.len() <= sink.len());
            if plain {
                prop_assert_eq!(bytes.len(), sink.plain_len());
            }
            let mut source = Source::new(coding, &bytes, &mut words);
            for symbol in &symbols {
                match symbol {
                    Symbol::Table(s) => prop_assert_eq!(source.table(&table()), Ok(*s)),
                    Symbol::Uniform(value, size) => {
                        prop_assert_eq!(source.uniform(*size), Ok(*value));
                    }
                    Symbol::Flags(flags) => {
                        let mut set = flags.iter().filter(|&&f| f).count();
                        for (n, &flag) in flags.iter().enumerate() {
                            prop_assert_eq!(source.flag(set, flags.len() - n), Ok(flag));
                            set -= usize::from(flag);
                        }
                    }
                }
            }
            prop_assert_eq!(source.finish(), Ok(()));
        }

        #[test]
        fn both_codings_know_the_plain_length(symbols in symbols()) {
            let (mut range, mut plain) = (Sink::new(), Sink::new());
            plain.start(Coding::Plain);
            code(&mut range, &symbols);
            code(&mut plain, &symbols);
            prop_assert_eq!(range.plain_len(), plain.plain_len());
        }

        #[test]
        fn any_bytes_are_symbols_or_garbage(
            bytes in prop::collection::vec(any::<u8>(), 0..30), plain: bool,
        ) {
            let coding = if plain { Coding::Plain } else { Coding::Range };
            let mut words = vec![];
            let mut source = Source::new(coding, &bytes, &mut words);
            for _ in 0..20 {
                if source.table(&table()).is_err()
                    || source.uniform(3000).is_err()
                    || source.flag(3, 7).is_err()
                {
                    break;
                }
            }
            let _ = source.finish();
        }
    }

    #[test]
    fn what_follows_the_last_symbol_is_garbage() {
        for coding in [Coding::Range, Coding::Plain] {
            let mut sink = Sink::new();
            sink.start(coding);
            sink.uniform(77, 100);
            let mut bytes = vec![];
            sink.finish(&mut bytes);
            bytes.extend([1, 2, 3, 4, 5, 6, 7, 8, 9]);
            let mut words = vec![];
            let mut source = Source::new(coding, &bytes, &mut words);
            assert_eq!(source.uniform(100), Ok(77));
            assert_eq!(source.finish(), Err(Garbage));
        }
    }

    #[test]
    fn likely_symbols_cost_little() {
        let mut sink = Sink::new();
        for _ in 0..400 {
            sink.table(0, &table());
        }
        assert!(sink.len() < 8, "{} bytes", sink.len());
        assert_eq!(sink.plain_len(), 150);
    }
}
