//! What a sender is received with: a decoder and outputs, on threads of their own.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use raq_shared::exit::{Exit, Failure};
use raq_shared::identity::KeyId;
use raq_shared::model::{Decoder, Model};
use raq_shared::observe::{Console, Observers};
use raq_shared::stats::columns;
use raq_shared::video::VideoFormat;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{self, watch};
use tokio::task::spawn_blocking;

use crate::connection::{Outcome, Pipeline};
use crate::decode::{self, Jobs, Limit};
use crate::event::Event;
use crate::figures::{Figures, Gauge};
use crate::options::{Options, Output};
use crate::present::{self, Presenter, Presenting};
use crate::session::End;

/// Frames that may wait for the decoder: for a screen few, they would only be late.
const LIVE_QUEUE: usize = 3;
/// A file takes them late, too.
const FILE_LIMIT: Limit = Limit {
    frames: 32,
    time: Duration::MAX,
};

/// Everything that one sender at a time is received with.
#[derive(Debug)]
pub(crate) struct Station {
    /// What stands for `{peer}` in its files.
    pub(crate) number: u32,
    pub(crate) pipeline: Pipeline,
    key: Option<KeyId>,
    decode_thread: JoinHandle<()>,
    presenting: Presenting,
}

/// A station whose outputs are open, without a decoder yet.
#[derive(Debug)]
pub(crate) struct Outfit {
    number: u32,
    options: Options,
    streams: bool,
    limit: Limit,
    observers: Observers,
    gauge: Gauge,
    presenter: Presenter,
    presenting: Presenting,
    told: UnboundedSender<Event>,
    events: UnboundedReceiver<Event>,
}

impl Outfit {
    /// Opens the outputs of the peer with this number. `stop` turns true when the user closes one.
    ///
    /// # Errors
    /// [`Failure`] where one cannot be opened.
    pub(crate) fn open(
        options: &Options,
        number: u32,
        console: &Console,
        stop: &watch::Sender<bool>,
    ) -> Result<Self, Failure> {
        let options = options.of_peer(number);
        let outputs = options.output.outputs()?;
        let observers = Observers::start(&options.common.observe, console, "raq-recv")?;
        let (told, events) = unbounded_channel();
        let (watchers, figures) = watch::channel(Figures::default());
        let latency = options.output.latency;
        let (presenter, presenting) = present::start(&outputs, latency, &told, stop, &figures)
            .map_err(|failure| options.output.blame(failure))?;
        Ok(Self {
            number,
            streams: outputs.iter().any(Output::is_stream),
            limit: match outputs.iter().any(Output::is_live) {
                true => Limit {
                    frames: LIVE_QUEUE,
                    time: latency,
                },
                false => FILE_LIMIT,
            },
            gauge: Gauge::new(watchers, observers.period()),
            options,
            observers,
            presenter,
            presenting,
            told,
            events,
        })
    }

    /// Starts `decoder`, and opens what `--stats` names. Once the station is closed the decoder is given to
    /// `after`.
    ///
    /// # Errors
    /// [`Failure`] where the system gives no thread, or a file cannot be written.
    pub(crate) fn furnish(
        mut self,
        decoder: Decoder,
        after: impl FnOnce(Decoder) + Send + 'static,
    ) -> Result<Station, Failure> {
        let provider = decoder.provider().to_string();
        tracing::debug!(provider, precision = %decoder.precision(), "decoder ready");
        let jobs = Arc::new(Jobs::new(self.limit));
        let observe = &self.options.common.observe;
        let columns = columns::receiver(observe.rows());
        // Before there is a thread that somebody would have to end.
        if let Err(failure) = self.observers.open(observe, &columns) {
            after(decoder);
            return Err(failure);
        }
        let (presenter, told) = (self.presenter, self.told);
        let decode_thread = decode::start(decoder, jobs.clone(), presenter, told, after)?;
        Ok(Station {
            number: self.number,
            pipeline: Pipeline {
                jobs,
                events: self.events,
                observers: self.observers,
                gauge: self.gauge,
                provider,
                one_format: self.streams,
                format: Arc::default(),
                dead: AtomicBool::new(false),
            },
            key: None,
            decode_thread,
            presenting: self.presenting,
        })
    }
}

impl Station {
    /// Ends its threads once they have done what waits; why an output failed although others went on.
    ///
    /// # Errors
    /// That failure.
    pub(crate) fn close(mut self) -> Result<(), Failure> {
        self.pipeline.jobs.close();
        // A panic was told as an event; one who answers no more is not waited for.
        if !self.pipeline.dead.load(Ordering::Relaxed) {
            let _ = self.decode_thread.join();
            self.presenting.join();
        }
        self.presenting.failure().map_or(Ok(()), Err)
    }

    /// Whether what it has begun can go on with this sender.
    fn suits(&self, key: Option<KeyId>, format: VideoFormat) -> bool {
        let same_format = self.pipeline.format.get().is_none_or(|its| *its == format);
        key.is_some() && self.key == key && same_format
    }
}

/// The stations of all seats.
#[derive(Debug)]
pub(crate) struct Stations {
    /// Whoever holds one is being received there.
    seats: Vec<sync::Mutex<Option<Station>>>,
    /// Makes one for each sender; otherwise there is one for all of them, one after the other.
    maker: Option<Arc<Maker>>,
    /// The only format that the only station takes, once it has a frame: known also while it is used.
    format: Arc<OnceLock<VideoFormat>>,
}

#[derive(Debug)]
struct Maker {
    options: Options,
    model: Model,
    stop: watch::Sender<bool>,
    made: AtomicU32,
    spare: Arc<Spare>,
}

/// Decoders of stations that were closed: making one takes longer than all else.
#[derive(Default)]
struct Spare(Mutex<Vec<Decoder>>);

impl Spare {
    fn lock(&self) -> MutexGuard<'_, Vec<Decoder>> {
        // Nothing can panic while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Spare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Spare").field(&self.lock().len()).finish()
    }
}

impl Maker {
    /// The next one whose files are not there: those of an earlier run keep theirs.
    fn number(&self) -> u32 {
        loop {
            let number = self.made.fetch_add(1, Ordering::Relaxed).saturating_add(1);
            if number == u32::MAX || !self.options.has_recordings_of(number) {
                return number;
            }
        }
    }

    fn make(&self) -> Result<Station, Failure> {
        let number = self.number();
        let outfit = Outfit::open(&self.options, number, &Console::hidden(), &self.stop)?;
        let spare = self.spare.lock().pop();
        let decoder = match spare {
            Some(decoder) => decoder,
            None => self.model.decoder()?,
        };
        let spare = self.spare.clone();
        outfit.furnish(decoder, move |decoder| spare.lock().push(decoder))
    }
}

impl Stations {
    /// The only one.
    pub(crate) fn one(station: Station) -> Self {
        Self {
            format: station.pipeline.format.clone(),
            seats: vec![sync::Mutex::new(Some(station))],
            maker: None,
        }
    }

    /// One for each of up to `--max-peers` senders, made when it comes.
    pub(crate) fn several(options: &Options, model: Model, stop: watch::Sender<bool>) -> Self {
        let seats = (0..options.max_peers).map(|_| sync::Mutex::new(None));
        Self {
            format: Arc::default(),
            seats: seats.collect(),
            maker: Some(Arc::new(Maker {
                options: options.clone(),
                model,
                stop,
                made: AtomicU32::new(0),
                spare: Arc::default(),
            })),
        }
    }

    /// Whether there may be more than one.
    pub(crate) fn are_several(&self) -> bool {
        self.maker.is_some()
    }

    /// Waits until nobody is received at a seat.
    pub(crate) async fn take(&self, seat: usize) -> sync::MutexGuard<'_, Option<Station>> {
        self.seats[seat].lock().await
    }

    /// Whether anybody is being received.
    pub(crate) fn are_used(&self) -> bool {
        self.seats.iter().any(|seat| seat.try_lock().is_err())
    }

    /// The only format that the only station takes, once it has a frame.
    pub(crate) fn only_format(&self) -> Option<VideoFormat> {
        self.format.get().copied()
    }

    /// Makes a station ready for a sender: the one that is there, if it suits.
    ///
    /// # Errors
    /// [`Failure`] where none can be made; then there is none.
    pub(crate) async fn prepare<'a>(
        &self,
        station: &'a mut Option<Station>,
        key: Option<KeyId>,
        format: VideoFormat,
    ) -> Result<&'a mut Station, Failure> {
        if let Some(maker) = &self.maker {
            if let Some(other) = station.take_if(|it| !it.suits(key, format)) {
                close(other).await;
            }
            if station.is_none() {
                let maker = maker.clone();
                let made = spawn_blocking(move || maker.make()).await;
                *station = Some(made.map_err(|_| gone())??);
            }
        }
        let station = station.as_mut().ok_or_else(gone)?;
        station.key = key;
        Ok(station)
    }

    /// A session is over: whether its station waits for the same sender, as it does where the connection
    /// was lost and there is a file to go on with.
    pub(crate) async fn leave(&self, station: &mut Option<Station>, outcome: &Outcome) -> bool {
        let Some(maker) = &self.maker else {
            return true;
        };
        let lost = matches!(outcome.end, End::Lost | End::Superseded) && outcome.failure.is_none();
        let waits = |it: &mut Station| lost && it.key.is_some() && it.pipeline.one_format;
        let stopped = *maker.stop.borrow();
        if let Some(over) = station.take_if(|it| stopped || !waits(it)) {
            close(over).await;
        }
        station.is_some()
    }

    /// All that nobody is received at; call it once sessions are over.
    pub(crate) fn vacant(&self) -> Vec<Station> {
        let seats = self.seats.iter();
        seats
            .filter_map(|seat| seat.try_lock().ok()?.take())
            .collect()
    }

    /// Waits until nobody is received anywhere.
    pub(crate) async fn idle(&self) {
        for seat in &self.seats {
            drop(seat.lock().await);
        }
    }
}

/// Ends a station of several.
async fn close(station: Station) {
    let number = station.number;
    if let Ok(Err(failure)) = spawn_blocking(move || station.close()).await {
        tracing::error!("peer {number}: {failure}");
    }
}

/// A thread that should have made a station has panicked, and told of it.
fn gone() -> Failure {
    Failure::new(
        Exit::Failure,
        "the decoder could not be started; start raq-recv again",
    )
}
