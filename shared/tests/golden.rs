//! The wire format, byte for byte: whoever changes one of these changes the protocol version.

use raq_shared::{
    codebook::{Codebook, CodebookDigest, CodewordShape},
    codebooks::{Codebooks, Stage},
    frame::{FrameSize, Grid},
    interleave::Interleave,
    video::{ChromaSiting, ColourRange, Fraction, FrameRate, VideoFormat},
    wire::{
        decode_message, encode_message, encode_preface,
        message::{CodebookOffer, Hello, Message, ModelId, Refusal, Text},
        shipment,
    },
};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn interleaving() {
    let map = |columns, rows, count| -> Vec<Vec<usize>> {
        let spread = Interleave::new(Grid { columns, rows }, count);
        (0..spread.count())
            .map(|index| spread.positions(index).collect())
            .collect()
    };
    assert_eq!(
        map(4, 4, 3),
        [
            vec![0, 3, 6, 9, 12, 15],
            vec![1, 4, 7, 10, 13],
            vec![2, 5, 8, 11, 14],
        ]
    );
    let grid = FrameSize::new(640, 360).unwrap().grid();
    let spread = Interleave::new(grid, 8);
    assert_eq!((grid.columns, grid.rows), (80, 48));
    assert_eq!((spread.datagram_of(0, 1), spread.datagram_of(5, 2)), (3, 3));
}

#[test]
fn control_messages() {
    let hello = Message::Hello(Hello {
        protocol: 1,
        program: Text::new("0.1.0"),
        model_id: ModelId([0xaa; 32]),
        model_name: Text::new("base"),
        codebook_digest: CodebookDigest([0xbb; 32]),
        video: VideoFormat {
            width: 1920,
            height: 1080,
            frame_rate: FrameRate::new(30000, 1001).unwrap(),
            aspect: Fraction::new(1, 1),
            chroma_siting: ChromaSiting::Mpeg2,
            colour_range: ColourRange::Limited,
        },
    });
    let model = Refusal::Model {
        id: ModelId([0xcc; 32]),
        name: Text::new("x"),
    };
    let (aa, bb, cc) = ("aa".repeat(32), "bb".repeat(32), "cc".repeat(32));
    for (message, expected) in [
        (
            hello,
            format!("0000005d000105302e312e30{aa}0462617365{bb}fb8007fb3804fb3075fbe90301010201"),
        ),
        (
            Message::Welcome {
                codebook: CodebookOffer::Same,
            },
            "000000020100".into(),
        ),
        (
            Message::Welcome {
                codebook: CodebookOffer::Send,
            },
            "000000020101".into(),
        ),
        (
            Message::Refuse(Refusal::Protocol { ours: 2 }),
            "00000003020002".into(),
        ),
        (Message::Refuse(model), format!("000000240201{cc}0178")),
        (
            Message::Refuse(Refusal::Size {
                max_width: 4096,
                max_height: 2304,
            }),
            "000000080202fb0010fb0009".into(),
        ),
        (Message::Refuse(Refusal::Busy), "000000020203".into()),
        (
            Message::Refuse(Refusal::Format(Text::new("no"))),
            "000000050204026e6f".into(),
        ),
        (Message::Bye { frames_sent: 78 }, "00000002034e".into()),
        (
            Message::Done {
                frames_decoded: 70_000,
            },
            "0000000604fc70110100".into(),
        ),
    ] {
        let mut bytes = Vec::new();
        encode_message(&message, &mut bytes).unwrap();
        assert_eq!(hex(&bytes), expected, "{message:?}");
        assert_eq!(decode_message(&bytes[4..]), Ok(message));
    }
    let mut preface = Vec::new();
    encode_preface(&mut preface);
    assert_eq!(hex(&preface), "0001");
}

#[test]
fn shipped_codebook() {
    let codebook = Codebook::new(2, vec![1, -1, 256, -8191]).unwrap();
    let codebooks = Codebooks::from(codebook.clone());
    assert_eq!(
        hex(&shipment::encode(&codebooks)),
        "00000002000000020100ffff000101e0"
    );
    assert_eq!(
        codebooks.digest().to_hex(),
        "b11cf670f3c3dc273ce4cb71ee42abd626b7061fabba67ede9dea112fa6301f0",
        "the digest is of the rows alone, without the shape"
    );
    let shape = CodewordShape { cover: 2, lead: 1 };
    let quarter = Codebook::named("quarter", shape, vec![2, 3, -4, 5]).unwrap();
    let stages = [0, 1].map(|codebook| Stage { codebook, shift: 0 });
    let both = Codebooks::new(2, vec![codebook, quarter], stages.to_vec()).unwrap();
    assert_eq!(
        hex(&shipment::encode(&both)),
        "00000002000000020100ffff000101e0000000010000000402000300fcff0500",
        "one after the other"
    );
}
