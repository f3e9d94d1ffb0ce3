//! Chromium without a screen, told what to do over its DevTools protocol.

use std::{
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
};

use data_encoding::BASE64;
use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};
use xtask::program::Program;

use crate::{
    sandbox::{PATIENCE, Sandbox},
    skip,
};

/// A browser with one page.
pub struct Browser {
    socket: WebSocket<TcpStream>,
    commands: u64,
    session: Option<String>,
    complaints: Vec<String>,
    /// Pages that are there, by what the browser calls their loading.
    loaded: Vec<String>,
    _program: Program,
}

impl Browser {
    /// Starts one with a profile of its own; skips the test where Chromium is not installed.
    ///
    /// # Panics
    /// Where it does not get ready.
    pub fn start(sandbox: &Sandbox) -> Option<Self> {
        let names = ["chromium", "chromium-browser", "google-chrome"];
        let started = names.into_iter().find_map(|name| {
            let mut command = Command::new(name);
            command
                .args([
                    "--headless",
                    "--no-sandbox",
                    "--disable-gpu",
                    "--hide-scrollbars",
                    "--remote-debugging-port=0",
                ])
                .arg(format!(
                    "--user-data-dir={}",
                    sandbox.path("profile").display()
                ))
                .stdin(Stdio::null())
                .stdout(Stdio::null());
            Program::start(name, &mut command).ok()
        });
        let Some(mut program) = started else {
            skip("Chromium is not installed (Debian: apt-get install chromium)");
            return None;
        };
        let listening = |line: &str| {
            let (_, url) = line.split_once("DevTools listening on ")?;
            Some(url.trim().to_owned())
        };
        let url = program.wait_for("where it listens", PATIENCE, listening);
        let url = url.unwrap_or_else(|e| panic!("{e}"));
        let (_, rest) = url.split_once("://").expect("a URL");
        let (address, _) = rest.split_once('/').expect("a path");
        let stream = TcpStream::connect(address).expect("its socket");
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a time limit");
        let (socket, _) = tungstenite::client(&url, stream).expect("its answer");
        let mut browser = Self {
            socket,
            commands: 0,
            session: None,
            complaints: Vec::new(),
            loaded: Vec::new(),
            _program: program,
        };
        let page = browser.command("Target.createTarget", json!({ "url": "about:blank" }));
        let to_page = json!({ "targetId": page["targetId"], "flatten": true });
        let attached = browser.command("Target.attachToTarget", to_page);
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log"] {
            browser.command(&format!("{domain}.enable"), json!({}));
        }
        let events = json!({ "enabled": true });
        browser.command("Page.setLifecycleEventsEnabled", events);
        Some(browser)
    }

    /// Opens `url` in a window of this many pixels and waits until it is there.
    ///
    /// # Panics
    /// Where it cannot be opened.
    pub fn open(&mut self, url: &str, (width, height): (u32, u32)) {
        let size = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false,
        });
        self.command("Emulation.setDeviceMetricsOverride", size);
        let answer = self.command("Page.navigate", json!({ "url": url }));
        let loading = answer["loaderId"].as_str();
        let loading = loading.unwrap_or_else(|| panic!("{url}: {answer}"));
        while !self.loaded.iter().any(|loaded| loaded == loading) {
            let event = self.read();
            self.note(&event);
        }
    }

    /// Presses a key that makes a letter.
    pub fn press(&mut self, letter: char) {
        for kind in ["keyDown", "keyUp"] {
            let key = json!({ "type": kind, "key": letter, "text": letter });
            self.command("Input.dispatchKeyEvent", key);
        }
    }

    /// The value of an expression, once it is there if it is a promise.
    ///
    /// # Panics
    /// Where it throws.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let parameters = json!({
            "expression": expression, "awaitPromise": true, "returnByValue": true,
        });
        let answer = self.command("Runtime.evaluate", parameters);
        let thrown = &answer["exceptionDetails"];
        assert!(thrown.is_null(), "{expression}: {thrown}");
        answer["result"]["value"].clone()
    }

    /// Writes what the window shows as a PNG.
    ///
    /// # Panics
    /// Where it cannot.
    pub fn screenshot(&mut self, path: &Path) {
        let answer = self.command("Page.captureScreenshot", json!({ "format": "png" }));
        let data = answer["data"].as_str().expect("a picture");
        let png = BASE64.decode(data.as_bytes()).expect("base64");
        std::fs::write(path, png).expect("a file");
    }

    /// Errors and warnings on the console so far, and exceptions that nobody caught.
    pub fn complaints(&self) -> &[String] {
        &self.complaints
    }

    fn command(&mut self, method: &str, parameters: Value) -> Value {
        self.commands += 1;
        let mut command = json!({ "id": self.commands, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            command["sessionId"] = session.as_str().into();
        }
        let text = Message::text(command.to_string());
        self.socket.send(text).expect("the browser listens");
        loop {
            let mut said = self.read();
            if said["id"] == self.commands {
                assert!(said["error"].is_null(), "{method}: {}", said["error"]);
                return said["result"].take();
            }
            self.note(&said);
        }
    }

    fn read(&mut self) -> Value {
        loop {
            let message = self.socket.read();
            let message = message.unwrap_or_else(|e| panic!("the browser says nothing: {e}"));
            if let Message::Text(text) = message {
                return serde_json::from_str(text.as_str()).expect("JSON");
            }
        }
    }

    fn note(&mut self, event: &Value) {
        let parameters = &event["params"];
        let complaint = match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            Some("Runtime.consoleAPICalled") => {
                ["error", "warning", "assert"].contains(&parameters["type"].as_str().unwrap_or(""))
            }
            Some("Log.entryAdded") => {
                let level = parameters["entry"]["level"].as_str();
                ["error", "warning"].contains(&level.unwrap_or(""))
            }
            Some("Page.lifecycleEvent") if parameters["name"] == "load" => {
                let loading = parameters["loaderId"].as_str();
                self.loaded.extend(loading.map(str::to_owned));
                false
            }
            _ => false,
        };
        if complaint {
            self.complaints.push(parameters.to_string());
        }
    }
}
