//! One connection: moves bytes and frames between QUIC, the session and the decoder.

use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use quinn::{Chunk, Connection, ConnectionError, ReadError, RecvStream, SendStream};
use raq_shared::calendar::unix_now;
use raq_shared::exit::{Exit, Failure};
use raq_shared::observe::Observers;
use raq_shared::stats::ReceiverRecord;
use raq_shared::video::VideoFormat;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::time::{sleep_until, timeout};

use crate::decode::{Job, Jobs};
use crate::event::Event;
use crate::figures::{Gauge, Path};
use crate::greeting::{FAREWELL, Greeted, farewell};
use crate::session::{End, Input, Output, Session};
use crate::tally::Tally;

/// Most bytes taken from a stream at once.
const CHUNK: usize = 64 << 10;

/// What a session decodes and notes with; only one session has it at a time.
#[derive(Debug)]
pub(crate) struct Pipeline {
    pub(crate) jobs: Arc<Jobs>,
    pub(crate) events: UnboundedReceiver<Event>,
    pub(crate) observers: Observers,
    /// What those who watch are told.
    pub(crate) gauge: Gauge,
    /// Where the decoder runs.
    pub(crate) provider: String,
    /// Whether the output takes only one format.
    pub(crate) one_format: bool,
    /// That one, once it has a frame.
    pub(crate) format: Arc<OnceLock<VideoFormat>>,
    /// The decoder or the output answers no more, so that nobody should wait for its thread.
    pub(crate) dead: AtomicBool,
}

/// How long a file may take for frames that are written again and again, where the next session goes
/// on with it.
const SLOW_OUTPUT: Duration = Duration::from_secs(30);

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

impl Outcome {
    /// A session that ended so, with nothing wrong at this end.
    pub(crate) fn new(end: End, lost: Option<ConnectionError>) -> Self {
        Self {
            end,
            failure: None,
            lost,
        }
    }
}

/// Receives a session whose Hello fits until it ends or a signal turns true. `codebook_digest` is
/// that of this end's codebooks.
pub(crate) async fn receive(
    connection: &Connection,
    greeted: Greeted,
    codebook_digest: String,
    pipeline: &mut Pipeline,
    signals: Signals,
) -> Outcome {
    let mut receiving = Receiving {
        connection,
        session: greeted.session,
        clock: greeted.clock,
        pipeline,
        signals,
        stopped: false,
        video: None,
        control: greeted.control,
        control_in: greeted.control_in,
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
    receiving.prepare(greeted.format);
    let end = receiving.run().await;
    receiving.farewell(&end).await;
    receiving.settle(&end).await;
    receiving.report();
    let Receiving { failure, lost, .. } = receiving;
    Outcome { end, failure, lost }
}

/// Time since the connection was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Instant);

#[allow(
    clippy::disallowed_methods,
    reason = "the driver is where the session's time comes from"
)]
impl Clock {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn now(&self) -> Duration {
        self.0.elapsed()
    }

    pub(crate) fn instant(&self, at: Duration) -> Instant {
        self.0 + at
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

    /// Gets the decoder ready.
    fn prepare(&mut self, format: VideoFormat) {
        tracing::info!(
            "receiving {}x{} at {} frames per second from {}",
            format.width,
            format.height,
            format.frame_rate,
            self.connection.remote_address()
        );
        self.pipeline.observers.began();
        if let Ok(size) = format.size() {
            self.pipeline.gauge.begin(self.clock.now(), size);
        }
        self.video = Some(format);
        self.prepared = Prepared::Begun;
        self.pipeline.jobs.push(Job::Prepare(format));
    }

    /// The only format that the output takes is this session's from now on.
    fn fix_format(&self) {
        if let Some(video) = self.video.filter(|_| self.pipeline.one_format) {
            self.pipeline.format.get_or_init(|| video);
        }
    }

    /// Does what the session wants; gives its end when that has come.
    async fn output(&mut self, output: Output) -> Option<End> {
        match output {
            Output::Prepare(format) => self.prepare(format),
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
                let arrived_unix_us = unix_now().as_micros() as u64;
                let job = Job::Frame {
                    frame,
                    arrived_unix_us,
                };
                self.pipeline.jobs.push(job);
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
        let deadline = self.session.deadline().map(|at| self.clock.instant(at));
        let connected = self.lost.is_none();
        let watching = self
            .video
            .map(|_| self.clock.instant(self.pipeline.gauge.due()));
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
                let (now, path) = (self.clock.now(), self.path());
                if let Some(figures) = self.pipeline.gauge.tell(now, unix_now(), &path) {
                    let observers = &mut self.pipeline.observers;
                    let told = observers.interval(figures, ReceiverRecord::Interval);
                    if let Some(input) = self.told(told) {
                        self.session.handle(now, input);
                    }
                }
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
                self.fix_format();
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
                let told = self
                    .pipeline
                    .observers
                    .frame(&ReceiverRecord::Frame(record));
                self.told(told)
            }
            Event::Drained {
                frames_decoded,
                frames_repeated,
            } => {
                self.prepared = Prepared::Drained;
                self.frames_repeated = frames_repeated;
                if frames_decoded > 0 {
                    self.fix_format();
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

    /// What is known of the path now.
    fn path(&self) -> Path {
        Path {
            bytes: self.session.counts().bytes,
            rtt: self.connection.rtt(),
            note: self.session.note(),
        }
    }

    /// What follows from how telling the observers went: nobody reads standard output any more.
    fn told(&mut self, told: Result<(), Failure>) -> Option<Input<'static>> {
        let failure = told.err()?;
        self.failure.get_or_insert(failure);
        Some(Input::Stop)
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
        // One that has come back on another connection does not listen on this one.
        let listens = self.lost.is_none() && *end != End::Superseded;
        let control = self.control.take().filter(|_| listens);
        let failure = self.failure.as_ref();
        farewell(self.connection, control, end, failure).await;
    }

    /// Waits until the decoder is done with this session, so that the next one finds it idle.
    async fn settle(&mut self, end: &End) {
        if self.prepared == Prepared::Begun {
            self.pipeline.jobs.push(Job::Drain { frames_sent: 0 });
            self.prepared = Prepared::Draining;
        }
        // A file goes on with the next session, however slowly it is read; of a frame that was
        // written often nothing is told for a while.
        let goes_on = matches!(end, End::Lost | End::Superseded) && self.pipeline.one_format;
        let mut stop = self.signals.stop.clone();
        while self.prepared == Prepared::Draining {
            let waits = goes_on && !*stop.borrow();
            let patience = if waits { SLOW_OUTPUT } else { FAREWELL };
            let event = tokio::select! {
                event = timeout(patience, self.pipeline.events.recv()) => event,
                () = turned_true(&mut stop), if waits => continue,
            };
            match event {
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
        let (now, path) = (self.clock.now(), self.path());
        let Pipeline {
            observers, gauge, ..
        } = &mut *self.pipeline;
        // Whoever reads standard output no more has no use for the end either.
        if let Some(figures) = gauge.finish(now, unix_now(), &path) {
            let _ = observers.interval(figures, ReceiverRecord::Interval);
        }
        let _ = observers.event(&ReceiverRecord::Summary(summary));
        observers.ended("no sender");
    }
}

/// The next bytes of a stream; waits forever where there is none.
pub(crate) async fn next_chunk(
    stream: &mut Option<RecvStream>,
) -> Result<Option<Chunk>, ReadError> {
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

/// Waits for that time, or forever.
pub(crate) async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline.into()).await,
        None => pending().await,
    }
}
