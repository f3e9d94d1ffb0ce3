//! The program: opens everything, connects, and runs the session.

use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use quinn::{Connection, Endpoint};
use raq_shared::cli;
use raq_shared::exit::{Exit, Failure};
use raq_shared::frame::Frame;
use raq_shared::identity::KeyId;
use raq_shared::latent::Latents;
use raq_shared::model::{Encoder, Model, Temporal};
use raq_shared::quic::Close;
use raq_shared::stats::StatsFile;
use raq_shared::tile::TileGrid;
use raq_shared::worker;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::capture::play::{Captured, Limits, Player, Source};
use crate::clock::Clock;
use crate::code::CodeThread;
use crate::connect::{self, refusal};
use crate::connection::{Pipeline, Sending, SourceEnd};
use crate::encode::EncodeThread;
use crate::event::Event;
use crate::frame_coder::FrameCoder;
use crate::mailbox::Mailbox;
use crate::options::Options;
use crate::session::{End, Session, Settings};
use crate::tally::Tally;
use crate::uplink::Uplink;

/// Pictures under way: one being filled, one waiting, one being encoded, one being coded.
const FRAMES: usize = 4;
/// Latents under way: one being filled, one being coded.
const LATENTS: usize = 2;
/// A choice that takes longer than a frame is due takes no longer than this.
const LONG_CHOICE: Duration = Duration::from_millis(150);
/// How long closing the connection may take at the end.
const FAREWELL: Duration = Duration::from_secs(1);

/// Does what the command line asks for.
///
/// # Errors
/// [`Failure`] with the exit code and one line for the user.
pub fn run(options: &Options) -> Result<(), Failure> {
    options.common.start_logging();
    if options.common.print()? {
        return Ok(());
    }
    #[cfg(feature = "camera")]
    if options.list_cameras {
        return list_cameras();
    }
    let peer = options.peer()?;
    let source = options.open_source()?;
    let identity = options.common.identity()?;
    let trust = options.common.accepted_keys(&identity)?;
    let video = source.format();
    let size = video.size().map_err(|e| Failure::new(Exit::Failure, e))?;
    let model = Model::open(&options.common.model_options())?;
    let made = model.regenerate()?;
    let manifest = model.manifest();
    let codebooks = Arc::new(made.codebooks);
    let temporal = Temporal::load(model.folder(), &codebooks)?;
    let mut coder = FrameCoder::new(
        TileGrid::of(size),
        &temporal.stages,
        &temporal.basis,
        &temporal.tables,
        options.speed,
    );
    if let Some(most) = options.codewords {
        coder.limit_codewords(most);
    }
    let mut encoder = model.encoder()?;
    encoder.prepare(size)?;
    tracing::debug!(provider = %encoder.provider(), codebooks = %codebooks.digest(), "ready");

    let settings = Settings {
        program: env!("CARGO_PKG_VERSION").to_owned(),
        model_id: model.folder().id(),
        model_name: manifest.name.clone(),
        codebooks: codebooks.clone(),
        video,
        max_rate: options.max_rate,
        latency: options.latency,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|e| {
        Failure::new(
            Exit::Failure,
            format_args!("cannot start: {e}; free memory or handles"),
        )
    })?;
    let sender = Sender {
        own: identity.id(),
        provider: encoder.provider().to_string(),
        encoder,
        coder,
        source,
        limits: options.limits(),
        dim: manifest.latent_dim,
        settings,
        stats: options.common.stats.clone(),
    };
    runtime.block_on(async {
        let mut interrupts = cli::interrupts()?;
        let (endpoint, connection) = tokio::select! {
            connected = connect::connect(peer, &identity, trust) => connected?,
            _ = interrupts.wait_for(|&interrupted| interrupted) => return Ok(()),
        };
        sender.send(&endpoint, &connection, interrupts).await
    })
}

#[cfg(feature = "camera")]
fn list_cameras() -> Result<(), Failure> {
    use std::io::Write as _;

    let text = crate::capture::camera::list()?;
    if text.is_empty() {
        tracing::warn!("no camera found; plug one in, or send with --input or --test-pattern");
    }
    let mut stdout = std::io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(cli::stdout_failure)
}

/// Everything that a session needs.
struct Sender {
    own: KeyId,
    settings: Settings,
    coder: FrameCoder,
    encoder: Encoder,
    /// Where the encoder runs.
    provider: String,
    source: Source,
    limits: Limits,
    dim: usize,
    stats: Option<PathBuf>,
}

impl Sender {
    async fn send(
        self,
        endpoint: &Endpoint,
        connection: &Connection,
        interrupts: watch::Receiver<bool>,
    ) -> Result<(), Failure> {
        // Only now: what an earlier session left is not to be lost to one that never began.
        let stats = StatsFile::create(self.stats.as_deref())?;
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
            return Err(fail(format!(
                "{peer} takes no datagrams; is that raq-recv? see --peer"
            )));
        }
        let (control, control_in) = match connection.open_bi().await {
            Ok(streams) => streams,
            Err(error) => {
                let text = format!("{peer}: {error}; look after the network and start again");
                return Err(refusal(&peer, &error, self.own).unwrap_or_else(|| fail(text)));
            }
        };
        let clock = Clock::start();
        let digest = self.settings.codebooks.digest().to_hex();
        let session =
            Session::new(self.settings, clock.now()).map_err(|e| Failure::new(Exit::Failure, e))?;
        let (event_sender, events) = unbounded_channel();
        let (pipeline, capture, threads) = pipeline(
            (self.source, self.limits, self.dim),
            (self.encoder, self.coder),
            clock,
            event_sender,
            events,
        )?;
        let mut sending = Sending {
            connection,
            session,
            clock,
            pipeline,
            tally: Tally::new(clock, stats),
            uplink: Uplink::new(connection),
            control,
            control_in: Some(control_in),
            interrupts,
            interrupted: false,
            start: Some(capture),
            encoded: Vec::new(),
            spare: Vec::new(),
            source: SourceEnd::default(),
            flushing: false,
            held: false,
            failure: None,
            lost: None,
        };
        let end = sending.run().await;
        let close = match end {
            End::Done | End::Stopped | End::Model(_) | End::Refused(_) => Close::Done,
            End::Broken(_) => Close::Protocol,
            End::Silent(_) | End::Left | End::Lost => Close::Failed,
        };
        connection.close(close.into(), end.to_string().as_bytes());
        let _ = timeout(FAREWELL, endpoint.wait_idle()).await;
        // Nothing was sent, so there is nothing to sum up, where the receiver said no.
        if sending.start.is_none() {
            let counts = sending.session.counts();
            sending.tally.finish(&counts, &self.provider, digest);
        }
        let Sending {
            pipeline,
            failure,
            lost,
            ..
        } = sending;
        // Without these ends the threads have nothing left to do. The capture thread may hang in
        // a read, so it is not waited for.
        pipeline.mailbox.close();
        drop(pipeline);
        for thread in threads {
            // A panic was told while the session ran.
            let _ = thread.join();
        }
        let lost = lost.filter(|_| end == End::Lost);
        let reason = lost.and_then(|error| {
            let text = format!(
                "the connection to {address} was lost ({error}); look after the network and \
                 start again"
            );
            refusal(&peer, &error, self.own).or_else(|| Some(fail(text)))
        });
        if let Some(failure) = failure.or(reason) {
            return Err(failure);
        }
        match end {
            End::Done | End::Stopped => Ok(()),
            End::Model(text) => Err(Failure::new(Exit::Model, text)),
            End::Refused(text) => Err(Failure::new(Exit::Refused, text)),
            End::Broken(_) => Err(Failure::new(Exit::Failure, end)),
            End::Silent(_) | End::Lost => Err(fail(end.to_string())),
            End::Left => Err(fail(format!("{end}; start raq-recv there again"))),
        }
    }
}

/// How long the choice may take for a frame when frames come so far apart: on a machine that is too
/// slow the frame rate falls before the picture does.
fn patience(interval: Duration) -> Duration {
    (3 * interval).min(LONG_CHOICE).max(interval)
}

type Threads = Vec<JoinHandle<()>>;

/// Starts the encode and code threads; the function that comes along starts the capture.
fn pipeline(
    (source, limits, dim): (Source, Limits, usize),
    (encoder, coder): (Encoder, FrameCoder),
    clock: Clock,
    event_sender: UnboundedSender<Event>,
    events: tokio::sync::mpsc::UnboundedReceiver<Event>,
) -> Result<(Pipeline, impl FnOnce() -> Result<(), Failure>, Threads), Failure> {
    let size = source
        .format()
        .size()
        .map_err(|e| Failure::new(Exit::Failure, e))?;
    let buffer = || Captured {
        number: 0,
        captured: Duration::ZERO,
        frame: Frame::new(size),
    };
    let mailbox = Arc::new(Mailbox::new((0..FRAMES).map(|_| buffer()).collect()));
    let (empty_latents, empty) = mpsc::channel();
    for _ in 0..LATENTS {
        // The receiver is right here.
        let _ = empty_latents.send(Latents::new(size.grid(), dim));
    }
    let (jobs, job_receiver) = mpsc::channel();
    let encode = EncodeThread {
        encoder,
        clock,
        mailbox: mailbox.clone(),
        empty,
        events: event_sender.clone(),
    };
    let code = CodeThread {
        coder,
        clock,
        patience: patience(source.format().frame_rate.time_of(1)),
        jobs: job_receiver,
        events: event_sender.clone(),
    };
    let panicked = |events: &UnboundedSender<Event>| {
        let events = events.clone();
        move |failure| drop(events.send(Event::Failed(failure)))
    };
    let (on_encode, on_code, on_capture) = (
        panicked(&event_sender),
        panicked(&event_sender),
        panicked(&event_sender),
    );
    let threads = vec![
        worker::spawn("encode", || encode.run(), on_encode)?,
        worker::spawn("code", || code.run(), on_code)?,
    ];
    let player = Player {
        source,
        limits,
        clock,
        mailbox: mailbox.clone(),
        events: event_sender.clone(),
    };
    let capture = move || worker::spawn("capture", || player.run(), on_capture).map(drop);
    Ok((
        Pipeline {
            mailbox,
            empty_latents,
            jobs,
            events,
            tell: event_sender,
        },
        capture,
        threads,
    ))
}
