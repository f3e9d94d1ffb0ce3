//! Those who are not wanted: strangers, and insiders, whose key the receiver trusts and who do not
//! keep to the protocol.

use std::{
    error::Error,
    fmt,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::Arc,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use quinn::{ClientConfig, Connection, Endpoint};
use raq_shared::{
    identity::{Identity, KeyId, Trust},
    quic::{self, SERVER_NAME},
    wire,
};
use tokio::{task::JoinSet, time::sleep};

/// Tasks that attack at a time, and the pause between what one of them does.
const TASKS: u32 = 32;
const PAUSE: Duration = Duration::from_millis(50);
/// Packets of nonsense that go out at a time, every millisecond.
const VOLLEY: usize = 4;

/// What is attacked, and with what.
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    /// The receiver's key.
    pub(crate) receiver: KeyId,
    /// A key that the receiver trusts.
    pub(crate) insider: Identity,
}

/// What the attackers do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Attack {
    /// Nothing, for comparison.
    #[value(name = "none")]
    Nothing,
    /// Packets of random bytes to its port.
    Nonsense,
    /// First packets of handshakes, which are then forgotten.
    HalfHandshakes,
    /// Whole handshakes with unknown keys.
    Strangers,
    /// Insiders who say hello a byte a second.
    SlowLoris,
    /// Insiders who announce messages larger than any.
    Oversize,
    /// Insiders who fill the connection with datagrams before they say anything.
    Datagrams,
}

impl fmt::Display for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "none",
            Self::Nonsense => "packets of nonsense, 1200 bytes",
            Self::HalfHandshakes => "handshakes that are begun and left",
            Self::Strangers => "handshakes of unknown keys",
            Self::SlowLoris => "trusted keys that take a second for each byte",
            Self::Oversize => "trusted keys that announce 4 GiB",
            Self::Datagrams => "trusted keys that send datagrams and no hello",
        })
    }
}

impl Attack {
    /// Attacks until it is `over`; how many packets, connections or messages it were.
    pub(crate) fn run(self, target: &Target, over: &AtomicBool) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::Nonsense => nonsense(target.address, over),
            _ => self.connect(target, over).unwrap_or(0),
        }
    }

    /// Runs [`TASKS`] attackers that connect.
    fn connect(self, target: &Target, over: &AtomicBool) -> Result<u64, Box<dyn Error>> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let attempts = Arc::new(AtomicU64::new(0));
            let mut attackers = JoinSet::new();
            for number in 0..TASKS {
                let config = match self {
                    Self::HalfHandshakes | Self::Strangers => stranger(target)?,
                    _ => client(&target.insider, target)?,
                };
                let endpoint = Endpoint::client((Ipv4Addr::LOCALHOST, 0).into())?;
                let (address, attempts) = (target.address, attempts.clone());
                attackers.spawn(async move {
                    // Not all at the same moment.
                    sleep(PAUSE * number / TASKS).await;
                    loop {
                        attempts.fetch_add(1, Ordering::Relaxed);
                        let _ = self.attempt(&endpoint, &config, address).await;
                        sleep(PAUSE).await;
                    }
                });
            }
            while !over.load(Ordering::Relaxed) {
                sleep(PAUSE).await;
            }
            attackers.shutdown().await;
            Ok(attempts.load(Ordering::Relaxed))
        })
    }

    /// One attack by one attacker. Whatever goes wrong is what the receiver wants.
    async fn attempt(
        self,
        endpoint: &Endpoint,
        config: &ClientConfig,
        address: SocketAddr,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        let connecting = endpoint.connect_with(config.clone(), address, SERVER_NAME)?;
        if self == Self::HalfHandshakes {
            // Long enough for the first packet, not for the answer to it.
            sleep(Duration::from_millis(1)).await;
            drop(connecting);
            return Ok(());
        }
        let connection = connecting.await?;
        match self {
            Self::Strangers => {
                connection.closed().await;
            }
            Self::SlowLoris => slowly(&connection).await?,
            Self::Oversize => {
                let (mut send, _) = connection.open_bi().await?;
                let mut bytes = Vec::new();
                wire::encode_preface(&mut bytes);
                bytes.extend([0xff; 64]);
                send.write_all(&bytes).await?;
                connection.closed().await;
            }
            Self::Datagrams => loop {
                connection
                    .send_datagram_wait(vec![0x5a; 1000].into())
                    .await?;
            },
            Self::Nothing | Self::Nonsense | Self::HalfHandshakes => {}
        }
        Ok(())
    }
}

async fn slowly(connection: &Connection) -> Result<(), Box<dyn Error + Send + Sync>> {
    let (mut send, _) = connection.open_bi().await?;
    let mut bytes = Vec::new();
    wire::encode_preface(&mut bytes);
    // A message of 200 bytes, none of which is ever the last.
    bytes.extend(200u32.to_be_bytes());
    bytes.extend([0; 100]);
    for byte in bytes {
        send.write_all(&[byte]).await?;
        sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}

fn nonsense(address: SocketAddr, over: &AtomicBool) -> u64 {
    let Ok(socket) = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)) else {
        return 0;
    };
    let mut packets = 0;
    let mut packet = [0u8; 1200];
    let mut seed = 0x2545_f491_4f6c_dd1du64;
    while !over.load(Ordering::Relaxed) {
        for _ in 0..VOLLEY {
            for byte in &mut packet {
                // Xorshift: any bytes do.
                seed ^= seed << 13;
                seed ^= seed >> 7;
                seed ^= seed << 17;
                *byte = seed as u8;
            }
            packets += u64::from(socket.send_to(&packet, address).is_ok());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    packets
}

/// How one with a key of its own connects to the receiver.
fn client(own: &Identity, target: &Target) -> Result<ClientConfig, Box<dyn Error>> {
    let trust = Trust::only(own.id()).with(target.receiver, "the receiver");
    Ok(quic::client_config(own, Arc::new(trust))?)
}

fn stranger(target: &Target) -> Result<ClientConfig, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    client(&Identity::load_or_create(folder.path())?, target)
}
