//! Which senders are received, and where each of them sits.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use raq_shared::identity::KeyId;
use tokio::sync::watch;
use tokio::time::sleep;

/// A sender that says nothing for so long gives way to another one: even without frames it says
/// something every 3 s.
const SILENCE: Duration = Duration::from_secs(5);
/// One that says nothing for so long gives way to one with the same key: it is the same one, which has
/// connected again, rather than a second program of one user.
const SAME_SILENCE: Duration = Duration::from_secs(1);
/// How often is looked whether it says anything; who does streams, with at least 4 packets a second.
const LOOK: Duration = Duration::from_millis(250);

/// Seats for as many senders as are received at a time. Others get one when somebody has been silent.
///
/// Where there is one seat, it is had by the one that came last of those with the same key: a sender that
/// has lost its connection is not to wait until this end notices. Where there are more, several senders may
/// have the same key, and one that comes again finds the seat that it had.
#[derive(Debug)]
pub(crate) struct Seats {
    seats: Mutex<Vec<Seat>>,
    came: AtomicU64,
}

#[derive(Debug, Default)]
struct Seat {
    holder: Option<Holder>,
    /// Whose the things are that were left there.
    left: Option<KeyId>,
}

/// When a sender came, among all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Turn(u64);

/// What became of a claim.
#[derive(Debug)]
pub(crate) enum Place {
    Given(Claim),
    /// As many others as can be are being received.
    Taken,
    /// One with the same key that came later has it.
    Superseded,
}

struct Holder {
    key: Option<KeyId>,
    turn: Turn,
    /// Packets that came from it.
    packets: Box<dyn Fn() -> u64 + Send>,
    /// Turns true when another one takes over.
    superseded: watch::Sender<bool>,
}

impl Holder {
    fn is(&self, key: Option<KeyId>) -> bool {
        self.key.is_some() && self.key == key
    }
}

impl fmt::Debug for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut holder = f.debug_struct("Holder");
        holder.field("key", &self.key).finish_non_exhaustive()
    }
}

/// The right to be received, until it is dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    seats: Arc<Seats>,
    seat: usize,
    superseded: watch::Receiver<bool>,
}

/// What is known of the holder of a seat since somebody waits for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    /// Who came when, and how many packets it had sent at the first look.
    Nothing(Turn, u64),
    /// It has said something since, or came since.
    Something,
}

impl Seats {
    /// For `count` senders.
    pub(crate) fn new(count: usize) -> Self {
        Self {
            seats: Mutex::new((0..count).map(|_| Seat::default()).collect()),
            came: AtomicU64::new(0),
        }
    }

    /// A sender has come. It claims a place later, when it is known that it may have it.
    pub(crate) fn arrive(&self) -> Turn {
        Turn(self.came.fetch_add(1, Ordering::Relaxed))
    }

    /// Lets the holder of `key` in, who came at `turn` and from whom `packets` came so far. Where others
    /// are silent, it takes up to 5 s to tell.
    pub(crate) async fn claim(
        self: &Arc<Self>,
        turn: Turn,
        key: Option<KeyId>,
        packets: impl Fn() -> u64 + Send + 'static,
    ) -> Place {
        let mut waited = Duration::ZERO;
        let mut heard = Vec::new();
        loop {
            {
                let mut seats = self.lock();
                listen(&seats, &mut heard);
                let choice = match &seats[..] {
                    [only] => match &only.holder {
                        Some(it) if it.is(key) && it.turn > turn => return Place::Superseded,
                        Some(it) if it.is(key) => Choice::Seat(0),
                        _ => choose(&seats, &heard, key, waited),
                    },
                    several => choose(several, &heard, key, waited),
                };
                match choice {
                    Choice::Seat(at) => {
                        return Place::Given(self.give(
                            &mut seats,
                            at,
                            turn,
                            key,
                            Box::new(packets),
                        ));
                    }
                    Choice::Wait => {}
                    Choice::None => return Place::Taken,
                }
            }
            sleep(LOOK).await;
            waited += LOOK;
        }
    }

    fn give(
        self: &Arc<Self>,
        seats: &mut [Seat],
        at: usize,
        turn: Turn,
        key: Option<KeyId>,
        packets: Box<dyn Fn() -> u64 + Send>,
    ) -> Claim {
        let (sender, superseded) = watch::channel(false);
        let seat = &mut seats[at];
        seat.left = key;
        let before = seat.holder.replace(Holder {
            key,
            turn,
            packets,
            superseded: sender,
        });
        if let Some(before) = before {
            before.superseded.send_replace(true);
        }
        Claim {
            seats: self.clone(),
            seat: at,
            superseded,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Seat>> {
        // Nothing in here can panic half way.
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Choice {
    Seat(usize),
    /// It takes longer to tell.
    Wait,
    None,
}

/// Notes who has said something since the first look.
fn listen(seats: &[Seat], heard: &mut Vec<Heard>) {
    let first = heard.is_empty();
    for (at, seat) in seats.iter().enumerate() {
        let now = match &seat.holder {
            Some(holder) => Heard::Nothing(holder.turn, (holder.packets)()),
            None => Heard::Something,
        };
        if first {
            heard.push(now);
        } else if heard[at] != now {
            heard[at] = Heard::Something;
        }
    }
}

/// The best seat for the holder of `key`, who has `waited` so long.
fn choose(seats: &[Seat], heard: &[Heard], key: Option<KeyId>, waited: Duration) -> Choice {
    let silent = |at: usize| heard[at] != Heard::Something && seats[at].holder.is_some();
    let places = 0..seats.len();
    let own = |&at: &usize| silent(at) && seats[at].holder.as_ref().is_some_and(|it| it.is(key));
    if let Some(at) = places.clone().find(own) {
        return match waited >= SAME_SILENCE {
            true => Choice::Seat(at),
            false => Choice::Wait,
        };
    }
    // Its own things are there to go on with; those of others are best left alone.
    let rank = |at: &usize| match seats[*at].left {
        left if left.is_some() && left == key => 0,
        None => 1,
        Some(_) => 2,
    };
    let free = places.clone().filter(|&at| seats[at].holder.is_none());
    if let Some(at) = free.min_by_key(rank) {
        return Choice::Seat(at);
    }
    match places.clone().find(|&at| silent(at)) {
        Some(at) if waited >= SILENCE => Choice::Seat(at),
        Some(_) => Choice::Wait,
        None => Choice::None,
    }
}

impl Claim {
    /// Which seat it is, from 0.
    pub(crate) fn seat(&self) -> usize {
        self.seat
    }

    /// Turns true when another one takes over.
    pub(crate) fn superseded(&self) -> watch::Receiver<bool> {
        self.superseded.clone()
    }

    /// Leaves nothing there that one with the same key would go on with.
    pub(crate) fn clear(self) {
        self.leave(|seat| seat.left = None);
    }

    fn leave(&self, change: impl FnOnce(&mut Seat)) {
        let mut seats = self.seats.lock();
        // One that was superseded has nothing to give back.
        if !*self.superseded.borrow() {
            seats[self.seat].holder = None;
            change(&mut seats[self.seat]);
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.leave(|_| {});
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use raq_shared::identity::Identity;
    use tokio::time::Instant;

    use super::*;

    fn keys() -> [Option<KeyId>; 2] {
        [(); 2].map(|()| Some(Identity::ephemeral().unwrap().id()))
    }

    #[expect(clippy::disallowed_methods, reason = "the clock is paused")]
    fn now() -> Instant {
        Instant::now()
    }

    /// One who goes on sending.
    fn lively() -> impl Fn() -> u64 + Send + 'static {
        let packets = AtomicU64::new(0);
        move || packets.fetch_add(1, Ordering::Relaxed)
    }

    /// What became of a claim of one who has just come.
    async fn claim(
        seats: &Arc<Seats>,
        key: Option<KeyId>,
        packets: impl Fn() -> u64 + Send + 'static,
    ) -> Option<Claim> {
        match seats.claim(seats.arrive(), key, packets).await {
            Place::Given(claim) => Some(claim),
            Place::Taken => None,
            Place::Superseded => panic!("nobody came later"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_newest_with_a_key_is_let_in_and_others_wait() {
        let [own, other] = keys();
        let seats = Arc::new(Seats::new(1));
        let slow = seats.arrive();
        let first = claim(&seats, own, lively()).await.unwrap();
        assert!(claim(&seats, other, lively()).await.is_none());
        assert!(claim(&seats, None, lively()).await.is_none());
        let second = claim(&seats, own, lively()).await.unwrap();
        assert!(*first.superseded().borrow());
        drop(first);
        let refused = claim(&seats, other, lively()).await;
        assert!(refused.is_none(), "the second is still there");
        let late = seats.claim(slow, own, lively()).await;
        assert!(matches!(late, Place::Superseded), "the second came later");
        assert!(!*second.superseded().borrow());
        drop(second);
        assert!(claim(&seats, other, lively()).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn those_without_a_key_are_strangers_to_each_other() {
        let seats = Arc::new(Seats::new(1));
        let _first = claim(&seats, None, lively()).await.unwrap();
        assert!(claim(&seats, None, lively()).await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn one_who_is_silent_gives_way_and_one_who_goes_in_time_too() {
        let [own, other] = keys();
        let seats = Arc::new(Seats::new(1));
        let silent = claim(&seats, own, || 7).await.unwrap();
        let began = now();
        let next = claim(&seats, other, || 0).await.unwrap();
        assert_eq!(began.elapsed(), SILENCE);
        assert!(*silent.superseded().borrow() && !*next.superseded().borrow());
        drop(silent);

        let began = now();
        let (third, ()) = tokio::join!(claim(&seats, own, || 0), async {
            sleep(Duration::from_secs(1)).await;
            drop(next);
        });
        assert!(third.is_some() && began.elapsed() <= Duration::from_secs(1) + LOOK);
    }

    #[tokio::test(start_paused = true)]
    async fn several_sit_side_by_side_and_no_more_than_there_are_seats() {
        let [own, other] = keys();
        let seats = Arc::new(Seats::new(3));
        let began = now();
        let first = claim(&seats, own, lively()).await.unwrap();
        let second = claim(&seats, other, lively()).await.unwrap();
        assert_eq!((first.seat(), second.seat()), (0, 1));
        assert_eq!(began.elapsed(), Duration::ZERO);
        let third = claim(&seats, own, lively()).await.unwrap();
        assert!(!*first.superseded().borrow(), "one user may send twice");
        assert!(claim(&seats, own, lively()).await.is_none());
        assert!(claim(&seats, other, lively()).await.is_none());
        drop(second);
        assert_eq!(claim(&seats, None, lively()).await.unwrap().seat(), 1);
        drop((first, third));
    }

    #[tokio::test(start_paused = true)]
    async fn one_who_comes_again_finds_its_seat() {
        let [own, other] = keys();
        let seats = Arc::new(Seats::new(3));
        let lost = claim(&seats, own, || 7).await.unwrap();
        let began = now();
        let again = claim(&seats, own, lively()).await.unwrap();
        assert_eq!((began.elapsed(), again.seat()), (SAME_SILENCE, lost.seat()));
        assert!(*lost.superseded().borrow());
        drop(lost);
        drop(again);
        // Gone, and its things are still there: nobody sits on them while there is another seat.
        let second = claim(&seats, other, lively()).await.unwrap();
        assert_eq!(second.seat(), 1);
        let back = claim(&seats, own, lively()).await.unwrap();
        assert_eq!(back.seat(), 0);
        back.clear();
        let third = claim(&seats, None, lively()).await.unwrap();
        assert_eq!(third.seat(), 0, "nothing was left there");
        let fourth = claim(&seats, other, lively()).await.unwrap();
        assert_eq!(fourth.seat(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn of_several_the_silent_one_gives_way() {
        let [own, other] = keys();
        let seats = Arc::new(Seats::new(2));
        let lively_one = claim(&seats, None, lively()).await.unwrap();
        let silent = claim(&seats, own, || 7).await.unwrap();
        let began = now();
        let next = claim(&seats, other, lively()).await.unwrap();
        assert_eq!((began.elapsed(), next.seat()), (SILENCE, silent.seat()));
        assert!(*silent.superseded().borrow() && !*lively_one.superseded().borrow());
    }
}
