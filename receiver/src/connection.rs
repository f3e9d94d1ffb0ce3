//! One connection: moves bytes and frames between QUIC, the session and the decoder.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use quinn::{Chunk, Connection, ConnectionError, ReadError, RecvStream, SendStream};
use raq_shared::exit::{Exit, Failure};
use raq_shared::quic::Close;
use raq_shared::stats::{ReceiverRecord, StatsFile};
use raq_shared::video::VideoFormat;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::time::{sleep_until, timeout};

use crate::decode::{Job, Jobs};
use crate::event::Event;
use crate::figures::Gauge;
use crate::session::{End, Input, Output, Session, Settings};
use crate::tally::Tally;

/// How long the last words may take to arrive.
const FAREWELL: Duration = Duration::from_secs(2);
/// Most bytes taken from a stream at once.
const CHUNK: usize = 64 << 10;

/// What a session decodes and notes with; only one session has it at a time.
#[derive(Debug)]
pub(crate) struct Pipeline {
    pub(crate) jobs: Arc<Jobs>,
    pub(crate) events: UnboundedReceiver<Event>,
    pub(crate) stats: StatsFile,
    /// What those who watch are told.
    pub(crate) gauge: Gauge,
    /// Where the decoder runs.
    pub(crate) provider: String,
    /// Whether the output takes only one format.
    pub(crate) one_format: bool,
    /// That one, once it has a frame.
    pub(crate) format: Option<VideoFormat>,
    /// The decoder or the output answers no more, so that nobody should wait for its thread.
    pub(crate) dead: Arc<AtomicBool>,
}

/// What ends a session from outside by turning true.
#[derive(Debug)]
pub(crate) struct Signals {
    /// The user wants to stop.
    pub(crate) stop: watch::Receiver<bool>,
    /// Another sender with the same key has come.
    pub(crate) superseded: watch::Receiver<bool>,
}

/// How a connection's session went.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) end: End,
    /// A failure of this end, after which it cannot receive anything more.
    pub(crate) failure: Option<Failure>,
    /// Why the connection was lost, where it was.
    pub(crate) lost: Option<ConnectionError>,
}

/// Receives one session over `connection` until it ends or a signal turns true.
pub(crate) async fn receive(
    connection: &Connection,
    settings: Settings,
    pipeline: &mut Pipeline,
    signals: Signals,
) -> Outcome {
    let clock = Clock::start();
    let codebook_digest = settings.codebooks.digest().to_hex();
    let mut receiving = Receiving {
        connection,
        session: Session::new(settings, clock.now()),
        clock,
        pipeline,
        signals,
        stopped: false,
        video: None,
        control: None,
        control_in: None,
        codebook_in: None,
        tally: Tally::default(),
        undecoded: 0,
        codebook_digest,
        codebook_shipped: false,
        frames_repeated: 0,
        prepared: Prepared::No,
        failure: None,
        lost: None,
    };
    let end = receiving.run().await;
    receiving.farewell(&end).await;
    receiving.settle().await;
    receiving.report();
    let Receiving { failure, lost, .. } = receiving;
    Outcome { end, failure, lost }
}

/// Time since the connection was made.
#[derive(Debug)]
struct Clock(Instant);

#[allow(
    clippy::disallowed_methods,
    reason = "the driver is where the session's time comes from"
)]
impl Clock {
    fn start() -> Self {
        Self(Instant::now())
    }

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

/// How far the decoder is with this session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Prepared {
    No,
    /// Told to get ready or ready; it must be told of the end too.
    Begun,
    /// Told of the end.
    Draining,
    Drained,
    /// It has panicked and answers nothing.
    Dead,
}

struct Receiving<'a> {
    connection: &'a Connection,
    session: Session,
    clock: Clock,
    pipeline: &'a mut Pipeline,
    signals: Signals,
    /// Whether the session has been told to stop.
    stopped: bool,
    video: Option<VideoFormat>,
    control: Option<SendStream>,
    control_in: Option<RecvStream>,
    codebook_in: Option<RecvStream>,
    tally: Tally,
    /// Frames given to the decoder and neither decoded nor taken back.
    undecoded: usize,
    codebook_digest: String,
    codebook_shipped: bool,
    frames_repeated: u64,
    prepared: Prepared,
    failure: Option<Failure>,
    lost: Option<ConnectionError>,
}

impl Receiving<'_> {
    async fn run(&mut self) -> End {
        loop {
            while let Some(output) = self.session.poll_output() {
                if let Some(end) = self.output(output).await {
                    return end;
                }
            }
            self.input().await;
        }
    }

    /// Does what the session wants; gives its end when that has come.
    async fn output(&mut self, output: Output) -> Option<End> {
        match output {
            Output::Prepare(format) => {
                tracing::info!(
                    "receiving {}x{} at {} frames per second from {}",
                    format.width,
                    format.height,
                    format.frame_rate,
                    self.connection.remote_address()
                );
                if let Ok(size) = format.size() {
                    self.pipeline.gauge.begin(self.clock.now(), size);
                }
                self.video = Some(format);
                self.prepared = Prepared::Begun;
                self.pipeline.jobs.push(Job::Prepare(format));
            }
            Output::Control(bytes) => self.say(&bytes).await,
            Output::Codebooks { codebooks, shipped } => {
                self.codebook_digest = codebooks.digest().to_hex();
                self.codebook_shipped = shipped;
            }
            Output::Datagram(datagram) => {
                // The next report tells the same; a connection that is lost says so elsewhere.
                if let Err(error) = self.connection.send_datagram(datagram) {
                    tracing::trace!("a report was not sent: {error}");
                }
            }
            Output::Frame(frame) => {
                self.pipeline.jobs.push(Job::Frame(frame));
                self.undecoded += 1;
                while let Some(dropped) = self.pipeline.jobs.overrun() {
                    tracing::debug!(frame = dropped.number, "left out: the decoder is behind");
                    self.tally.frames_overrun += 1;
                    self.undecoded -= 1;
                    self.session.recycle(dropped);
                }
                self.session.set_backlog(self.undecoded);
            }
            Output::Drain { frames_sent } if self.prepared != Prepared::Dead => {
                self.prepared = Prepared::Draining;
                self.pipeline.jobs.push(Job::Drain { frames_sent });
            }
            Output::Drain { .. } => {
                let input = Input::Drained { frames_decoded: 0 };
                self.session.handle(self.clock.now(), input);
            }
            Output::End(end) => return Some(end),
        }
        None
    }

    /// Waits for the next thing that happens and tells the session.
    async fn input(&mut self) {
        let deadline = self.session.deadline().map(|at| self.clock.0 + at);
        let connected = self.lost.is_none();
        let watching = self.video.map(|_| self.clock.0 + self.pipeline.gauge.due());
        tokio::select! {
            streams = self.connection.accept_bi(), if connected && self.control.is_none() => {
                match streams {
                    Ok((send, receive)) => {
                        self.control = Some(send);
                        self.control_in = Some(receive);
                    }
                    Err(error) => self.lose(error),
                }
            }
            chunk = next_chunk(&mut self.control_in), if connected => {
                let now = self.clock.now();
                match chunk {
                    Ok(Some(chunk)) => self.session.handle(now, Input::Control(&chunk.bytes)),
                    Ok(None) | Err(ReadError::Reset(_)) => {
                        self.control_in = None;
                        self.session.handle(now, Input::ControlEnd);
                    }
                    Err(error) => self.lose_stream(error),
                }
            }
            stream = self.connection.accept_uni(), if connected && self.codebook_in.is_none() => {
                match stream {
                    Ok(stream) => self.codebook_in = Some(stream),
                    Err(error) => self.lose(error),
                }
            }
            chunk = next_chunk(&mut self.codebook_in), if connected => {
                let now = self.clock.now();
                match chunk {
                    Ok(Some(chunk)) => self.session.handle(now, Input::Codebook(&chunk.bytes)),
                    Ok(None) | Err(ReadError::Reset(_)) => {
                        self.codebook_in = None;
                        self.session.handle(now, Input::CodebookEnd);
                    }
                    Err(error) => self.lose_stream(error),
                }
            }
            datagram = self.connection.read_datagram(), if connected => {
                let now = self.clock.now();
                match datagram {
                    Ok(bytes) => {
                        self.tally.arrived(now);
                        self.session.handle(now, Input::Datagram(&bytes));
                    }
                    Err(error) => self.lose(error),
                }
            }
            Some(event) = self.pipeline.events.recv() => {
                if let Some(input) = self.event(event) {
                    self.session.handle(self.clock.now(), input);
                }
            }
            () = until(watching) => {
                let (now, bytes) = (self.clock.now(), self.session.counts().bytes);
                let rtt = self.connection.rtt();
                self.pipeline.gauge.tell(now, unix(), bytes, rtt);
            }
            () = until(deadline) => self.session.handle(self.clock.now(), Input::Timeout),
            () = turned_true(&mut self.signals.stop), if !self.stopped => {
                self.stopped = true;
                self.session.handle(self.clock.now(), Input::Stop);
            }
            () = turned_true(&mut self.signals.superseded), if !self.stopped => {
                self.stopped = true;
                self.session.handle(self.clock.now(), Input::Superseded);
            }
        }
    }

    fn event(&mut self, event: Event) -> Option<Input<'static>> {
        match event {
            Event::Prepared => Some(Input::Prepared),
            Event::Decoded(frame) => {
                self.tally.decoded(&frame);
                self.session.recycle(frame);
                self.undecoded = self.undecoded.saturating_sub(1);
                self.session.set_backlog(self.undecoded);
                None
            }
            Event::Shown { capture, record } => {
                self.tally.shown(&record);
                let now = self.clock.now();
                self.pipeline.gauge.shown(now, capture, &record);
                self.pipeline.stats.write(ReceiverRecord::Frame(record));
                None
            }
            Event::Drained {
                frames_decoded,
                frames_repeated,
            } => {
                self.prepared = Prepared::Drained;
                self.frames_repeated = frames_repeated;
                if self.pipeline.one_format && frames_decoded > 0 {
                    self.pipeline.format = self.video;
                }
                Some(Input::Drained { frames_decoded })
            }
            Event::Failed(failure) => {
                self.failure.get_or_insert(failure);
                Some(Input::Stop)
            }
            Event::Panicked(failure) => {
                self.failure.get_or_insert(failure);
                let waited_for = self.prepared == Prepared::Draining;
                self.prepared = Prepared::Dead;
                Some(if waited_for {
                    Input::Drained { frames_decoded: 0 }
                } else {
                    Input::Stop
                })
            }
        }
    }

    async fn say(&mut self, bytes: &[u8]) {
        let Some(stream) = &mut self.control else {
            return;
        };
        // A peer that takes nothing must not hold up everything else.
        match timeout(FAREWELL, stream.write_all(bytes)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!("cannot answer the sender: {error}"),
            Err(_) => self.lose(ConnectionError::TimedOut),
        }
    }

    fn lose_stream(&mut self, error: ReadError) {
        match error {
            ReadError::ConnectionLost(error) => self.lose(error),
            error => {
                tracing::debug!("a stream broke: {error}");
                self.lose(ConnectionError::Reset);
            }
        }
    }

    fn lose(&mut self, error: ConnectionError) {
        self.lost = Some(error);
        self.session.handle(self.clock.now(), Input::Lost);
    }

    /// Makes sure that the last words arrive, then closes the connection.
    async fn farewell(&mut self, end: &End) {
        if let Some(mut stream) = self.control.take()
            && self.lost.is_none()
            // It has come back on another connection and does not listen on this one.
            && *end != End::Superseded
            && stream.finish().is_ok()
        {
            let _ = timeout(FAREWELL, stream.stopped()).await;
        }
        let close = match end {
            _ if self.failure.is_some() => Close::Failed,
            End::Done | End::Stopped | End::Lost => Close::Done,
            End::Refused(_) => Close::Refused,
            End::Broken(_) => Close::Protocol,
            End::Superseded => Close::Superseded,
        };
        self.connection
            .close(close.into(), end.to_string().as_bytes());
    }

    /// Waits until the decoder is done with this session, so that the next one finds it idle.
    async fn settle(&mut self) {
        if self.prepared == Prepared::Begun {
            self.pipeline.jobs.push(Job::Drain { frames_sent: 0 });
            self.prepared = Prepared::Draining;
        }
        while self.prepared == Prepared::Draining {
            match timeout(FAREWELL, self.pipeline.events.recv()).await {
                Ok(Some(event)) => drop(self.event(event)),
                Ok(None) => return,
                Err(_) => {
                    self.failure.get_or_insert_with(|| {
                        Failure::new(
                            Exit::Failure,
                            "the output takes nothing more, the last frames are lost; see that \
                             whatever reads it goes on reading",
                        )
                    });
                    self.prepared = Prepared::Dead;
                }
            }
        }
        if self.prepared == Prepared::Dead {
            self.pipeline.dead.store(true, Ordering::Relaxed);
        }
    }

    fn report(&mut self) {
        if self.prepared == Prepared::No {
            return;
        }
        let counts = self.session.counts();
        let summary = self.tally.summary(
            self.session.frames_sent(),
            &counts,
            &self.pipeline.provider,
            std::mem::take(&mut self.codebook_digest),
            self.codebook_shipped,
        );
        tracing::info!(
            "{} frames decoded ({} partial), {} missing, {} repeated; {} datagrams, {} late, {} \
             twice, {} malformed; {} frames too many for the decoder, {} late, {} superseded",
            summary.frames_decoded,
            summary.frames_partial,
            summary.frames_lost,
            self.frames_repeated,
            counts.datagrams,
            counts.stale,
            counts.duplicates,
            counts.malformed,
            summary.frames_overrun,
            summary.frames_late,
            summary.frames_superseded,
        );
        self.pipeline.stats.write(ReceiverRecord::Summary(summary));
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "times are reported, nothing depends on them"
)]
fn unix() -> Duration {
    let time = SystemTime::now().duration_since(UNIX_EPOCH);
    time.unwrap_or_default()
}

async fn next_chunk(stream: &mut Option<RecvStream>) -> Result<Option<Chunk>, ReadError> {
    match stream {
        Some(stream) => stream.read_chunk(CHUNK, true).await,
        None => pending().await,
    }
}

async fn turned_true(flag: &mut watch::Receiver<bool>) {
    // Without a sender it never will; the program is then on its way out by another road.
    if flag.wait_for(|&flag| flag).await.is_err() {
        pending::<()>().await;
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline.into()).await,
        None => pending().await,
    }
}
