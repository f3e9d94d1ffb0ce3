//! `--metrics`: the figures of the last interval, and totals, in OpenMetrics text, which Prometheus reads.
//!
//! A thread serves them, so that clients, however slow, hold up nothing else.

mod server;
mod table;

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::cli::listening_cure;
use crate::exit::{Exit, Failure};
use crate::meter::Figures;
use crate::worker;

pub use table::names;

/// What is served.
#[derive(Clone, Debug, Default)]
struct State {
    figures: Option<Figures>,
    totals: Totals,
    has_session: bool,
}

/// Sums over everything since the program began.
#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    sessions: u64,
    frames: u64,
    skipped: u64,
    bytes: u64,
}

/// What is served, for those who change it and those who read it.
#[derive(Clone, Debug, Default)]
struct Board(Arc<Mutex<State>>);

impl Board {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Whoever panicked has told of it, and figures are never half made.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Changes what is served. Dropping it ends the service.
#[derive(Debug)]
pub(super) struct Publisher {
    board: Board,
    _stop: tokio::sync::oneshot::Sender<()>,
}

impl Publisher {
    pub(super) fn interval(&self, figures: &Figures) {
        let mut state = self.board.lock();
        let totals = &mut state.totals;
        totals.frames += u64::from(figures.frames);
        totals.skipped += u64::from(figures.skipped);
        totals.bytes += figures.bytes;
        state.figures = Some(figures.clone());
    }

    pub(super) fn session(&self, has_session: bool) {
        let mut state = self.board.lock();
        state.totals.sessions += u64::from(has_session);
        state.has_session = has_session;
        // Nothing that is no more is served as if it were.
        state.figures = None;
    }
}

/// Serves figures of `program` at `address`.
///
/// # Errors
/// [`Failure`] where the address cannot be used.
pub(super) fn serve(address: SocketAddr, program: &'static str) -> Result<Publisher, Failure> {
    let listener = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok((listener.local_addr()?, listener))
    });
    let (bound, listener) = listener.map_err(|error| {
        let cure = listening_cure(&error);
        let text = format_args!("cannot serve --metrics on {address}: {error}; {cure}");
        Failure::new(Exit::Failure, text)
    })?;
    let board = Board::default();
    let mut registry = registry(program);
    registry.register_collector(Box::new(board.clone()));
    let (stop, stopped) = tokio::sync::oneshot::channel();
    worker::spawn(
        "metrics",
        move || server::run(listener, registry, stopped),
        |failure| tracing::error!("{failure}"),
    )?;
    tracing::info!("figures for Prometheus at http://{bound}/metrics");
    Ok(Publisher { board, _stop: stop })
}

fn registry(program: &'static str) -> Registry {
    let labels = [("program".into(), program.into())];
    Registry::with_prefix_and_labels(table::PREFIX, labels.into_iter())
}

impl Collector for Board {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let state = self.lock().clone();
        for total in &table::TOTALS {
            let counter = ConstCounter::new((total.get)(&state.totals));
            let kind = counter.metric_type();
            counter.encode(encoder.encode_descriptor(total.name, total.help, None, kind)?)?;
        }
        let mut gauge = |name, help, value: f64| {
            let gauge = ConstGauge::new(value);
            let kind = gauge.metric_type();
            gauge.encode(encoder.encode_descriptor(name, help, None, kind)?)
        };
        let (name, help) = table::SESSION;
        gauge(name, help, f64::from(u8::from(state.has_session)))?;
        for entry in &table::GAUGES {
            if let Some(value) = state.figures.as_ref().and_then(entry.get) {
                gauge(entry.name, entry.help, value)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
