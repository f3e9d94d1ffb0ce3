//! One connection: moves bytes and frames between the session, the threads and QUIC.

use std::future::pending;
use std::net::UdpSocket;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use quinn::{Chunk, Connection, ConnectionError, Endpoint, ReadError, RecvStream, SendStream};
use raq_shared::exit::Failure;
use raq_shared::meter::Known;
use tokio::sync::watch;
use tokio::time::{sleep, sleep_until, timeout};

use crate::capture::play::Captured;
use crate::clock::Clock;
use crate::code::Job;
use crate::connect;
use crate::event::{Encoded, Event};
use crate::lookout::{Advice, Lookout, Seen};
use crate::news::News;
use crate::pipeline::Pipeline;
use crate::session::{End, Input, Output, Session};
use crate::tally::{Tally, Times};
use crate::uplink::Uplink;

/// How long the control stream may take no bytes.
const WRITE_PATIENCE: Duration = Duration::from_secs(5);
/// How often to look whether QUIC has sent what it holds.
const LOOK: Duration = Duration::from_millis(1);
/// Most bytes taken from the control stream at once.
const CHUNK: usize = 64 << 10;

/// A session under way.
pub(crate) struct Sending<'a> {
    pub(crate) endpoint: &'a Endpoint,
    pub(crate) connection: &'a Connection,
    pub(crate) lookout: Lookout,
    /// Counts the sessions of the program.
    pub(crate) number: u32,
    pub(crate) session: Session,
    pub(crate) clock: Clock,
    pub(crate) pipeline: &'a mut Pipeline,
    pub(crate) tally: &'a mut Tally,
    pub(crate) news: News,
    pub(crate) uplink: Uplink,
    pub(crate) control: SendStream,
    pub(crate) control_in: Option<RecvStream>,
    pub(crate) interrupts: &'a mut watch::Receiver<bool>,
    /// Whether the session has been told to stop.
    pub(crate) interrupted: bool,
    pub(crate) frames: Frames,
    /// When frames were first wanted.
    pub(crate) began: Option<Duration>,
    /// Frames that are encoded and wait for the session's word.
    pub(crate) encoded: Vec<Encoded>,
    /// Lists of datagrams to be filled again.
    pub(crate) spare: Vec<Vec<BytesMut>>,
    pub(crate) source_end_told: bool,
    pub(crate) flushing: bool,
    /// Whether the session was told that QUIC has no room.
    pub(crate) held: bool,
    pub(crate) lost: Option<ConnectionError>,
    /// It is lost because the receiver has not confirmed the handshake.
    pub(crate) unconfirmed: bool,
}

/// Which frames of the source are a session's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frames {
    /// None yet: the receiver has not said Welcome.
    None,
    /// All to come.
    Next,
    /// From this number on, which is the session's 0.
    From(u32),
}

impl Sending<'_> {
    /// Runs the session to its end.
    pub(crate) async fn run(&mut self) -> End {
        loop {
            if let Some(failure) = self.tally.failure() {
                self.fail(failure);
            }
            while let Some(output) = self.session.poll_output() {
                if let Some(end) = self.output(output).await {
                    return end;
                }
            }
            if self.hold() {
                continue;
            }
            if self.flushing && self.uplink.queued(self.connection) == 0 {
                self.flushing = false;
                self.session.handle(self.clock.now(), Input::Flushed);
            } else {
                self.input().await;
            }
        }
    }

    /// Sends a datagram.
    fn send(&mut self, bytes: Bytes) {
        if let Err(error) = self.uplink.send(self.connection, bytes) {
            self.lose(error);
        }
    }

    async fn output(&mut self, output: Output) -> Option<End> {
        match output {
            Output::Control(bytes) => self.say(&bytes).await,
            Output::Shipment(bytes) => self.ship(bytes),
            Output::Start => self.start(),
            Output::Code { number, allowance } => {
                if let Some(encoded) = self.take_encoded(number) {
                    let datagrams = self.spare.pop().unwrap_or_default();
                    self.pipeline.job(Job::Code {
                        encoded,
                        allowance,
                        datagrams,
                    });
                }
            }
            Output::Closings(closings) => {
                if self.pipeline.closings.push(closings) {
                    self.pipeline.job(Job::Closings);
                }
            }
            Output::Heartbeat(bytes) => self.send(bytes),
            Output::Discard { number, skip } => {
                if let Some(encoded) = self.take_encoded(number) {
                    if let Some(skip) = skip {
                        let bandwidth = self.session.bandwidth();
                        self.tally.skipped(&encoded.captured, skip, bandwidth);
                    }
                    self.pipeline.recycle(encoded);
                }
            }
            Output::Datagram { bytes, .. } => {
                self.send(bytes);
                self.hold();
            }
            Output::Sent(sent) => {
                if let Some(note) = self.news.sent(self.clock.now(), &sent) {
                    self.send(Bytes::copy_from_slice(&note.encode()));
                }
                self.tally.sent(sent);
            }
            Output::StopSource => {
                self.pipeline.stop_source();
                self.tell_source_end();
            }
            Output::Flush => self.flushing = true,
            Output::End(end) => return Some(end),
        }
        None
    }

    /// Tells the session whether QUIC has room, where that has changed.
    fn hold(&mut self) -> bool {
        let held = self.lost.is_none() && self.uplink.is_full(self.connection);
        let changed = held != self.held;
        if changed {
            self.held = held;
            self.session.handle(self.clock.now(), Input::Held(held));
        }
        changed
    }

    /// Waits for the next thing that happens and tells the session.
    async fn input(&mut self) {
        let deadline = self.session.deadline().map(|at| self.clock.instant(at));
        let look = self.clock.instant(self.lookout.deadline());
        let connected = self.lost.is_none();
        tokio::select! {
            // What the receiver said last is heard before the end of the connection.
            biased;
            chunk = next_chunk(&mut self.control_in), if connected => match chunk {
                Ok(Some(chunk)) => {
                    self.session.handle(self.clock.now(), Input::Control(&chunk.bytes));
                }
                Ok(None) | Err(ReadError::Reset(_)) => {
                    self.control_in = None;
                    self.session.handle(self.clock.now(), Input::ControlEnd);
                }
                Err(ReadError::ConnectionLost(error)) => self.lose(error),
                Err(error) => {
                    tracing::debug!("the control stream broke: {error}");
                    self.lose(ConnectionError::Reset);
                }
            },
            datagram = self.connection.read_datagram(), if connected => match datagram {
                Ok(bytes) => {
                    self.session.handle(self.clock.now(), Input::Datagram(&bytes));
                    if let Some(estimate) = self.session.estimate() {
                        self.uplink.estimated(estimate);
                    }
                }
                Err(error) => self.lose(error),
            },
            Some(event) = self.pipeline.events.recv() => self.event(event),
            () = turned_true(self.interrupts), if !self.interrupted => {
                self.interrupted = true;
                self.lookout.hurry(self.clock.now());
                self.session.handle(self.clock.now(), Input::Stop);
            }
            () = until(deadline) => self.session.handle(self.clock.now(), Input::Timeout),
            () = sleep_until(look.into()), if connected => self.look_out(),
            () = until(self.tally.due()) => self.tick(),
            () = sleep(LOOK), if self.flushing || self.held => {}
        }
    }

    /// Ends an interval of figures.
    pub(crate) fn tick(&mut self) {
        if self.began.is_none() {
            return;
        }
        let known = Known {
            rtt: Some(self.connection.rtt()),
            loss: Some(self.session.bandwidth().losses().share()),
            ..Known::default()
        };
        let skipped = self.session.counts().frames_skipped;
        let passed_over = self.pipeline.skipped;
        self.tally.tick(skipped.saturating_add(passed_over), &known);
    }

    /// The receiver wants frames: the next one is the session's first.
    fn start(&mut self) {
        // Where the source begins now, its numbers are the session's.
        self.frames = match self.pipeline.has_begun() {
            true => Frames::Next,
            false => Frames::From(0),
        };
        self.began = Some(self.clock.now());
        self.tally.made(self.connection.remote_address());
        if let Err(failure) = self.pipeline.want() {
            self.fail(failure);
        }
        // It may have ended while the receiver made up its mind.
        self.tell_source_end();
    }

    fn event(&mut self, event: Event) {
        let now = self.clock.now();
        match event {
            Event::Skipped(frames) if self.frames != Frames::None => {
                self.session.handle(now, Input::Skipped { frames });
            }
            Event::Encoded(encoded) if self.frames != Frames::None => self.encoded(now, encoded),
            Event::Coded {
                session,
                encoded,
                mut datagrams,
                level,
                codewords,
                time,
            } if session == self.number => {
                self.tally.coded(Times {
                    number: encoded.captured.number,
                    coded: now,
                    encode: encoded.time,
                    code: time,
                });
                self.pipeline.recycle(encoded);
                let coded = Input::Coded {
                    datagrams: &mut datagrams,
                    level,
                    codewords,
                };
                self.session.handle(now, coded);
                self.spare.push(datagrams);
            }
            Event::Shipped { session } if session == self.number => {
                self.session.handle(now, Input::Shipped);
            }
            Event::Failed(failure) => self.fail(failure),
            event => {
                self.pipeline.take(event);
                self.tell_source_end();
            }
        }
    }

    fn encoded(&mut self, now: Duration, mut encoded: Encoded) {
        let captured = &mut encoded.captured;
        let first = match self.frames {
            Frames::From(first) => first,
            Frames::None | Frames::Next => captured.number,
        };
        self.frames = Frames::From(first);
        captured.number = captured.number.saturating_sub(first);
        let Captured {
            number, captured, ..
        } = *captured;
        self.encoded.push(encoded);
        let path = self.uplink.path(self.connection);
        tracing::trace!(number, ?path, "encoded");
        self.session.handle(
            now,
            Input::Encoded {
                number,
                captured,
                path,
            },
        );
    }

    /// Tells the session of the source's end once every frame of it has come through.
    fn tell_source_end(&mut self) {
        if self.frames == Frames::None || self.source_end_told {
            return;
        }
        if let Some(next) = self.pipeline.source_end() {
            self.source_end_told = true;
            let next = match self.frames {
                Frames::From(first) => next.saturating_sub(first),
                Frames::None | Frames::Next => 0,
            };
            self.session
                .handle(self.clock.now(), Input::SourceEnd { next });
        }
    }

    /// This end cannot go on: sends what there is and ends.
    fn fail(&mut self, failure: Failure) {
        self.pipeline.failure.get_or_insert(failure);
        self.session.handle(self.clock.now(), Input::Stop);
    }

    fn take_encoded(&mut self, number: u32) -> Option<Encoded> {
        let index = self
            .encoded
            .iter()
            .position(|encoded| encoded.captured.number == number)?;
        Some(self.encoded.swap_remove(index))
    }

    /// Moves to another socket where nothing has come for too long; leaves a connection that the
    /// receiver knows only half.
    fn look_out(&mut self) {
        let stats = self.connection.stats();
        let seen = Seen {
            packets: stats.udp_rx.datagrams,
            confirmed: stats.frame_rx.handshake_done > 0,
        };
        match self.lookout.look(self.clock.now(), seen) {
            Advice::Stay => return,
            Advice::Move => {}
            Advice::Leave => {
                self.unconfirmed = true;
                return self.lose(ConnectionError::TimedOut);
            }
        }
        if self.interrupted {
            // Whoever wants to stop does not want to wait for the network.
            return self.lose(ConnectionError::TimedOut);
        }
        let any = connect::any(self.connection.remote_address());
        match UdpSocket::bind(any).and_then(|socket| self.endpoint.rebind(socket)) {
            Ok(()) => tracing::info!("no answer; trying from another port"),
            Err(error) => tracing::debug!("no other socket: {error}"),
        }
    }

    async fn say(&mut self, bytes: &[u8]) {
        // A peer that takes nothing must not hold up everything else.
        match timeout(WRITE_PATIENCE, self.control.write_all(bytes)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!("cannot write to the receiver: {error}"),
            Err(_) => self.lose(ConnectionError::TimedOut),
        }
    }

    /// Sends the codebooks beside everything else.
    fn ship(&self, bytes: Vec<u8>) {
        let (connection, tell) = (self.connection.clone(), self.pipeline.tell.clone());
        let session = self.number;
        tokio::spawn(async move {
            let sent = async {
                let mut stream = connection.open_uni().await?;
                stream.write_all(&bytes).await?;
                // It fails only for a stream that is finished already.
                let _ = stream.finish();
                stream.stopped().await?;
                Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
            };
            match sent.await {
                // Nobody listens any more where the session has ended.
                Ok(()) => drop(tell.send(Event::Shipped { session })),
                Err(error) => tracing::debug!("the codebooks were not sent: {error}"),
            }
        });
    }

    fn lose(&mut self, error: ConnectionError) {
        self.lost.get_or_insert(error);
        self.session.handle(self.clock.now(), Input::Lost);
    }
}

async fn next_chunk(stream: &mut Option<RecvStream>) -> Result<Option<Chunk>, ReadError> {
    match stream {
        Some(stream) => stream.read_chunk(CHUNK, true).await,
        None => pending().await,
    }
}

/// Waits until `flag` is true.
pub(crate) async fn turned_true(flag: &mut watch::Receiver<bool>) {
    // Without a sender it never will; the program is then on its way out by another road.
    if flag.wait_for(|&flag| flag).await.is_err() {
        pending::<()>().await;
    }
}

/// Waits for a time; without one for ever.
pub(crate) async fn until(deadline: Option<std::time::Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline.into()).await,
        None => pending().await,
    }
}
