//! The sending half of a session, without sockets, clocks or threads.
//!
//! Feed it what happened ([`Session::handle`]) with the time since any fixed moment, then take
//! what it wants done ([`Session::poll_output`]) until there is nothing left. Call
//! [`Input::Timeout`] when [`Session::deadline`] has come.
//!
//! ```text
//! preface, Hello -> Welcome [-> Shipment] -> Start
//!   Encoded -> Code or Discard;  Coded -> Datagram…, Sent, as time goes by;  Datagram -> Closings
//!   SourceEnd -> Flush -> Flushed -> Bye -> Done -> End
//! ```

mod end;
mod input;
mod output;
mod protection;
mod streaming;

use std::collections::VecDeque;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use raq_shared::codebooks::Codebooks;
use raq_shared::flood::Flood;
use raq_shared::frame::SizeError;
use raq_shared::units::Bitrate;
use raq_shared::video::VideoFormat;
use raq_shared::wire::control::{ControlReader, Said};
use raq_shared::wire::message::{CodebookOffer, Hello, Message, ModelId, Refusal, Text};
use raq_shared::wire::{self, PROTOCOL_VERSION, shipment};

pub use end::End;
pub use input::Input;
pub use output::{Counts, Output, Sent};

use crate::bandwidth::{Estimator, EstimatorName};
use crate::fec::Fec;
use crate::rate::Path;
use streaming::Streaming;

/// How long a receiver usually takes to say anything at all.
const ANSWER: Duration = Duration::from_secs(3);
/// How long it may take where somebody is asked there whether to accept this sender.
const ANSWER_PATIENCE: Duration = Duration::from_secs(120);
/// How long the receiver may take to answer Hello: it loads its decoder meanwhile.
const WELCOME_PATIENCE: Duration = Duration::from_secs(60);
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
    /// What the path is taken to carry at least.
    pub min_rate: Option<Bitrate>,
    /// How old a frame may be when it leaves, at least two frame times; what is older then is
    /// dropped. A frame whose coding ends later still has one frame time to leave.
    pub latency: Duration,
    /// Whether frames may have parity.
    pub fec: Fec,
    /// Who says what the path carries.
    pub estimator: EstimatorName,
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
    /// Waits for the last frames to be coded and to leave.
    Finishing,
    /// Waits until QUIC has sent everything.
    Flushing,
    /// Waits for Done.
    Bye,
    /// The receiver says nothing more: waits for the end of the connection.
    Left,
    Ended,
}

impl State {
    /// Whether frames may leave.
    fn streams(self) -> bool {
        matches!(self, Self::Streaming | Self::Stopping | Self::Finishing)
    }
}

/// One session; see the module.
#[derive(Debug)]
pub struct Session {
    settings: Settings,
    state: State,
    reader: ControlReader,
    streaming: Streaming,
    outputs: VecDeque<Output>,
    /// When something happened last.
    now: Duration,
    patience_ends: Option<Duration>,
    /// The receiver took longer than usual to say anything.
    waits: bool,
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
        let mut session = Self {
            state: State::Preface,
            reader: ControlReader::default(),
            streaming: Streaming::new(&settings, now)?,
            outputs: VecDeque::new(),
            now,
            patience_ends: Some(now + ANSWER),
            waits: false,
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
            Input::Datagram(bytes) => self.datagram(now, bytes),
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
            } => {
                if self.state.streams() {
                    if self.state == State::Streaming && !datagrams.is_empty() {
                        self.patience_ends.get_or_insert(now + REPORT_PATIENCE);
                    }
                    self.streaming.coded(now, datagrams, level, codewords);
                }
                datagrams.clear();
            }
            Input::Skipped { frames } => self.streaming.skipped(frames),
            Input::SourceEnd { next } => {
                self.streaming.seen(next);
                if matches!(self.state, State::Streaming | State::Stopping) {
                    self.finish(now);
                }
            }
            Input::Held(held) => self.streaming.hold(held),
            Input::Flushed => self.flushed(now),
            Input::Lost => self.end(End::Lost),
            Input::Stop => self.stop(now),
            Input::Timeout => self.timeout(now),
        }
        self.flush_when_idle(now);
        self.now = now;
    }

    /// The next thing to do; call it until it gives `None`. Datagrams come one at a time, so that
    /// [`Input::Held`] stops the next one.
    pub fn poll_output(&mut self) -> Option<Output> {
        if self.outputs.is_empty() && self.state.streams() {
            self.streaming.pump(self.now, &mut self.outputs);
            self.flush_when_idle(self.now);
        }
        self.outputs.pop_front()
    }

    /// When [`Input::Timeout`] is due.
    pub fn deadline(&self) -> Option<Duration> {
        let leaves = self.streaming.wake().filter(|_| self.state.streams());
        [self.patience_ends, leaves].into_iter().flatten().min()
    }

    /// What the path is taken to carry, for QUIC's window; none before a report has told of arrivals.
    pub fn estimate(&self) -> Option<Bitrate> {
        self.streaming.estimate()
    }

    /// What is known of the path.
    pub fn bandwidth(&self) -> &Estimator {
        self.streaming.bandwidth()
    }

    /// Bytes of datagrams that wait to leave.
    pub fn held_bytes(&self) -> usize {
        self.streaming.held_bytes()
    }

    /// What was sent so far.
    pub fn counts(&self) -> Counts {
        self.streaming.counts
    }

    fn encoded(&mut self, now: Duration, number: u32, captured: Duration, path: &Path) {
        self.streaming.seen(number.saturating_add(1));
        let output = match self.state {
            State::Streaming => self.streaming.encoded(now, number, captured, path),
            _ => {
                self.streaming.skipped(1);
                Output::Discard { number, skip: None }
            }
        };
        self.outputs.push_back(output);
    }

    fn datagram(&mut self, now: Duration, bytes: &[u8]) {
        if self.state == State::Ended {
            return;
        }
        let malformed = self.streaming.counts.malformed;
        self.streaming.datagram(now, bytes, &mut self.outputs);
        let flood = if self.streaming.counts.malformed > malformed {
            let too_much = self.malformed.is_too_much(now);
            too_much.then_some(("malformed datagrams", MALFORMED))
        } else {
            if self.state == State::Streaming {
                self.patience_ends = None;
            }
            let too_much = self.reports.is_too_much(now);
            too_much.then_some(("reports", REPORTS))
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
    }

    fn flush_when_idle(&mut self, now: Duration) {
        if self.state == State::Finishing && self.streaming.is_idle() {
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
        let frames_sent = self.streaming.total();
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
            State::Preface if !self.waits => {
                self.waits = true;
                self.patience_ends = Some(now + ANSWER_PATIENCE - ANSWER);
                tracing::info!(
                    "the receiver says nothing yet; perhaps somebody is being asked there whether to \
                     accept this sender"
                );
            }
            State::Preface | State::Hello => {
                self.end(End::Silent("the receiver does not answer Hello"));
            }
            State::Shipping => self.end(End::Silent("the receiver does not take the codebooks")),
            // A source that does not end, such as a camera that gives no frames.
            State::Stopping => self.finish(now),
            State::Finishing => self.streaming.give_up(&mut self.outputs),
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
                Ok(Some(Said::Version(theirs))) => self.version(now, theirs),
                Ok(Some(Said::Message(message))) => self.message(now, message),
                Err(error) => self.broken(error),
            }
        }
    }

    fn version(&mut self, now: Duration, theirs: u16) {
        if theirs == PROTOCOL_VERSION {
            self.state = State::Hello;
            self.patience_ends = Some(now + WELCOME_PATIENCE);
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
                self.streaming.counts.codebook_shipped = true;
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
        // So that every frame of the source counts as sent or as skipped.
        self.streaming.give_up(&mut self.outputs);
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
