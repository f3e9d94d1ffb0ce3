//! Who may connect to whom.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    process::{Command, Stdio},
};

use raq_tests::{
    clips,
    sandbox::{PATIENCE, Sandbox, assert_error, run},
    transfer::{Receiver, start_sender},
};
use xtask::program::Ended;

fn id(sandbox: &Sandbox, program: &str, who: &str) -> String {
    let output = sandbox
        .program(program, who)
        .arg("--print-id")
        .stdout(Stdio::piped())
        .output();
    let output = output.unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 1);
    text.trim().to_owned()
}

fn sender(sandbox: &Sandbox, who: &str) -> Command {
    let mut send = sandbox.program("raq-send", who);
    send.arg("--input")
        .arg(clips::generate(sandbox, &clips::format(32, 32, 10), 3));
    send
}

#[test]
fn both_programs_of_a_user_have_one_key_that_nobody_else_can_read() {
    let sandbox = Sandbox::new();
    let own = id(&sandbox, "raq-send", "own");
    assert!(own.starts_with("raq1") && own.len() == 56, "{own}");
    assert_eq!(id(&sandbox, "raq-recv", "own"), own);
    assert_ne!(id(&sandbox, "raq-recv", "other"), own);
    let folder = sandbox.path("own");
    assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
    let key = folder.join("identity.pem");
    assert_eq!(fs::metadata(&key).unwrap().mode() & 0o777, 0o600);

    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let ended = run(sandbox.recv().arg("--print-id"));
    assert_error(&ended, 1, &["identity.pem", "chmod 600"]);
}

#[test]
fn strangers_are_refused_on_both_sides_before_any_frame() {
    let sandbox = Sandbox::new();
    let output = sandbox.path("received.y4m");
    let mut recv = sandbox.program("raq-recv", "own");
    let recv = Receiver::start(recv.args(["--once", "--output"]).arg(&output));
    let send = start_sender(&mut sender(&sandbox, "stranger"), recv.address);
    let send = send.finish(PATIENCE).unwrap();
    assert_error(&send, 3, &["trust", "--print-id"]);
    assert_error(&recv.finish(), 3, &["does not trust", "--trust"]);
    assert!(!output.exists());
}

#[test]
fn a_receiver_refuses_a_sender_that_trusts_it() {
    let sandbox = Sandbox::new();
    let trust = sandbox.path("trust.txt");
    fs::write(
        &trust,
        format!(
            "# people\n{} the receiver\n",
            id(&sandbox, "raq-recv", "own")
        ),
    )
    .unwrap();
    let output = sandbox.path("received.y4m");
    let mut recv = sandbox.program("raq-recv", "own");
    let recv = Receiver::start(recv.args(["--once", "--output"]).arg(&output));
    let mut send = sender(&sandbox, "stranger");
    let send = start_sender(send.arg("--trust").arg(&trust), recv.address);
    let send = send.finish(PATIENCE).unwrap();
    assert_error(
        &send,
        3,
        &[
            "does not trust",
            "--trust",
            &id(&sandbox, "raq-send", "stranger"),
        ],
    );
    assert_error(&recv.finish(), 3, &["not trusted", "--print-id", "--trust"]);
    assert!(!output.exists());
}

#[test]
fn keys_in_trust_files_on_both_sides_are_enough() {
    let sandbox = Sandbox::new();
    let (a, b) = (sandbox.path("a.txt"), sandbox.path("b.txt"));
    fs::write(&a, id(&sandbox, "raq-send", "sender")).unwrap();
    fs::write(&b, id(&sandbox, "raq-recv", "receiver")).unwrap();
    let output = sandbox.path("received.y4m");
    let mut recv = sandbox.program("raq-recv", "receiver");
    let recv = recv
        .args(["--once", "--output"])
        .arg(&output)
        .arg("--trust")
        .arg(&a);
    let recv = Receiver::start(recv);
    let mut send = sender(&sandbox, "sender");
    let send = start_sender(send.arg("--trust").arg(&b), recv.address);
    send.finish(PATIENCE).and_then(Ended::well).unwrap();
    recv.finish().well().unwrap();
    assert!(output.exists());
}

#[test]
fn a_broken_trust_file_is_named_with_its_line() {
    let sandbox = Sandbox::new();
    let trust = sandbox.path("trust.txt");
    fs::write(&trust, "# ours\nraq1nonsense\n").unwrap();
    let ended = run(sandbox
        .recv()
        .args(["--listen", "127.0.0.1:0", "--output", "null", "--trust"])
        .arg(&trust));
    assert_error(&ended, 1, &["trust.txt", "2"]);
}
