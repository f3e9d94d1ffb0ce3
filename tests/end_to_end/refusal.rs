//! Two ends that do not fit together.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

use quinn::{Connection, Endpoint};
use raq_shared::{
    identity::{Identity, Trust},
    model::ModelFolder,
    quic,
    wire::{PROTOCOL_VERSION, encode_preface},
};
use raq_tests::{
    clips, model,
    sandbox::{PATIENCE, Sandbox, assert_error},
    transfer::{Receiver, start_sender},
};

/// What the model is called.
fn name() -> String {
    let folder = ModelFolder::open(&model()).unwrap();
    folder.manifest().name.clone()
}

/// A copy of the model under another name: whole and sound, but not the same.
fn other_model(sandbox: &Sandbox) -> PathBuf {
    let folder = sandbox.path("other-model");
    copy(&model(), &folder);
    let manifest = folder.join("manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    let renamed = text.replacen(&format!("\"{}\"", name()), "\"other\"", 1);
    assert_ne!(text, renamed);
    fs::write(&manifest, renamed).unwrap();
    folder
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

#[test]
fn unequal_models_are_refused_and_both_are_named() {
    let sandbox = Sandbox::new();
    let clip = clips::generate(&sandbox, &clips::format(32, 32, 10), 2);
    let output = sandbox.path("received.y4m");
    let mut recv = sandbox.recv();
    let recv = Receiver::start(recv.args(["--once", "--output"]).arg(&output));
    let mut send = sandbox.send();
    send.arg("--input")
        .arg(&clip)
        .arg("--model")
        .arg(other_model(&sandbox));
    let send = start_sender(&mut send, recv.address)
        .finish(PATIENCE)
        .unwrap();
    // The sender's model does not fit; the receiver has refused a sender.
    assert_error(&send, 5, &[&name(), "other", "--model"]);
    assert_error(&recv.finish(), 3, &["base", "other", "--model"]);
    assert!(!output.exists());
}

#[test]
fn a_picture_beyond_the_limit_is_refused() {
    let sandbox = Sandbox::new();
    let clip = clips::generate(&sandbox, &clips::format(64, 48, 10), 2);
    let mut recv = sandbox.recv();
    let recv = Receiver::start(recv.args(["--once", "--output", "null", "--max-size", "63x1000"]));
    let mut send = sandbox.send();
    let send = start_sender(send.arg("--input").arg(&clip), recv.address);
    assert_error(
        &send.finish(PATIENCE).unwrap(),
        3,
        &["63x1000", "--max-size"],
    );
    assert_error(&recv.finish(), 3, &["64x48", "63x1000", "--max-size"]);
}

/// The key that the sandbox's programs have: they trust this peer, so that it gets as far as
/// talking.
fn own(sandbox: &Sandbox) -> (Identity, Arc<Trust>) {
    let identity = Identity::load_or_create(&sandbox.path("own")).unwrap();
    let trust = Arc::new(Trust::only(identity.id()));
    (identity, trust)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

fn preface_of_the_next_version() -> Vec<u8> {
    let mut ours = Vec::new();
    encode_preface(&mut ours);
    assert_eq!(ours, PROTOCOL_VERSION.to_be_bytes());
    (PROTOCOL_VERSION + 1).to_be_bytes().to_vec()
}

#[test]
fn a_sender_of_another_protocol_is_refused_and_both_versions_are_named() {
    let sandbox = Sandbox::new();
    let (identity, trust) = own(&sandbox);
    let mut recv = sandbox.recv();
    let recv = Receiver::start(recv.args(["--once", "--output", "null"]));
    let answer = runtime().block_on(async {
        let config = quic::client_config(&identity, trust).unwrap();
        let mut endpoint = Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        endpoint.set_default_client_config(config);
        let connection = endpoint
            .connect(recv.address, quic::SERVER_NAME)
            .unwrap()
            .await
            .unwrap();
        let (mut send, mut receive) = connection.open_bi().await.unwrap();
        send.write_all(&preface_of_the_next_version())
            .await
            .unwrap();
        let mut answer = [0; 2];
        receive.read_exact(&mut answer).await.unwrap();
        connection.closed().await;
        answer
    });
    assert_eq!(u16::from_be_bytes(answer), PROTOCOL_VERSION);
    let (ours, theirs) = (
        PROTOCOL_VERSION.to_string(),
        (PROTOCOL_VERSION + 1).to_string(),
    );
    assert_error(&recv.finish(), 3, &["protocol", &ours, &theirs]);
}

/// A receiver of the next version, as far as any sender gets with it.
async fn newer_receiver(endpoint: Endpoint) -> Connection {
    let connection = endpoint.accept().await.unwrap().await.unwrap();
    let (mut send, mut receive) = connection.accept_bi().await.unwrap();
    let mut theirs = [0; 2];
    receive.read_exact(&mut theirs).await.unwrap();
    assert_eq!(u16::from_be_bytes(theirs), PROTOCOL_VERSION);
    send.write_all(&preface_of_the_next_version())
        .await
        .unwrap();
    send.finish().unwrap();
    connection
}

#[test]
fn a_receiver_of_another_protocol_is_left_and_both_versions_are_named() {
    let sandbox = Sandbox::new();
    let (identity, trust) = own(&sandbox);
    let clip = clips::generate(&sandbox, &clips::format(32, 32, 10), 2);
    let ended = runtime().block_on(async {
        let config = quic::server_config(&identity, trust).unwrap();
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let endpoint = Endpoint::server(config, any).unwrap();
        let mut send = sandbox.send();
        let send = start_sender(
            send.arg("--input").arg(&clip),
            endpoint.local_addr().unwrap(),
        );
        let waiting = tokio::task::spawn_blocking(|| send.finish(PATIENCE).unwrap());
        let connection = newer_receiver(endpoint).await;
        let ended = waiting.await.unwrap();
        connection.closed().await;
        ended
    });
    let (ours, theirs) = (
        PROTOCOL_VERSION.to_string(),
        (PROTOCOL_VERSION + 1).to_string(),
    );
    assert_error(&ended, 3, &["protocol", &ours, &theirs]);
}
