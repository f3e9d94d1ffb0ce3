//! The real raq-recv as a process, and a hand-made sender that can misbehave.

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use quinn::{Connection, ConnectionError, Endpoint, RecvStream, SendStream};
use raq_shared::codebook::Codebook;
use raq_shared::codebooks::Codebooks;
use raq_shared::coding::{Framing, Sink, write};
use raq_shared::frame::FrameSize;
use raq_shared::identity::{Identity, Trust};
use raq_shared::model::{ModelFolder, Temporal};
use raq_shared::paths;
use raq_shared::quic::{self, SERVER_NAME};
use raq_shared::tile::{Operation, Start, TileGrid, Update};
use raq_shared::video::{ChromaSiting, ColourRange, Fraction, FrameRate, VideoFormat};
use raq_shared::wire::message::{Hello, Message, Text};
use raq_shared::wire::update::UpdateHeader;
use raq_shared::wire::{self, PROTOCOL_VERSION};

/// The model in the repository; `None` (with a printed reason) where it cannot run here.
pub(crate) fn model() -> Option<ModelFolder> {
    let folder = ModelFolder::open(&paths::repository().join("onnx/models/base"));
    let library = paths::onnxruntime_dir().map(|dir| dir.join(paths::onnxruntime_library()));
    let reason = match (&folder, library) {
        (Err(error), _) => error.to_string(),
        (_, Ok(path)) if path.exists() => return folder.ok(),
        _ => "ONNX Runtime is not set up; run `cargo xtask setup`".to_owned(),
    };
    raq_skips::skip(&reason);
    None
}

/// A program under test with folders of its own.
pub(crate) struct Program {
    pub(crate) dir: tempfile::TempDir,
    child: Child,
    lines: Receiver<String>,
    said: Vec<String>,
}

/// What a program left behind.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) said: String,
    pub(crate) dir: tempfile::TempDir,
}

impl Ended {
    pub(crate) fn assert(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.said);
        for word in words {
            assert!(
                self.said.contains(word),
                "{word:?} is not in:\n{}",
                self.said
            );
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

pub(crate) fn command(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_raq-recv"));
    command
        .current_dir(dir)
        .env("RAQ_CONFIG_DIR", dir.join("config"))
        .env("RAQ_MODEL", paths::repository().join("onnx/models/base"))
        .env_remove("RUST_LOG")
        .env_remove("DISPLAY")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

impl Program {
    /// Starts `raq-recv` with these arguments in a fresh folder.
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), args)
    }

    pub(crate) fn start_in(dir: tempfile::TempDir, args: &[&str]) -> Self {
        let mut child = command(dir.path()).args(args).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self {
            dir,
            child,
            lines,
            said: Vec::new(),
        }
    }

    /// Waits for a line with this text and gives it.
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        while let Ok(line) = self.lines.recv() {
            self.said.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
        panic!("it ended without {text:?}:\n{}", self.said.join("\n"));
    }

    /// Where it listens.
    pub(crate) fn address(&mut self) -> SocketAddr {
        let line = self.wait_for("listening on ");
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }

    /// Its own key, which it accepts.
    pub(crate) fn identity(&self) -> Identity {
        Identity::load_or_create(&self.dir.path().join("config")).unwrap()
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([&format!("-{name}"), &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Waits until it ends by itself.
    pub(crate) fn end(mut self) -> Ended {
        let mut stdout = Vec::new();
        self.child
            .stdout
            .take()
            .unwrap()
            .read_to_end(&mut stdout)
            .unwrap();
        let code = self.child.wait().unwrap().code();
        self.said.extend(self.lines.iter());
        Ended {
            code,
            said: self.said.join("\n"),
            dir: self.dir,
        }
    }
}

/// A sender of flat frames of 64x48 pixels.
pub(crate) struct Sender {
    pub(crate) connection: Connection,
    send: SendStream,
    receive: RecvStream,
    _endpoint: Endpoint,
    temporal: Temporal,
}

pub(crate) fn hello(model: &ModelFolder) -> Hello {
    Hello {
        protocol: PROTOCOL_VERSION,
        program: Text::new("test"),
        model_id: model.id(),
        model_name: Text::new(&model.manifest().name),
        codebook_digest: model.manifest().codebook_digest,
        video: VideoFormat {
            width: 64,
            height: 48,
            frame_rate: FrameRate::new(50, 1).unwrap(),
            aspect: Fraction::new(1, 1),
            chroma_siting: ChromaSiting::Jpeg,
            colour_range: ColourRange::Limited,
        },
    }
}

/// Connects with a key of its own or that of the program, trusting `trusted`.
pub(crate) async fn connect(
    address: SocketAddr,
    own: &Identity,
    trusted: &Identity,
) -> Result<(Connection, Endpoint), ConnectionError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("trust");
    std::fs::write(&path, format!("{}\n", trusted.id())).unwrap();
    let trust = Trust::only(own.id()).with_file(&path).unwrap();
    let endpoint = Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let config = quic::client_config(own, Arc::new(trust)).unwrap();
    let connection = endpoint
        .connect_with(config, address, SERVER_NAME)
        .unwrap()
        .await?;
    Ok((connection, endpoint))
}

impl Sender {
    /// Connects with the program's own key and says `hello`.
    pub(crate) async fn greet(address: SocketAddr, identity: &Identity, hello: Hello) -> Self {
        Self::greet_as(identity, address, identity, hello).await
    }

    /// Connects with the key `own` and says `hello`.
    pub(crate) async fn greet_as(
        own: &Identity,
        address: SocketAddr,
        program: &Identity,
        hello: Hello,
    ) -> Self {
        let model = model().unwrap();
        // What is written depends on the shapes of codebooks alone.
        let temporal = Temporal::load(&model, &strange_codebooks(&model)).unwrap();
        let (connection, endpoint) = connect(address, own, program).await.unwrap();
        let (mut send, receive) = connection.open_bi().await.unwrap();
        let mut bytes = Vec::new();
        wire::encode_preface(&mut bytes);
        wire::encode_message(&Message::Hello(hello), &mut bytes).unwrap();
        send.write_all(&bytes).await.unwrap();
        Self {
            connection,
            send,
            receive,
            _endpoint: endpoint,
            temporal,
        }
    }

    /// The first answer, after the version.
    pub(crate) async fn first_answer(&mut self) -> Message {
        let mut preface = [0; 2];
        self.receive.read_exact(&mut preface).await.unwrap();
        assert_eq!(wire::decode_preface(preface), PROTOCOL_VERSION);
        self.answer().await
    }

    pub(crate) async fn answer(&mut self) -> Message {
        let mut prefix = [0; 4];
        self.receive.read_exact(&mut prefix).await.unwrap();
        let mut body = vec![0; wire::message_len(prefix).unwrap()];
        self.receive.read_exact(&mut body).await.unwrap();
        wire::decode_message(&body).unwrap()
    }

    pub(crate) async fn ship(&self, codebooks: &Codebooks) {
        let mut stream = self.connection.open_uni().await.unwrap();
        stream
            .write_all(&wire::shipment::encode(codebooks))
            .await
            .unwrap();
        stream.finish().unwrap();
        let _ = stream.stopped().await;
    }

    /// Sends the datagrams of a frame that are in `parts`, of three.
    pub(crate) async fn frame(&self, number: u32, parts: &[u8]) {
        let grid = TileGrid::of(FrameSize::new(64, 48).unwrap());
        for &index in parts {
            let framing = Framing {
                grid,
                stages: &self.temporal.stages,
                tables: &self.temporal.tables,
                level: 40,
                codewords: None,
                floor: 0,
                index,
                count: 3,
            };
            let tiles = grid.interleave(3).positions(index.into());
            let updates: Vec<Update> = tiles
                .map(|tile| {
                    let mut update = Update::new(tile as u32, Start::Reset);
                    update.operations.push(Operation {
                        stage: 0,
                        block: 0,
                        index: (number % 64) as u16,
                    });
                    update
                })
                .collect();
            let mut body = Vec::new();
            let coding = write(&framing, &updates, &mut Sink::new(), &mut body);
            let header = UpdateHeader {
                coding,
                names_codewords: false,
                level: framing.level,
                frame: number as u16,
                capture: number * 200,
                send_delay: 1,
                index,
                count: framing.count,
                floor: framing.floor,
            };
            let bytes = [&header.encode()[..], &body].concat();
            self.connection
                .send_datagram_wait(bytes.into())
                .await
                .unwrap();
        }
    }

    /// Says Bye; the answer is Done.
    pub(crate) async fn bye(mut self, frames_sent: u32) -> Message {
        let mut bytes = Vec::new();
        wire::encode_message(&Message::Bye { frames_sent }, &mut bytes).unwrap();
        self.send.write_all(&bytes).await.unwrap();
        self.send.finish().unwrap();
        let done = self.answer().await;
        self.connection.close(0u32.into(), b"done");
        done
    }
}

/// Codebooks of the model's shapes that no adapter makes.
pub(crate) fn strange_codebooks(model: &ModelFolder) -> Codebooks {
    let manifest = model.manifest();
    let list = manifest.codebooks.iter().map(|entry| {
        let values = entry.max_codewords * entry.shape().dim();
        let rows = (0..values).map(|i| (i % 1999) as i16 - 999).collect();
        Codebook::named(&entry.name, entry.shape(), rows).unwrap()
    });
    let list = list.collect();
    Codebooks::new(manifest.latent_dim, list, manifest.stages.clone()).unwrap()
}
