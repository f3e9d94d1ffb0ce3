use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use raq_shared::frame::{Frame, FrameSize};
use raq_shared::video::{ColourRange, VideoFormat};
use tungstenite::client::IntoClientRequest;
use tungstenite::http::HeaderValue;
use tungstenite::{Message, WebSocket};

use super::super::Newest;
use super::*;
use crate::present::stage::sample::format;

struct Stand {
    server: Server,
    scene: watch::Sender<Scene>,
    figures: watch::Sender<Figures>,
}

fn stand() -> Stand {
    let (scene, scenes) = watch::channel(Scene::default());
    let (figures, news) = watch::channel(Figures::default());
    let server = Server::start(&WebAddress::Port(0), scenes, news).unwrap();
    Stand {
        server,
        scene,
        figures,
    }
}

impl Stand {
    fn token(&self) -> &str {
        self.server.url().split_once("token=").unwrap().1
    }

    /// The answer to a request for `path` with these lines of headers.
    fn get(&self, path: &str, headers: &str) -> String {
        let mut stream = TcpStream::connect(self.server.address()).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// A browser that watches, from a page at `origin`.
    fn watch(&self, origin: Option<&str>) -> Result<WebSocket<TcpStream>, StatusCode> {
        let address = self.server.address();
        let url = format!("ws://{address}/live?token={}", self.token());
        let mut request = url.into_client_request().unwrap();
        if let Some(origin) = origin {
            let origin = HeaderValue::from_str(origin).unwrap();
            request.headers_mut().insert("origin", origin);
        }
        let stream = TcpStream::connect(address).unwrap();
        match tungstenite::client(request, stream) {
            Ok((socket, _)) => Ok(socket),
            Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Http(answer))) => {
                Err(answer.status())
            }
            Err(other) => panic!("{other}"),
        }
    }

    fn own(&self) -> String {
        format!("http://{}", self.server.address())
    }

    fn show(&self, number: u32) {
        let frame = Arc::new(Frame::new(FrameSize::new(64, 48).unwrap()));
        self.scene.send_modify(|scene| {
            scene.newest = Some(Newest {
                number,
                range: ColourRange::Full,
                frame,
            });
        });
    }
}

/// What a browser is told next, as JSON.
fn told(socket: &mut WebSocket<TcpStream>) -> serde_json::Value {
    loop {
        if let Message::Text(text) = socket.read().unwrap() {
            return serde_json::from_str(text.as_str()).unwrap();
        }
    }
}

/// The number of the next picture.
fn picture(socket: &mut WebSocket<TcpStream>) -> u32 {
    loop {
        if let Message::Binary(bytes) = socket.read().unwrap() {
            assert_eq!(bytes.len(), 12 + 64 * 48 * 3 / 2);
            return u32::from_le_bytes(bytes[..4].try_into().unwrap());
        }
    }
}

#[test]
fn the_page_opens_with_its_token_and_no_other() {
    let stand = stand();
    let host = format!("Host: {}\r\n", stand.server.address());
    let path = format!("/?token={}", stand.token());
    let page = stand.get(&path, &host);
    assert!(
        page.starts_with("HTTP/1.1 200") && page.contains("</html>"),
        "{page}"
    );
    for header in [
        "content-security-policy: default-src 'none'",
        "no-store",
        "no-referrer",
    ] {
        assert!(page.contains(header), "{header}");
    }
    let refused = |path: &str, headers: &str, why: &str| {
        let answer = stand.get(path, headers);
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
        assert!(
            answer.contains(why) && !answer.contains("<html"),
            "{answer}"
        );
    };
    refused("/", &host, "token");
    refused("/?token=0", &host, "token");
    refused(
        "/live",
        &format!("{host}Origin: {}\r\n", stand.own()),
        "token",
    );
    refused(&path, "Host: evil.example\r\n", "name");
    refused(
        &path,
        &format!("{host}Origin: http://evil.example\r\n"),
        "own page",
    );
    let elsewhere = stand.get("/other", &host);
    assert!(elsewhere.starts_with("HTTP/1.1 404"), "{elsewhere}");
    let malformed = stand.get("/?token=%ff%", "Host: \r\n");
    assert!(malformed.starts_with("HTTP/1.1 4"), "{malformed}");
}

#[test]
fn only_its_own_page_may_watch() {
    let stand = stand();
    assert!(stand.watch(Some(&stand.own())).is_ok());
    let others = [
        None,
        Some("null"),
        Some("http://evil.example"),
        Some("http://127.0.0.1"),
    ];
    for other in others {
        let refused = stand.watch(other).err();
        assert_eq!(refused, Some(StatusCode::FORBIDDEN), "{other:?}");
    }
}

#[test]
fn browsers_see_the_session_the_newest_picture_and_the_figures() {
    let stand = stand();
    stand.scene.send_modify(|scene| {
        scene.format = Some(VideoFormat {
            width: 64,
            height: 48,
            ..format()
        });
    });
    stand.show(7);
    let mut sockets = [0, 1].map(|_| stand.watch(Some(&stand.own())).unwrap());
    for socket in &mut sockets {
        assert_eq!(told(socket)["figures"], serde_json::json!([]));
        assert_eq!(told(socket)["session"]["width"], 64);
        assert_eq!(picture(socket), 7);
    }
    stand.show(8);
    let figures = Figures {
        kbps: 123.0,
        ..Figures::default()
    };
    stand.figures.send_replace(figures);
    for socket in &mut sockets {
        assert_eq!(told(socket)["figures"][0]["kbps"], 123.0);
    }
    stand.scene.send_modify(|scene| scene.format = None);
    sockets[0].send(Message::text("drawn")).unwrap();
    assert_eq!(told(&mut sockets[0])["session"], serde_json::Value::Null);
}

#[test]
fn a_browser_that_draws_nothing_gets_two_pictures_and_then_the_newest() {
    let stand = stand();
    let mut socket = stand.watch(Some(&stand.own())).unwrap();
    told(&mut socket);
    told(&mut socket);
    for number in 1..=2 {
        stand.show(number);
        assert_eq!(picture(&mut socket), number);
    }
    (3..100).for_each(|number| stand.show(number));
    // It is told of other things all the same, and of no picture before that.
    stand.figures.send_replace(Figures::default());
    let next = loop {
        match socket.read().unwrap() {
            Message::Ping(_) => {}
            next => break next,
        }
    };
    assert!(matches!(next, Message::Text(_)), "{next:?}");
    socket.send(Message::text("drawn")).unwrap();
    assert_eq!(picture(&mut socket), 99);
}

#[test]
fn so_many_browsers_and_no_more() {
    let stand = stand();
    let watch = || stand.watch(Some(&stand.own()));
    let mut sockets: Vec<_> = (0..VIEWERS).map(|_| watch().unwrap()).collect();
    assert_eq!(watch().err(), Some(StatusCode::SERVICE_UNAVAILABLE));
    // One that says too much is sent away, and makes room.
    let mut socket = sockets.remove(0);
    socket.send(Message::text("x".repeat(SAYS + 1))).unwrap();
    while socket.read().is_ok() {}
    assert!(watch().is_ok());
}

#[test]
fn an_address_that_is_taken_is_named() {
    let stand = stand();
    let taken = WebAddress::Address(stand.server.address());
    let (scene, figures) = (
        watch::channel(Scene::default()).1,
        watch::channel(Figures::default()).1,
    );
    let failure = Server::start(&taken, scene, figures).err().unwrap();
    assert!(failure.message.contains("another port"), "{failure}");
}
