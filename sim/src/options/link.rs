//! Flags of `raq-sim link`.

use std::{
    net::{SocketAddr, ToSocketAddrs as _, UdpSocket},
    path::PathBuf,
    time::Duration,
};

use clap::Args;
use raq_shared::{
    cli,
    exit::{Exit, Failure},
    units::parse_duration,
};

use crate::{
    record::{DatagramRow, Kind, Mode, Recorder, RunRecord, VERSION},
    relay::{Links, Until, relay},
    run::{Notes, Paths},
    scenario::Loaded,
};

/// What the records call the traffic of the programs at both ends.
const POLICY: &str = "relay";

/// Flags of `raq-sim link`.
#[derive(Args, Clone, Debug)]
#[command(after_help = super::EXIT_CODES)]
pub struct LinkOptions {
    /// Where senders connect: a port of all IPv4 addresses, or ADDRESS:PORT
    #[arg(long, value_name = "PORT", value_parser = listen)]
    pub listen: SocketAddr,
    /// The receiver behind the link
    #[arg(long, value_name = "HOST:PORT")]
    pub to: String,
    /// The scenario whose link this is: a TOML file, or a name that `raq-sim list` shows
    #[arg(long, value_name = "SCENARIO", help_heading = "Scenario")]
    pub scenario: PathBuf,
    /// Set a key of the scenario, as link.down.rate=2Mbit; may be given again
    #[arg(long = "set", value_name = "KEY=VALUE", help_heading = "Scenario")]
    pub overrides: Vec<String>,
    /// What everything random follows from [default: the scenario's]
    #[arg(long, value_name = "N", help_heading = "Scenario")]
    pub seed: Option<u64>,
    /// End after this time [default: go on, with traces in a loop, until interrupted]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub duration: Option<Duration>,
    /// Give senders another port towards the receiver this often, as a router does that forgets them
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub forgets: Option<Duration>,
    /// Folder for records of every datagram, which `raq-sim report` draws
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub out: Option<PathBuf>,
}

impl LinkOptions {
    /// Relays until interrupted, then prints what became of the datagrams.
    ///
    /// # Errors
    /// [`Failure`] with cause and cure.
    pub fn run(&self) -> Result<(), Failure> {
        let loaded = Loaded::read(&self.scenario, &self.overrides)?;
        let seed = self.seed.unwrap_or(loaded.scenario.seed);
        let paths = Paths::of(&loaded, seed)?;
        let to = self.resolve()?;
        let socket = UdpSocket::bind(self.listen).map_err(|error| {
            Failure::new(
                Exit::Failure,
                format_args!(
                    "cannot listen on {}: {error}; choose another address or end the program that \
                     has it",
                    self.listen
                ),
            )
        })?;
        let length = self.duration.unwrap_or(loaded.scenario.duration.0);
        let recorder = match &self.out {
            Some(out) => {
                let record = Self::record(&loaded, seed, length);
                let recorder = Recorder::create(out, &record, &loaded.to_toml(seed))?;
                // In case that this ends all of a sudden.
                recorder.link(paths.rows(length))?;
                Some(recorder)
            }
            None => None,
        };
        let mut notes = match &recorder {
            Some(recorder) => Some(Notes::new(recorder.policy(POLICY)?)),
            None => None,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|error| Failure::new(Exit::Failure, format_args!("cannot start: {error}")))?;
        let _guard = runtime.enter();
        let until = Until {
            stop: cli::interrupts()?,
            end: self.duration,
        };
        let address = socket.local_addr().unwrap_or(self.listen);
        super::tell(&format!(
            "listening on {address} for {to}, over the link of {}",
            loaded.name
        ));
        let mut failed = None;
        let mut last = Duration::ZERO;
        let links = Links {
            down: paths.down(),
            up: paths.up(),
            forgets: self.forgets,
        };
        let counts = relay(&socket, to, links, &until, |direction, outcome| {
            let Some(notes) = &mut notes else { return };
            let (packet, row) = notes.outcome(direction, outcome.clone());
            last = last.max(Duration::from_micros(
                row.arrived_us.unwrap_or(row.offered_us),
            ));
            let row = DatagramRow {
                flow: packet.payload.client() as u32,
                kind: Kind::Media,
                ..row
            };
            if let Err(failure) = notes.datagram(&row) {
                failed.get_or_insert(failure);
            }
        })?;
        if let (Some(recorder), Some(notes)) = (recorder, notes) {
            notes.into_recorder().finish()?;
            recorder.record(&Self::record(&loaded, seed, last))?;
            recorder.link(paths.rows(last))?;
        }
        super::print(&format!("{counts}\n"))?;
        failed.map_or(Ok(()), Err)
    }

    fn resolve(&self) -> Result<SocketAddr, Failure> {
        let wrong = |what: &dyn std::fmt::Display| {
            Failure::new(
                Exit::Usage,
                format_args!("--to {}: {what}; give HOST:PORT", self.to),
            )
        };
        let mut found = self.to.to_socket_addrs().map_err(|error| wrong(&error))?;
        // What is listened on decides which of them can be reached.
        let alike = |address: &SocketAddr| address.is_ipv4() == self.listen.is_ipv4();
        found
            .find(alike)
            .ok_or_else(|| wrong(&"no address of the kind that is listened on"))
    }

    fn record(loaded: &Loaded, seed: u64, length: Duration) -> RunRecord {
        RunRecord {
            version: VERSION,
            scenario: loaded.name.clone(),
            description: loaded.scenario.description.clone(),
            seed,
            mode: Mode::Relay,
            duration_us: (length.as_micros() as u64).max(1),
            fps: f64::from(loaded.scenario.media.fps),
            flows: 1,
            playout_us: loaded.scenario.media.playout.0.as_micros() as u64,
            max_kbps: None,
            media: "programs".into(),
            policies: vec![POLICY.into()],
            tiles: None,
        }
    }
}

fn listen(text: &str) -> Result<SocketAddr, String> {
    let port = text
        .parse::<u16>()
        .map(|port| SocketAddr::from(([0, 0, 0, 0], port)));
    port.or_else(|_| text.parse()).map_err(|_| {
        format!("{text:?} is no port and no ADDRESS:PORT; give for example 4433 or 127.0.0.1:4433")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_of_all_addresses() {
        assert_eq!(listen("4433").unwrap().to_string(), "0.0.0.0:4433");
        assert_eq!(listen("[::1]:5").unwrap().to_string(), "[::1]:5");
        for bad in ["", "x", "70000", "host:4433"] {
            assert!(listen(bad).unwrap_err().contains("4433"), "{bad}");
        }
    }
}
