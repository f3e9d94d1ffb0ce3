//! Asking whoever sits at the terminal, as ssh does.

use std::io::{self, IsTerminal as _, Write as _};
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{QueueSelector, tcflush, tcgetpgrp};
use tokio::sync::oneshot;

use crate::observe::Console;

/// How often is looked whether the question was withdrawn.
const LOOK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 200_000_000,
};

/// Whether somebody can be asked: both ends of the conversation are a terminal, and the program is
/// not in the background, where reading from the terminal would stop it.
pub fn can_ask() -> bool {
    let terminal = io::stdin().is_terminal() && io::stderr().is_terminal();
    // A terminal that does not control this program stops nobody.
    let background =
        || tcgetpgrp(io::stdin()).is_ok_and(|group| group != rustix::process::getpgrp());
    terminal && !background()
}

/// Asks for yes or no; anything else is asked again, and the end of the input is a no. Dropping the
/// future withdraws the question. Only one may be asked at a time.
pub async fn ask(console: &Console, question: &str) -> bool {
    let _held = console.hold();
    // What was typed before was no answer to this.
    let _ = tcflush(io::stdin(), QueueSelector::IFlush);
    say(&format!("{question} [yes/no] "));
    let (tell, told) = oneshot::channel();
    // Not the runtime's: it would wait at its end for an answer that nobody needs any more.
    thread::spawn(move || {
        if let Some(answer) = wait(&tell) {
            let _ = tell.send(answer);
        }
    });
    told.await.unwrap_or(false)
}

/// The answer; none where nobody waits for it any more.
fn wait(asker: &oneshot::Sender<bool>) -> Option<bool> {
    let stdin = io::stdin();
    while !asker.is_closed() {
        // Only a whole line makes a terminal readable.
        let mut wanted = [PollFd::new(&stdin, PollFlags::IN)];
        if !poll(&mut wanted, Some(&LOOK)).is_ok_and(|ready| ready > 0) {
            continue;
        }
        let mut line = [0; 256];
        let read = rustix::io::read(&stdin, &mut line).unwrap_or(0);
        match answer(&line[..read]) {
            Some(answer) => return Some(answer),
            None => say("Type yes or no: "),
        }
    }
    None
}

/// What a line says; none where it is neither.
fn answer(line: &[u8]) -> Option<bool> {
    let text = String::from_utf8_lossy(line).trim().to_lowercase();
    match text.as_str() {
        "yes" | "y" => Some(true),
        "no" | "n" => Some(false),
        // The end of the input has not even a line's end.
        _ if line.is_empty() => Some(false),
        _ => None,
    }
}

fn say(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = stderr
        .write_all(text.as_bytes())
        .and_then(|()| stderr.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_yes_is_one() {
        for (line, meant) in [
            ("yes\n", Some(true)),
            (" Y \n", Some(true)),
            ("no\n", Some(false)),
            ("", Some(false)),
            ("\n", None),
            ("yes please\n", None),
            ("\u{fffd}\n", None),
        ] {
            assert_eq!(answer(line.as_bytes()), meant, "{line:?}");
        }
    }
}
