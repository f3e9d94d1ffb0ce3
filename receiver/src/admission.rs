//! Who is let in after the handshake: those who are known; of the others those with a ticket, and
//! those to whom somebody at the terminal says yes.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use quinn::{Connection, ConnectionError};
use raq_shared::calendar::unix_now;
use raq_shared::exit::Failure;
use raq_shared::identity::pairing::{PROOF, Verdict};
use raq_shared::identity::{Identity, KeyId, KnownPeers, Role, Strangers, Ticket, Trust, question};
use raq_shared::observe::Console;
use raq_shared::quic::{self, Close, Distrust};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::connection::Clock;
use crate::greeting::FAREWELL;
use crate::invitation::{Invitation, Judgement};

/// Strangers that may be past the handshake at a time.
const STRANGERS: usize = 8;
/// How long one may take to show a ticket.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long somebody may take to answer; raq-send waits no longer.
const ANSWER_PATIENCE: Duration = Duration::from_secs(110);
/// Questions that were answered with no within [`WINDOW`], after which nobody is asked.
const REFUSALS: usize = 3;
const WINDOW: Duration = Duration::from_secs(60);
/// Refused keys that are kept in mind.
const REFUSED: usize = 64;

/// Who is let in.
#[derive(Debug)]
pub(crate) struct Admission {
    own: KeyId,
    /// Where somebody is asked.
    console: Console,
    trust: Arc<Trust>,
    known: KnownPeers,
    clock: Clock,
    /// Somebody may be asked.
    asks: bool,
    /// The handshake lets strangers through.
    open: Arc<AtomicBool>,
    invitation: Mutex<Option<Invitation>>,
    strangers: Semaphore,
    /// Whoever holds it asks.
    refused: tokio::sync::Mutex<Refused>,
}

/// Those to whom somebody said no.
#[derive(Debug, Default)]
struct Refused {
    keys: BTreeSet<KeyId>,
    at: VecDeque<Duration>,
}

/// What became of one who connected.
#[derive(Debug)]
pub(crate) enum Admitted {
    /// It may send.
    Yes,
    /// It was a stranger: the connection is closed, and this is to be told.
    No(String),
    /// It has shown a ticket, or has gone: nothing is left to do.
    Nothing,
}

impl Admission {
    /// Lets in whom `named`, the command line, and the known peers name.
    ///
    /// # Errors
    /// [`Failure`] where the file of known peers cannot be used.
    pub(crate) fn new(own: &Identity, named: Trust, console: Console) -> Result<Self, Failure> {
        let known = KnownPeers::of_user()?;
        let asks = question::can_ask();
        let open = Arc::new(AtomicBool::new(asks));
        let trust = named
            .with_senders(known.clone())?
            .with_strangers(Strangers::LetIn(open.clone()));
        Ok(Self {
            own: own.id(),
            console,
            trust: Arc::new(trust),
            known,
            clock: Clock::start(),
            asks,
            open,
            invitation: Mutex::default(),
            strangers: Semaphore::new(STRANGERS),
            refused: tokio::sync::Mutex::default(),
        })
    }

    /// What the handshake is to check.
    pub(crate) fn trust(&self) -> Arc<Trust> {
        self.trust.clone()
    }

    /// A ticket that is good for so long, once; it takes the place of the one before.
    ///
    /// # Errors
    /// [`Failure`] where the system gives no randomness.
    pub(crate) fn invite(&self, lifetime: Duration) -> Result<Ticket, Failure> {
        let ticket = Ticket::new(self.own, (unix_now() + lifetime).as_secs())?;
        let expires = self.clock.now() + lifetime;
        *self.invitation() = Some(Invitation::new(ticket.key(), expires));
        self.open.store(true, Ordering::Relaxed);
        Ok(ticket)
    }

    /// Keeps strangers out of the handshake when the ticket has ended.
    pub(crate) async fn watch(&self, lifetime: Duration) {
        sleep(lifetime).await;
        self.open.store(self.asks, Ordering::Relaxed);
    }

    /// Lets the holder of `key` in or sends it away.
    pub(crate) async fn admit(&self, connection: &Connection, key: Option<KeyId>) -> Admitted {
        let pairing = quic::is_pairing(connection);
        let Some(key) = key else {
            connection.close(Close::Unknown.into(), b"no key");
            return Admitted::Nothing;
        };
        // The file may have changed since the handshake.
        let known = self.trust.accepts(&key);
        if known && !pairing {
            return Admitted::Yes;
        }
        let Ok(_place) = self.strangers.try_acquire() else {
            connection.close(
                Close::Refused.into(),
                b"too many strangers; try again in a minute",
            );
            tracing::warn!(
                "too many strangers; {} is sent away",
                connection.remote_address()
            );
            return Admitted::Nothing;
        };
        match pairing {
            true => self.pair(connection, key).await,
            false => self.ask(connection, key).await,
        }
    }

    /// Takes a proof and answers it.
    async fn pair(&self, connection: &Connection, key: KeyId) -> Admitted {
        let address = connection.remote_address();
        let Ok(Ok((mut send, proof))) = timeout(PATIENCE, proof(connection)).await else {
            connection.close(Close::Protocol.into(), b"no ticket was shown");
            tracing::info!("{address} showed no ticket");
            return Admitted::Nothing;
        };
        let verdict = self.judge(connection, key, &proof).await;
        match verdict {
            Verdict::Paired => tracing::info!("paired with the sender at {address}, key {key}"),
            Verdict::Used => {
                tracing::warn!("{address} showed a ticket that was used by another one");
            }
            Verdict::Expired => tracing::warn!("{address} showed a ticket that has expired"),
            Verdict::Unknown => {
                tracing::warn!("{address} showed a ticket that is none of this run");
            }
            Verdict::TooMany => tracing::warn!("too many wrong tickets; {address} is to come back"),
            // The reason was told.
            Verdict::Failed => {}
        }
        if send.write_all(&[verdict as u8]).await.is_ok() && send.finish().is_ok() {
            let _ = timeout(FAREWELL, send.stopped()).await;
        }
        connection.close(Close::Done.into(), b"");
        Admitted::Nothing
    }

    async fn judge(&self, connection: &Connection, key: KeyId, proof: &[u8; PROOF]) -> Verdict {
        let Some(exporter) = quic::exporter(connection) else {
            tracing::error!("TLS gives no secret to check tickets with; install raq again");
            return Verdict::Failed;
        };
        let judged = match &mut *self.invitation() {
            Some(invitation) => invitation.judge(self.clock.now(), key, &exporter, proof),
            None => Judgement::Bad(Verdict::Unknown),
        };
        match judged {
            Judgement::Bad(verdict) => verdict,
            Judgement::Good => match self.remember(connection, key).await {
                Ok(()) => Verdict::Paired,
                Err(error) => {
                    tracing::error!("{error}");
                    if let Some(invitation) = &mut *self.invitation() {
                        invitation.reopen();
                    }
                    Verdict::Failed
                }
            },
        }
    }

    /// Asks whoever sits at the terminal.
    async fn ask(&self, connection: &Connection, key: KeyId) -> Admitted {
        let peer = format!("the sender at {}", connection.remote_address());
        let unknown = || {
            connection.close(Close::Unknown.into(), b"the key is unknown");
            Admitted::No(Distrust::OfPeer.explain(&peer, self.own))
        };
        if !self.asks || !question::can_ask() {
            tracing::warn!("refused a peer with the unknown key {key}");
            return unknown();
        }
        let Ok(mut refused) = self.refused.try_lock() else {
            let reason = "somebody is being asked about another sender; try again in a minute";
            connection.close(Close::Refused.into(), reason.as_bytes());
            return Admitted::No(format!("{peer} is unknown; {reason}"));
        };
        let now = self.clock.now();
        refused.at.retain(|&at| now.saturating_sub(at) < WINDOW);
        if refused.keys.contains(&key) || refused.at.len() >= REFUSALS {
            return unknown();
        }
        let question = format!(
            "\n{} is unknown. Its key is\n\n  {key}\n\nwhich `raq-send --print-id` there must also \
             say.\nReceive from it, now and later?",
            peer.replacen('t', "T", 1)
        );
        let answer = tokio::select! {
            answer = question::ask(&self.console, &question) => answer,
            _ = connection.closed() => {
                tracing::info!("{peer} did not wait for the answer");
                return Admitted::Nothing;
            }
            () = sleep(ANSWER_PATIENCE) => {
                tracing::info!("nobody answered; {peer} is sent away");
                return unknown();
            }
        };
        if answer {
            if let Err(error) = self.remember(connection, key).await {
                tracing::warn!("{error}; it will be asked about again");
            }
            return Admitted::Yes;
        }
        if refused.keys.len() >= REFUSED {
            refused.keys.clear();
        }
        refused.keys.insert(key);
        refused.at.push_back(now);
        connection.close(Close::Refused.into(), b"somebody there said no");
        Admitted::No(format!("{peer} was refused, as you said"))
    }

    /// Writes the key down, beside everything else: a disk may be slow.
    async fn remember(&self, connection: &Connection, key: KeyId) -> Result<(), String> {
        // One's own key needs no remembering.
        if key == self.own {
            return Ok(());
        }
        let known = self.known.clone();
        let name = connection.remote_address().ip().to_canonical().to_string();
        let now = unix_now().as_secs();
        let remember = move || known.remember(Role::Sender, &name, key, now);
        match tokio::task::spawn_blocking(remember).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn invitation(&self) -> std::sync::MutexGuard<'_, Option<Invitation>> {
        // Nothing that holds it can panic half way.
        self.invitation
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// All that one who pairs says, and where to answer.
async fn proof(
    connection: &Connection,
) -> Result<(quinn::SendStream, [u8; PROOF]), ConnectionError> {
    let (send, mut receive) = connection.accept_bi().await?;
    let mut proof = [0; PROOF];
    match receive.read_exact(&mut proof).await {
        Ok(()) => Ok((send, proof)),
        Err(_) => Err(ConnectionError::Reset),
    }
}
