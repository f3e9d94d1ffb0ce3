//! The sending half of a session, without sockets, clocks or threads.
//!
//! Feed it what happened ([`Session::handle`]) with the time since any fixed moment, then take
//! what it wants done ([`Session::poll_output`]) until there is nothing left. Call
//! [`Input::Timeout`] when [`Session::deadline`] has come.
//!
//! ```text
//! preface, Hello -> Welcome [-> Shipment] -> Start
//!   Encoded -> Code or Discard;  Coded -> Datagram…, Sent;  Datagram -> Report
//!   SourceEnd -> Flush -> Flushed -> Bye -> Done -> End
//! ```

mod end;
mod input;
mod output;

use std::collections::VecDeque;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use raq_shared::codebooks::Codebooks;
use raq_shared::flood::Flood;
use raq_shared::frame::SizeError;
use raq_shared::stage::MAX_STAGES;
use raq_shared::tile::TileGrid;
use raq_shared::units::Bitrate;
use raq_shared::video::VideoFormat;
use raq_shared::wire::control::{ControlReader, Said};
use raq_shared::wire::datagram::MAX_JUMP;
use raq_shared::wire::message::{CodebookOffer, Hello, Message, ModelId, Refusal, Text};
use raq_shared::wire::report::Report;
use raq_shared::wire::{self, PROTOCOL_VERSION, shipment};

pub use end::End;
pub use input::Input;
pub use output::{Counts, Output, Sent};

use crate::frame_coder::Allowance;
use crate::rate::{Path, RateControl};

/// How long the receiver may take to answer Hello: it loads its decoder meanwhile.
const WELCOME_PATIENCE: Duration = Duration::from_secs(20);
/// How long frames under way may take when the source has ended.
const FINISH_PATIENCE: Duration = Duration::from_secs(5);
/// How long the receiver may take to decode and write what it has.
const DONE_PATIENCE: Duration = Duration::from_secs(600);
/// How long the connection may outlive the receiver's end of the control stream.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);
/// How long frames may be sent without a report: longer than a connection lives without an answer, and
/// than the outages of the simulator's traces.
const REPORT_PATIENCE: Duration = Duration::from_secs(120);
/// Reports a second above which the receiver is left: ours sends one for every frame, and in between
/// one every 20 ms at most.
const REPORTS: u32 = 2000;
/// The same for datagrams that no receiver makes. Damage does not pass QUIC's own check.
const MALFORMED: u32 = 1000;
/// After so many skipped frames one is sent whatever the path says: numbers must not jump far.
const MAX_SKIPPED: u32 = MAX_JUMP / 2;

/// What this end holds and sends.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Version of the program, for the receiver's log.
    pub program: String,
    /// Id of the model.
    pub model_id: ModelId,
    /// Name of the model.
    pub model_name: String,
    /// The codebooks that this end regenerated.
    pub codebooks: Arc<Codebooks>,
    /// The video.
    pub video: VideoFormat,
    /// What is never sent more than, whatever the path carries.
    pub max_rate: Option<Bitrate>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Waits for the receiver's two bytes.
    Preface,
    /// Waits for Welcome or Refuse.
    Hello,
    /// Waits until the receiver has the codebooks.
    Shipping,
    Streaming,
    /// Told to stop: waits for the end of the source.
    Stopping,
    /// Waits for the last frames to be coded.
    Finishing,
    /// Waits until everything has left.
    Flushing,
    /// Waits for Done.
    Bye,
    /// The receiver says nothing more: waits for the end of the connection.
    Left,
    Ended,
}

#[derive(Debug)]
struct Frame {
    number: u32,
    captured: Duration,
    allowance: Allowance,
}

/// One session; see the module.
#[derive(Debug)]
pub struct Session {
    settings: Settings,
    state: State,
    reader: ControlReader,
    rate: RateControl,
    /// Frames that are being coded.
    coding: VecDeque<Frame>,
    outputs: VecDeque<Output>,
    patience_ends: Option<Duration>,
    counts: Counts,
    /// The number after the last frame of the source.
    next: u32,
    /// The number after the last frame given out or being coded.
    next_sent: u32,
    stopped: bool,
    reports: Flood,
    malformed: Flood,
}

impl Session {
    /// A session whose connection was made at `now`.
    ///
    /// # Errors
    /// [`SizeError`] where the video's size is out of range.
    pub fn new(settings: Settings, now: Duration) -> Result<Self, SizeError> {
        let tiles = TileGrid::of(settings.video.size()?).tiles();
        let rate = RateControl::new(settings.video.frame_rate, tiles, settings.max_rate);
        let mut session = Self {
            state: State::Preface,
            reader: ControlReader::default(),
            rate,
            coding: VecDeque::new(),
            outputs: VecDeque::new(),
            patience_ends: Some(now + WELCOME_PATIENCE),
            counts: Counts::default(),
            next: 0,
            next_sent: 0,
            stopped: false,
            reports: Flood::new(REPORTS),
            malformed: Flood::new(MALFORMED),
            settings,
        };
        let mut preface = Vec::new();
        wire::encode_preface(&mut preface);
        session.outputs.push_back(Output::Control(preface));
        session.say(&Message::Hello(Hello {
            protocol: PROTOCOL_VERSION,
            program: Text::new(&session.settings.program),
            model_id: session.settings.model_id,
            model_name: Text::new(&session.settings.model_name),
            codebook_digest: session.settings.codebooks.digest(),
            video: session.settings.video,
        }));
        Ok(session)
    }

    /// Takes an input that happened at `now`; times never run backwards.
    pub fn handle(&mut self, now: Duration, input: Input<'_>) {
        match input {
            Input::Control(bytes) => self.control(now, bytes),
            Input::Datagram(bytes) => self.report(now, bytes),
            Input::Shipped => self.shipped(),
            Input::ControlEnd => {
                // The reason comes with the end of the connection.
                if self.state != State::Ended {
                    self.state = State::Left;
                    self.patience_ends = Some(now + CLOSE_PATIENCE);
                }
            }
            Input::Encoded {
                number,
                captured,
                path,
            } => {
                self.encoded(now, number, captured, &path);
            }
            Input::Coded {
                datagrams,
                level,
                codewords,
            } => self.coded(now, datagrams, level, codewords),
            Input::Skipped { frames } => {
                self.counts.frames_skipped = self.counts.frames_skipped.saturating_add(frames);
            }
            Input::SourceEnd { next } => {
                self.next = self.next.max(next);
                if matches!(self.state, State::Streaming | State::Stopping) {
                    self.finish(now);
                }
            }
            Input::Flushed => self.flushed(now),
            Input::Lost => self.end(End::Lost),
            Input::Stop => self.stop(now),
            Input::Timeout => self.timeout(now),
        }
    }

    /// The next thing to do; call it until it gives `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::Timeout`] is due.
    pub fn deadline(&self) -> Option<Duration> {
        self.patience_ends
    }

    /// What was sent so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn encoded(&mut self, now: Duration, number: u32, captured: Duration, path: &Path) {
        self.next = self.next.max(number.saturating_add(1));
        if !matches!(self.state, State::Streaming) || number < self.next_sent {
            self.outputs.push_back(Output::Discard { number });
            return;
        }
        let overdue = number - self.next_sent >= MAX_SKIPPED;
        let mut allowance = self.rate.allow(now, path);
        if allowance.is_none() && overdue {
            allowance = Some(self.rate.least(path));
        }
        let Some(allowance) = allowance else {
            self.counts.frames_skipped = self.counts.frames_skipped.saturating_add(1);
            self.outputs.push_back(Output::Discard { number });
            return;
        };
        self.next_sent = number.saturating_add(1);
        self.coding.push_back(Frame {
            number,
            captured,
            allowance,
        });
        self.outputs.push_back(Output::Code { number, allowance });
    }

    fn coded(
        &mut self,
        now: Duration,
        datagrams: &[Bytes],
        level: u8,
        codewords: [u16; MAX_STAGES],
    ) {
        let Some(frame) = self.coding.pop_front() else {
            return;
        };
        if matches!(
            self.state,
            State::Streaming | State::Stopping | State::Finishing
        ) {
            self.give_out(now, &frame, datagrams, level, codewords);
        }
        if self.state == State::Finishing {
            self.flush_when_coded(now);
        }
    }

    fn give_out(
        &mut self,
        now: Duration,
        frame: &Frame,
        datagrams: &[Bytes],
        level: u8,
        codewords: [u16; MAX_STAGES],
    ) {
        let bytes: usize = datagrams.iter().map(Bytes::len).sum();
        // The header counts them in a byte.
        let count = datagrams.len() as u8;
        self.rate.spent(frame.allowance, bytes, count);
        if datagrams.is_empty() {
            self.counts.frames_skipped = self.counts.frames_skipped.saturating_add(1);
            return;
        }
        if self.state == State::Streaming {
            self.patience_ends.get_or_insert(now + REPORT_PATIENCE);
        }
        let given = datagrams.iter().cloned().map(Output::Datagram);
        self.outputs.extend(given);
        self.counts.frames_sent += 1;
        self.counts.bytes += bytes as u64;
        self.outputs.push_back(Output::Sent(Sent {
            number: frame.number,
            captured: frame.captured,
            level,
            codewords,
            budget: frame.allowance.bytes as u64,
            datagrams: count,
            bytes: bytes as u64,
        }));
    }

    fn report(&mut self, now: Duration, bytes: &[u8]) {
        if self.state == State::Ended {
            return;
        }
        let flood = match Report::parse(bytes) {
            Ok(report) => {
                self.counts.reports += 1;
                if self.state == State::Streaming {
                    self.patience_ends = None;
                }
                self.outputs.push_back(Output::Report(report));
                let too_much = self.reports.is_too_much(now);
                too_much.then_some(("reports", REPORTS))
            }
            Err(error) => {
                self.counts.malformed += 1;
                tracing::trace!(%error, len = bytes.len(), "not a report");
                let too_much = self.malformed.is_too_much(now);
                too_much.then_some(("malformed datagrams", MALFORMED))
            }
        };
        if let Some((what, most)) = flood {
            self.broken(format_args!(
                "the receiver sends more than {most} {what} a second"
            ));
        }
    }

    /// The source has ended.
    fn finish(&mut self, now: Duration) {
        self.state = State::Finishing;
        self.patience_ends = Some(now + FINISH_PATIENCE);
        self.flush_when_coded(now);
    }

    fn flush_when_coded(&mut self, now: Duration) {
        if self.coding.is_empty() {
            self.state = State::Flushing;
            self.patience_ends = Some(now + FINISH_PATIENCE);
            self.outputs.push_back(Output::Flush);
        }
    }

    fn flushed(&mut self, now: Duration) {
        if self.state != State::Flushing {
            return;
        }
        // The receiver takes a total that is no further away than a frame number may be.
        let frames_sent = self.next.min(self.next_sent.saturating_add(MAX_JUMP));
        self.say(&Message::Bye { frames_sent });
        self.state = State::Bye;
        self.patience_ends = Some(now + DONE_PATIENCE);
    }

    fn stop(&mut self, now: Duration) {
        self.stopped = true;
        match self.state {
            State::Preface | State::Hello | State::Shipping => self.end(End::Stopped),
            State::Streaming => {
                self.state = State::Stopping;
                self.patience_ends = Some(now + FINISH_PATIENCE);
                self.outputs.push_back(Output::StopSource);
            }
            State::Stopping | State::Finishing | State::Flushing | State::Left | State::Ended => {}
            // The receiver still decodes; whoever stops now does not want to wait for it.
            State::Bye => {
                let soon = now + CLOSE_PATIENCE;
                self.patience_ends = Some(self.patience_ends.map_or(soon, |end| end.min(soon)));
            }
        }
    }

    fn timeout(&mut self, now: Duration) {
        if self.patience_ends.is_none_or(|end| now < end) {
            return;
        }
        self.patience_ends = None;
        match self.state {
            State::Preface | State::Hello => {
                self.end(End::Silent("the receiver does not answer Hello"));
            }
            State::Shipping => self.end(End::Silent("the receiver does not take the codebooks")),
            // A source that does not end, such as a camera that gives no frames.
            State::Stopping => self.finish(now),
            State::Finishing => {
                self.coding.clear();
                self.flush_when_coded(now);
            }
            State::Flushing => self.flushed(now),
            State::Bye => self.end(End::Silent("the receiver does not say Done")),
            State::Left => self.end(End::Left),
            State::Streaming => self.end(End::Silent("the receiver reports nothing")),
            State::Ended => {}
        }
    }

    fn control(&mut self, now: Duration, mut bytes: &[u8]) {
        while !matches!(self.state, State::Left | State::Ended) {
            match self.reader.next(&mut bytes) {
                Ok(None) => return,
                Ok(Some(Said::Version(theirs))) => self.version(theirs),
                Ok(Some(Said::Message(message))) => self.message(now, message),
                Err(error) => self.broken(error),
            }
        }
    }

    fn version(&mut self, theirs: u16) {
        if theirs == PROTOCOL_VERSION {
            self.state = State::Hello;
        } else {
            self.end(End::Refused(format!(
                "the receiver speaks protocol {theirs}, this program {PROTOCOL_VERSION}; install \
                 the same version of raq on both sides"
            )));
        }
    }

    fn message(&mut self, now: Duration, message: Message) {
        let name = match (self.state, message) {
            (State::Hello, Message::Welcome { codebook }) => return self.welcome(now, codebook),
            (State::Hello, Message::Refuse(refusal)) => return self.refused(&refusal),
            (State::Bye, Message::Done { frames_decoded }) => {
                tracing::debug!(frames_decoded, "the receiver is done");
                let end = if self.stopped {
                    End::Stopped
                } else {
                    End::Done
                };
                return self.end(end);
            }
            (_, Message::Done { .. }) => "Done",
            (_, Message::Hello(_)) => "Hello",
            (_, Message::Welcome { .. }) => "Welcome",
            (_, Message::Refuse(_)) => "Refuse",
            (_, Message::Bye { .. }) => "Bye",
        };
        self.broken(format_args!("the receiver said {name} out of turn"));
    }

    fn welcome(&mut self, now: Duration, codebook: CodebookOffer) {
        match codebook {
            CodebookOffer::Same => self.start(),
            CodebookOffer::Send => {
                tracing::warn!(
                    digest = %self.settings.codebooks.digest(),
                    "the receiver regenerated other codebooks from the same model; sending ours"
                );
                let shipment = shipment::encode(&self.settings.codebooks);
                self.patience_ends = Some(now + shipment::patience(shipment.len()));
                self.outputs.push_back(Output::Shipment(shipment));
                self.counts.codebook_shipped = true;
                self.state = State::Shipping;
            }
        }
    }

    fn shipped(&mut self) {
        if self.state == State::Shipping {
            self.start();
        }
    }

    fn start(&mut self) {
        self.state = State::Streaming;
        self.patience_ends = None;
        self.outputs.push_back(Output::Start);
    }

    fn refused(&mut self, refusal: &Refusal) {
        let Settings {
            model_id,
            model_name,
            video,
            ..
        } = &self.settings;
        self.end(match refusal {
            Refusal::Model { id, name } => End::Model(format!(
                "the receiver has model {name} ({id:.16}…), this program {model_name} \
                 ({model_id:.16}…); give both sides the same --model"
            )),
            Refusal::Size {
                max_width,
                max_height,
            } => End::Refused(format!(
                "the receiver takes at most {max_width}x{max_height}, this video is {}x{}; send \
                 less or raise its --max-size",
                video.width, video.height
            )),
            Refusal::Busy => End::Busy(refusal.to_string()),
            other => End::Refused(other.to_string()),
        });
    }

    fn broken(&mut self, reason: impl Display) {
        self.end(End::Broken(reason.to_string()));
    }

    fn end(&mut self, end: End) {
        if self.state == State::Ended {
            return;
        }
        self.state = State::Ended;
        self.patience_ends = None;
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
