//! Datagrams of parity for a frame: any so many of them stand for so many lost ones.

use bytes::{BufMut, BytesMut};
use raq_shared::wire::parity::{PARITY_HEADER_LEN, ParityHeader, fill_shard, shard_len};
use reed_solomon_simd::{Error, ReedSolomonEncoder};

/// Makes parity; see the module.
#[derive(Default)]
pub struct ParityCoder {
    /// Its tables take megabytes: made when first needed.
    code: Option<ReedSolomonEncoder>,
    shard: Vec<u8>,
    buffer: BytesMut,
}

impl std::fmt::Debug for ParityCoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParityCoder").finish_non_exhaustive()
    }
}

impl ParityCoder {
    /// Bytes of a datagram of parity for datagrams of which the longest has so many.
    pub fn bytes(longest: usize) -> usize {
        PARITY_HEADER_LEN + shard_len(longest)
    }

    /// Appends `parity` datagrams to those of a frame, which was captured at `capture`, 100 µs, and
    /// returns how many. Where there can be none, such as beyond 255 in all, the frame stays as it is.
    pub fn append(
        &mut self,
        (frame, capture): (u32, u32),
        parity: u8,
        datagrams: &mut Vec<BytesMut>,
    ) -> u8 {
        let count = u8::try_from(datagrams.len()).unwrap_or(u8::MAX);
        if parity == 0 || count == 0 || count.checked_add(parity).is_none() {
            return 0;
        }
        let header = ParityHeader {
            frame: frame as u16,
            capture,
            // Stamped when it leaves.
            send_delay: 0,
            index: 0,
            count,
            parity,
        };
        if let Err(error) = self.code(header, datagrams) {
            tracing::debug!(frame, ?error, "no parity");
            datagrams.truncate(count.into());
            return 0;
        }
        parity
    }

    fn code(&mut self, header: ParityHeader, datagrams: &mut Vec<BytesMut>) -> Result<(), Error> {
        let ParityHeader { count, parity, .. } = header;
        let longest = datagrams.iter().map(BytesMut::len).max().unwrap_or(0);
        let len = shard_len(longest);
        let (of, more) = (count.into(), parity.into());
        let code = match &mut self.code {
            Some(code) => {
                code.reset(of, more, len)?;
                code
            }
            None => self.code.insert(ReedSolomonEncoder::new(of, more, len)?),
        };
        for datagram in &*datagrams {
            if !fill_shard(datagram, len, &mut self.shard) {
                let (shard_bytes, got) = (len, datagram.len());
                return Err(Error::DifferentShardSize { shard_bytes, got });
            }
            code.add_original_shard(&self.shard)?;
        }
        let made = code.encode()?;
        // At once, while no datagram holds the buffer that is to be used again.
        self.buffer.reserve(more * (PARITY_HEADER_LEN + len));
        for (index, shard) in (0..parity).zip(made.recovery_iter()) {
            self.buffer
                .put_slice(&ParityHeader { index, ..header }.encode());
            self.buffer.put_slice(shard);
            datagrams.push(self.buffer.split());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use raq_shared::wire::update::UPDATE_HEADER_LEN;
    use reed_solomon_simd::ReedSolomonDecoder;

    fn frame(lens: &[usize]) -> Vec<BytesMut> {
        let datagram = |(index, &len): (usize, &usize)| {
            let mut bytes = vec![index as u8 + 1; len];
            let known = [0, 9, 0, 1, 2, 0, 0, index as u8, lens.len() as u8];
            bytes[2..11].copy_from_slice(&known);
            BytesMut::from(&bytes[..])
        };
        lens.iter().enumerate().map(datagram).collect()
    }

    #[test]
    fn lost_datagrams_can_be_made_again() {
        let sent = frame(&[300, 12, 299, 150]);
        let mut coder = ParityCoder::default();
        // The second time with what the first one left.
        for _ in 0..2 {
            let mut all = sent.clone();
            assert_eq!(coder.append((9, 0x102), 2, &mut all), 2);
            assert_eq!(all.len(), 6);
            assert_eq!(all[..4], sent);
            assert!(
                all[4..]
                    .iter()
                    .all(|it| it.len() == ParityCoder::bytes(300))
            );
            let (header, shard) = ParityHeader::parse(&all[4]).unwrap().unwrap();
            let (_, second) = ParityHeader::parse(&all[5]).unwrap().unwrap();
            assert_eq!((header.count, header.parity, header.index), (4, 2, 0));
            let mut decoder = ReedSolomonDecoder::new(4, 2, shard.len()).unwrap();
            let mut own = Vec::new();
            for index in [1, 3] {
                assert!(fill_shard(&sent[index], shard.len(), &mut own));
                decoder.add_original_shard(index, &own).unwrap();
            }
            decoder.add_recovery_shard(0, shard).unwrap();
            decoder.add_recovery_shard(1, second).unwrap();
            let made = decoder.decode().unwrap();
            for (index, shard) in made.restored_original_iter() {
                let mut again = Vec::new();
                assert!(header.restore(index as u8, shard, &mut again));
                assert_eq!(again, sent[index]);
            }
        }
    }

    #[test]
    fn where_there_can_be_none_the_frame_stays() {
        let mut coder = ParityCoder::default();
        let short = vec![BytesMut::from(&[0; UPDATE_HEADER_LEN - 1][..])];
        for (sent, parity) in [
            (frame(&[100]), 0),
            (Vec::new(), 1),
            (frame(&[20; 250]), 6),
            (frame(&[3000]), 1),
            (short, 1),
        ] {
            let mut all = sent.clone();
            assert_eq!(coder.append((0, 0), parity, &mut all), 0);
            assert_eq!(all, sent);
        }
    }

    #[test]
    fn parity_is_hardly_longer_than_what_it_protects() {
        for len in UPDATE_HEADER_LEN..1200 {
            assert!(ParityCoder::bytes(len) <= len + 5, "{len}");
        }
    }
}
