//! The program: opens everything, listens, and admits one sender at a time.

use std::io::{ErrorKind, IsTerminal as _};
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use quinn::{Connecting, ConnectionError, Endpoint, ServerConfig, TokioRuntime};
use raq_shared::cli;
use raq_shared::exit::{Exit, Failure};
use raq_shared::identity::{Identity, KeyId, Role};
use raq_shared::model::{Model, Temporal};
use raq_shared::observe::Observers;
#[cfg(feature = "qlog")]
use raq_shared::observe::qlog::Qlog;
use raq_shared::quic::{self, Close, Distrust};
use raq_shared::stats::columns;
use raq_shared::video::VideoFormat;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::timeout;

use crate::admission::{Admission, Admitted};
use crate::connection::{self, Outcome, Pipeline, Signals};
use crate::decode::{self, Jobs, Limit};
use crate::figures::{Figures, Gauge};
use crate::gate::{Gate, Place};
use crate::greeting::{Greeting, greet};
use crate::options::{Listen, Options, Output};
use crate::present;
use crate::session::{End, Settings};
use crate::ticket_line;

/// Room for bursts while the program is busy elsewhere.
const SOCKET_BUFFER: usize = 2 << 20;
/// Frames that may wait for the decoder: for a screen few, they would only be late.
const LIVE_QUEUE: usize = 3;
/// A file takes them late, too.
const FILE_LIMIT: Limit = Limit {
    frames: 32,
    time: Duration::MAX,
};
/// How long closing connections may take at the end.
const FAREWELL: Duration = Duration::from_secs(1);

/// Does what the command line asks for.
///
/// # Errors
/// [`Failure`] with the exit code and one line for the user.
pub fn run(options: &Options) -> Result<(), Failure> {
    let console = options.common.start_logging();
    if let Some(verb) = &options.verb {
        return verb.run(Role::Sender);
    }
    if options.common.print(&options.model())? {
        return Ok(());
    }
    let Some(listen) = options.listen else {
        return Ok(());
    };
    let outputs = options.output.outputs()?;
    let observe = &options.common.observe;
    let files: Vec<_> = outputs.iter().filter_map(Output::file).collect();
    let taken: Vec<_> = files.iter().map(|file| ("--output", *file)).collect();
    options.common.check_files(&taken)?;
    let identity = options.common.identity()?;
    let named = options.common.accepted_keys(&identity)?;
    let admission = Admission::new(&identity, named, console.clone())?;
    let terminal = std::io::stderr().is_terminal() && !options.common.quiet;
    let invited = options.invite.lifetime(terminal);
    let config = quic::server_config(&identity, admission.trust())?;
    let socket = bind(listen)?;
    let mut observers = Observers::start(observe, &console, "raq-recv")?;
    #[cfg(feature = "qlog")]
    let qlog = match &observe.qlog {
        Some(folder) => Some(Qlog::open(folder, "raq-recv")?),
        None => None,
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

    let (stop, stopped) = watch::channel(false);
    let (event_sender, events) = mpsc::unbounded_channel();
    let (watchers, figures) = watch::channel(Figures::default());
    let (presenter, mut presenting) = present::start(
        &outputs,
        options.output.latency,
        &event_sender,
        &stop,
        &figures,
    )
    .map_err(|failure| options.output.blame(failure))?;
    let model = Model::open(&options.model())?;
    let codebooks = model.codebooks()?;
    let temporal = Temporal::load(model.folder(), &codebooks)?;
    let decoder = model.decoder()?;
    let provider = decoder.provider().to_string();
    let manifest = model.manifest();
    tracing::debug!(provider, precision = %decoder.precision(), codebooks = %codebooks.digest(), "model ready");
    let streams = outputs.iter().any(Output::is_stream);
    let jobs = Arc::new(Jobs::new(if outputs.iter().any(Output::is_live) {
        Limit {
            frames: LIVE_QUEUE,
            time: options.output.latency,
        }
    } else {
        FILE_LIMIT
    }));
    let decode_thread = decode::start(decoder, jobs.clone(), presenter, event_sender)?;
    observers.open(observe, &columns::receiver(observe.rows()))?;

    let settings = Settings {
        model_id: model.folder().id(),
        model_name: manifest.name.clone(),
        codebooks: Arc::new(codebooks),
        temporal,
        codeword_limit: manifest.codeword_limit,
        max_width: options.max_size.width,
        max_height: options.max_size.height,
        format: None,
    };
    let dead = Arc::new(AtomicBool::new(false));
    let format = Arc::new(OnceLock::new());
    let server = Server {
        key: identity.id(),
        admission,
        format: format.clone(),
        settings,
        gate: Arc::default(),
        pipeline: Mutex::new(Pipeline {
            jobs: jobs.clone(),
            events,
            gauge: Gauge::new(watchers, observers.period()),
            observers,
            provider,
            one_format: streams,
            format,
            dead: dead.clone(),
        }),
        received: AtomicBool::new(false),
        handshakes: AtomicUsize::new(0),
        stopped,
        #[cfg(feature = "qlog")]
        qlog: qlog.map(|qlog| (qlog, config.clone())),
    };
    let ends = Ends {
        once: options.once,
        after_stream: streams,
    };
    let result = runtime.block_on(async {
        forward_interrupts(stop)?;
        let (address, endpoint) = listen_on(socket, &identity, config)?;
        let server = Arc::new(server);
        if let Some(lifetime) = invited {
            let ticket = server.admission.invite(lifetime)?;
            console.print(&ticket_line::text(address, &ticket, lifetime));
            let server = server.clone();
            tokio::spawn(async move { server.admission.watch(lifetime).await });
        }
        let result = serve(server, &endpoint, ends).await;
        endpoint.close(Close::Done.into(), b"the receiver has ended");
        let _ = timeout(FAREWELL, endpoint.wait_idle()).await;
        result
    });
    // All threads end once the queue is closed and done.
    jobs.close();
    if !dead.load(Ordering::Relaxed) {
        // A panic was told as an event.
        let _ = decode_thread.join();
        presenting.join();
    }
    result?;
    presenting.failure().map_or(Ok(()), Err)
}

/// A socket on the address; on all addresses one that takes IPv4 along with IPv6.
fn bind(listen: Listen) -> Result<UdpSocket, Failure> {
    let attempt = |address: SocketAddr| {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::DGRAM,
            Some(Protocol::UDP),
        )?;
        if address.is_ipv6() && matches!(listen, Listen::All(_)) {
            socket.set_only_v6(false)?;
        }
        socket.bind(&address.into())?;
        // The system may grant less; then bursts are lost sooner.
        let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
        let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
        Ok(UdpSocket::from(socket))
    };
    let address = listen.address();
    let bound = attempt(address).or_else(|error: std::io::Error| match listen {
        // A machine without IPv6.
        Listen::All(port) if error.kind() != ErrorKind::AddrInUse => {
            attempt((std::net::Ipv4Addr::UNSPECIFIED, port).into())
        }
        _ => Err(error),
    });
    bound.map_err(|error| {
        let cure = cli::listening_cure(&error);
        Failure::new(
            Exit::Failure,
            format_args!("cannot listen on {address}: {error}; {cure}"),
        )
    })
}

fn listen_on(
    socket: UdpSocket,
    identity: &Identity,
    config: ServerConfig,
) -> Result<(SocketAddr, Endpoint), Failure> {
    let started = socket.local_addr().and_then(|address| {
        let listener = quic::listener_config(identity, address.port());
        let runtime = Arc::new(TokioRuntime);
        let endpoint = Endpoint::new(listener, Some(config), socket, runtime)?;
        Ok((address, endpoint))
    });
    let (address, endpoint) = started.map_err(|e| {
        Failure::new(
            Exit::Failure,
            format_args!("cannot listen: {e}; choose another address"),
        )
    })?;
    tracing::info!("listening on {address}");
    Ok((address, endpoint))
}

fn forward_interrupts(stop: watch::Sender<bool>) -> Result<(), Failure> {
    let mut interrupts = cli::interrupts()?;
    tokio::spawn(async move {
        if interrupts
            .wait_for(|&interrupted| interrupted)
            .await
            .is_ok()
        {
            stop.send_replace(true);
        }
    });
    Ok(())
}

struct Server {
    key: KeyId,
    admission: Admission,
    settings: Settings,
    /// The only format that the output takes, once it has a frame.
    format: Arc<OnceLock<VideoFormat>>,
    gate: Arc<Gate>,
    /// Whoever holds it is being received.
    pipeline: Mutex<Pipeline>,
    /// Somebody was received, or is.
    received: AtomicBool,
    handshakes: AtomicUsize,
    stopped: watch::Receiver<bool>,
    /// With the settings that all connections have in common.
    #[cfg(feature = "qlog")]
    qlog: Option<(Qlog, ServerConfig)>,
}

impl Server {
    /// The settings of one connection, where they are not those of all.
    fn settings_of_its_own(&self) -> Option<Arc<ServerConfig>> {
        #[cfg(feature = "qlog")]
        if let Some((qlog, config)) = &self.qlog {
            let mut config = config.clone();
            config.transport_config(quic::server_transport(|transport| qlog.apply(transport)));
            return Some(Arc::new(config));
        }
        None
    }
}

/// After what the program ends.
#[derive(Clone, Copy, Debug)]
struct Ends {
    /// After any attempt, also one that was refused.
    once: bool,
    /// After a session that came to its end: a file that it fills is done.
    after_stream: bool,
}

/// What became of someone who connected.
#[derive(Debug)]
enum Attempt {
    /// Nobody with a valid handshake, or sent away because another one is being received.
    Nothing,
    Distrust(String),
    /// One who said something else than a Hello that fits, and never had the place.
    Greeting(Outcome),
    Session(Outcome),
}

async fn serve(server: Arc<Server>, endpoint: &Endpoint, ends: Ends) -> Result<(), Failure> {
    let (attempts, mut made) = mpsc::unbounded_channel();
    let mut stopped = server.stopped.clone();
    loop {
        tokio::select! {
            incoming = endpoint.accept() => {
                let Some(incoming) = incoming else { return Err(no_socket()) };
                let open = server.handshakes.load(Ordering::Relaxed);
                if let Some(connecting) = quic::admit(incoming, open, || server.settings_of_its_own()) {
                    let (server, attempts) = (server.clone(), attempts.clone());
                    server.handshakes.fetch_add(1, Ordering::Relaxed);
                    tokio::spawn(async move {
                        let _ = attempts.send(attempt(&server, connecting).await);
                    });
                }
            }
            Some(attempt) = made.recv() => {
                // A stranger must not end the session of somebody who was let in, nor decide how
                // it ended before that is known.
                let receiving = server.pipeline.try_lock().is_err()
                    || (ends.once && server.received.load(Ordering::Relaxed));
                match attempt {
                    Attempt::Distrust(message) if receiving => tracing::warn!("{message}"),
                    Attempt::Greeting(outcome) if receiving => {
                        if let Some((Err(failure), _)) = result(outcome, ends) {
                            tracing::warn!("{failure}");
                        }
                    }
                    attempt => {
                        if let Some(result) = judge(attempt, ends) {
                            return result;
                        }
                    }
                }
            }
            _ = stopped.wait_for(|&stopped| stopped) => break,
        }
    }
    // The session that is running, if any, sees the same signal and comes to its end.
    drop(server.pipeline.lock().await);
    while let Ok(attempt) = made.try_recv() {
        if let Some(result) = judge(attempt, ends) {
            return result;
        }
    }
    Ok(())
}

/// Whether the program ends after this attempt, and how.
fn judge(attempt: Attempt, ends: Ends) -> Option<Result<(), Failure>> {
    let (result, ended_well) = match attempt {
        Attempt::Nothing => return None,
        Attempt::Distrust(message) => (Err(Failure::new(Exit::Refused, message)), false),
        Attempt::Greeting(outcome) => result(outcome, ends)?,
        Attempt::Session(Outcome {
            failure: Some(failure),
            ..
        }) => return Some(Err(failure)),
        Attempt::Session(outcome) => result(outcome, ends)?,
    };
    if ends.once || (ends.after_stream && ended_well) {
        return Some(result);
    }
    if let Err(failure) = result {
        tracing::warn!("{failure}; waiting for the next sender");
    }
    None
}

/// How an attempt went, and whether it came to a good end; none where nobody needs to know.
fn result(outcome: Outcome, ends: Ends) -> Option<(Result<(), Failure>, bool)> {
    let Outcome { end, lost, .. } = outcome;
    let fail = |exit, message: String| Err(Failure::new(exit, message));
    Some(match end {
        End::Done | End::Stopped => (Ok(()), true),
        End::Refused(reason) => (
            fail(Exit::Refused, format!("refused the sender: {reason}")),
            false,
        ),
        End::Broken(_) => (fail(Exit::Failure, end.to_string()), false),
        End::Superseded if !ends.once => {
            tracing::info!("{end}");
            return None;
        }
        End::Lost | End::Superseded => {
            let why = lost.map(|e| format!(" ({e})")).unwrap_or_default();
            let message = format!("{end}{why}; look after the network");
            (fail(Exit::Connection, message), false)
        }
    })
}

fn no_socket() -> Failure {
    let text = "the socket is gone; look after the network and start raq-recv again";
    Failure::new(Exit::Connection, text)
}

async fn attempt(server: &Server, connecting: Connecting) -> Attempt {
    let address = connecting.remote_address();
    let connected = timeout(quic::HANDSHAKE_PATIENCE, connecting).await;
    server.handshakes.fetch_sub(1, Ordering::Relaxed);
    let connection = match connected {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => return no_handshake(address, &error, server.key),
        Err(_) => {
            tracing::info!("no session with {address}: it did not end its handshake");
            return Attempt::Nothing;
        }
    };
    let key = quic::peer_key(&connection);
    if let Some(key) = key {
        tracing::debug!(%address, %key, "connected");
    }
    match server.admission.admit(&connection, key).await {
        Admitted::Yes => {}
        Admitted::No(message) => return Attempt::Distrust(message),
        Admitted::Nothing => return Attempt::Nothing,
    }
    let turn = server.gate.arrive();
    let mut settings = server.settings.clone();
    settings.format = server.format.get().copied();
    let codebook_digest = settings.codebooks.digest().to_hex();
    let mut greeted = match greet(&connection, settings, server.stopped.clone()).await {
        Greeting::Fits(greeted) => greeted,
        Greeting::Over(outcome) => return Attempt::Greeting(outcome),
    };
    let heard = connection.clone();
    let packets = move || heard.stats().udp_rx.datagrams;
    let superseded = || {
        connection.close(
            Close::Superseded.into(),
            End::Superseded.to_string().as_bytes(),
        );
        Attempt::Nothing
    };
    let claim = match server.gate.claim(turn, key, packets).await {
        Place::Given(claim) => claim,
        Place::Superseded => return superseded(),
        Place::Taken => {
            tracing::info!("sent the sender at {address} away: another one is being received");
            greeted.session.refuse_busy();
            greeted.refuse(&connection).await;
            return Attempt::Nothing;
        }
    };
    let mut taken = claim.superseded();
    let mut pipeline = tokio::select! {
        pipeline = server.pipeline.lock() => pipeline,
        _ = taken.wait_for(|&taken| taken) => return superseded(),
    };
    // The session before may have begun a file meanwhile.
    greeted.session.restrict(server.format.get().copied());
    if greeted.session.is_over() {
        return Attempt::Greeting(greeted.refuse(&connection).await);
    }
    let signals = Signals {
        stop: server.stopped.clone(),
        superseded: taken,
    };
    server.received.store(true, Ordering::Relaxed);
    let outcome = connection::receive(
        &connection,
        *greeted,
        codebook_digest,
        &mut pipeline,
        signals,
    )
    .await;
    // The next one finds the pipeline free.
    drop(pipeline);
    drop(claim);
    Attempt::Session(outcome)
}

fn no_handshake(address: SocketAddr, error: &ConnectionError, key: KeyId) -> Attempt {
    match Distrust::behind(error) {
        Some(distrust) => {
            Attempt::Distrust(distrust.explain(&format!("the sender at {address}"), key))
        }
        None => {
            tracing::info!("no session with {address}: {error}");
            Attempt::Nothing
        }
    }
}
