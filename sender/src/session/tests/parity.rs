//! When frames get parity.

use raq_shared::units::Bitrate;
use raq_shared::wire::parity::ParityHeader;

use super::*;
use crate::fec::Fec;
use crate::stand::Stand;

/// Datagrams of parity that come in ten seconds over 1 Mbit/s, of which the user allows so much, where
/// every so manieth datagram gets lost.
fn parity(fec: Fec, kilobits: Option<u64>, lost: Option<u32>) -> u32 {
    let mut number = 0;
    let stand = Stand {
        fec,
        max_rate: kilobits.map(Bitrate::from_kilobits_per_second),
        there: Box::new(move |_| {
            number += 1;
            let arrives = lost.is_none_or(|lost| number % lost != 0);
            arrives.then_some(Duration::ZERO)
        }),
        ..Stand::default()
    };
    stand.run(10).parity
}

#[test]
fn losses_bring_parity_where_there_is_room_beyond_what_the_user_allows() {
    assert!(parity(Fec::Auto, Some(400), Some(10)) > 200);
    assert_eq!(parity(Fec::Auto, Some(400), None), 0, "nothing gets lost");
    assert_eq!(parity(Fec::Off, Some(400), Some(10)), 0);
    let full = parity(Fec::Auto, None, Some(10));
    assert!(full < 30, "the picture takes all there is: {full}");
}

#[test]
fn parity_leaves_behind_its_frame_with_places_of_its_own() {
    let mut session = lossy();
    let (number, captured) = (301, 10_034);
    // The frame before is still leaving.
    until(&mut session, captured - 1);
    session.handle(at(captured), encoded(number, captured));
    let allowance = allowed(&mut session);
    assert!(allowance.bytes < 1700, "as without parity: {allowance:?}");
    code(
        &mut session,
        captured,
        &[&[2; 500][..], &[2; 300], &[2; 400]],
    );
    let given = until(&mut session, captured + 90);
    let frame: Vec<_> = given
        .iter()
        .filter_map(|(_, output)| match output {
            Output::Datagram {
                frame,
                index,
                bytes,
            } if *frame == number => Some((*index, bytes)),
            _ => None,
        })
        .collect();
    let places: Vec<u8> = frame.iter().map(|(index, _)| *index).collect();
    assert!(places.len() > 3 && places.iter().copied().eq(0..places.len() as u8));
    for (index, bytes) in &frame[3..] {
        let (header, shard) = ParityHeader::parse(bytes).unwrap().unwrap();
        assert_eq!(header.place(), *index);
        assert_eq!(u32::from(header.frame), number);
        assert_eq!(u64::from(header.capture), captured * 10);
        assert_eq!((header.count, shard.len()), (3, 494));
    }
    let sent = given.iter().find_map(|(_, output)| match output {
        Output::Sent(sent) if sent.number == number => Some(*sent),
        _ => None,
    });
    let sent = sent.unwrap();
    assert_eq!(usize::from(sent.datagrams), places.len());
    assert_eq!(usize::from(sent.parity), places.len() - 3);
    assert_eq!(sent.left, sent.datagrams);
}

/// A session that knows of losses and of room for parity.
fn lossy() -> Session {
    let mut number = 0;
    let stand = Stand {
        fec: Fec::Auto,
        max_rate: Some(Bitrate::from_kilobits_per_second(400)),
        there: Box::new(move |_| {
            number += 1;
            (number % 8 != 0).then_some(Duration::ZERO)
        }),
        ..Stand::default()
    };
    stand.run_session(10).1
}
