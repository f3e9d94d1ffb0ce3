//! The server of the page, on a thread of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use raq_shared::exit::{Exit, Failure};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::time::sleep;

use super::guard::Guard;
use super::viewer::{Viewer, chronicle};
use super::{Scene, page};
use crate::figures::Figures;
use crate::options::WebAddress;

/// Browsers that watch at once; more would cost the decoder its time.
const VIEWERS: usize = 8;
/// Connections at once, those that only fetch the page included.
const CONNECTIONS: usize = 32;
/// How long a request may take to come in.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long to rest when the system gives no connection.
const REST: Duration = Duration::from_millis(200);
/// The most that a browser says at once: it only says that it has drawn.
const SAYS: usize = 256;

/// The running server; ends when it is dropped.
pub(super) struct Server {
    address: SocketAddr,
    url: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What the answers are made of.
#[derive(Clone)]
struct Service {
    guard: Arc<Guard>,
    viewer: Viewer,
    places: Arc<Semaphore>,
}

impl Server {
    /// Listens on `address`.
    ///
    /// # Errors
    /// [`Failure`] where that is not possible.
    pub(super) fn start(
        address: &WebAddress,
        scene: watch::Receiver<Scene>,
        figures: watch::Receiver<Figures>,
    ) -> Result<Self, Failure> {
        let refuse = |error: std::io::Error| {
            Failure::new(
                Exit::Failure,
                format_args!(
                    "cannot serve the page on {address}: {error}; choose another port or an \
                     address of this machine"
                ),
            )
        };
        let listener = address.listen().map_err(refuse)?;
        let bound = listener.local_addr().map_err(refuse)?;
        listener.set_nonblocking(true).map_err(refuse)?;
        let name = match address {
            WebAddress::Name(name, _) => Some(name.clone()),
            _ => None,
        };
        let guard = Guard::new(name)?;
        let (host, port, token) = (address.host(bound), bound.port(), guard.token());
        let url = format!("http://{host}:{port}/?token={token}");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(refuse)?;
        let (stop, stopped) = oneshot::channel();
        let serve = move || {
            runtime.block_on(async {
                tokio::select! {
                    () = serve(listener, guard, scene, figures) => {}
                    // An error means that the server was dropped, too.
                    _ = stopped => {}
                }
            });
        };
        let thread = thread::Builder::new().name("page".to_owned());
        let thread = thread.spawn(serve).map_err(refuse)?;
        Ok(Self {
            address: bound,
            url,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What to open in a browser.
    pub(super) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(
    listener: std::net::TcpListener,
    guard: Guard,
    scene: watch::Receiver<Scene>,
    figures: watch::Receiver<Figures>,
) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!("no page: {error}; start raq-recv again"),
    };
    let viewer = Viewer::new(scene);
    tokio::spawn(chronicle(figures, viewer.history()));
    let router = router(guard, viewer);
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::debug!("no connection for a browser: {error}");
                sleep(REST).await;
                continue;
            }
        };
        // Small messages leave at once.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let _place = place;
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
            let served = http.serve_connection(TokioIo::new(stream), service);
            if let Err(error) = served.with_upgrades().await {
                tracing::debug!("a browser: {error}");
            }
        });
    }
}

fn router(guard: Guard, viewer: Viewer) -> Router {
    let service = Service {
        guard: Arc::new(guard),
        viewer,
        places: Arc::new(Semaphore::new(VIEWERS)),
    };
    Router::new()
        .route("/", get(open))
        .route("/live", any(watch_live))
        .with_state(service)
}

#[derive(Deserialize)]
struct Admission {
    token: Option<String>,
}

async fn open(
    State(service): State<Service>,
    Query(admission): Query<Admission>,
    headers: HeaderMap,
) -> Response {
    let token = admission.token.as_deref();
    match service.guard.admit(&headers, token, false) {
        Ok(()) => page::page(),
        Err(refusal) => refusal.answer().into_response(),
    }
}

async fn watch_live(
    State(service): State<Service>,
    Query(admission): Query<Admission>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let token = admission.token.as_deref();
    if let Err(refusal) = service.guard.admit(&headers, token, true) {
        return refusal.answer().into_response();
    }
    let Ok(upgrade) = upgrade else {
        return (StatusCode::UPGRADE_REQUIRED, "Open the page instead.\n").into_response();
    };
    let Ok(place) = service.places.clone().try_acquire_owned() else {
        let text = "As many browsers as may be are watching. Close the page in one of them.\n";
        return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    };
    upgrade
        .max_message_size(SAYS)
        .max_frame_size(SAYS)
        .on_upgrade(async move |socket| {
            service.viewer.attend(socket).await;
            drop(place);
        })
}

#[cfg(test)]
mod tests;
