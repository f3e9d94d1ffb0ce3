use proptest::prelude::*;
use raq_shared::frame::FrameSize;
use raq_shared::packing::unpack;

use super::*;

fn packed(grid: Grid, frame: Packet<'_>, max_payload: usize) -> Vec<Bytes> {
    let mut spreads = Spreads::new(grid);
    let count = spreads
        .datagrams(frame.codewords.into(), max_payload)
        .unwrap();
    let mut datagrams = Vec::new();
    Packetizer::new(grid).pack(frame, count, |datagram| datagrams.push(datagram));
    let len: usize = datagrams.iter().map(Bytes::len).sum();
    assert_eq!(
        spreads.frame_len(frame.codewords.into(), max_payload),
        Some(len)
    );
    datagrams
}

fn frame(indices: &[u16], codewords: u16) -> Packet<'_> {
    Packet {
        indices,
        codewords,
        frame: 70_000,
        capture_us: 5,
        send_delay: 6,
    }
}

#[test]
fn small_frames_are_spread() {
    // From 1350 bytes up over three datagrams, as loss would take half the picture otherwise.
    let mut spreads = Spreads::new(FrameSize::new(640, 360).unwrap().grid());
    let count = |spreads: &mut Spreads, codewords| spreads.datagrams(codewords, 1150).unwrap();
    assert_eq!(count(&mut spreads, 1), 1);
    assert_eq!(count(&mut spreads, 2), 1, "480 bytes");
    assert_eq!(count(&mut spreads, 4), 2, "960 bytes");
    assert_eq!(count(&mut spreads, 8), 3, "1440 bytes");
    assert_eq!(count(&mut spreads, 4096), 8, "5760 bytes");
    let mut large = Spreads::new(FrameSize::new(1920, 1080).unwrap().grid());
    assert_eq!(count(&mut large, 4096), 43, "48 960 bytes");
}

#[test]
fn frames_too_large_for_their_datagrams_are_known() {
    let mut spreads = Spreads::new(FrameSize::new(8192, 8192).unwrap().grid());
    assert_eq!(spreads.datagrams(4096, 1150), None);
    assert_eq!(spreads.frame_len(4096, 1150), None);
    assert!(spreads.datagrams(2, 1150).is_some());
}

#[test]
fn buffers_are_used_again() {
    let grid = Grid {
        columns: 80,
        rows: 48,
    };
    let indices = vec![7; grid.positions()];
    let mut packetizer = Packetizer::new(grid);
    let mut capacity = Vec::new();
    for _ in 0..200 {
        packetizer.pack(frame(&indices, 4096), 8, drop);
        capacity.push(packetizer.buffer.capacity());
    }
    assert!(
        capacity.iter().all(|&bytes| bytes < 64 << 10),
        "{capacity:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn any_subset_of_the_datagrams_decodes(
        columns in 1usize..60,
        rows in 1usize..40,
        codewords in 1u16..=4096,
        max_payload in 200usize..1400,
        seed: u64,
        lost: u64,
    ) {
        let grid = Grid { columns, rows };
        let indices: Vec<u16> = (0..grid.positions() as u64)
            .map(|p| ((p.wrapping_mul(seed | 1) >> 20) % u64::from(codewords)) as u16)
            .collect();
        let datagrams = packed(grid, frame(&indices, codewords), max_payload);
        let mut decoded = vec![None; grid.positions()];
        let mut scratch = Vec::new();
        for (index, datagram) in datagrams.iter().enumerate() {
            prop_assert!(datagram.len() <= HEADER_LEN + max_payload);
            if lost >> (index % 64) & 1 == 1 {
                continue;
            }
            let (header, payload) = Header::parse(datagram).unwrap();
            prop_assert_eq!(header.frame, 70_000u32 as u16);
            prop_assert_eq!(header.codewords, codewords);
            prop_assert_eq!(usize::from(header.count), datagrams.len());
            let spread = Interleave::new(grid, header.count);
            let len = spread.len(header.index.into());
            unpack(payload, len, codewords.into(), &mut scratch).unwrap();
            for (position, &value) in spread.positions(header.index.into()).zip(&scratch) {
                prop_assert_eq!(decoded[position], None);
                decoded[position] = Some(value);
            }
        }
        for (position, value) in decoded.iter().enumerate() {
            let (x, y) = (position % columns, position / columns);
            let spread = Interleave::new(grid, datagrams.len() as u8);
            let arrived = lost >> (spread.datagram_of(x, y) % 64) & 1 == 0;
            prop_assert_eq!(*value, arrived.then_some(indices[position]));
        }
    }
}
