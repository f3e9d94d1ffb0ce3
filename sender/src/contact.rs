//! Whom this program talks to: which key the receiver must have, and how it is introduced.

use std::sync::Arc;
use std::time::Duration;

use quinn::{Connection, ConnectionError, Endpoint, TransportConfig};
use raq_shared::calendar::unix_now;
use raq_shared::exit::{Exit, Failure};
use raq_shared::identity::pairing::Verdict;
use raq_shared::identity::{Identity, KeyId, KnownPeers, Role, Strangers, Ticket, Trust, question};
use raq_shared::observe::Console;
use raq_shared::quic::{self, Close, Distrust};
use tokio::time::timeout;

use crate::connect::{self, refusal};
use crate::options::{Options, Peer};

/// How long the receiver may take to judge a ticket.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long closing the connection may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// The receiver, and what is known of its key.
#[derive(Debug)]
pub(crate) struct Contact {
    pub(crate) peer: Peer,
    identity: Identity,
    /// Where somebody is asked.
    console: Console,
    known: KnownPeers,
    /// The keys that are accepted now.
    trust: Arc<Trust>,
    expected: Expected,
    /// Not shown yet.
    ticket: Option<Ticket>,
}

/// Why a receiver's key is accepted or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// The command line names this one.
    Pinned,
    /// A ticket names this one.
    Ticket(KeyId),
    /// It was this one before.
    Known(KeyId),
    /// Nothing is known of the receiver.
    Unknown {
        /// Somebody can be asked.
        asks: bool,
    },
}

/// A connection, with its socket.
pub(crate) type Connected = (Endpoint, Connection);

impl Contact {
    /// The receiver that the command line names.
    ///
    /// # Errors
    /// [`Failure`] where a file or the ticket cannot be used.
    pub(crate) fn new(
        options: &Options,
        identity: Identity,
        console: Console,
    ) -> Result<Self, Failure> {
        let peer = options.peer()?.clone();
        let known = KnownPeers::of_user()?;
        let named = options.common.accepted_keys(&identity)?;
        let ticket = options.trust.ticket(options.source.is_stdin())?;
        let remembered = known.receiver_at(&place(&peer))?;
        let (expected, trust) = match (options.trust.pin, &ticket, remembered) {
            (Some(pin), ..) => (Expected::Pinned, Trust::only(pin)),
            (None, Some(ticket), _) => {
                let id = ticket.receiver();
                (Expected::Ticket(id), Trust::only(id))
            }
            (None, None, Some(id)) => {
                let trust = Trust::only(identity.id()).with(id, &place(&peer));
                (Expected::Known(id), trust)
            }
            (None, None, None) => {
                let asks = question::can_ask();
                let strangers = match asks {
                    true => Strangers::Unasked,
                    false => Strangers::Refused,
                };
                let trust = named.with_strangers(strangers);
                (Expected::Unknown { asks }, trust)
            }
        };
        Ok(Self {
            peer,
            identity,
            console,
            known,
            trust: Arc::new(trust),
            expected,
            ticket,
        })
    }

    /// Connects; before that shows the ticket, if there is one, or asks whoever sits at the terminal.
    /// `change` may change how packets are carried.
    ///
    /// # Errors
    /// [`Failure`] with cause and cure.
    pub(crate) async fn connect(
        &mut self,
        change: impl Fn(&mut TransportConfig),
    ) -> Result<Connected, Failure> {
        if let Some(ticket) = &self.ticket {
            let ticket = ticket.clone();
            self.pair(&ticket).await?;
            self.ticket = None;
        }
        loop {
            let config = || quic::client_config_with(&self.identity, self.trust.clone(), &change);
            let failure = match connect::connect(self, config).await {
                Ok(connected) => return Ok(connected),
                Err(failure) => failure,
            };
            match (self.expected, self.trust.stranger()) {
                (Expected::Unknown { asks: true }, Some(stranger)) => self.ask(stranger).await?,
                _ => return Err(failure),
            }
        }
    }

    /// Asks whether this key is the receiver's, and remembers it where it is.
    async fn ask(&mut self, stranger: KeyId) -> Result<(), Failure> {
        let place = place(&self.peer);
        let peers = self.known.list()?;
        let same = peers
            .iter()
            .filter(|peer| peer.role == Role::Receiver && peer.id == stranger);
        let names: String = same
            .map(|peer| format!(" You know it as {}.", peer.name))
            .collect();
        let question = format!(
            "The receiver at {place} is unknown. Its key is\n\n  {stranger}\n\n\
             which `raq-recv --print-id` there must also say.{names}\n\
             Send to it, now and later?"
        );
        if !question::ask(&self.console, &question).await {
            return Err(Failure::new(
                Exit::Refused,
                format_args!("the receiver at {place} was not accepted; nothing was sent"),
            ));
        }
        self.accept(stranger)
    }

    /// Remembers the receiver's key and accepts no other one from now on but this user's own.
    fn accept(&mut self, id: KeyId) -> Result<(), Failure> {
        let place = place(&self.peer);
        let own = self.identity.id();
        // One's own key needs no remembering, and will not be missed when it changes.
        if id != own {
            self.known
                .remember(Role::Receiver, &place, id, unix_now().as_secs())?;
        }
        self.trust = Arc::new(Trust::only(own).with(id, &place));
        self.expected = Expected::Known(id);
        Ok(())
    }

    /// Shows the receiver a ticket, so that both ends know each other from then on.
    async fn pair(&mut self, ticket: &Ticket) -> Result<(), Failure> {
        let config = || quic::pairing_config(&self.identity, self.trust.clone());
        let (endpoint, connection) = connect::connect(self, config).await?;
        let peer = format!("the receiver at {}", connection.remote_address());
        let verdict = timeout(PATIENCE, exchange(&connection, ticket)).await;
        connection.close(Close::Done.into(), b"");
        let _ = timeout(FAREWELL, endpoint.wait_idle()).await;
        let refused = match verdict {
            Ok(Ok(Verdict::Paired)) => {
                tracing::info!("paired with {peer}, key {}", ticket.receiver().short());
                return self.accept(ticket.receiver());
            }
            Ok(Ok(verdict)) => Failure::new(Exit::Refused, explain(verdict, &peer)),
            Ok(Err(error)) => refusal(self, &peer, &error).unwrap_or_else(|| {
                let text = format_args!("{peer}: {error}; look after the network and start again");
                Failure::new(Exit::Connection, text)
            }),
            Err(_) => Failure::new(
                Exit::Connection,
                format_args!("{peer} does not answer; look after the network and start again"),
            ),
        };
        // The same line once more, when it has done its work already.
        let known = self.known.receiver_at(&place(&self.peer))?;
        if known == Some(ticket.receiver()) && refused.exit == Exit::Refused {
            tracing::info!("{}; this receiver is known already", refused.cause());
            return self.accept(ticket.receiver());
        }
        Err(refused)
    }

    /// What to tell the user where one end does not trust the other.
    pub(crate) fn distrust(&self, distrust: Distrust, peer: &str) -> Failure {
        let place = place(&self.peer);
        let stranger = self.trust.stranger();
        let stranger = stranger.map_or_else(|| "another key".to_owned(), |id| id.to_string());
        let text = match (distrust, self.expected) {
            (Distrust::OfPeer, Expected::Pinned) => {
                format!(
                    "{peer} has the key {stranger}, not the one of --pin; correct --pin or --peer"
                )
            }
            (Distrust::OfPeer, Expected::Ticket(id)) => format!(
                "the ticket is for another receiver: {peer} has the key {stranger}, the ticket is \
                 for {id}; correct --peer, or get a ticket there"
            ),
            (Distrust::OfPeer, Expected::Known(id)) => format!(
                "the key of {place} has changed: it was {id}, now it is {stranger}; either raq-recv \
                 there has a new key, or somebody else answers in its place: find out what \
                 `raq-recv --print-id` says there, and only if it is the new one, run `raq-send \
                 peers forget {place}` and pair anew"
            ),
            (Distrust::ByPeer, Expected::Ticket(_)) => {
                match self.ticket.as_ref().map(Ticket::expires) {
                    Some(expires) if expires <= unix_now().as_secs() => {
                        explain(Verdict::Expired, peer)
                    }
                    _ => format!(
                        "{peer} takes no ticket now: this one was used, or raq-recv was started \
                         again since; ask for a new one (raq-recv --invite)"
                    ),
                }
            }
            (distrust, _) => distrust.explain(peer, self.identity.id()),
        };
        Failure::new(Exit::Refused, text)
    }
}

/// The proof one way, the verdict the other.
async fn exchange(connection: &Connection, ticket: &Ticket) -> Result<Verdict, ConnectionError> {
    let broken = |_| ConnectionError::Reset;
    let lost =
        |connection: &Connection| connection.close_reason().unwrap_or(ConnectionError::Reset);
    let exporter = quic::exporter(connection).ok_or(ConnectionError::Reset)?;
    let (mut send, mut receive) = connection.open_bi().await?;
    let proof = ticket.key().proof(&exporter);
    if send.write_all(&proof).await.is_err() {
        return Err(lost(connection));
    }
    send.finish().map_err(broken)?;
    let mut verdict = [0];
    if receive.read_exact(&mut verdict).await.is_err() {
        return Err(lost(connection));
    }
    Verdict::from_byte(verdict[0]).ok_or(ConnectionError::VersionMismatch)
}

/// Cause and cure.
fn explain(verdict: Verdict, peer: &str) -> String {
    let new = "ask for a new one (raq-recv --invite)";
    match verdict {
        Verdict::Paired => format!("{peer} knows this sender"),
        Verdict::Used => format!(
            "the ticket was used by another sender; {new}, and look with `raq-recv peers list` \
             there who that was"
        ),
        Verdict::Expired => format!("the ticket has expired; {new}"),
        Verdict::Unknown => format!(
            "{peer} does not know this ticket: it is forged, or older than the raq-recv that runs \
             there; {new}"
        ),
        Verdict::TooMany => format!(
            "{peer} looks at no ticket now, too many wrong ones came; try again in a minute"
        ),
        Verdict::Failed => {
            format!("{peer} cannot remember this sender; look what raq-recv says there")
        }
    }
}

/// The name that a receiver is remembered by.
fn place(peer: &Peer) -> String {
    peer.to_string().to_lowercase()
}
