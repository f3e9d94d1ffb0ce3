//! One browser that watches.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use bytes::BytesMut;
use raq_shared::video::VideoFormat;
use serde_json::json;
use tokio::sync::{broadcast, watch};
use tokio::time::{interval, timeout};

use super::{Scene, picture};
use crate::figures::Figures;

/// Pictures under way to a browser that it has not drawn.
const UNDER_WAY: u32 = 2;
/// Figures that a page begins with, two minutes.
const HISTORY: usize = 240;
/// Figures that a slow browser may lag behind.
const LAG: usize = 8;
/// A browser that takes nothing for so long has gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// What every browser is shown.
#[derive(Clone)]
pub(super) struct Viewer {
    scene: watch::Receiver<Scene>,
    history: Arc<History>,
}

/// Figures as the page takes them: those of the last minutes and those to come.
pub(super) struct History {
    past: Mutex<VecDeque<Utf8Bytes>>,
    news: broadcast::Sender<Utf8Bytes>,
}

impl History {
    fn new() -> Self {
        Self {
            past: Mutex::new(VecDeque::with_capacity(HISTORY)),
            news: broadcast::channel(LAG).0,
        }
    }

    fn past(&self) -> MutexGuard<'_, VecDeque<Utf8Bytes>> {
        // Nothing in here can panic half way.
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, figures: &Figures) {
        let Ok(text) = serde_json::to_string(figures) else {
            return;
        };
        let mut past = self.past();
        if past.len() == HISTORY {
            past.pop_front();
        }
        past.push_back(text.as_str().into());
        // Nobody may be watching.
        let _ = self.news.send(news(&text));
    }

    /// Everything so far, and what will follow.
    fn read(&self) -> (Utf8Bytes, broadcast::Receiver<Utf8Bytes>) {
        let past = self.past();
        let parts: Vec<&str> = past.iter().map(Utf8Bytes::as_str).collect();
        (news(&parts.join(",")), self.news.subscribe())
    }
}

fn news(figures: &str) -> Utf8Bytes {
    format!(r#"{{"figures":[{figures}]}}"#).into()
}

/// Keeps the history of `figures`.
pub(super) async fn chronicle(mut figures: watch::Receiver<Figures>, history: Arc<History>) {
    while figures.changed().await.is_ok() {
        let figures = figures.borrow_and_update().clone();
        history.add(&figures);
    }
}

impl Viewer {
    /// Shows `scene`.
    pub(super) fn new(scene: watch::Receiver<Scene>) -> Self {
        Self {
            scene,
            history: Arc::new(History::new()),
        }
    }

    /// Figures to add to.
    pub(super) fn history(&self) -> Arc<History> {
        self.history.clone()
    }

    /// Shows everything to a browser until one of the two goes. It gets the newest picture whenever it
    /// has drawn the one before the last: one that is slow gets fewer.
    pub(super) async fn attend(mut self, mut socket: WebSocket) {
        let (past, mut figures) = self.history.read();
        if !send(&mut socket, Message::Text(past)).await {
            return;
        }
        self.scene.mark_changed();
        let mut shown = Shown::default();
        let mut under_way = 0;
        let mut heard = true;
        let mut pulse = interval(PATIENCE);
        loop {
            tokio::select! {
                said = socket.recv() => match said {
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                    Some(Ok(message)) => {
                        heard = true;
                        if matches!(message, Message::Text(_)) {
                            under_way = u32::saturating_sub(under_way, 1);
                        }
                    }
                },
                changed = self.scene.changed(), if under_way < UNDER_WAY => {
                    if changed.is_err() {
                        return;
                    }
                    let scene = self.scene.borrow_and_update().clone();
                    if let Some(text) = shown.session(&scene)
                        && !send(&mut socket, Message::Text(text)).await
                    {
                        return;
                    }
                    if let Some(picture) = shown.picture(&scene) {
                        drop(scene);
                        under_way += 1;
                        if !send(&mut socket, picture).await {
                            return;
                        }
                    }
                }
                text = figures.recv() => match text {
                    Ok(text) => if !send(&mut socket, Message::Text(text)).await {
                        return;
                    },
                    // The plots have a gap.
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return,
                },
                _ = pulse.tick() => {
                    let ping = Message::Ping(Default::default());
                    if !std::mem::take(&mut heard) || !send(&mut socket, ping).await {
                        return;
                    }
                }
            }
        }
    }
}

async fn send(socket: &mut WebSocket, message: Message) -> bool {
    matches!(timeout(PATIENCE, socket.send(message)).await, Ok(Ok(())))
}

/// What a browser has been shown.
#[derive(Default)]
struct Shown {
    /// None before it was told anything.
    format: Option<Option<VideoFormat>>,
    number: Option<u32>,
    buffer: BytesMut,
}

impl Shown {
    /// What to say of the session, where that has changed.
    fn session(&mut self, scene: &Scene) -> Option<Utf8Bytes> {
        if self.format == Some(scene.format) {
            return None;
        }
        self.format = Some(scene.format);
        let session = scene.format.map(|format| {
            self.number = None;
            json!({
                "width": format.width,
                "height": format.height,
                "fps": format.frame_rate.as_f64(),
            })
        });
        Some(json!({ "session": session }).to_string().into())
    }

    /// The picture, where it is a new one.
    fn picture(&mut self, scene: &Scene) -> Option<Message> {
        let newest = scene.newest.as_ref()?;
        if self.number.replace(newest.number) == Some(newest.number) {
            return None;
        }
        Some(Message::Binary(picture::message(newest, &mut self.buffer)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_begins_with_the_last_two_minutes() {
        let history = History::new();
        let (empty, mut news) = history.read();
        assert_eq!(empty.as_str(), r#"{"figures":[]}"#);
        for unix_ms in 0..300 {
            history.add(&Figures {
                unix_ms,
                ..Figures::default()
            });
        }
        let (past, _) = history.read();
        let past: serde_json::Value = serde_json::from_str(past.as_str()).unwrap();
        let past = past["figures"].as_array().unwrap();
        assert_eq!(past.len(), HISTORY);
        assert_eq!(
            (&past[0]["unix_ms"], &past[239]["unix_ms"]),
            (&60.into(), &299.into())
        );
        // A browser that was too slow for them goes on with the newest.
        assert!(matches!(
            news.try_recv(),
            Err(broadcast::error::TryRecvError::Lagged(_))
        ));
        assert!(news.try_recv().unwrap().as_str().contains("292"));
    }
}
