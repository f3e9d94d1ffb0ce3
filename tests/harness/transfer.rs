//! One session of raq-send and raq-recv over loopback.

use std::{
    collections::HashSet,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use raq_shared::stats::{FrameDecoded, FrameSent, ReceiverSummary, SenderSummary};
use xtask::{
    program::{Ended, Program},
    stats,
};

use crate::{
    clips,
    sandbox::{PATIENCE, Sandbox},
};

/// raq-recv, ready for a sender.
pub struct Receiver {
    /// The program.
    pub program: Program,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Receiver {
    /// Starts `command`, which needs no `--listen`, and waits until it listens.
    ///
    /// # Panics
    /// Where it does not get that far.
    pub fn start(command: &mut Command) -> Self {
        Self::start_at(command, "127.0.0.1:0".parse().expect("an address"))
    }

    /// Starts `command` on the address where another receiver was.
    ///
    /// # Panics
    /// Where it does not get that far.
    pub fn start_at(command: &mut Command, address: SocketAddr) -> Self {
        command.args(["--listen", &address.to_string()]);
        let mut program = Program::start("raq-recv", command).unwrap_or_else(|e| panic!("{e}"));
        let address = program
            .wait_for("where it listens", PATIENCE, stats::listening)
            .unwrap_or_else(|e| panic!("{e}"));
        Self { program, address }
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// Where it hangs.
    pub fn finish(self) -> Ended {
        self.program
            .finish(PATIENCE)
            .unwrap_or_else(|e| panic!("{e}"))
    }
}

/// raq-send with the moving scene in this size, ten frames a second, which any machine keeps up with.
pub fn scene(sandbox: &Sandbox, size: &str) -> Command {
    let mut send = sandbox.send();
    send.args(["--test-pattern", "motion", "--size", size, "--fps", "10"]);
    send
}

/// Starts `command`, a raq-send that needs no `--peer`.
///
/// # Panics
/// Where it cannot be started.
pub fn start_sender(command: &mut Command, peer: SocketAddr) -> Program {
    command.args(["--peer", &peer.to_string()]);
    Program::start("raq-send", command).unwrap_or_else(|e| panic!("{e}"))
}

/// What both ends of a session say and leave behind.
pub struct Transfer {
    /// Frames that were sent.
    pub sent: Vec<FrameSent>,
    /// The sender's summary.
    pub sender: SenderSummary,
    /// Frames that were decoded.
    pub decoded: Vec<FrameDecoded>,
    /// The receiver's summary.
    pub receiver: ReceiverSummary,
    /// The file that the receiver wrote.
    pub output: PathBuf,
}

impl Transfer {
    /// Sends `clip` with `arguments` for raq-send into a file.
    ///
    /// # Panics
    /// Where a program fails, or their records contradict each other.
    pub fn run(sandbox: &Sandbox, clip: &Path, arguments: &[&str]) -> Self {
        let output = sandbox.path("received.y4m");
        let (sent, decoded) = (sandbox.path("sent.jsonl"), sandbox.path("decoded.jsonl"));
        let mut recv = sandbox.recv();
        recv.args(["--once", "--overwrite", "--output"])
            .arg(&output);
        let recv = Receiver::start(recv.arg("--stats").arg(&decoded));
        let mut send = sandbox.send();
        send.arg("--input")
            .arg(clip)
            .arg("--stats")
            .arg(&sent)
            .args(arguments);
        let send = start_sender(&mut send, recv.address);
        let send = send.finish(PATIENCE).and_then(Ended::well);
        send.unwrap_or_else(|e| panic!("{e}"));
        recv.finish().well().unwrap_or_else(|e| panic!("{e}"));
        let (sent, sender) = stats::sender(&sent).unwrap();
        let (decoded, receiver) = stats::receiver(&decoded).unwrap();
        let transfer = Self {
            sent,
            sender,
            decoded,
            receiver,
            output,
        };
        transfer.check();
        transfer
    }

    /// What holds for every session, however busy the machine is.
    fn check(&self) {
        let Self {
            sent,
            sender,
            decoded,
            receiver,
            ..
        } = self;
        assert_eq!(sender.frames_sent as usize, sent.len());
        assert_eq!(receiver.frames_decoded as usize, decoded.len());
        // To the receiver a frame that was never sent is as lost as any.
        assert_eq!(
            receiver.frames_lost + receiver.frames_decoded,
            sender.frames_sent + sender.frames_skipped
        );
        assert_eq!(
            sender.bytes,
            sent.iter().map(|frame| frame.bytes).sum::<u64>()
        );
        assert_eq!(sender.codebook_digest, receiver.codebook_digest);
        let numbers: HashSet<_> = sent.iter().map(|frame| frame.frame).collect();
        assert_eq!(numbers.len(), sent.len(), "no frame number twice");
        for frame in decoded {
            assert!(
                numbers.contains(&frame.frame),
                "frame {} was never sent",
                frame.frame
            );
        }
    }

    /// Mean PSNR of luma over the frames that arrived whole, against `clip`. In the received
    /// file the index is the frame number, and so it is in the clip.
    ///
    /// # Panics
    /// Where no frame arrived whole, or the file is not whole or has another format.
    pub fn psnr(&self, clip: &Path) -> f64 {
        let (format, source) = clips::read(clip);
        let (received_format, received) = clips::read(&self.output);
        assert_eq!(format, received_format);
        let whole = |frame: &&FrameDecoded| frame.datagrams_received == frame.datagrams_expected;
        let numbers: Vec<_> = self
            .decoded
            .iter()
            .filter(whole)
            .map(|frame| frame.frame as usize)
            .collect();
        assert!(!numbers.is_empty(), "no frame arrived whole");
        clips::mean_psnr(
            numbers
                .iter()
                .map(|&number| (&source[number], &received[number])),
        )
    }
}
