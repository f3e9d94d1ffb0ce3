//! The program: opens everything, listens, and closes everything.

use std::io::{ErrorKind, IsTerminal as _};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use quinn::{Endpoint, ServerConfig, TokioRuntime};
use raq_shared::cli;
use raq_shared::exit::{Exit, Failure};
use raq_shared::identity::{Identity, Role};
use raq_shared::model::{Model, Temporal};
#[cfg(feature = "qlog")]
use raq_shared::observe::qlog::Qlog;
use raq_shared::quic::{self, Close};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::admission::Admission;
use crate::options::{Listen, Options, Output};
use crate::seats::Seats;
use crate::server::{Ends, Server, serve};
use crate::session::Settings;
use crate::station::{Outfit, Station, Stations};
use crate::ticket_line;

/// Room for bursts while the program is busy elsewhere.
const SOCKET_BUFFER: usize = 2 << 20;
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
    options.check_peers()?;
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
    // The only station is opened now, so that what is wrong with it is known at once.
    let outfit = match options.max_peers {
        1 => Some(Outfit::open(options, 1, &console, &stop)?),
        _ => None,
    };
    let model = Model::open(&options.model())?;
    let codebooks = model.codebooks()?;
    tracing::debug!(codebooks = %codebooks.digest(), "model ready");
    let manifest = model.manifest();
    let settings = Settings {
        model_id: model.folder().id(),
        model_name: manifest.name.clone(),
        temporal: Temporal::load(model.folder(), &codebooks)?,
        codebooks: Arc::new(codebooks),
        codeword_limit: manifest.codeword_limit,
        max_width: options.max_size.width,
        max_height: options.max_size.height,
        format: None,
    };
    let stations = match outfit {
        Some(outfit) => Stations::one(outfit.furnish(model.decoder()?, drop)?),
        None => Stations::several(options, model, stop.clone()),
    };
    let ends = Ends {
        once: options.once,
        after_stream: !stations.are_several() && outputs.iter().any(Output::is_stream),
    };
    let server = Arc::new(Server {
        key: identity.id(),
        admission,
        settings,
        seats: Arc::new(Seats::new(options.max_peers.into())),
        stations,
        received: AtomicBool::new(false),
        doorway: Arc::default(),
        stopped,
        #[cfg(feature = "qlog")]
        qlog: qlog.map(|qlog| (qlog, config.clone())),
    });
    let result = runtime.block_on(async {
        forward_interrupts(stop)?;
        let (address, endpoint) = listen_on(socket, &identity, config)?;
        if let Some(lifetime) = invited {
            let ticket = server.admission.invite(lifetime)?;
            console.print(&ticket_line::text(address, &ticket, lifetime));
            let server = server.clone();
            tokio::spawn(async move { server.admission.watch(lifetime).await });
        }
        let result = serve(server.clone(), &endpoint, ends).await;
        endpoint.close(Close::Done.into(), b"the receiver has ended");
        let _ = timeout(FAREWELL, server.stations.idle()).await;
        let _ = timeout(FAREWELL, endpoint.wait_idle()).await;
        result
    });
    // All threads end once their queue is closed and done.
    let closed = server.stations.vacant().into_iter().map(Station::close);
    let closed = closed.fold(Ok(()), Result::and);
    result.and(closed)
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
