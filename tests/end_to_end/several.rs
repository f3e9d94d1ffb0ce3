//! Several senders at one receiver.

use raq_tests::{
    clips,
    sandbox::{PATIENCE, Sandbox, assert_error, interrupt},
    transfer::{Receiver, scene, start_sender},
};
use xtask::{program::Ended, stats};

/// raq-recv for two senders, whose files are theirs.
fn two(sandbox: &Sandbox) -> Receiver {
    let mut recv = sandbox.recv();
    recv.args(["--max-peers", "2", "--output", "{peer}/out.y4m"]);
    for folder in ["1", "2", "3"] {
        std::fs::create_dir(sandbox.path(folder)).unwrap();
    }
    Receiver::start(recv.args(["--stats", "{peer}/frames.jsonl"]))
}

/// Frames in the file of a peer, and how many were decoded.
fn recorded(sandbox: &Sandbox, peer: &str) -> (u32, usize, usize) {
    let folder = sandbox.path(peer);
    let (format, frames) = clips::read(&folder.join("out.y4m"));
    let (decoded, _) = stats::receiver(&folder.join("frames.jsonl")).unwrap();
    (format.width, frames.len(), decoded.len())
}

#[test]
fn two_are_received_side_by_side_a_third_is_told_and_the_next_one_follows() {
    let sandbox = Sandbox::new();
    let mut recv = two(&sandbox);
    let receiving = |recv: &mut Receiver, peer: &str| {
        let (name, what) = (format!("number={peer}"), "receiving");
        let told = |line: &str| (line.contains(&name) && line.contains(what)).then_some(());
        recv.program
            .wait_for("the session", PATIENCE, told)
            .unwrap();
    };
    // These two go on until they are told to end; all have the same key.
    let mut first = start_sender(&mut scene(&sandbox, "32x32"), recv.address);
    receiving(&mut recv, "1");
    let second = start_sender(&mut scene(&sandbox, "48x32"), recv.address);
    receiving(&mut recv, "2");
    let third = start_sender(&mut scene(&sandbox, "64x32"), recv.address);
    assert_error(&third.finish(PATIENCE).unwrap(), 3, &["busy"]);
    assert!(first.is_running());

    interrupt(&first);
    first.finish(PATIENCE).and_then(Ended::well).unwrap();
    recv.program
        .wait_for("the first one's end", PATIENCE, |line| {
            (line.contains("number=1") && line.contains("frames decoded")).then_some(())
        })
        .unwrap();
    // Another format than that of the one before.
    let mut next = scene(&sandbox, "64x32");
    let next = start_sender(next.args(["--frames", "5"]), recv.address);
    next.finish(PATIENCE).and_then(Ended::well).unwrap();
    interrupt(&second);
    second.finish(PATIENCE).and_then(Ended::well).unwrap();
    interrupt(&recv.program);
    recv.finish().well().unwrap();

    for (peer, width) in [("1", 32), ("2", 48), ("3", 64)] {
        let (its_width, frames, decoded) = recorded(&sandbox, peer);
        assert_eq!(its_width, width, "peer {peer}");
        assert!(
            decoded > 0 && frames >= decoded,
            "peer {peer}: {frames}, {decoded}"
        );
    }
}

#[test]
fn what_goes_wrong_with_one_is_told_to_that_one() {
    let sandbox = Sandbox::new();
    let mut recv = sandbox.recv();
    let recv = Receiver::start(recv.args(["--max-peers", "2", "--output", "{peer}/a.y4m"]));
    // There is no folder for the first one.
    std::fs::create_dir(sandbox.path("2")).unwrap();
    let mut send = scene(&sandbox, "32x32");
    let send = start_sender(send.args(["--frames", "5", "--no-reconnect"]), recv.address);
    let send = send.finish(PATIENCE).unwrap();
    assert!(!send.status.success(), "{}", send.stderr);
    // The next one gets the next file.
    let mut send = scene(&sandbox, "32x32");
    let send = start_sender(send.args(["--frames", "5"]), recv.address);
    send.finish(PATIENCE).and_then(Ended::well).unwrap();
    interrupt(&recv.program);
    let recv = recv.finish().well().unwrap();
    assert!(recv.stderr.contains("1/a.y4m"), "{}", recv.stderr);
    assert_eq!(clips::read(&sandbox.path("2/a.y4m")).1.len(), 5);
}

#[test]
fn recordings_of_an_earlier_run_stay_and_nobody_is_refused_for_them() {
    let sandbox = Sandbox::new();
    for taken in ["1.y4m", "2.y4m", "4.y4m"] {
        std::fs::write(sandbox.path(taken), "of an earlier run").unwrap();
    }
    let mut recv = sandbox.recv();
    let recv = Receiver::start(recv.args(["--max-peers", "2", "--output", "{peer}.y4m"]));
    for name in ["3.y4m", "5.y4m"] {
        let mut send = scene(&sandbox, "32x32");
        let send = start_sender(send.args(["--frames", "5", "--no-reconnect"]), recv.address);
        send.finish(PATIENCE).and_then(Ended::well).unwrap();
        assert_eq!(clips::read(&sandbox.path(name)).1.len(), 5);
    }
    interrupt(&recv.program);
    recv.finish().well().unwrap();
    for taken in ["1.y4m", "2.y4m", "4.y4m"] {
        let kept = std::fs::read_to_string(sandbox.path(taken)).unwrap();
        assert_eq!(kept, "of an earlier run", "{taken}");
    }
}

#[test]
fn places_that_several_would_share_are_refused() {
    let sandbox = Sandbox::new();
    let mut recv = sandbox.recv();
    recv.args(["--listen", "127.0.0.1:0", "--max-peers", "2"]);
    let recv = raq_tests::sandbox::run(recv.args(["--output", "a.y4m"]));
    assert_error(&recv, 2, &["a.y4m", "{peer}"]);
}
