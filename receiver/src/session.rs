//! The receiving half of a session, without sockets, clocks or threads.
//!
//! Feed it what arrived ([`Session::handle`]) with the time since any fixed moment, then take
//! what it wants done ([`Session::poll_output`]) until there is nothing left. Call
//! [`Input::Timeout`] when [`Session::deadline`] has come.
//!
//! ```text
//! preface, Hello -> Prepare -> Prepared -> Welcome [-> codebook] -> datagrams, Bye -> Drain
//!   -> Drained -> Done
//! ```
//!
//! Every frame that is complete or closed is answered with a report, a datagram to the sender.

mod end;
mod input;
mod output;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use raq_shared::codebooks::Codebooks;
use raq_shared::flood::Flood;
use raq_shared::frame::FrameSize;
use raq_shared::model::Temporal;
use raq_shared::tile::{Scene, TileGrid};
use raq_shared::video::VideoFormat;
use raq_shared::wire::control::{ControlReader, Said};
use raq_shared::wire::datagram::{MAX_AHEAD, MAX_JUMP};
use raq_shared::wire::heartbeat::Heartbeat;
use raq_shared::wire::message::{CodebookOffer, Hello, Message, ModelId, Refusal, Text};
use raq_shared::wire::note::Note;
use raq_shared::wire::shipment::{self, Expected};
use raq_shared::wire::{self, PROTOCOL_VERSION};

pub use end::End;
pub use input::Input;
pub use output::Output;

use crate::assembly::{Assembler, Counts, ReceivedFrame};

/// How long the sender may take for its Hello.
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(10);
/// How long what came may take to be decoded and written once the session is stopped or lost.
const DRAIN_PATIENCE: Duration = Duration::from_secs(5);
/// How long datagrams may trail behind the Bye.
const BYE_PATIENCE: Duration = Duration::from_millis(250);

/// Datagrams a second that no sender makes, above which the sender is sent away. Damage does not pass
/// QUIC's own check.
const MALFORMED: u32 = 1000;

/// What this end holds and allows.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Id of the model.
    pub model_id: ModelId,
    /// Name of the model, for messages.
    pub model_name: String,
    /// The codebooks that this end regenerated.
    pub codebooks: Arc<Codebooks>,
    /// Stages, linear skip and tables with these codebooks.
    pub temporal: Temporal,
    /// Bound on the values of codebooks that are sent instead.
    pub codeword_limit: i16,
    /// Widest frame taken, luma pixels.
    pub max_width: u32,
    /// Highest frame taken, luma pixels.
    pub max_height: u32,
    /// The only format taken, where it matters.
    pub format: Option<VideoFormat>,
}

#[derive(Debug)]
enum State {
    /// Waits for the two bytes of the version.
    Preface,
    Hello,
    Preparing(Hello),
    Codebook {
        expected: Expected,
        bytes: Vec<u8>,
        size: FrameSize,
    },
    Streaming,
    Draining(End),
    Ended,
}

/// One session; see the module.
#[derive(Debug)]
pub struct Session {
    settings: Settings,
    state: State,
    reader: ControlReader,
    assembler: Option<Assembler>,
    outputs: VecDeque<Output>,
    /// When the present state has lasted too long.
    patience_ends: Option<Duration>,
    frames_sent: Option<u32>,
    note: Option<Note>,
    /// Time between frames.
    interval: Duration,
    /// Frames that wait to be decoded, for reports.
    backlog: u8,
    malformed: Flood,
    /// Frames are given out when they are closed.
    in_order: bool,
}

impl Session {
    /// A session whose connection was made at `now`.
    pub fn new(settings: Settings, now: Duration) -> Self {
        Self {
            settings,
            state: State::Preface,
            reader: ControlReader::default(),
            assembler: None,
            outputs: VecDeque::new(),
            patience_ends: Some(now + HANDSHAKE_PATIENCE),
            frames_sent: None,
            note: None,
            interval: Duration::ZERO,
            backlog: 0,
            malformed: Flood::new(MALFORMED),
            in_order: false,
        }
    }

    /// Takes an input that happened at `now`; times never run backwards.
    pub fn handle(&mut self, now: Duration, input: Input<'_>) {
        match input {
            Input::Control(bytes) => self.control(now, bytes),
            Input::ControlEnd => {
                // After a Bye the sender has nothing more to say.
                if !matches!(self.state, State::Draining(_) | State::Ended)
                    && self.frames_sent.is_none()
                {
                    self.fail("the sender ended the control stream without a Bye");
                }
            }
            Input::Codebook(bytes) => self.codebook_bytes(bytes),
            Input::CodebookEnd => self.codebook_end(now),
            Input::Datagram(bytes) => self.datagram(now, bytes),
            Input::Prepared => self.prepared(now),
            Input::Drained { frames_decoded } => self.drained(frames_decoded),
            Input::Lost => self.stop(now, End::Lost),
            Input::Stop => self.stop(now, End::Stopped),
            Input::Superseded => self.stop(now, End::Superseded),
            Input::Timeout => self.timeout(now),
        }
    }

    /// The next thing to do; call it until it gives `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::Timeout`] is due.
    pub fn deadline(&self) -> Option<Duration> {
        let frames = match self.state {
            State::Streaming => self.assembler.as_ref().and_then(Assembler::deadline),
            _ => None,
        };
        [frames, self.patience_ends].into_iter().flatten().min()
    }

    /// Gives back the buffers of a decoded frame.
    pub fn recycle(&mut self, frame: ReceivedFrame) {
        if let Some(assembler) = &mut self.assembler {
            assembler.recycle(frame);
        }
    }

    /// Gives frames out only when they are closed, in order, for decoders that need whole frames one
    /// after the other; raq's own does not. To be called before the handshake is over.
    pub fn give_in_order(&mut self) {
        self.in_order = true;
    }

    /// Takes how many of the frames given out are neither decoded nor dropped; reports tell it.
    pub fn set_backlog(&mut self, frames: usize) {
        self.backlog = u8::try_from(frames).unwrap_or(u8::MAX);
    }

    /// What [`Self::set_backlog`] told last, at most 255.
    pub fn backlog(&self) -> usize {
        self.backlog.into()
    }

    /// As many others as can be are being received: refuses this one, whose Hello fits.
    pub fn refuse_busy(&mut self) {
        if matches!(self.state, State::Preparing(_)) {
            let reason = "others are being received".to_owned();
            self.refuse(Refusal::Busy, reason);
        }
    }

    /// Takes no other format than `only`, if there is one, and refuses a Hello that named another.
    pub fn restrict(&mut self, only: Option<VideoFormat>) {
        self.settings.format = only;
        if let State::Preparing(hello) = &self.state
            && let Some((refusal, reason)) = self.other_format(hello.video)
        {
            self.refuse(refusal, reason);
        }
    }

    /// Whether it has come to its end.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// What became of the datagrams so far.
    pub fn counts(&self) -> Counts {
        self.assembler
            .as_ref()
            .map(Assembler::counts)
            .unwrap_or_default()
    }

    /// The picture's state, once there is one.
    pub fn scene(&self) -> Option<&Scene> {
        self.assembler.as_ref().map(Assembler::scene)
    }

    /// Bytes of the picture's state and of what waits; frames that were given out and not taken count.
    pub fn held(&self) -> usize {
        self.assembler.as_ref().map_or(0, Assembler::held)
    }

    /// What the sender told last of the path, if it has.
    pub fn note(&self) -> Option<Note> {
        self.note
    }

    /// Frames that the sender sent: what its Bye says, before that as many as were seen.
    pub fn frames_sent(&self) -> u32 {
        let seen = self.assembler.as_ref().map_or(0, Assembler::frames_seen);
        self.frames_sent.unwrap_or(seen)
    }

    fn control(&mut self, now: Duration, mut bytes: &[u8]) {
        while !matches!(self.state, State::Draining(_) | State::Ended) {
            match self.reader.next(&mut bytes) {
                Ok(None) => return,
                Ok(Some(Said::Version(theirs))) => self.version(theirs),
                Ok(Some(Said::Message(message))) => self.message(now, message),
                Err(error) => self.fail(error),
            }
        }
    }

    fn version(&mut self, theirs: u16) {
        let mut reply = Vec::new();
        wire::encode_preface(&mut reply);
        self.outputs.push_back(Output::Control(reply));
        if theirs == PROTOCOL_VERSION {
            self.state = State::Hello;
        } else {
            // What follows may mean something else there, so nothing more is said.
            self.end(End::Refused(format!(
                "the sender speaks protocol {theirs}, this program {PROTOCOL_VERSION}; install \
                 the same version of raq on both sides"
            )));
        }
    }

    fn message(&mut self, now: Duration, message: Message) {
        match (&self.state, message) {
            (State::Hello, Message::Hello(hello)) => self.hello(hello),
            (State::Streaming | State::Codebook { .. }, Message::Bye { frames_sent })
                if self.frames_sent.is_none() =>
            {
                self.bye(now, frames_sent);
            }
            // Already on the way out: nothing it says matters.
            (State::Draining(_) | State::Ended, _) => {}
            (_, message) => {
                let name = match message {
                    Message::Hello(_) => "Hello",
                    Message::Welcome { .. } => "Welcome",
                    Message::Refuse(_) => "Refuse",
                    Message::Bye { .. } => "Bye",
                    Message::Done { .. } => "Done",
                };
                self.fail(format_args!("the sender said {name} out of turn"));
            }
        }
    }

    fn hello(&mut self, hello: Hello) {
        let Settings {
            model_id,
            ref model_name,
            max_width,
            max_height,
            ..
        } = self.settings;
        if hello.protocol != PROTOCOL_VERSION {
            return self.fail("the sender's Hello names another protocol than its preface");
        }
        if hello.model_id != model_id {
            let reason = format!(
                "the sender has model {} ({:.16}…), this program {model_name} ({model_id:.16}…); \
                 give both sides the same --model",
                hello.model_name, hello.model_id,
            );
            let name = Text::new(model_name);
            return self.refuse(Refusal::Model { id: model_id, name }, reason);
        }
        let VideoFormat { width, height, .. } = hello.video;
        if width > max_width || height > max_height || hello.video.size().is_err() {
            let reason = format!(
                "the sender's video is {width}x{height}, allowed is {max_width}x{max_height}; send \
                 less or raise --max-size"
            );
            return self.refuse(
                Refusal::Size {
                    max_width,
                    max_height,
                },
                reason,
            );
        }
        if let Some((refusal, reason)) = self.other_format(hello.video) {
            return self.refuse(refusal, reason);
        }
        self.outputs.push_back(Output::Prepare(hello.video));
        self.patience_ends = None;
        self.state = State::Preparing(hello);
    }

    /// Why `video` is not taken, where only another format is.
    fn other_format(&self, video: VideoFormat) -> Option<(Refusal, String)> {
        let only = self.settings.format.filter(|only| *only != video)?;
        let text = format!(
            "the file that is being written holds {}x{} at {} frames per second; send the same, \
             or start raq-recv again with another --output",
            only.width, only.height, only.frame_rate
        );
        Some((Refusal::Format(Text::new(&text)), text))
    }

    fn prepared(&mut self, now: Duration) {
        let State::Preparing(hello) = &self.state else {
            return;
        };
        let Ok(size) = hello.video.size() else { return };
        let ours = self.settings.codebooks.clone();
        self.interval = hello.video.frame_rate.time_of(1);
        if hello.codebook_digest == ours.digest() {
            self.say(&Message::Welcome {
                codebook: CodebookOffer::Same,
            });
            let temporal = self.settings.temporal.clone();
            return self.stream(size, ours, &temporal, false);
        }
        let expected = Expected {
            like: ours.clone(),
            codeword_limit: self.settings.codeword_limit,
            digest: hello.codebook_digest,
        };
        tracing::warn!(
            ours = %ours.digest(),
            sender = %expected.digest,
            "the codebooks differ although the model is the same; taking the sender's"
        );
        self.say(&Message::Welcome {
            codebook: CodebookOffer::Send,
        });
        self.patience_ends = Some(now + shipment::patience(expected.shipment_len()));
        self.state = State::Codebook {
            expected,
            bytes: Vec::new(),
            size,
        };
    }

    /// The codebooks are there: datagrams can be decoded.
    fn stream(
        &mut self,
        size: FrameSize,
        codebooks: Arc<Codebooks>,
        temporal: &Temporal,
        shipped: bool,
    ) {
        let grid = TileGrid::of(size);
        // A frame that stays incomplete is shown when two more were due.
        let patience =
            (2 * self.interval).clamp(Duration::from_millis(20), Duration::from_millis(200));
        let mut assembler = Assembler::new(grid, temporal, patience, self.interval);
        if self.in_order {
            assembler.give_in_order();
        }
        self.assembler = Some(assembler);
        self.outputs
            .push_back(Output::Codebooks { codebooks, shipped });
        self.state = State::Streaming;
    }

    fn codebook_bytes(&mut self, more: &[u8]) {
        match &mut self.state {
            State::Codebook {
                expected, bytes, ..
            } => {
                if more.len() > expected.shipment_len() - bytes.len() {
                    self.fail("the sender's codebooks are longer than the model's");
                } else {
                    bytes.extend_from_slice(more);
                }
            }
            State::Draining(_) | State::Ended => {}
            _ => self.fail("the sender sent codebooks unasked"),
        }
    }

    fn codebook_end(&mut self, now: Duration) {
        let State::Codebook {
            expected,
            bytes,
            size,
        } = &self.state
        else {
            return;
        };
        let size = *size;
        let codebooks = match shipment::decode(bytes, expected) {
            Ok(codebooks) => codebooks,
            Err(error) => return self.fail(error),
        };
        match self.settings.temporal.with_codebooks(&codebooks) {
            Ok(temporal) => {
                tracing::info!(digest = %codebooks.digest(), "took the sender's codebooks");
                self.stream(size, Arc::new(codebooks), &temporal, true);
                self.patience_ends = self.frames_sent.map(|_| now + BYE_PATIENCE);
                self.give_frames(now);
            }
            Err(error) => self.fail(error),
        }
    }

    fn datagram(&mut self, now: Duration, bytes: &[u8]) {
        // The sender waits until it knows that its codebooks are here; what overtakes them is lost.
        if !matches!(self.state, State::Streaming) {
            return;
        }
        if let Some(assembler) = &mut self.assembler {
            let malformed = assembler.counts().malformed;
            if let Some(Ok(heartbeat)) = Heartbeat::parse(bytes) {
                assembler.heartbeat(now, heartbeat);
            } else if let Some(Ok(note)) = Note::parse(bytes) {
                self.note = Some(note);
            } else if let Err(unused) = assembler.datagram(now, bytes) {
                tracing::trace!(?unused, len = bytes.len(), "unused datagram");
            }
            if assembler.counts().malformed > malformed && self.malformed.is_too_much(now) {
                return self.fail(format_args!(
                    "the sender sends more than {MALFORMED} malformed datagrams a second"
                ));
            }
        }
        self.give_frames(now);
    }

    fn bye(&mut self, now: Duration, frames_sent: u32) {
        let seen = self.assembler.as_ref().map_or(0, Assembler::frames_seen);
        // A little further than frame numbers may be: a forged total must not fill a disk.
        let plausible = seen.saturating_add(MAX_AHEAD + MAX_JUMP);
        if frames_sent < seen || frames_sent > plausible {
            return self.fail(format_args!(
                "the sender claims {frames_sent} frames after {seen}"
            ));
        }
        self.frames_sent = Some(frames_sent);
        if matches!(self.state, State::Streaming) {
            self.patience_ends = Some(now + BYE_PATIENCE);
            self.give_frames(now);
        }
    }

    fn give_frames(&mut self, now: Duration) {
        if !matches!(self.state, State::Streaming) {
            return;
        }
        let Some(assembler) = &mut self.assembler else {
            return;
        };
        assembler.advance(now);
        while let Some(frame) = assembler.next_frame() {
            self.outputs.push_back(Output::Frame(frame));
        }
        if let Some(report) = assembler.report(now, self.backlog) {
            let mut bytes = Vec::new();
            report.encode(&mut bytes);
            self.outputs.push_back(Output::Datagram(bytes.into()));
        }
        if self
            .frames_sent
            .is_some_and(|sent| assembler.is_closed_below(sent))
        {
            self.drain(End::Done);
        }
    }

    fn timeout(&mut self, now: Duration) {
        self.give_frames(now);
        if self.patience_ends.is_none_or(|end| now < end) {
            return;
        }
        self.patience_ends = None;
        match self.state {
            State::Preface | State::Hello => self.fail("the sender does not say Hello"),
            State::Codebook { .. } => self.fail("the sender does not send its codebooks"),
            // What trails behind the Bye any longer is lost.
            State::Streaming => self.drain(End::Done),
            // The output takes nothing more, or is slow: how the session came to its end stays.
            State::Draining(ref end) => {
                let end = match end {
                    End::Done => End::Stopped,
                    other => other.clone(),
                };
                self.end(end);
            }
            State::Preparing(_) | State::Ended => {}
        }
    }

    /// Gives out what is left and waits until it is decoded.
    fn drain(&mut self, end: End) {
        self.patience_ends = None;
        if let Some(assembler) = &mut self.assembler {
            assembler.flush();
            while let Some(frame) = assembler.next_frame() {
                self.outputs.push_back(Output::Frame(frame));
            }
        }
        self.outputs.push_back(Output::Drain {
            frames_sent: self.frames_sent(),
        });
        self.state = State::Draining(end);
    }

    fn drained(&mut self, frames_decoded: u32) {
        let State::Draining(end) = std::mem::replace(&mut self.state, State::Ended) else {
            return;
        };
        if end == End::Done {
            self.say(&Message::Done { frames_decoded });
        }
        self.outputs.push_back(Output::End(end));
    }

    /// Ends early but keeps the frames that came; before there can be any, at once.
    fn stop(&mut self, now: Duration, end: End) {
        match self.state {
            State::Streaming => {
                self.drain(end);
                self.patience_ends = Some(now + DRAIN_PATIENCE);
            }
            State::Draining(_) => {
                self.patience_ends.get_or_insert(now + DRAIN_PATIENCE);
            }
            State::Ended => {}
            _ => self.end(end),
        }
    }

    fn fail(&mut self, reason: impl std::fmt::Display) {
        match self.state {
            State::Draining(_) | State::Ended => {}
            State::Streaming => self.drain(End::Broken(reason.to_string())),
            _ => self.end(End::Broken(reason.to_string())),
        }
    }

    fn refuse(&mut self, refusal: Refusal, reason: String) {
        self.say(&Message::Refuse(refusal));
        self.end(End::Refused(reason));
    }

    fn end(&mut self, end: End) {
        self.patience_ends = None;
        self.state = State::Ended;
        self.outputs.push_back(Output::End(end));
    }

    fn say(&mut self, message: &Message) {
        let mut bytes = Vec::new();
        match wire::encode_message(message, &mut bytes) {
            Ok(()) => self.outputs.push_back(Output::Control(bytes)),
            // Our own messages are far below the limit.
            Err(error) => tracing::error!("cannot encode a control message: {error}"),
        }
    }
}

#[cfg(test)]
mod tests;
