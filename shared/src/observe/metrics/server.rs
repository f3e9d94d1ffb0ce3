//! Answers `GET /metrics`.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{sleep, timeout};

/// Connections at a time; the next ones wait until one of them ends.
const CONNECTIONS: usize = 16;
/// How long a client may take over a request.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a connection may last.
const LIFETIME: Duration = Duration::from_secs(300);
/// Rest after a connection that could not be accepted.
const REST: Duration = Duration::from_millis(100);
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Serves `registry` until `stopped` says so or is dropped at its other end.
pub(super) fn run(
    listener: std::net::TcpListener,
    registry: Registry,
    stopped: oneshot::Receiver<()>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let served = runtime.and_then(|runtime| {
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener)?;
            tokio::select! {
                () = accept(listener, Arc::new(registry)) => {}
                _ = stopped => {}
            }
            Ok(())
        })
    });
    if let Err(error) = served {
        tracing::error!("no metrics: {error}; free memory or handles and start again");
    }
}

async fn accept(listener: TcpListener, registry: Arc<Registry>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let registry = registry.clone();
                tokio::spawn(async move {
                    let _place = place;
                    attend(stream, registry).await;
                });
            }
            Err(error) => {
                tracing::debug!("no connection for metrics: {error}");
                sleep(REST).await;
            }
        }
    }
}

async fn attend(stream: TcpStream, registry: Arc<Registry>) {
    let service = service_fn(move |request| {
        let registry = registry.clone();
        async move { Ok::<_, Infallible>(answer(&request, &registry)) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    match timeout(
        LIFETIME,
        http.serve_connection(TokioIo::new(stream), service),
    )
    .await
    {
        Ok(Ok(())) | Err(_) => {}
        Ok(Err(error)) => tracing::debug!("a reader of metrics: {error}"),
    }
}

fn answer(request: &Request<Incoming>, registry: &Registry) -> Response<String> {
    let plain = |status, text: &str| {
        let mut response = Response::new(text.to_owned());
        *response.status_mut() = status;
        response
    };
    if request.uri().path() != "/metrics" {
        return plain(StatusCode::NOT_FOUND, "Figures are at /metrics.\n");
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "");
        let methods = HeaderValue::from_static("GET, HEAD");
        response.headers_mut().insert(ALLOW, methods);
        return response;
    }
    let mut metrics = String::new();
    if text::encode(&mut metrics, registry).is_err() {
        return plain(StatusCode::INTERNAL_SERVER_ERROR, "");
    }
    let mut response = Response::new(metrics);
    let kind = HeaderValue::from_static(OPEN_METRICS);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
