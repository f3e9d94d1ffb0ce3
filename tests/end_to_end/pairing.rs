//! How two people who share no key get to know each other.

use std::{
    fs,
    io::Write as _,
    net::{Ipv4Addr, SocketAddr},
    process::{Command, Stdio},
    sync::Arc,
};

use quinn::Endpoint;
use raq_shared::{
    identity::{Identity, KeyId, KnownPeers, Role, Ticket, Trust, pairing::Verdict},
    quic,
};
use raq_tests::{
    clips,
    sandbox::{PATIENCE, Sandbox, assert_error, interrupt, run},
    transfer::{Receiver, start_sender},
    tty::Tty,
};
use xtask::program::Ended;

const RECEIVER: &str = "receiver";

/// raq-recv of another person than the senders, who throws away what comes.
fn recv(sandbox: &Sandbox, args: &[&str]) -> Command {
    let mut recv = sandbox.program("raq-recv", RECEIVER);
    recv.args(["--output", "null"]).args(args);
    recv
}

/// raq-recv with an open ticket.
fn inviting(sandbox: &Sandbox, args: &[&str]) -> (Receiver, String) {
    let mut recv = Receiver::start(recv(sandbox, &["--invite"]).args(args));
    let ticket = recv.program.wait_for("a ticket", PATIENCE, ticket_in);
    (recv, ticket.unwrap())
}

/// The ticket in a line that is to be pasted.
fn ticket_in(line: &str) -> Option<String> {
    let pasted = line.trim().strip_prefix("raq-send --camera 0 --peer ")?;
    let (_, ticket) = pasted.split_once(" --ticket ")?;
    Some(ticket.to_owned())
}

/// raq-send of the person `who`, with a short clip.
fn send(sandbox: &Sandbox, who: &str, args: &[&str]) -> Command {
    let mut send = sandbox.program("raq-send", who);
    let clip = clips::generate(sandbox, &clips::format(32, 32, 10), 3);
    send.arg("--input").arg(clip).args(args);
    send
}

fn sent(sandbox: &Sandbox, who: &str, args: &[&str], peer: SocketAddr) -> Ended {
    let send = start_sender(&mut send(sandbox, who, args), peer);
    send.finish(PATIENCE).unwrap()
}

fn key(sandbox: &Sandbox, who: &str) -> KeyId {
    Identity::load_or_create(&sandbox.path(who)).unwrap().id()
}

/// What `who` remembers, as `peers list` of the program prints it.
fn peers(sandbox: &Sandbox, program: &str, who: &str) -> String {
    let mut list = sandbox.program(program, who);
    let output = list.args(["peers", "list"]).stdout(Stdio::piped()).output();
    let output = output.unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

/// Shows a ticket so many times in a row, with a key of its own; the answers.
fn show(
    sandbox: &Sandbox,
    address: SocketAddr,
    ticket: &Ticket,
    times: usize,
) -> Vec<Option<Verdict>> {
    let own = Identity::load_or_create(&sandbox.path("insistent")).unwrap();
    let trust = Arc::new(Trust::only(ticket.receiver()));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let once = async || {
        let endpoint = Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let config = quic::pairing_config(&own, trust.clone()).unwrap();
        let connecting = endpoint.connect_with(config, address, quic::SERVER_NAME);
        let connection = connecting.unwrap().await.unwrap();
        let proof = ticket.key().proof(&quic::exporter(&connection).unwrap());
        let (mut send, mut receive) = connection.open_bi().await.unwrap();
        send.write_all(&proof).await.unwrap();
        send.finish().unwrap();
        let mut verdict = [0];
        receive.read_exact(&mut verdict).await.unwrap();
        connection.close(0u32.into(), b"");
        endpoint.wait_idle().await;
        Verdict::from_byte(verdict[0])
    };
    (0..times).map(|_| runtime.block_on(once())).collect()
}

fn stop(recv: Receiver) -> Ended {
    interrupt(&recv.program);
    recv.finish().well().unwrap()
}

#[test]
fn a_ticket_pairs_once_and_later_runs_need_none() {
    let sandbox = Sandbox::new();
    let (recv_one, ticket) = inviting(&sandbox, &[]);
    let address = recv_one.address;
    let paired = sent(&sandbox, "sender", &["--ticket", &ticket], address);
    let paired = paired.well().unwrap();
    assert!(paired.stderr.contains("paired with"), "{}", paired.stderr);
    assert!(!paired.stderr.contains(&ticket), "the secret is not logged");

    let reused = sent(&sandbox, "thief", &["--ticket", &ticket], address);
    assert_error(&reused, 3, &["used by another", "--invite"]);
    assert!(!sandbox.path("thief/known_peers").exists());
    // The same line once more is no harm.
    let again = sent(&sandbox, "sender", &["--ticket", &ticket], address);
    again.well().unwrap();
    let said = stop(recv_one).stderr;
    assert!(said.contains("used by another"), "{said}");

    // The receiver knows the sender, the sender the receiver, and neither the thief.
    let list = peers(&sandbox, "raq-recv", RECEIVER);
    assert_eq!(list.lines().count(), 1);
    assert!(
        list.contains(&key(&sandbox, "sender").to_string()),
        "{list}"
    );
    let list = peers(&sandbox, "raq-send", "sender");
    assert!(list.starts_with(&address.to_string()), "{list}");
    assert!(
        list.contains(&key(&sandbox, RECEIVER).to_string()),
        "{list}"
    );
    assert_eq!(peers(&sandbox, "raq-recv", "sender"), "", "roles differ");

    // Another run of the receiver, without a ticket; yesterday's line still works.
    let plain = Receiver::start_at(&mut recv(&sandbox, &[]), address);
    sent(&sandbox, "sender", &[], address).well().unwrap();
    let old = sent(&sandbox, "sender", &["--ticket", &ticket], address);
    let old = old.well().unwrap();
    assert!(old.stderr.contains("known already"), "{}", old.stderr);
    let thief = sent(&sandbox, "thief", &["--ticket", &ticket], address);
    assert_error(&thief, 3, &["takes no ticket", "--invite"]);

    // What is forgotten is refused, also by a receiver that runs.
    let id = key(&sandbox, "sender").to_string();
    let mut forget = sandbox.program("raq-recv", RECEIVER);
    run(forget.args(["peers", "forget", &id])).well().unwrap();
    let refused = sent(&sandbox, "sender", &[], address);
    assert_error(&refused, 3, &["does not trust", &id]);
    assert_error(&run(&mut forget), 1, &["no peer", "peers list"]);
    stop(plain);
}

#[test]
fn a_ticket_on_standard_input_and_to_oneself() {
    let sandbox = Sandbox::new();
    let (recv_one, ticket) = inviting(&sandbox, &["--once"]);
    let mut send_one = send(&sandbox, "sender", &["--ticket", "-"]);
    let mut program = start_sender(send_one.stdin(Stdio::piped()), recv_one.address);
    // The whole line may be piped in.
    let line = format!("raq-send --camera 0 --peer x:1 --ticket {ticket}\n");
    program.stdin().unwrap().write_all(line.as_bytes()).unwrap();
    program.finish(PATIENCE).and_then(Ended::well).unwrap();
    // With --once the introduction is not the session.
    recv_one.finish().well().unwrap();

    let (recv_one, ticket) = inviting(&sandbox, &["--once"]);
    let own = sent(&sandbox, RECEIVER, &["--ticket", &ticket], recv_one.address);
    own.well().unwrap();
    recv_one.finish().well().unwrap();
    assert_eq!(
        peers(&sandbox, "raq-send", RECEIVER),
        "",
        "one's own key is known anyway"
    );
}

#[test]
fn tickets_that_are_expired_forged_mistyped_or_for_others_are_refused() {
    let sandbox = Sandbox::new();
    let mut late = Receiver::start(&mut recv(&sandbox, &["--invite", "1ms"]));
    let expired = late
        .program
        .wait_for("a ticket", PATIENCE, ticket_in)
        .unwrap();
    let refused = sent(&sandbox, "sender", &["--ticket", &expired], late.address);
    assert_error(&refused, 3, &["expired", "--invite"]);
    stop(late);

    let (recv_one, ticket) = inviting(&sandbox, &[]);
    let address = recv_one.address;
    let forged = Ticket::new(key(&sandbox, RECEIVER), u32::MAX.into()).unwrap();
    let forged = forged.to_string();
    let refused = sent(&sandbox, "sender", &["--ticket", &forged], address);
    assert_error(&refused, 3, &["forged", "--invite"]);

    let other = Ticket::new(key(&sandbox, "other"), u32::MAX.into()).unwrap();
    let refused = sent(
        &sandbox,
        "sender",
        &["--ticket", &other.to_string()],
        address,
    );
    let ids = [RECEIVER, "other"].map(|who| key(&sandbox, who).to_string());
    assert_error(
        &refused,
        3,
        &["another receiver", &ids[0], &ids[1], "--peer"],
    );

    let mut typo = ticket.clone();
    let last = if typo.ends_with('a') { "b" } else { "a" };
    typo.replace_range(typo.len() - 1.., last);
    for (wrong, word) in [
        (&typo[..], "typing error"),
        (&ticket[..50], "copy it again"),
    ] {
        let refused = sent(&sandbox, "sender", &["--ticket", wrong], address);
        assert_eq!(refused.code(), Some(2), "{}", refused.stderr);
        assert!(refused.stderr.contains(word), "{}", refused.stderr);
    }
    // A few wrong ones are enough; then not even the right one counts for a while.
    let wrong = Ticket::new(key(&sandbox, RECEIVER), u32::MAX.into()).unwrap();
    let shown = show(&sandbox, address, &wrong, 6);
    assert_eq!(shown.last(), Some(&Some(Verdict::TooMany)), "{shown:?}");
    let right = show(&sandbox, address, &ticket.parse().unwrap(), 1);
    assert_eq!(right, [Some(Verdict::TooMany)]);
    assert!(!sandbox.path("sender/known_peers").exists());
    assert!(!sandbox.path("receiver/known_peers").exists());
    stop(recv_one);
}

#[test]
fn a_receiver_whose_key_has_changed_is_refused_until_it_is_forgotten() {
    let sandbox = Sandbox::new();
    let (recv_one, ticket) = inviting(&sandbox, &["--once"]);
    let address = recv_one.address;
    let paired = sent(&sandbox, "sender", &["--ticket", &ticket], address);
    paired.well().unwrap();
    recv_one.finish().well().unwrap();

    let trust = sandbox.path("trust");
    fs::write(&trust, key(&sandbox, "sender").to_string()).unwrap();
    let start_new = || {
        let mut new = sandbox.program("raq-recv", "new receiver");
        new.args(["--output", "null", "--trust"]).arg(&trust);
        Receiver::start_at(&mut new, address)
    };
    let new = start_new();
    let ids = [RECEIVER, "new receiver"].map(|who| key(&sandbox, who).to_string());
    let forget = format!("peers forget {address}");
    let words = ["has changed", &ids[0], &ids[1], &forget];
    assert_error(&sent(&sandbox, "sender", &[], address), 3, &words);
    // A trust file names no place, so that it does not outweigh what is known of this one.
    let others = sandbox.path("others");
    fs::write(&others, &ids[1]).unwrap();
    let others = others.to_str().unwrap();
    assert_error(
        &sent(&sandbox, "sender", &["--trust", others], address),
        3,
        &words,
    );
    // Who names the key knows what they do.
    sent(&sandbox, "sender", &["--pin", &ids[1]], address)
        .well()
        .unwrap();
    let pinned = sent(&sandbox, "sender", &["--pin", &ids[0]], address);
    assert_error(&pinned, 3, &["--pin", &ids[1]]);

    let mut program = sandbox.program("raq-send", "sender");
    run(program.args(["peers", "forget", &address.to_string()]))
        .well()
        .unwrap();
    let unknown = sent(&sandbox, "sender", &[], address);
    assert_error(&unknown, 3, &["not trusted", "--print-id"]);
    stop(new);
}

/// Types `answer` when the program asks about `id`.
fn answer(terminal: &mut Tty, id: KeyId, answer: &str) {
    let id = id.to_string();
    terminal.wait_for("question", |shown| {
        let (_, question) = shown.rsplit_once(&id)?;
        question.contains("[yes/no]").then_some(())
    });
    terminal.type_line(answer);
}

#[test]
fn an_unknown_receiver_is_asked_about_once() {
    let sandbox = Sandbox::new();
    let trust = sandbox.path("trust");
    fs::write(&trust, key(&sandbox, "sender").to_string()).unwrap();
    let mut command = recv(&sandbox, &["--trust"]);
    let recv_one = Receiver::start(command.arg(&trust));
    let (address, id) = (recv_one.address, key(&sandbox, RECEIVER));
    let at_terminal = |reply: &str| {
        let mut command = send(&sandbox, "sender", &["--peer", &address.to_string()]);
        let mut terminal = Tty::start(&mut command, 50);
        answer(&mut terminal, id, "what?");
        terminal.wait_for("repetition", |shown| {
            shown.contains("yes or no").then_some(())
        });
        terminal.type_line(reply);
        terminal.finish()
    };
    let (code, shown) = at_terminal("no");
    assert_eq!(code, 3, "{shown}");
    assert!(shown.contains("was not accepted"), "{shown}");
    assert_eq!(peers(&sandbox, "raq-send", "sender"), "");
    let (code, shown) = at_terminal("yes");
    assert_eq!(code, 0, "{shown}");
    let known = KnownPeers::in_folder(&sandbox.path("sender"));
    assert_eq!(known.receiver_at(&address.to_string()).unwrap(), Some(id));
    // From now on without a terminal.
    sent(&sandbox, "sender", &[], address).well().unwrap();
    stop(recv_one);
}

#[test]
fn an_unknown_sender_is_asked_about_at_the_receiver() {
    let sandbox = Sandbox::new();
    let pin = key(&sandbox, RECEIVER).to_string();
    let mut command = recv(&sandbox, &["--listen", "127.0.0.1:0"]);
    let mut terminal = Tty::start(&mut command, 50);
    let address = terminal.wait_for("address", |shown| {
        let (_, rest) = shown.split_once("listening on ")?;
        let (address, _) = rest.split_once('\r')?;
        address.parse::<SocketAddr>().ok()
    });
    let ticket = terminal.wait_for("ticket", |shown| {
        let whole = |line: &&str| line.ends_with('\n');
        shown
            .split_inclusive('\n')
            .filter(whole)
            .find_map(ticket_in)
    });
    assert!(ticket.parse::<Ticket>().is_ok(), "{ticket}");
    terminal.wait_for("QR code", |shown| {
        shown.contains("██ ▄▄▄▄▄ █").then_some(())
    });

    let start = |who: &str| start_sender(&mut send(&sandbox, who, &["--pin", &pin]), address);
    let unwelcome = start("stranger");
    answer(&mut terminal, key(&sandbox, "stranger"), "no");
    let refused = unwelcome.finish(PATIENCE).unwrap();
    assert_error(&refused, 3, &["refused", "said no"]);
    // Who was refused is not asked about again.
    let refused = start("stranger").finish(PATIENCE).unwrap();
    assert_error(&refused, 3, &["does not trust"]);

    let welcome = start("sender");
    answer(&mut terminal, key(&sandbox, "sender"), "yes");
    welcome.finish(PATIENCE).and_then(Ended::well).unwrap();
    let known = KnownPeers::in_folder(&sandbox.path(RECEIVER))
        .list()
        .unwrap();
    let known: Vec<_> = known.iter().map(|peer| (peer.role, peer.id)).collect();
    assert_eq!(known, [(Role::Sender, key(&sandbox, "sender"))]);
    start("sender")
        .finish(PATIENCE)
        .and_then(Ended::well)
        .unwrap();
    let kill = format!("kill -s INT {}", terminal.id());
    assert!(
        Command::new("sh")
            .args(["-c", &kill])
            .status()
            .unwrap()
            .success()
    );
    let (code, shown) = terminal.finish();
    assert_eq!(code, 0, "{shown}");
}
