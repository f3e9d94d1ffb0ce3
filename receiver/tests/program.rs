//! The real raq-recv against a sender that does as it pleases.

mod support;

use quinn::ConnectionError;
use raq_shared::exit::Exit;
use raq_shared::frame::Frame;
use raq_shared::identity::Identity;
use raq_shared::quic::{Close, Distrust};
use raq_shared::stats::{Line, ReceiverRecord, ReceiverSummary};
use raq_shared::wire::message::{CodebookOffer, Hello, Message, ModelId, Refusal};
use raq_shared::y4m::Reader;
use support::{Ended, Program, Sender, command, connect, hello, model, strange_codebooks};

const SESSION: [&str; 7] = [
    "--listen",
    "127.0.0.1:0",
    "--output",
    "out.y4m",
    "--once",
    "--stats",
    "stats.jsonl",
];

fn frames_in(ended: &Ended, name: &str) -> usize {
    let mut reader = Reader::new(std::fs::File::open(ended.path(name)).unwrap()).unwrap();
    let mut frame = Frame::new(reader.size());
    let mut count = 0;
    while reader.read(&mut frame).unwrap() {
        count += 1;
    }
    count
}

fn summary(ended: &Ended) -> (usize, ReceiverSummary) {
    let text = std::fs::read_to_string(ended.path("stats.jsonl")).unwrap();
    let mut records: Vec<ReceiverRecord> = text
        .lines()
        .map(|line| {
            serde_json::from_str::<Line<ReceiverRecord>>(line)
                .unwrap()
                .record
        })
        .collect();
    match records.pop() {
        Some(ReceiverRecord::Summary(summary)) => (records.len(), summary),
        other => panic!("no summary at the end: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_leaves_a_file_and_records() {
    let Some(model) = model() else { return };
    let mut program = Program::start(&SESSION);
    let address = program.address();
    let mut sender = Sender::greet(address, &program.identity(), hello(&model)).await;
    let welcome = Message::Welcome {
        codebook: CodebookOffer::Same,
    };
    assert_eq!(sender.first_answer().await, welcome);
    sender.frame(0, &[0, 1, 2]).await;
    sender.frame(1, &[1]).await;
    // Frame 2 is lost, and with it nothing else.
    sender.frame(3, &[2, 1, 0]).await;
    // So is the tail.
    assert_eq!(sender.bye(6).await, Message::Done { frames_decoded: 3 });
    let ended = program.end();
    ended.assert(0, &["3 frames decoded (1 partial), 3 missing, 3 repeated"]);
    assert_eq!(frames_in(&ended, "out.y4m"), 6);
    let (frames, summary) = summary(&ended);
    assert_eq!(
        (frames, summary.frames_decoded, summary.frames_partial),
        (3, 3, 1)
    );
    assert_eq!((summary.frames_lost, summary.codebook_shipped), (3, false));
    assert_eq!(
        summary.codebook_digest,
        model.manifest().codebook_digest.to_hex()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_codebook_that_differs_is_taken_and_used() {
    let Some(model) = model() else { return };
    let mut program = Program::start(&SESSION);
    let address = program.address();
    let codebooks = strange_codebooks(&model);
    let codebook_digest = codebooks.digest();
    let hello = hello(&model);
    let hello = Hello {
        codebook_digest,
        ..hello
    };
    let mut sender = Sender::greet(address, &program.identity(), hello).await;
    let welcome = Message::Welcome {
        codebook: CodebookOffer::Send,
    };
    assert_eq!(sender.first_answer().await, welcome);
    sender.ship(&codebooks).await;
    sender.frame(0, &[0, 1, 2]).await;
    assert_eq!(sender.bye(1).await, Message::Done { frames_decoded: 1 });
    let ended = program.end();
    ended.assert(0, &["taking the sender's"]);
    let (_, summary) = summary(&ended);
    assert!(summary.codebook_shipped);
    assert_eq!(summary.codebook_digest, codebook_digest.to_hex());
}

/// A folder in which `--trust trust` accepts `friend`, and a session's arguments with that.
fn trusting(friend: &Identity) -> (tempfile::TempDir, Vec<&'static str>) {
    let dir = tempfile::tempdir().unwrap();
    let line = format!("{} a friend\n", friend.id());
    std::fs::write(dir.path().join("trust"), line).unwrap();
    let trust = ["--trust", "trust"];
    (dir, SESSION.iter().copied().chain(trust).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_sender_at_a_time() {
    let Some(model) = model() else { return };
    let friend = Identity::ephemeral().unwrap();
    let (dir, args) = trusting(&friend);
    let mut program = Program::start_in(dir, &args);
    let (address, identity) = (program.address(), program.identity());
    let mut first = Sender::greet(address, &identity, hello(&model)).await;
    first.first_answer().await;
    let mut second = Sender::greet_as(&friend, address, &identity, hello(&model)).await;
    assert_eq!(second.first_answer().await, Message::Refuse(Refusal::Busy));
    first.frame(0, &[0, 1, 2]).await;
    assert_eq!(first.bye(1).await, Message::Done { frames_decoded: 1 });
    program.end().assert(0, &["another one is being received"]);
}

/// Of the senders with one key the newest is received, however many come at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_comes_back_does_not_wait() {
    let Some(model) = model() else { return };
    let mut program = Program::start(&["--listen", "127.0.0.1:0", "--output", "null"]);
    let (address, identity) = (program.address(), program.identity());
    let mut before = Vec::new();
    for _ in 0..4 {
        before.push(Sender::greet(address, &identity, hello(&model)).await);
    }
    let mut last = Sender::greet(address, &identity, hello(&model)).await;
    last.first_answer().await;
    for sender in before {
        let ConnectionError::ApplicationClosed(close) = sender.connection.closed().await else {
            panic!("closed with a reason")
        };
        assert_eq!(close.error_code, Close::Superseded.into());
    }
    last.frame(0, &[0, 1, 2]).await;
    assert_eq!(last.bye(1).await, Message::Done { frames_decoded: 1 });
    program.signal("TERM");
    program.end().assert(0, &["connected anew"]);
}

/// Who is refused, or says nothing, or breaks the protocol, has not taken the place of the one before
/// with the same key, and does not end a receiver that takes one session.
#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_is_judged_before_it_takes_the_place() {
    let Some(model) = model() else { return };
    let mut program = Program::start(&SESSION);
    let (address, identity) = (program.address(), program.identity());
    let mut first = Sender::greet(address, &identity, hello(&model)).await;
    first.first_answer().await;
    first.frame(0, &[0, 1, 2]).await;
    let (_silent, _endpoint) = connect(address, &identity, &identity).await.unwrap();
    let (gone, _other_endpoint) = connect(address, &identity, &identity).await.unwrap();
    gone.close(9u32.into(), b"gone");
    program.wait_for("the connection was lost");
    let mut too_large = hello(&model);
    (too_large.video.width, too_large.video.height) = (16_384, 4096);
    let mut newcomer = Sender::greet(address, &identity, too_large).await;
    let refusal = newcomer.first_answer().await;
    assert!(matches!(refusal, Message::Refuse(Refusal::Size { .. })));
    program.wait_for("refused the sender");
    first.frame(1, &[0, 1, 2]).await;
    assert_eq!(first.bye(2).await, Message::Done { frames_decoded: 2 });
    program.end().assert(0, &["2 frames decoded"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_outlives_its_sessions() {
    let Some(model) = model() else { return };
    let mut program = Program::start(&["--listen", "127.0.0.1:0", "--output", "null"]);
    let (address, identity) = (program.address(), program.identity());
    // A stranger, a sender that vanishes, and one that does as it should.
    let stranger = Identity::ephemeral().unwrap();
    let (connection, _endpoint) = connect(address, &stranger, &identity).await.unwrap();
    connection.closed().await;
    let mut lost = Sender::greet(address, &identity, hello(&model)).await;
    lost.first_answer().await;
    lost.frame(0, &[0]).await;
    lost.connection.close(9u32.into(), b"gone");
    program.wait_for("the connection was lost");
    let mut sender = Sender::greet(address, &identity, hello(&model)).await;
    sender.first_answer().await;
    sender.frame(0, &[0, 1, 2]).await;
    assert_eq!(sender.bye(1).await, Message::Done { frames_decoded: 1 });
    program.signal("TERM");
    program
        .end()
        .assert(0, &["is not trusted", "waiting for the next sender"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_refused_with_the_cure() {
    if model().is_none() {
        return;
    }
    let mut program = Program::start(&SESSION);
    let (address, identity) = (program.address(), program.identity());
    let stranger = Identity::ephemeral().unwrap();
    let (connection, _endpoint) = connect(address, &stranger, &identity).await.unwrap();
    let refusal = connection.closed().await;
    assert_eq!(Distrust::behind(&refusal), Some(Distrust::ByPeer));
    let ended = program.end();
    ended.assert(
        3,
        &[
            "is not trusted",
            "--print-id",
            "--trust",
            &stranger.id().to_string(),
        ],
    );
    assert!(!ended.path("out.y4m").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_does_not_end_somebody_elses_session() {
    let Some(model) = model() else { return };
    let mut program = Program::start(&SESSION);
    let (address, identity) = (program.address(), program.identity());
    let mut sender = Sender::greet(address, &identity, hello(&model)).await;
    sender.first_answer().await;
    let stranger = Identity::ephemeral().unwrap();
    let (connection, _endpoint) = connect(address, &stranger, &identity).await.unwrap();
    connection.closed().await;
    program.wait_for("is not trusted");
    sender.frame(0, &[0, 1, 2]).await;
    assert_eq!(sender.bye(1).await, Message::Done { frames_decoded: 1 });
    program.end().assert(0, &["1 frames decoded"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_the_trust_file_is_admitted() {
    let Some(model) = model() else { return };
    let stranger = Identity::ephemeral().unwrap();
    let (dir, args) = trusting(&stranger);
    let mut program = Program::start_in(dir, &args);
    let (address, identity) = (program.address(), program.identity());
    let (connection, _endpoint) = connect(address, &stranger, &identity).await.unwrap();
    drop(model);
    connection.close(0u32.into(), b"");
    program.end().assert(4, &["the connection was lost"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_model_or_size_is_refused() {
    let Some(model) = model() else { return };
    let other_model = {
        let mut hello = hello(&model);
        hello.model_id = ModelId([1; 32]);
        hello
    };
    let too_large = {
        let mut hello = hello(&model);
        (hello.video.width, hello.video.height) = (16_384, 4096);
        hello
    };
    for (hello, word) in [(other_model, "--model"), (too_large, "--max-size")] {
        let mut program = Program::start(&SESSION);
        let address = program.address();
        let mut sender = Sender::greet(address, &program.identity(), hello).await;
        assert!(matches!(sender.first_answer().await, Message::Refuse(_)));
        let ended = program.end();
        ended.assert(3, &["refused the sender", word]);
        assert!(!ended.path("out.y4m").exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_ends_a_session_in_good_order() {
    let Some(model) = model() else { return };
    let mut program = Program::start(&SESSION);
    let address = program.address();
    let mut sender = Sender::greet(address, &program.identity(), hello(&model)).await;
    sender.first_answer().await;
    sender.frame(0, &[0, 1, 2]).await;
    sender.frame(1, &[0, 1]).await;
    // The record of frame 0 says that both have arrived or soon will; what matters is the file.
    let path = program.dir.path().join("out.y4m");
    while !path.exists() {
        tokio::task::yield_now().await;
    }
    program.signal("INT");
    sender.connection.closed().await;
    let ended = program.end();
    ended.assert(0, &[]);
    assert!((1..=2).contains(&frames_in(&ended, "out.y4m")));
    summary(&ended);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_keeps_what_came() {
    let Some(model) = model() else { return };
    let mut program = Program::start(&SESSION);
    let address = program.address();
    let mut sender = Sender::greet(address, &program.identity(), hello(&model)).await;
    sender.first_answer().await;
    sender.frame(0, &[0, 1, 2]).await;
    while !program.dir.path().join("out.y4m").exists() {
        tokio::task::yield_now().await;
    }
    sender
        .connection
        .close(7u32.into(), b"the sender fell over");
    let ended = program.end();
    ended.assert(
        4,
        &[
            "the connection was lost",
            "the sender fell over",
            "look after the network",
        ],
    );
    assert_eq!(frames_in(&ended, "out.y4m"), 1);
}

#[test]
fn wrong_command_lines_and_places() {
    let code = |exit: Exit| Some(exit as i32);
    let dir = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        let output = command(dir.path()).args(args).output().unwrap();
        assert!(output.stdout.is_empty());
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (exit, said) = run(&["--listen", "0"]);
    assert_eq!(exit, code(Exit::Usage), "{said}");
    assert!(
        said.contains("no display") && said.contains("null"),
        "{said}"
    );

    std::fs::write(dir.path().join("old.y4m"), "precious").unwrap();
    let (exit, said) = run(&["--listen", "127.0.0.1:0", "--output", "old.y4m"]);
    assert_eq!(exit, code(Exit::Usage), "{said}");
    assert!(said.contains("--overwrite"), "{said}");

    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (exit, said) = run(&["--listen", &address, "--output", "null"]);
    assert_eq!(exit, code(Exit::Failure), "{said}");
    assert!(
        said.contains(&address) && said.contains("choose another"),
        "{said}"
    );
    assert_eq!(
        said.lines()
            .filter(|line| line.contains("raq-recv:"))
            .count(),
        1,
        "{said}"
    );

    let (exit, said) = run(&[
        "--listen",
        "127.0.0.1:0",
        "--output",
        "null",
        "--model",
        "nowhere",
    ]);
    assert_eq!(exit, code(Exit::Model), "{said}");
    assert!(said.contains("nowhere/manifest.json"), "{said}");

    let (exit, said) = run(&[
        "--listen",
        "127.0.0.1:0",
        "--output",
        "null",
        "--trust",
        "none",
    ]);
    assert_eq!(exit, code(Exit::Failure), "{said}");
    assert!(said.contains("none"), "{said}");
}

#[test]
fn print_id_is_one_line_for_a_trust_file() {
    let dir = tempfile::tempdir().unwrap();
    let print = || {
        let output = command(dir.path()).arg("--print-id").output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    let first = print();
    assert!(
        first
            .trim_end()
            .parse::<raq_shared::identity::KeyId>()
            .is_ok(),
        "{first}"
    );
    assert_eq!(first.lines().count(), 1);
    assert_eq!(print(), first);
}
