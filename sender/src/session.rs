//! The sending half of a session, without sockets, clocks or threads.
//!
//! Feed it what happened ([`Session::handle`]) with the time since any fixed moment, then take
//! what it wants done ([`Session::poll_output`]) until there is nothing left. Call
//! [`Input::Timeout`] when [`Session::deadline`] has come.
//!
//! ```text
//! preface, Hello -> Welcome [-> Shipment] -> Start
//!   Encoded -> Search or Discard;  Searched -> Datagram…, Sent
//!   SourceEnd -> Flush -> Flushed -> Bye -> Done -> End
//! ```

use std::collections::VecDeque;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use raq_shared::codebooks::Codebooks;
use raq_shared::frame::SizeError;
use raq_shared::video::VideoFormat;
use raq_shared::wire::control::{ControlReader, Said};
use raq_shared::wire::datagram::{HEADER_LEN, MAX_JUMP};
use raq_shared::wire::message::{CodebookOffer, Hello, Message, ModelId, Refusal, Text};
use raq_shared::wire::{self, PROTOCOL_VERSION, shipment};

use crate::packetize::{Packet, Packetizer, Spreads};
use crate::rate::{Codewords, Path, RateControl};

/// How long the receiver may take to answer Hello: it loads its decoder meanwhile.
const WELCOME_PATIENCE: Duration = Duration::from_secs(20);
/// How long frames under way may take when the source has ended.
const FINISH_PATIENCE: Duration = Duration::from_secs(5);
/// How long the receiver may take to decode and write what it has.
const DONE_PATIENCE: Duration = Duration::from_secs(600);
/// How long the connection may outlive the receiver's end of the control stream.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);
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
    /// Codewords of the one among them that frames are searched in.
    pub max_codewords: usize,
    /// The video.
    pub video: VideoFormat,
    /// How K̃ is chosen.
    pub codewords: Codewords,
}

/// Something that happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// Bytes of the control stream.
    Control(&'a [u8]),
    /// The receiver ended the control stream.
    ControlEnd,
    /// The latents of a frame are ready. Numbers ascend.
    Encoded {
        /// Frame number.
        number: u32,
        /// When it was captured, on the clock of `now`.
        captured: Duration,
        /// The path as it is now.
        path: Path,
    },
    /// The search asked for by the oldest unanswered [`Output::Search`] is done.
    Searched {
        /// One index per position.
        indices: &'a [u16],
    },
    /// Frames of the source were passed over, for lack of time.
    Skipped {
        /// How many.
        frames: u32,
    },
    /// No more frames come.
    SourceEnd {
        /// The number after the last frame of the source, sent or not.
        next: u32,
    },
    /// Everything given out has left this end.
    Flushed,
    /// The connection is gone.
    Lost,
    /// The user wants to stop.
    Stop,
    /// [`Session::deadline`] has come.
    Timeout,
}

/// Something to do, in this order.
#[derive(Debug, PartialEq)]
pub enum Output {
    /// Write these bytes to the control stream.
    Control(Vec<u8>),
    /// Send these bytes, alone, on a new unidirectional stream.
    Shipment(Vec<u8>),
    /// Begin to capture.
    Start,
    /// Find the nearest of the first `codewords` codewords for this frame's latents.
    Search {
        /// Frame number.
        number: u32,
        /// K̃.
        codewords: u16,
    },
    /// Forget this frame's latents: it is not sent.
    Discard {
        /// Frame number.
        number: u32,
    },
    /// Send this datagram.
    Datagram(Bytes),
    /// Those were all datagrams of a frame.
    Sent(Sent),
    /// Capture no more; then say [`Input::SourceEnd`].
    StopSource,
    /// Wait until everything given out has left, then say [`Input::Flushed`].
    Flush,
    /// The session is over; close the connection.
    End(End),
}

/// A frame that was given out in datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Frame number.
    pub number: u32,
    /// When it was captured.
    pub captured: Duration,
    /// K̃.
    pub codewords: u16,
    /// Number of datagrams.
    pub datagrams: u8,
    /// Bytes of all datagrams, headers included.
    pub bytes: u64,
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum End {
    /// The receiver has everything.
    #[error("done")]
    Done,
    /// The user stopped it before or during the session.
    #[error("stopped")]
    Stopped,
    /// The receiver has another model.
    #[error("{0}")]
    Model(String),
    /// The receiver refused for another reason, or speaks another protocol version.
    #[error("{0}")]
    Refused(String),
    /// The receiver broke the protocol.
    #[error("{0}; install the same version of raq on both sides")]
    Broken(String),
    /// The receiver says nothing.
    #[error("{0}; look whether raq-recv is still well there and start again")]
    Silent(&'static str),
    /// The receiver ended the session before everything was sent.
    #[error("the receiver has ended the session")]
    Left,
    /// The connection was lost, or closed by the receiver.
    #[error("the connection was lost")]
    Lost,
}

/// Counts of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames sent.
    pub frames_sent: u32,
    /// Frames of the source that were not sent.
    pub frames_skipped: u32,
    /// Bytes of all datagrams, headers included.
    pub bytes: u64,
    /// Whether the receiver asked for the codebooks.
    pub codebook_shipped: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Waits for the receiver's two bytes.
    Preface,
    /// Waits for Welcome or Refuse.
    Hello,
    Streaming,
    /// Told to stop: waits for the end of the source.
    Stopping,
    /// Waits for the last searches.
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
    codewords: u16,
}

/// One session; see the module.
#[derive(Debug)]
pub struct Session {
    settings: Settings,
    state: State,
    reader: ControlReader,
    rate: RateControl,
    packetizer: Packetizer,
    /// Frames whose codewords are being searched.
    searching: VecDeque<Frame>,
    outputs: VecDeque<Output>,
    patience_ends: Option<Duration>,
    counts: Counts,
    /// The number after the last frame of the source.
    next: u32,
    /// The number after the last frame given out or being searched.
    next_sent: u32,
    stopped: bool,
}

impl Session {
    /// A session whose connection was made at `now`.
    ///
    /// # Errors
    /// [`SizeError`] where the video's size is out of range.
    pub fn new(settings: Settings, now: Duration, max_datagram: usize) -> Result<Self, SizeError> {
        let grid = settings.video.size()?.grid();
        let rate = RateControl::new(
            settings.codewords,
            settings.max_codewords,
            settings.video.frame_rate,
            Spreads::new(grid),
            max_datagram.saturating_sub(HEADER_LEN),
        );
        let mut session = Self {
            state: State::Preface,
            reader: ControlReader::default(),
            rate,
            packetizer: Packetizer::new(grid),
            searching: VecDeque::new(),
            outputs: VecDeque::new(),
            patience_ends: Some(now + WELCOME_PATIENCE),
            counts: Counts::default(),
            next: 0,
            next_sent: 0,
            stopped: false,
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
            Input::Control(bytes) => self.control(bytes),
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
            Input::Searched { indices } => self.searched(now, indices),
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
        self.rate
            .set_max_payload(path.max_datagram.saturating_sub(HEADER_LEN));
        let overdue = number - self.next_sent >= MAX_SKIPPED;
        let chosen = self.rate.choose(now, path).or_else(|| overdue.then_some(1));
        let Some(codewords) = chosen else {
            self.counts.frames_skipped = self.counts.frames_skipped.saturating_add(1);
            self.outputs.push_back(Output::Discard { number });
            return;
        };
        self.next_sent = number.saturating_add(1);
        self.searching.push_back(Frame {
            number,
            captured,
            codewords,
        });
        self.outputs.push_back(Output::Search { number, codewords });
    }

    fn searched(&mut self, now: Duration, indices: &[u16]) {
        let Some(Frame {
            number,
            captured,
            codewords,
        }) = self.searching.pop_front()
        else {
            return;
        };
        if matches!(
            self.state,
            State::Streaming | State::Stopping | State::Finishing
        ) {
            self.give_out(now, number, captured, codewords, indices);
        }
        if self.state == State::Finishing {
            self.flush_when_searched(now);
        }
    }

    fn give_out(
        &mut self,
        now: Duration,
        number: u32,
        captured: Duration,
        codewords: u16,
        indices: &[u16],
    ) {
        // The path may have become narrower since K̃ was chosen.
        let Some(datagrams) = self.rate.datagrams(codewords) else {
            self.counts.frames_skipped = self.counts.frames_skipped.saturating_add(1);
            return;
        };
        let delay = now.saturating_sub(captured).as_micros() / 100;
        let packet = Packet {
            indices,
            codewords,
            frame: number,
            capture_us: captured.as_micros() as u32,
            send_delay: u16::try_from(delay).unwrap_or(u16::MAX),
        };
        let outputs = &mut self.outputs;
        let mut bytes = 0;
        self.packetizer.pack(packet, datagrams, |datagram| {
            bytes += datagram.len() as u64;
            outputs.push_back(Output::Datagram(datagram));
        });
        self.counts.frames_sent += 1;
        self.counts.bytes += bytes;
        let sent = Sent {
            number,
            captured,
            codewords,
            datagrams,
            bytes,
        };
        self.outputs.push_back(Output::Sent(sent));
    }

    /// The source has ended.
    fn finish(&mut self, now: Duration) {
        self.state = State::Finishing;
        self.patience_ends = Some(now + FINISH_PATIENCE);
        self.flush_when_searched(now);
    }

    fn flush_when_searched(&mut self, now: Duration) {
        if self.searching.is_empty() {
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
            State::Preface | State::Hello => self.end(End::Stopped),
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
            // A source that does not end, such as a camera that gives no frames.
            State::Stopping => self.finish(now),
            State::Finishing => {
                self.searching.clear();
                self.flush_when_searched(now);
            }
            State::Flushing => self.flushed(now),
            State::Bye => self.end(End::Silent("the receiver does not say Done")),
            State::Left => self.end(End::Left),
            State::Streaming | State::Ended => {}
        }
    }

    fn control(&mut self, mut bytes: &[u8]) {
        while !matches!(self.state, State::Left | State::Ended) {
            match self.reader.next(&mut bytes) {
                Ok(None) => return,
                Ok(Some(Said::Version(theirs))) => self.version(theirs),
                Ok(Some(Said::Message(message))) => self.message(message),
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

    fn message(&mut self, message: Message) {
        let name = match (self.state, message) {
            (State::Hello, Message::Welcome { codebook }) => return self.welcome(codebook),
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

    fn welcome(&mut self, codebook: CodebookOffer) {
        if codebook == CodebookOffer::Send {
            tracing::warn!(
                digest = %self.settings.codebooks.digest(),
                "the receiver regenerated other codebooks from the same model; sending ours"
            );
            self.outputs
                .push_back(Output::Shipment(shipment::encode(&self.settings.codebooks)));
            self.counts.codebook_shipped = true;
        }
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
