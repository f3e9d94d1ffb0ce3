//! The ticket that is open, and who may still try. No clocks in here.

use std::collections::VecDeque;
use std::time::Duration;

use raq_shared::identity::pairing::{PROOF, Verdict};
use raq_shared::identity::{KeyId, TicketKey};

/// Wrong tickets that are looked at within [`WINDOW`]. Nobody guesses 128 bits; it bounds the work.
const TRIES: usize = 5;
const WINDOW: Duration = Duration::from_secs(60);

/// A ticket, of which only a hash is kept, and what has become of it.
#[derive(Debug)]
pub(crate) struct Invitation {
    key: TicketKey,
    /// When it ends, since any fixed moment.
    expires: Duration,
    used_by: Option<KeyId>,
    /// When wrong tickets came.
    wrong: VecDeque<Duration>,
}

/// What became of a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// The ticket is good, and used from now on: the key is to be remembered.
    Good,
    /// What to answer.
    Bad(Verdict),
}

impl Invitation {
    /// An open one.
    pub(crate) fn new(key: TicketKey, expires: Duration) -> Self {
        Self {
            key,
            expires,
            used_by: None,
            wrong: VecDeque::with_capacity(TRIES),
        }
    }

    /// Judges the proof that the holder of `peer` gives at `now` on a connection with this exporter.
    pub(crate) fn judge(
        &mut self,
        now: Duration,
        peer: KeyId,
        exporter: &[u8; 32],
        proof: &[u8; PROOF],
    ) -> Judgement {
        let recent = |&at: &Duration| now.saturating_sub(at) < WINDOW;
        self.wrong.retain(recent);
        if self.wrong.len() >= TRIES {
            return Judgement::Bad(Verdict::TooMany);
        }
        if !self.key.proves(exporter, proof) {
            self.wrong.push_back(now);
            return Judgement::Bad(Verdict::Unknown);
        }
        match self.used_by {
            // The same line once more: its answer may have been lost.
            Some(by) if by == peer => Judgement::Bad(Verdict::Paired),
            Some(_) => Judgement::Bad(Verdict::Used),
            None if now >= self.expires => Judgement::Bad(Verdict::Expired),
            None => {
                self.used_by = Some(peer);
                Judgement::Good
            }
        }
    }

    /// Takes back that the ticket was used: the key could not be remembered.
    pub(crate) fn reopen(&mut self) {
        self.used_by = None;
    }
}

#[cfg(test)]
mod tests {
    use raq_shared::identity::{Identity, Ticket};

    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    const EXPORTER: [u8; 32] = [3; 32];

    fn setup() -> (Invitation, TicketKey, [KeyId; 2]) {
        let ids = [(); 2].map(|()| Identity::ephemeral().unwrap().id());
        let key = Ticket::new(ids[0], 0).unwrap().key();
        (Invitation::new(key.clone(), at(600)), key, ids)
    }

    #[test]
    fn a_ticket_is_good_once() {
        let (mut invitation, key, [one, other]) = setup();
        let proof = key.proof(&EXPORTER);
        let mut judge = |now, peer| invitation.judge(at(now), peer, &EXPORTER, &proof);
        assert_eq!(judge(599, one), Judgement::Good);
        assert_eq!(judge(599, other), Judgement::Bad(Verdict::Used));
        assert_eq!(judge(700, one), Judgement::Bad(Verdict::Paired));
        assert_eq!(judge(700, other), Judgement::Bad(Verdict::Used));
        invitation.reopen();
        let judged = invitation.judge(at(1), other, &EXPORTER, &proof);
        assert_eq!(judged, Judgement::Good);
    }

    #[test]
    fn a_ticket_ends() {
        let (mut invitation, key, [one, _]) = setup();
        let proof = key.proof(&EXPORTER);
        let judged = invitation.judge(at(600), one, &EXPORTER, &proof);
        assert_eq!(judged, Judgement::Bad(Verdict::Expired));
    }

    #[test]
    fn few_wrong_tickets_a_minute_are_looked_at() {
        let (mut invitation, key, [one, _]) = setup();
        let (good, bad) = (key.proof(&EXPORTER), key.proof(&[4; 32]));
        for second in 0..TRIES as u64 {
            let judged = invitation.judge(at(second), one, &EXPORTER, &bad);
            assert_eq!(judged, Judgement::Bad(Verdict::Unknown));
        }
        let judged = invitation.judge(at(59), one, &EXPORTER, &good);
        assert_eq!(judged, Judgement::Bad(Verdict::TooMany));
        let judged = invitation.judge(at(60), one, &EXPORTER, &good);
        assert_eq!(judged, Judgement::Good, "the first one is a minute ago");
    }
}
