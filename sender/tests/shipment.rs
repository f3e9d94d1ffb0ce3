//! raq-send and a receiver whose regenerated codebooks went wrong: the real program on one side,
//! the receiver's session on the other.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use quinn::Endpoint;
use raq_recv::session::{Input, Output, Session, Settings};
use raq_shared::codebook::Codebook;
use raq_shared::codebooks::Codebooks;
use raq_shared::identity::{Identity, Trust};
use raq_shared::model::{Model, ModelError, ModelOptions, Temporal};
use raq_shared::paths;
use raq_shared::quic::{self, Close};
use raq_shared::stats::{Line, SenderRecord};

const FRAMES: u32 = 20;

/// The model that the repository ships.
const BASE: &str = "onnx/models/base";
/// A small one with three codebooks.
const SEVERAL: &str = "tests/data/several";

/// The model in `folder` of the repository, and the codebooks it regenerates; skips where there is
/// no ONNX Runtime.
fn model(folder: &str) -> Option<(Model, Codebooks)> {
    let options = ModelOptions {
        folder: Some(paths::repository().join(folder)),
        ..ModelOptions::default()
    };
    let made = Model::open(&options).and_then(|model| {
        let made = model.regenerate()?;
        Ok((model, made.codebooks))
    });
    match made {
        Err(error @ ModelError::RuntimeNotFound { .. }) => {
            raq_skips::skip(&error.to_string());
            None
        }
        made => Some(made.unwrap()),
    }
}

/// What the receiver's session gave out.
#[derive(Default)]
struct Received {
    codebooks: Vec<(Arc<Codebooks>, bool)>,
    frames: Vec<u32>,
}

#[allow(
    clippy::disallowed_methods,
    reason = "this test drives a session over real QUIC"
)]
async fn receive(endpoint: &Endpoint, settings: Settings) -> Received {
    let connection = endpoint.accept().await.unwrap().await.unwrap();
    let start = Instant::now();
    let mut session = Session::new(settings, start.elapsed());
    let (mut send, mut control) = connection.accept_bi().await.unwrap();
    let mut received = Received::default();
    loop {
        while let Some(output) = session.poll_output() {
            match output {
                Output::Prepare(_) => session.handle(start.elapsed(), Input::Prepared),
                Output::Control(bytes) => send.write_all(&bytes).await.unwrap(),
                Output::Codebooks { codebooks, shipped } => {
                    received.codebooks.push((codebooks, shipped));
                }
                Output::Datagram(report) => connection.send_datagram(report).unwrap(),
                Output::Frame(frame) => received.frames.push(frame.number),
                Output::Drain { .. } => {
                    let frames_decoded = received.frames.len() as u32;
                    session.handle(start.elapsed(), Input::Drained { frames_decoded });
                }
                Output::End(end) => {
                    send.finish().unwrap();
                    // The sender closes when it has heard Done.
                    connection.closed().await;
                    assert_eq!(end, raq_recv::session::End::Done);
                    return received;
                }
            }
        }
        let deadline = session.deadline().unwrap_or(Duration::from_secs(60));
        let left = deadline.saturating_sub(start.elapsed());
        tokio::select! {
            chunk = control.read_chunk(65536, true) => {
                let now = start.elapsed();
                match chunk.unwrap() {
                    Some(chunk) => session.handle(now, Input::Control(&chunk.bytes)),
                    None => panic!("the sender ended the control stream"),
                }
            }
            stream = connection.accept_uni() => {
                let bytes = stream.unwrap().read_to_end(1 << 22).await.unwrap();
                session.handle(start.elapsed(), Input::Codebook(&bytes));
                session.handle(start.elapsed(), Input::CodebookEnd);
            }
            datagram = connection.read_datagram() => {
                session.handle(start.elapsed(), Input::Datagram(&datagram.unwrap()));
            }
            () = tokio::time::sleep(left) => session.handle(start.elapsed(), Input::Timeout),
        }
    }
}

/// Runs raq-send against a receiver that holds `codebooks`; gives what both made of it.
fn transfer(model: &Model, codebooks: Codebooks, folder: &Path) -> (Received, SenderRecord) {
    let identity = Identity::load_or_create(folder).unwrap();
    let trust = Arc::new(Trust::only(identity.id()));
    let settings = Settings {
        model_id: model.folder().id(),
        model_name: model.manifest().name.clone(),
        temporal: Temporal::load(model.folder(), &codebooks).unwrap(),
        codebooks: Arc::new(codebooks),
        codeword_limit: model.manifest().codeword_limit,
        max_width: 4096,
        max_height: 2304,
        format: None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let stats = folder.join("stats");
    let received = runtime.block_on(async {
        let config = quic::server_config(&identity, trust).unwrap();
        let endpoint = Endpoint::server(config, (Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let mut program = Command::new(env!("CARGO_BIN_EXE_raq-send"))
            .env("RAQ_CONFIG_DIR", folder)
            .args(["--peer", &endpoint.local_addr().unwrap().to_string()])
            .args(["--test-pattern", "--size", "64x48", "--codewords", "60"])
            .arg("--model")
            .arg(model.folder().path())
            .args(["--frames", &FRAMES.to_string(), "--stats"])
            .arg(&stats)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let received = receive(&endpoint, settings).await;
        endpoint.close(Close::Done.into(), b"");
        assert!(program.wait().unwrap().success());
        received
    });
    let text = std::fs::read_to_string(stats).unwrap();
    let last: Line<SenderRecord> = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    (received, last.record)
}

#[test]
fn equal_codebooks_stay_where_they_are() {
    let Some((model, codebooks)) = model(BASE) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let digest = codebooks.digest();
    let (received, last) = transfer(&model, codebooks, folder.path());
    let [(used, false)] = &received.codebooks[..] else {
        panic!("not the receiver's own")
    };
    assert_eq!(used.digest(), digest);
    assert!(!received.frames.is_empty());
    let SenderRecord::Summary(summary) = last else {
        panic!("{last:?}")
    };
    assert!(!summary.codebook_shipped);
    // A busy machine may skip some, but all are accounted for.
    assert_eq!(summary.frames_sent + summary.frames_skipped, FRAMES);
    assert_eq!(received.frames.len(), summary.frames_sent as usize);
    assert!(received.frames.is_sorted());
}

/// `codebooks` with one number of the last one changed.
fn corrupted(codebooks: &Codebooks) -> Codebooks {
    let mut list = codebooks.list().to_vec();
    let last = list.pop().unwrap();
    let mut rows = last.rows().to_vec();
    let middle = rows.len() / 2;
    rows[middle] ^= 1;
    list.push(Codebook::named(last.name(), last.shape(), rows).unwrap());
    Codebooks::new(codebooks.latent_dim(), list, codebooks.stages().to_vec()).unwrap()
}

#[test]
fn a_receiver_that_regenerated_another_codebook_is_sent_ours() {
    is_sent_ours(BASE);
}

#[test]
fn a_receiver_that_regenerated_others_is_sent_all_codebooks() {
    is_sent_ours(SEVERAL);
}

fn is_sent_ours(folder: &str) {
    let Some((model, codebooks)) = model(folder) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let digest = codebooks.digest();
    let corrupted = corrupted(&codebooks);
    assert_ne!(corrupted.digest(), digest);
    let (received, last) = transfer(&model, corrupted, folder.path());
    let [(used, true)] = &received.codebooks[..] else {
        panic!("the codebook was not shipped")
    };
    assert_eq!(used.digest(), digest);
    assert_eq!(**used, codebooks);
    assert!(!received.frames.is_empty());
    let SenderRecord::Summary(summary) = last else {
        panic!("{last:?}")
    };
    assert!(summary.codebook_shipped);
    assert_eq!(summary.codebook_digest, digest.to_hex());
}
