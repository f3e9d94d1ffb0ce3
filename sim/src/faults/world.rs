//! Both ends and what lies between them, in virtual time.

use std::{collections::VecDeque, time::Duration};

use raq_recv::session::Input as Received;
use raq_send::session::Input as Sent;

use super::{
    damage,
    receiving::ReceivingEnd,
    route::{Load, Route},
    sample::Sample,
    script::{Event, Script, Way, healthy},
    sending::SendingEnd,
};

/// Rounds without time passing that mean a mistake.
const STUCK: u32 = 10_000;
/// What bytes of the control stream take besides the outages and what is lost of them.
const CONTROL: Duration = Duration::from_millis(25);
/// What they take longer while there are faults, at most.
const AGAIN: Duration = Duration::from_millis(400);

/// Bytes on the control stream.
#[derive(Debug)]
struct Said {
    at: Duration,
    to_receiver: bool,
    bytes: Vec<u8>,
}

/// See the module.
pub(super) struct World {
    pub(super) now: Duration,
    pub(super) sending: SendingEnd,
    pub(super) receiving: ReceivingEnd,
    /// Connections so far.
    pub(super) connection: u32,
    /// Frames that came onto the screen over connections that are past.
    frames: u64,
    /// Audits over them that differed.
    mismatches: u64,
    down: Route,
    up: Route,
    said: VecDeque<Said>,
    /// The script, and when its faults began.
    faults: Option<(Script, Duration)>,
    events: VecDeque<(Duration, Event)>,
    /// Times on the wire are told so much earlier.
    back: Duration,
    /// The next datagram of updates is forged; when one was.
    forge: bool,
    pub(super) forged: Option<Duration>,
    chance: fastrand::Rng,
    rounds: u32,
}

impl World {
    /// Two ends whose connection is made now.
    pub(super) fn new(mut chance: fastrand::Rng) -> Self {
        let config = healthy(Way::First);
        let (now, ahead) = (Duration::ZERO, Duration::ZERO);
        let mut world = Self {
            now,
            sending: SendingEnd::new(now, ahead),
            receiving: ReceivingEnd::new(now, ahead),
            connection: 1,
            frames: 0,
            mismatches: 0,
            down: Route::new(&config, chance.u64(..)),
            up: Route::new(&config, chance.u64(..)),
            said: VecDeque::new(),
            faults: None,
            events: VecDeque::new(),
            back: Duration::ZERO,
            forge: false,
            forged: None,
            chance,
            rounds: 0,
        };
        world.carry();
        world
    }

    /// The faults of a script begin.
    pub(super) fn fail(&mut self, script: &Script) {
        self.faults = Some((*script, self.now));
        let events = script.events(&mut self.chance);
        let events = events.into_iter().map(|(at, event)| (self.now + at, event));
        self.events = events.collect();
        for route in [&mut self.down, &mut self.up] {
            route.change(&script.link(Way::First, self.now), script.mischief());
        }
    }

    /// The faults end.
    pub(super) fn heal(&mut self) {
        self.faults = None;
        self.events.clear();
        for route in [&mut self.down, &mut self.up] {
            route.change(&healthy(Way::First), super::route::Mischief::default());
        }
    }

    /// The next datagram of updates says something else when it arrives.
    pub(super) fn forge(&mut self) {
        self.forge = true;
        self.forged = None;
    }

    /// Frames that came onto the screen.
    pub(super) fn frames(&self) -> u64 {
        self.frames + self.receiving.frames()
    }

    /// Audits that differed.
    pub(super) fn mismatches(&self) -> u64 {
        self.mismatches + self.sending.mismatches()
    }

    /// Why a session ended by itself, if one has.
    pub(super) fn ended(&self) -> Option<String> {
        let sender = self.sending.ended();
        let receiver = self.receiving.ended();
        let sender = sender.map(|end| format!("the sending session ended: {end}"));
        sender.or_else(|| receiver.map(|end| format!("the receiving session ended: {end}")))
    }

    /// Goes on to the next moment at which anything happens, or to `until`.
    ///
    /// # Errors
    /// What is wrong, where time stands still.
    pub(super) fn step(&mut self, until: Duration) -> Result<(), String> {
        let next = self.wake().map_or(until, |at| at.min(until));
        self.rounds = if next > self.now { 0 } else { self.rounds + 1 };
        if self.rounds > STUCK {
            return Err("the sessions want to be called again and again".to_owned());
        }
        self.now = self.now.max(next);
        let now = self.now;
        while let Some(&(at, event)) = self.events.front()
            && at <= now
        {
            self.events.pop_front();
            self.happen(event);
        }
        while self.said.front().is_some_and(|said| said.at <= now)
            && let Some(said) = self.said.pop_front()
        {
            if said.to_receiver {
                self.receiving.tell(now, Received::Control(&said.bytes));
            } else {
                self.sending.tell(now, Sent::Control(&said.bytes));
            }
        }
        while let Some(load) = self.down.poll(now) {
            self.came_down(load);
        }
        while let Some(load) = self.up.poll(now) {
            if load.connection == self.connection {
                self.sending.tell(now, Sent::Datagram(&load.bytes));
            }
        }
        self.sending.advance(now);
        self.receiving.advance(now);
        self.carry();
        Ok(())
    }

    /// Both ends lose their connection and make another.
    pub(super) fn restart(&mut self) {
        let now = self.now;
        self.sending.tell(now, Sent::Lost);
        self.receiving.tell(now, Received::Superseded);
        assert!(
            self.sending.ended().is_some() && self.receiving.ended().is_some(),
            "sessions without a connection end"
        );
        self.frames += self.receiving.frames();
        self.mismatches += self.sending.mismatches();
        self.sending = SendingEnd::new(now, self.sending.ahead());
        self.receiving = ReceivingEnd::new(now, self.receiving.ahead());
        self.connection += 1;
        self.said.clear();
        self.back = Duration::ZERO;
        self.carry();
    }

    /// Connects again, as raq-send does, where faults kept the ends from greeting each other.
    pub(super) fn greets_again(&mut self) -> bool {
        let again = self.faults.is_some() && self.receiving.scene().is_none();
        if again {
            self.restart();
        }
        again
    }

    fn wake(&self) -> Option<Duration> {
        let times = [
            self.sending.wake(),
            self.receiving.wake(),
            self.down.wake(),
            self.up.wake(),
            self.said.front().map(|said| said.at),
            self.events.front().map(|&(at, _)| at),
        ];
        times.into_iter().flatten().min()
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Rebind(way) => {
                if let Some((script, began)) = &self.faults {
                    let config = script.link(way, *began);
                    self.down.rebind(&config, script.mischief());
                    self.up.rebind(&config, script.mischief());
                }
            }
            Event::SenderLeaps(by) => self.sending.leap(by),
            Event::ReceiverLeaps(by) => self.receiving.leap(by),
            Event::LeapBack(by) => self.back += by,
            Event::Restart => self.restart(),
        }
    }

    fn came_down(&mut self, mut load: Load) {
        if load.connection != self.connection {
            return;
        }
        if self.forge
            && let Some(forged) = damage::forge(&load.bytes, Sample::get())
        {
            load.bytes = forged;
            self.forge = false;
            self.forged = Some(self.now);
        }
        self.receiving
            .tell(self.now, Received::Datagram(&load.bytes));
    }

    /// Takes what the ends have to say.
    fn carry(&mut self) {
        let (now, connection) = (self.now, self.connection);
        while let Some(bytes) = self.sending.control() {
            self.say(true, bytes);
        }
        while let Some(bytes) = self.receiving.control() {
            self.say(false, bytes);
        }
        while let Some(bytes) = self.sending.datagram() {
            let bytes = damage::captured_earlier(&bytes, self.back);
            self.down.offer(now, Load { connection, bytes });
        }
        while let Some(bytes) = self.receiving.datagram() {
            let bytes = damage::arrived_earlier(&bytes, self.back);
            self.up.offer(now, Load { connection, bytes });
        }
    }

    /// Control streams are never wrong, but late and in pieces.
    fn say(&mut self, to_receiver: bool, bytes: Vec<u8>) {
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let (piece, more) = rest.split_at(self.chance.usize(1..=rest.len()));
            rest = more;
            let mut at = self.now + CONTROL;
            if let Some((script, began)) = &self.faults {
                at += AGAIN.mul_f64(self.chance.f64());
                if let Some((from, to)) = script.outage()
                    && (*began + from..*began + to).contains(&at)
                {
                    at = *began + to + CONTROL;
                }
            }
            let last = self.said.back().map(|said| said.at);
            self.said.push_back(Said {
                at: last.map_or(at, |last| last.max(at)),
                to_receiver,
                bytes: piece.to_vec(),
            });
        }
    }
}
