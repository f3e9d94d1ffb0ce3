//! Both programs over a link on which everything goes wrong, and a sender that is killed again and again.

use std::{
    fmt::Write as _,
    fs,
    net::SocketAddr,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use super::{PATIENCE, command, last_words, say, usage::Usage};
use crate::{
    build::{self, Programs},
    program::{Ended, Program},
    setup, stats,
};

/// How long the sender that is killed lives each time.
const LIFE: Duration = Duration::from_secs(30);
/// How often the router between both ends forgets its ports.
const FORGETS: &str = "45s";
/// What memory may grow by from the first third to the last.
const GROWTH: f64 = 1.1;

/// Streams for `length` from a sender that lives and one that is killed every 30 s to one receiver.
///
/// # Errors
/// What failed; also where a program ended or told of a failure, or memory, files or threads grew.
pub(super) fn run(length: Duration) -> Result<()> {
    setup::run(false, false)?;
    let programs = build::programs()?;
    let folder = tempfile::tempdir().context("no place for a key; set TMPDIR")?;
    let mut recv = command(&programs.recv, folder.path());
    recv.args(["--listen", "127.0.0.1:0", "--max-peers", "3"]);
    let mut recv = Program::start("raq-recv", recv.args(["--output", "null"]))?;
    let receiver = recv.wait_for("where it listens", PATIENCE, stats::listening)?;
    let (link, address) = link(&programs, folder.path(), receiver, length)?;
    let mut send = sender(&programs, folder.path(), address, "320x240");
    send.args(["--duration", &format!("{}s", length.as_secs())]);
    let send = Program::start("raq-send", &mut send)?;
    let mut victim = Victim {
        programs: &programs,
        folder: folder.path(),
        address,
        living: None,
        lives: 0,
    };

    let (mut sending, mut receiving) = (Usage::of(send.id()), Usage::of(recv.id()));
    say(format_args!(
        "minute   raq-send                          raq-recv"
    ));
    let mut failed = Ok(());
    let send = send.finish_with(length + PATIENCE, || {
        if let (Some((minute, sent)), Some((_, received))) = (sending.sample(), receiving.sample())
        {
            say(format_args!("{minute:>6}   {sent}   {received}"));
        }
        if failed.is_ok() {
            failed = victim.live();
        }
    })?;
    failed?;
    let lives = victim.lives;
    drop(victim);
    drop(link);
    if !recv.is_running() {
        recv.finish(PATIENCE)?.well()?;
        bail!("raq-recv ended before it was told to");
    }
    recv.signal("INT")?;
    let recv = recv.finish(PATIENCE)?.well()?;
    let send = send.well()?;
    say(format_args!("a second raq-send was killed {lives} times"));
    for (ended, usage) in [(&send, &sending), (&recv, &receiving)] {
        say(format_args!(
            "{}: {usage}; {}",
            ended.name,
            last_words(ended)
        ));
    }
    judge(&[(&send, &sending), (&recv, &receiving)])
}

/// What is wrong with a run.
fn judge(programs: &[(&Ended, &Usage)]) -> Result<()> {
    for (ended, usage) in programs {
        let name = &ended.name;
        let complaint = |line: &&str| line.contains("ERROR") || line.contains("panicked");
        if let Some(line) = ended.stderr.lines().find(complaint) {
            bail!("{name} failed: {line}");
        }
        let Some((first, last)) = usage.growth(|it| it.memory) else {
            bail!("{name} ended within three minutes");
        };
        if last as f64 > GROWTH * first as f64 {
            bail!("the memory of {name} grew from {first} to {last} bytes");
        }
        let counts = [
            ("open files", usage.growth(|it| it.files)),
            ("threads", usage.growth(|it| it.threads)),
        ];
        for (what, growth) in counts {
            if let Some((first, last)) = growth.filter(|(first, last)| last > first) {
                bail!("{name} had {first} {what} in the first third and {last} in the last");
            }
        }
    }
    say(format_args!(
        "From the first third to the last memory grew by less than {:.0} %, open files and threads not at all",
        100.0 * (GROWTH - 1.0)
    ));
    Ok(())
}

fn sender(programs: &Programs, folder: &Path, address: SocketAddr, size: &str) -> Command {
    let mut send = command(&programs.send, folder);
    send.args(["--test-pattern", "motion", "--size", size]);
    send.args(["--peer", &address.to_string()]);
    send
}

/// A sender that is killed and started anew.
struct Victim<'a> {
    programs: &'a Programs,
    folder: &'a Path,
    address: SocketAddr,
    living: Option<(Program, Instant)>,
    lives: u32,
}

impl Victim<'_> {
    /// Kills it when its time has come, and starts the next one.
    #[allow(clippy::disallowed_methods, reason = "real programs run in real time")]
    fn live(&mut self) -> Result<()> {
        if self
            .living
            .as_ref()
            .is_some_and(|(_, since)| since.elapsed() < LIFE)
        {
            return Ok(());
        }
        // A program that is dropped is killed.
        self.living = None;
        let mut send = sender(self.programs, self.folder, self.address, "160x96");
        let send = Program::start("raq-send", send.args(["--fps", "10"]))?;
        self.living = Some((send, Instant::now()));
        self.lives += 1;
        Ok(())
    }
}

/// raq-sim between the ends, and where it listens.
fn link(
    programs: &Programs,
    folder: &Path,
    to: SocketAddr,
    length: Duration,
) -> Result<(Program, SocketAddr)> {
    let scenario = folder.join("storm.toml");
    fs::write(&scenario, weather(length)).context("cannot write the scenario")?;
    let mut link = command(&programs.sim, folder);
    link.args(["link", "--listen", "127.0.0.1:0", "--forgets", FORGETS]);
    link.args(["--to", &to.to_string(), "--scenario"]);
    let mut link = Program::start("raq-sim link", link.arg(&scenario))?;
    let address = link.wait_for("where it listens", PATIENCE, stats::listening)?;
    Ok((link, address))
}

/// A scenario for so long and a little more, always the same: rates that jump, outages of up to 6 s, loss,
/// reordering and duplicates both ways.
fn weather(length: Duration) -> String {
    let seconds = length.as_secs() + 2 * PATIENCE.as_secs();
    let mut text = format!("description = \"all at once\"\nduration = \"{seconds}s\"\n");
    for (way, offset) in [("down", 0), ("up", 7)] {
        let _ = write!(
            text,
            "[link.{way}]\ndelay = \"20ms\"\njitter = \"5ms\"\nqueue = \"256 packets\"\n\
             loss = 0.03\nburst = 2.0\nreorder = 0.05\nduplicate = 0.05\n"
        );
        let mut random = 0x2545_f491_4f6c_dd1d_u64 + offset;
        let mut below = |limit: u64| {
            // Xorshift: any numbers do.
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % limit
        };
        let mut at = 0;
        while at < seconds {
            let rate = [2000, 1000, 400, 150][below(4) as usize];
            let _ = write!(
                text,
                "[[link.{way}.step]]\nat = \"{at}s\"\nrate = \"{rate}kbit\"\n"
            );
            at += 5 + below(20);
        }
        let mut at = 20;
        while at < seconds {
            let length = 200 + below(5800);
            let _ = write!(
                text,
                "[[link.{way}.outage]]\nat = \"{at}s\"\nlength = \"{length}ms\"\n"
            );
            at += 20 + below(40);
        }
    }
    text
}
