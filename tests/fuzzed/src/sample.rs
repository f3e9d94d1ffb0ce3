//! A small model that was never trained, and the bytes that fuzzing begins with.

use std::sync::{Arc, LazyLock};

use raq_shared::codebook::{Codebook, CodewordShape};
use raq_shared::codebooks::{Codebooks, Stage};
use raq_shared::coding::tables::TableCounts;
use raq_shared::coding::{Framing, Sink, Tables, write};
use raq_shared::identity::KeyId;
use raq_shared::model::Temporal;
use raq_shared::stage::{POSITIONS, Stages};
use raq_shared::tile::{Basis, Operation, Start, TileGrid, Update};
use raq_shared::video::{ChromaSiting, ColourRange, Fraction, FrameRate, VideoFormat};
use raq_shared::wire::message::{CodebookOffer, Hello, Message, ModelId, Refusal, Text};
use raq_shared::wire::note::Note;
use raq_shared::wire::report::{Arrival, Report};
use raq_shared::wire::update::UpdateHeader;
use raq_shared::wire::{PROTOCOL_VERSION, encode_message, encode_preface, shipment};
use raq_shared::{units::Bitrate, wire::heartbeat::Heartbeat, wire::parity::ParityHeader};

/// Numbers in a latent.
const DIM: usize = 4;
/// The stage of single positions.
const POSITION: usize = 1;
/// The id of the model.
pub(crate) const MODEL: ModelId = ModelId([7; 32]);
/// The tiles of [`video`].
pub(crate) const GRID: TileGrid = TileGrid {
    columns: 4,
    rows: 2,
};

/// A line of each program.
const STATS: &[u8] = br#"{"schema":"raq-stats/1","type":"connection","change":"made","unix_us":5,"peer":"192.0.2.1:1"}
{"schema":"raq-stats/1","type":"skipped","frame":7,"capture_unix_us":9,"reason":"room","estimate_kbps":1.5,"queue_ms":0}
{"schema":"raq-stats/1","type":"frame","frame":1,"arrived_unix_us":1,"shown_unix_us":2,"playout_wait_ms":0.5,"late":false,"superseded":false,"level":5,"codewords":[2,3],"datagrams_received":1,"datagrams_expected":2,"concealed_tiles":3,"decode_ms":4.5}
"#;
/// A ticket, long over.
const TICKET: &[u8] = b"raqt1aeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqeaq\
    caibaeaqcaibaeaqcaibaeayeaudoptx5";
/// A scenario that says most of what one can.
const SCENARIO: &[u8] = b"description = \"all\"\nduration = \"30s\"\nseed = 5\n[media]\nmax-rate = \"900kbit\"\n\
    [link.down]\ndelay = \"20ms\"\njitter = \"5ms\"\nqueue = \"256 packets\"\nloss = 0.1\nburst = 3.0\nreorder = 0.2\n\
    duplicate = 0.1\nstep = [{ at = \"0s\", rate = \"1Mbit\" }, { at = \"9s\", rate = \"200kbit\" }]\n\
    outage = [{ at = \"12s\", length = \"700ms\" }]\n[link.up]\nrate = \"1Mbit\"\n\
    [[phase]]\nname = \"first\"\nat = \"0s\"\n";
/// Traces in the two forms that have names.
const CSV: &[u8] =
    b"time,throughput_mbps\n2024-05-28T11:36:34.796737,11.0\n2024-05-28T11:36:35.291438,10.8\n";
const JSON: &[u8] = br#"{"type":"video","downlink":{},"uplink":{"trace_pattern":[{"duration":60000,"capacity":500,"loss":0}]}}"#;

/// A frame rate of 25/s at a size that has [`GRID`].
pub(crate) fn video() -> VideoFormat {
    VideoFormat {
        width: 100,
        height: 60,
        frame_rate: FrameRate::new(25, 1).expect("a usual rate"),
        aspect: Fraction::new(1, 1),
        chroma_siting: ChromaSiting::Jpeg,
        colour_range: ColourRange::Full,
    }
}

/// Codebooks for positions and for quarters.
pub(crate) fn codebooks() -> Arc<Codebooks> {
    static MADE: LazyLock<Arc<Codebooks>> = LazyLock::new(|| {
        let rows = |count: usize| (0..count as i16).map(|i| i % 97 - 48).collect();
        let position = Codebook::new(DIM, rows(64 * DIM)).expect("rows are whole");
        let shape = CodewordShape { cover: 2, lead: 3 };
        let quarter = Codebook::named("quarter", shape, rows(16 * 12)).expect("rows are whole");
        let stages = [(1, 0), (0, 0), (0, 2)].map(|(codebook, shift)| Stage { codebook, shift });
        let list = vec![position, quarter];
        Arc::new(Codebooks::new(DIM, list, stages.to_vec()).expect("they go together"))
    });
    MADE.clone()
}

/// Stages, linear skip and tables with these codebooks.
pub(crate) fn temporal() -> &'static Temporal {
    static MADE: LazyLock<Temporal> = LazyLock::new(|| {
        let stages = Stages::of(&codebooks()).expect("stages of a model");
        let mut rows = [[0; 96]; DIM];
        for (i, row) in rows.iter_mut().enumerate() {
            row[i] = 4096;
        }
        let tables = Tables::new(&TableCounts::flat(&stages), &stages).expect("flat tables");
        Temporal {
            stages: Arc::new(stages),
            basis: Arc::new(Basis::new(DIM, rows.as_flattened()).expect("a basis")),
            tables: Arc::new(tables),
        }
    });
    &MADE
}

/// A datagram that resets those of its tiles that `which` has a bit for.
pub(crate) fn updates(frame: u32, index: u8, count: u8, which: u8) -> Vec<u8> {
    let temporal = temporal();
    let tiles = GRID.interleave(count).positions(index.into());
    let updates: Vec<Update> = tiles
        .filter(|tile| which >> (tile % 8) & 1 == 1)
        .map(|tile| {
            let mut update = Update::new(tile as u32, Start::Reset);
            update.operations = (0..POSITIONS)
                .map(|block| Operation {
                    stage: POSITION as u8,
                    block: block as u8,
                    index: ((frame as usize + 5 * tile + block) % 64) as u16,
                })
                .collect();
            update
        })
        .collect();
    let level = (frame % 95) as u8 + 1;
    let framing = Framing {
        grid: GRID,
        stages: &temporal.stages,
        tables: &temporal.tables,
        level,
        codewords: None,
        floor: 0,
        index,
        count,
    };
    let mut body = Vec::new();
    let coding = write(&framing, &updates, &mut Sink::new(), &mut body);
    let header = UpdateHeader {
        coding,
        names_codewords: false,
        level,
        frame: frame as u16,
        capture: frame.wrapping_mul(400),
        send_delay: 0,
        index,
        count,
        floor: 0,
    };
    [&header.encode()[..], &body].concat()
}

/// A message as it is on the control stream.
pub(crate) fn message(message: &Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_message(message, &mut bytes).expect("messages are short");
    bytes
}

/// What a sender says first.
pub(crate) fn greeting() -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_preface(&mut bytes);
    bytes.extend(message(&Message::Hello(Hello {
        protocol: PROTOCOL_VERSION,
        program: Text::new("raq-send"),
        model_id: MODEL,
        model_name: Text::new("base"),
        codebook_digest: codebooks().digest(),
        video: video(),
    })));
    bytes
}

/// What a receiver says first.
pub(crate) fn welcome(codebook: CodebookOffer) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_preface(&mut bytes);
    bytes.extend(message(&Message::Welcome { codebook }));
    bytes
}

/// The bytes that fuzzing of each target begins with: its name, a name for the bytes, the bytes.
pub fn seeds() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let update = updates(3, 0, 2, 0xff);
    let report = Report {
        number: 3,
        arrivals: (0..4).map(arrival).collect(),
        ..Report::default()
    };
    let mut told = Vec::new();
    report.encode(&mut told);
    let note = Note {
        estimate: Bitrate::from_kilobits_per_second(900),
        target: Bitrate::from_kilobits_per_second(700),
    };
    let parity = ParityHeader {
        frame: 3,
        capture: 1200,
        send_delay: 0,
        index: 0,
        count: 2,
        parity: 1,
    };
    let parity = [&parity.encode()[..], &[0, 20], &[9; 40]].concat();
    let body = [&[0x34, update[1], 0, 2, 0][..], &update[12..]].concat();
    let refusal = message(&Message::Refuse(Refusal::Busy));
    let cut = |stream: Vec<u8>| [&[7][..], &stream].concat();
    let tables = serde_json::to_vec(&TableCounts::flat(&temporal().stages)).unwrap_or_default();
    let stages = [
        &[1][..],
        &[0, 0, 1, 255, 5, 5, 0, 20, 0, 1, 2, 255, 7, 0, 9, 8, 4],
    ]
    .concat();
    let clip = b"YUV4MPEG2 W4 H2 F25:1 Ip A1:1 C420jpeg\nFRAME\n123456781234FRAME\n12345678abcd";
    let id = KeyId::of_public_key(b"somebody");
    let peers = format!(
        "# raq\nreceiver 192.0.2.1:4433 {id} 2026-11-23T10:00:00Z\nsender 192.0.2.7 {id} 2026-11-23T10:00:01Z\n"
    );
    vec![
        ("body", "resets", body),
        ("control", "hello", cut(greeting())),
        ("control", "refuse", cut([&[0, 1][..], &refusal].concat())),
        ("control", "welcome", cut(welcome(CodebookOffer::Send))),
        (
            "datagram",
            "heartbeat",
            Heartbeat { sent: 77 }.encode().to_vec(),
        ),
        ("datagram", "note", note.encode().to_vec()),
        ("datagram", "parity", parity),
        ("datagram", "report", told),
        ("datagram", "update", update),
        ("keys", "id", id.to_string().into_bytes()),
        ("keys", "peers", peers.into_bytes()),
        ("keys", "ticket", TICKET.to_vec()),
        (
            "manifest",
            "several",
            include_bytes!("../../data/several/manifest.json").to_vec(),
        ),
        ("receiver", "frames", stages),
        ("receiver", "raw", vec![0, 4, 2, 0, 1, 6, 255, 255]),
        ("scenario", "all", SCENARIO.to_vec()),
        (
            "sender",
            "reports",
            vec![1, 0, 9, 1, 4, 0, 0, 40, 2, 8, 0, 0, 20, 9, 1, 4, 0, 0, 90],
        ),
        ("shipment", "whole", shipment::encode(&codebooks())),
        ("stats", "lines", STATS.to_vec()),
        ("tables", "flat", tables),
        ("trace", "cooked", b"0 1.5\n0.5 2\n2 0.1\n".to_vec()),
        ("trace", "csv", CSV.to_vec()),
        ("trace", "json", JSON.to_vec()),
        ("trace", "mahimahi", b"0\n3\n3\n40\n1000\n".to_vec()),
        ("y4m", "two", clip.to_vec()),
    ]
}

/// The arrival of a datagram.
fn arrival(index: u8) -> Arrival {
    Arrival {
        frame: 3,
        index,
        at: 1000 + 70 * u32::from(index),
    }
}
