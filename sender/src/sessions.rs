//! One session after the other: connects, and again when the connection is lost.

use std::future::Future;
use std::time::Duration;

use quinn::TransportConfig;
use raq_shared::exit::{Exit, Failure};
use raq_shared::meter::Known;
use raq_shared::observe::ObserveArgs;
#[cfg(feature = "qlog")]
use raq_shared::observe::qlog::Qlog;
use raq_shared::quic::Close;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::clock::Clock;
use crate::code::Job;
use crate::connect::refusal;
use crate::connection::{Frames, Sending, turned_true, until};
use crate::contact::{Connected, Contact};
use crate::lookout::Lookout;
use crate::news::News;
use crate::pipeline::Pipeline;
use crate::reconnect::{Reconnect, is_worth_another};
use crate::session::{End, Session, Settings};
use crate::tally::Tally;
use crate::uplink::Uplink;

/// How long closing a connection may take.
const FAREWELL: Duration = Duration::from_secs(1);
/// Connections in a row whose handshake the receiver does not confirm, before that is a failure.
const UNCONFIRMED: u32 = 3;

/// All that sessions have in common.
pub(crate) struct Sessions {
    pub(crate) contact: Contact,
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    pub(crate) pipeline: Pipeline,
    pub(crate) tally: Tally,
    /// The number of the session that is under way or comes next.
    pub(crate) number: u32,
    /// How many of the latest connections the receiver has not confirmed.
    pub(crate) unconfirmed: u32,
    pub(crate) interrupts: watch::Receiver<bool>,
    /// None where a lost connection ends the program.
    pub(crate) reconnect: Option<Reconnect>,
    /// Where records and figures go.
    pub(crate) observe: ObserveArgs,
    #[cfg(feature = "qlog")]
    pub(crate) qlog: Option<Qlog>,
    /// Where the encoder runs.
    pub(crate) provider: String,
}

/// What follows a session or an attempt.
#[derive(Debug)]
enum Next {
    /// The program ends.
    Over(Result<(), Failure>),
    /// Another attempt; what has failed.
    Again(Failure),
}

impl Sessions {
    /// Sends until the source ends, the user stops it, or something fails for good.
    pub(crate) async fn run(mut self) -> Result<(), Failure> {
        self.next_session();
        // The first attempt tells at once what is wrong with the command line.
        let result = match self.connect().await {
            Ok(connected) => self.send(connected).await,
            Err(Next::Over(result)) => result,
            Err(Next::Again(failure)) => Err(failure),
        };
        // There is nothing to sum up where no frame was ever wanted.
        if self.pipeline.has_begun() {
            let digest = self.settings.codebooks.digest().to_hex();
            let estimator = self.settings.estimator;
            self.tally
                .finish(self.pipeline.skipped, estimator, &self.provider, digest);
        }
        self.pipeline.end();
        result
    }

    async fn send(&mut self, mut connected: Connected) -> Result<(), Failure> {
        // Only now: what an earlier session left is not to be lost to one that never began.
        self.tally.open(&self.observe)?;
        loop {
            let failure = match self.session(&connected).await {
                Next::Over(result) => {
                    // The last words are to arrive.
                    let _ = timeout(FAREWELL, connected.0.wait_idle()).await;
                    return result;
                }
                Next::Again(failure) => failure,
            };
            connected = match self.connect_again(failure).await {
                Ok(connected) => connected,
                Err(result) => return result,
            };
        }
    }

    /// Attempts until there is a connection; otherwise how the program ends.
    async fn connect_again(&mut self, lost: Failure) -> Result<Connected, Result<(), Failure>> {
        let mut failure = lost;
        loop {
            let Some(wait) = self.wait() else {
                return Err(Err(failure));
            };
            let when = match wait.is_zero() {
                true => String::new(),
                false => format!(" in {wait:.1?}"),
            };
            tracing::info!("{}; trying again{when}", failure.cause());
            let waiting = sleep(wait);
            let (pipeline, tally) = (&mut self.pipeline, &mut self.tally);
            let waited = meanwhile(pipeline, tally, &mut self.interrupts, waiting).await;
            waited.map_err(|stop| stop.result(&failure))?;
            let unconfirmed = std::mem::take(&mut self.unconfirmed);
            failure = match self.connect().await {
                Ok(connected) => {
                    self.unconfirmed = unconfirmed;
                    return Ok(connected);
                }
                Err(Next::Over(result)) => return Err(result),
                Err(Next::Again(failure)) => failure,
            };
        }
    }

    /// How long to wait before the next attempt; none where there is to be none.
    fn wait(&mut self) -> Option<Duration> {
        if self.is_to_be_confirmed() {
            return Some(Duration::ZERO);
        }
        // The first session must have begun to be tried again.
        let reconnect = self.reconnect.as_mut();
        let reconnect = reconnect.filter(|_| self.pipeline.has_begun())?;
        Some(reconnect.wait(self.clock.now(), fastrand::f64()))
    }

    /// One attempt to connect.
    async fn connect(&mut self) -> Result<Connected, Next> {
        let change = |_transport: &mut TransportConfig| {
            #[cfg(feature = "qlog")]
            if let Some(qlog) = &self.qlog {
                qlog.apply(_transport);
            }
        };
        let connecting = self.contact.connect(change);
        let (pipeline, tally) = (&mut self.pipeline, &mut self.tally);
        match meanwhile(pipeline, tally, &mut self.interrupts, connecting).await {
            Ok(Ok(connected)) => Ok(connected),
            Ok(Err(failure)) if is_worth_another(&failure) => Err(Next::Again(failure)),
            Ok(Err(failure)) => Err(Next::Over(Err(failure))),
            Err(stop) => {
                let text = "there is no connection";
                Err(Next::Over(
                    stop.result(&Failure::new(Exit::Connection, text)),
                ))
            }
        }
    }

    /// One session over a connection.
    async fn session(&mut self, (endpoint, connection): &Connected) -> Next {
        let address = connection.remote_address();
        let peer = format!("the receiver at {address}");
        let video = self.settings.video;
        tracing::info!(
            "connected to {address}; sending {}x{} at {} frames per second",
            video.width,
            video.height,
            video.frame_rate
        );
        let fail = |text| Failure::new(Exit::Connection, text);
        if connection.max_datagram_size().is_none() {
            return Next::Over(Err(fail(format!(
                "{peer} takes no datagrams; is that raq-recv? see --peer"
            ))));
        }
        let unconfirmed = std::mem::take(&mut self.unconfirmed);
        let (control, control_in) = match connection.open_bi().await {
            Ok(streams) => streams,
            Err(error) => {
                let text = format!("{peer}: {error}; look after the network and start again");
                let failure = refusal(&self.contact, &peer, &error).unwrap_or_else(|| fail(text));
                return self.after(failure, false);
            }
        };
        let session = match Session::new(self.settings.clone(), self.clock.now()) {
            Ok(session) => session,
            Err(error) => return Next::Over(Err(Failure::new(Exit::Failure, error))),
        };
        let mut sending = Sending {
            endpoint,
            connection,
            lookout: Lookout::new(self.clock.now(), connection.rtt()),
            number: self.number,
            session,
            clock: self.clock,
            pipeline: &mut self.pipeline,
            tally: &mut self.tally,
            news: News::default(),
            uplink: Uplink::new(connection),
            control,
            control_in: Some(control_in),
            interrupts: &mut self.interrupts,
            interrupted: false,
            frames: Frames::None,
            began: None,
            encoded: Vec::new(),
            spare: Vec::new(),
            source_end_told: false,
            flushing: false,
            held: false,
            lost: None,
            unconfirmed: false,
        };
        let end = sending.run().await;
        let close = match end {
            End::Done | End::Stopped | End::Model(_) | End::Busy(_) | End::Refused(_) => {
                Close::Done
            }
            End::Broken(_) => Close::Protocol,
            End::Silent(_) | End::Left | End::Lost => Close::Failed,
        };
        connection.close(close.into(), end.to_string().as_bytes());
        if sending.tally.has_untold() {
            sending.tick();
        }
        let counts = sending.session.counts();
        let (began, source_end_told) = (sending.began, sending.source_end_told);
        let interrupted = sending.interrupted && began.is_some();
        let encoded = std::mem::take(&mut sending.encoded);
        let lost = sending.lost.take().filter(|_| end == End::Lost);
        if sending.unconfirmed {
            self.unconfirmed = unconfirmed + 1;
        }
        drop(sending);
        self.next_session();
        self.tally.session_ended(&counts);
        self.pipeline.unwant();
        for encoded in encoded {
            self.pipeline.pass_over(encoded);
        }
        if let Some(reconnect) = &mut self.reconnect
            && let Some(began) = began
        {
            reconnect.began(began);
        }
        if let Some(failure) = self.pipeline.failure.take() {
            return Next::Over(Err(failure));
        }
        let failure = match end {
            End::Done | End::Stopped => return Next::Over(Ok(())),
            End::Lost if self.unconfirmed > 0 => fail(format!(
                "{peer} does not complete the handshake, as when the network changes meanwhile; \
                 start again"
            )),
            End::Lost => {
                let refused = lost
                    .as_ref()
                    .and_then(|error| refusal(&self.contact, &peer, error));
                let why = lost.map(|error| format!(" ({error})")).unwrap_or_default();
                refused.unwrap_or_else(|| {
                    fail(format!(
                        "the connection to {address} was lost{why}; look after the network and \
                         start again"
                    ))
                })
            }
            End::Left => fail(format!("{end}; start raq-recv there again")),
            End::Silent(_) => fail(end.to_string()),
            End::Busy(text) if self.pipeline.has_begun() => fail(text),
            End::Busy(text) | End::Refused(text) => Failure::new(Exit::Refused, text),
            End::Model(text) => Failure::new(Exit::Model, text),
            End::Broken(_) => Failure::new(Exit::Failure, end),
        };
        if began.is_some() {
            self.tally.lost(address, failure.cause());
        }
        if interrupted && failure.exit == Exit::Connection {
            tracing::warn!("{}; the receiver does not know of the end", failure.cause());
            return Next::Over(Ok(()));
        }
        self.after(failure, source_end_told)
    }

    /// Gets ready for a session: a new coder takes a while.
    fn next_session(&mut self) {
        self.number += 1;
        self.pipeline.job(Job::Begin(self.number));
    }

    /// What follows a session that has failed. The first one must have begun to be tried again, or
    /// not even have been confirmed.
    fn after(&self, failure: Failure, source_has_ended: bool) -> Next {
        let may_begin =
            self.is_to_be_confirmed() || self.reconnect.is_some() && self.pipeline.has_begun();
        if may_begin && !source_has_ended && is_worth_another(&failure) {
            Next::Again(failure)
        } else {
            Next::Over(Err(failure))
        }
    }

    /// Whether the latest connection was not confirmed and another one may be.
    fn is_to_be_confirmed(&self) -> bool {
        (1..UNCONFIRMED).contains(&self.unconfirmed)
    }
}

/// Why something was not waited for.
#[derive(Debug)]
enum Stop {
    /// The user wants to stop.
    Interrupted,
    /// The source has ended.
    SourceEnd,
    /// A thread cannot go on.
    Failed(Failure),
}

impl Stop {
    /// How the program ends, where `lost` is why there is no connection.
    fn result(self, lost: &Failure) -> Result<(), Failure> {
        match self {
            Self::Interrupted => Ok(()),
            Self::SourceEnd => {
                let text = format_args!(
                    "the source has ended without a connection ({}); look after the network",
                    lost.cause()
                );
                Err(Failure::new(lost.exit, text))
            }
            Self::Failed(failure) => Err(failure),
        }
    }
}

/// Waits for `work` while frames are passed over.
async fn meanwhile<T>(
    pipeline: &mut Pipeline,
    tally: &mut Tally,
    interrupts: &mut watch::Receiver<bool>,
    work: impl Future<Output = T>,
) -> Result<T, Stop> {
    tokio::pin!(work);
    loop {
        if let Some(failure) = pipeline.failure.take().or_else(|| tally.failure()) {
            return Err(Stop::Failed(failure));
        }
        if pipeline.source_end().is_some() {
            return Err(Stop::SourceEnd);
        }
        tokio::select! {
            done = &mut work => return Ok(done),
            () = turned_true(interrupts) => return Err(Stop::Interrupted),
            Some(event) = pipeline.events.recv() => pipeline.take(event),
            () = until(tally.due()) => tally.tick(pipeline.skipped, &Known::default()),
        }
    }
}
