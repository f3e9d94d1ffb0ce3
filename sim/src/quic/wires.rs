//! The two directions of the link with what waits at their far ends.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::Notify;

use super::clock::Clock;
use crate::{
    link::{Link, Outcome, Packet},
    record::Direction,
    run::Paths,
};

/// UDP's and IPv4's headers, bytes.
const UDP_IP: u32 = 28;

/// What a link carries.
#[derive(Debug, Clone)]
pub(super) struct Load {
    pub(super) flow: usize,
    contents: Bytes,
}

/// Shared by the sockets and the driver, which are tasks of one thread.
pub(super) struct Wires {
    state: Mutex<State>,
    /// Something was sent.
    pub(super) sent: Notify,
}

struct State {
    clock: Clock,
    down: Link<Load>,
    up: Link<Load>,
    /// For each flow what came down, and what came up.
    inboxes: Vec<[Inbox; 2]>,
}

#[derive(Default)]
struct Inbox {
    packets: VecDeque<Bytes>,
    waker: Option<Waker>,
}

impl Wires {
    /// Links without anything in them, for so many flows.
    pub(super) fn new(paths: &Paths, flows: usize, clock: Clock) -> Self {
        Self {
            state: Mutex::new(State {
                clock,
                down: paths.down(),
                up: paths.up(),
                inboxes: (0..flows).map(|_| <[Inbox; 2]>::default()).collect(),
            }),
            sent: Notify::new(),
        }
    }

    /// From now on, which is the beginning of `clock`, other links are there; what travels on those
    /// before is gone. What becomes of other traffic is kept, see [`Self::poll_cross`].
    pub(super) fn replace(&self, paths: &Paths, clock: Clock) {
        let mut state = self.state();
        (state.down, state.up) = (paths.down(), paths.up());
        state.down.watch_cross();
        state.up.watch_cross();
        state.clock = clock;
    }

    /// Sends a UDP datagram. `delay` is the flow's own, in place of the link's.
    pub(super) fn send(
        &self,
        flow: usize,
        direction: Direction,
        delay: Option<Duration>,
        contents: &[u8],
    ) {
        let mut state = self.state();
        let now = state.clock.now();
        let packet = Packet {
            bytes: contents.len() as u32 + UDP_IP,
            delay,
            payload: Load {
                flow,
                contents: Bytes::copy_from_slice(contents),
            },
        };
        state.link(direction).offer(now, packet);
        drop(state);
        self.sent.notify_one();
    }

    /// The next thing that one direction did by `now`.
    pub(super) fn poll(&self, now: Duration, direction: Direction) -> Option<Outcome<Load>> {
        self.state().link(direction).poll(now)
    }

    /// The next packet of other traffic that came to its end by `now`.
    pub(super) fn poll_cross(&self, now: Duration, direction: Direction) -> Option<Outcome<usize>> {
        self.state().link(direction).poll_cross(now)
    }

    /// When [`Self::poll`] may have something.
    pub(super) fn wake(&self) -> Option<Duration> {
        let state = self.state();
        [state.down.wake(), state.up.wake()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Puts what arrived where its socket finds it.
    pub(super) fn deliver(&self, direction: Direction, load: Load) {
        let waker = {
            let mut state = self.state();
            let inbox = state.inbox(load.flow, direction);
            inbox.packets.push_back(load.contents);
            inbox.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// What arrived next, or a promise to wake.
    pub(super) fn receive(&self, flow: usize, direction: Direction, waker: &Waker) -> Poll<Bytes> {
        let mut state = self.state();
        let inbox = state.inbox(flow, direction);
        if let Some(packet) = inbox.packets.pop_front() {
            return Poll::Ready(packet);
        }
        inbox.waker = Some(waker.clone());
        Poll::Pending
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn link(&mut self, direction: Direction) -> &mut Link<Load> {
        match direction {
            Direction::Down => &mut self.down,
            Direction::Up => &mut self.up,
        }
    }

    fn inbox(&mut self, flow: usize, direction: Direction) -> &mut Inbox {
        let [down, up] = &mut self.inboxes[flow];
        match direction {
            Direction::Down => down,
            Direction::Up => up,
        }
    }
}
