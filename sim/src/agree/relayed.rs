//! A flow in real time: quinn on sockets of this machine, the relay between them.

use std::{
    future::pending,
    io,
    net::{Ipv4Addr, UdpSocket},
    sync::mpsc,
    thread,
    time::Duration,
};

use quinn::Endpoint;
use raq_shared::exit::{Exit, Failure};
use tokio::{runtime::Builder, sync::watch, time::timeout};

use super::START;
use crate::{
    flow::Flow,
    quic::{Clock, Driver, Settings, broken, endpoint_config, kind},
    record::DatagramRow,
    relay::{Links, Until, relay},
    run::{Notes, Paths},
};

/// Lets a flow run until `end`, without QUIC's congestion control. Its times and the relay's begin
/// within a millisecond of each other.
///
/// # Errors
/// [`Failure`] where the system gives no sockets or threads, the ends do not meet in time, or
/// something breaks later.
pub(super) fn run(
    flows: Vec<Flow>,
    paths: &Paths,
    end: Duration,
    notes: &mut Notes,
) -> Result<Vec<Flow>, Failure> {
    let listen = socket()?;
    let ends = [socket()?, socket()?];
    let to = ends[1].local_addr().map_err(no_socket)?;
    let links = Links {
        down: paths.down(),
        up: paths.up(),
        forgets: None,
    };
    let (stop, stopped) = watch::channel(false);
    let (tell, told) = mpsc::channel();
    let until = Until {
        stop: stopped,
        end: None,
    };
    let flows = thread::scope(|scope| {
        let relaying = scope.spawn(|| {
            let note = move |direction, outcome: &_| {
                // Nobody listens where the flow has failed.
                let _ = tell.send((direction, Clone::clone(outcome)));
            };
            relay(&listen, to, links, &until, note)
        });
        let flows = live(flows, ends, &listen, end, notes);
        let _ = stop.send(true);
        match relaying.join() {
            Ok(relayed) => relayed.and(flows),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })?;
    for (direction, outcome) in told {
        let (packet, row) = notes.outcome(direction, outcome);
        if row.offered_us >= START.as_micros() as u64 {
            notes.datagram(&DatagramRow {
                kind: kind(direction, packet.bytes),
                ..row
            })?;
        }
    }
    Ok(flows)
}

fn live(
    flows: Vec<Flow>,
    [from, to]: [UdpSocket; 2],
    relay: &UdpSocket,
    end: Duration,
    notes: &mut Notes,
) -> Result<Vec<Flow>, Failure> {
    let address = relay.local_addr().map_err(no_socket)?;
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.map_err(no_socket)?.block_on(async {
        let settings = Settings::new(false)?;
        let clock = Clock::real();
        let endpoint = |number, server, socket| {
            let clock = std::sync::Arc::new(clock);
            Endpoint::new(endpoint_config(number), server, socket, clock).map_err(broken)
        };
        let ends = [
            endpoint(0, None, from)?,
            endpoint(1, Some(settings.server.clone()), to)?,
        ];
        let mut driver = Driver::new(clock);
        let mut flows = flows.into_iter();
        if let Some(flow) = flows.next() {
            let met = timeout(START, driver.meet(flow, ends, address, &settings));
            met.await.map_err(|_| late())??;
        }
        loop {
            let now = driver.clock.now();
            if now > end {
                return Ok(driver.into_flows());
            }
            driver.turn(now, notes)?;
            let past = end + Duration::from_micros(1);
            let wake = driver.wake().unwrap_or(past).min(past);
            driver.wait(wake, pending()).await?;
        }
    })
}

fn socket() -> Result<UdpSocket, Failure> {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map_err(no_socket)
}

fn no_socket(error: io::Error) -> Failure {
    let text =
        format_args!("no socket on this machine: {error}; see that there are some to be had");
    Failure::new(Exit::Failure, text)
}

fn late() -> Failure {
    Failure::new(
        Exit::Failure,
        "the ends did not meet over the relay within two seconds; run fewer at a time (--jobs 1), \
         or choose a scenario that begins with a better link",
    )
}
