//! Virtual time for tokio and quinn.

use std::{
    future::Future,
    io,
    net::UdpSocket,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use quinn::{AsyncTimer, AsyncUdpSocket, Runtime};
use tokio::time::{Instant as TokioInstant, Sleep, sleep_until};

/// tokio's timers are whole milliseconds, so one of its milliseconds is a microsecond here.
const FINER: u32 = 1000;

/// Time since a start, read off tokio's clock; also the clock that quinn goes by.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: TokioInstant,
    /// What quinn calls the start.
    name: Instant,
    /// How many of tokio's seconds are one of this clock's.
    finer: u32,
}

impl Clock {
    /// Begins now, where tokio's clock is paused: time passes in steps of a microsecond.
    pub fn paused() -> Self {
        Self::starting(FINER)
    }

    /// Begins now, in real time.
    pub fn real() -> Self {
        Self::starting(1)
    }

    #[allow(
        clippy::disallowed_methods,
        reason = "all time in a driver comes from here"
    )]
    fn starting(finer: u32) -> Self {
        let start = TokioInstant::now();
        Self {
            start,
            name: start.into_std(),
            finer,
        }
    }

    /// The same clock, counting from now.
    #[must_use]
    pub fn again(self) -> Self {
        Self::starting(self.finer)
    }

    /// Time since the start.
    pub fn now(&self) -> Duration {
        self.start.elapsed() / self.finer
    }

    /// Waits until `time`.
    pub fn sleep_until(&self, time: Duration) -> Sleep {
        sleep_until(self.start + time * self.finer)
    }
}

impl Runtime for Clock {
    fn new_timer(&self, at: Instant) -> Pin<Box<dyn AsyncTimer>> {
        let sleep = self.sleep_until(at.saturating_duration_since(self.name));
        Box::pin(Timer {
            clock: *self,
            sleep: Box::pin(sleep),
        })
    }

    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        tokio::spawn(future);
    }

    fn wrap_udp_socket(&self, socket: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        quinn::TokioRuntime.wrap_udp_socket(socket)
    }

    fn now(&self) -> Instant {
        self.name + Self::now(self)
    }
}

#[derive(Debug)]
struct Timer {
    clock: Clock,
    sleep: Pin<Box<Sleep>>,
}

impl AsyncTimer for Timer {
    fn reset(mut self: Pin<&mut Self>, at: Instant) {
        let time = at.saturating_duration_since(self.clock.name);
        let at = self.clock.start + time * self.clock.finer;
        self.sleep.as_mut().reset(at);
    }

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        Future::poll(self.sleep.as_mut(), context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn timers_are_as_fine_as_a_microsecond() {
        let clock = Clock::paused();
        clock.sleep_until(Duration::from_nanos(1_234_567)).await;
        assert_eq!(clock.now(), Duration::from_micros(1235));
        let quinn: &dyn Runtime = &clock;
        let mut timer = quinn.new_timer(quinn.now() + Duration::from_secs(9));
        timer
            .as_mut()
            .reset(quinn.now() + Duration::from_micros(65));
        std::future::poll_fn(|context| timer.as_mut().poll(context)).await;
        assert_eq!(clock.now(), Duration::from_micros(1300));
        assert_eq!(clock.again().now(), Duration::ZERO);
    }
}
