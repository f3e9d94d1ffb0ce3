//! What a relay did.

use std::{fmt, time::Duration};

use crate::{
    link::{Cause, Outcome},
    measure::percentile::percentile,
};

/// What became of the datagrams, both ways.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// From the clients.
    pub down: Way,
    /// To the clients.
    pub up: Way,
    /// Datagrams of clients that were too many.
    pub refused: u64,
}

/// What became of the datagrams one way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Way {
    /// Datagrams received.
    pub offered: u64,
    /// Datagrams that arrived at the end of the link, copies counted.
    pub delivered: u64,
    /// Of these, those that the system did not take.
    pub unsent: u64,
    /// Datagrams lost because the queue was full or too long.
    pub lost_queue: u64,
    /// Datagrams lost by chance.
    pub lost_random: u64,
    /// Datagrams lost because the queue was full in an outage.
    pub lost_outage: u64,
    /// Of each datagram that arrived, the time from the offer until it had left the queue.
    pub queueing: Vec<Duration>,
    /// Of each datagram that arrived, how much later than the link says it was sent on.
    pub late: Vec<Duration>,
}

impl Way {
    /// The queueing delay that `percent`, above 0 and at most 100, do not exceed; none where
    /// nothing arrived.
    pub fn queueing_percentile(&self, percent: f64) -> Option<Duration> {
        of(&self.queueing, percent)
    }

    /// How late datagrams were sent on, as [`Self::queueing_percentile`].
    pub fn late_percentile(&self, percent: f64) -> Option<Duration> {
        of(&self.late, percent)
    }

    pub(super) fn count<T>(&mut self, outcome: &Outcome<T>, now: Duration) {
        match outcome {
            Outcome::Delivered {
                offered,
                left,
                arrived,
                ..
            } => {
                self.delivered += 1;
                self.queueing.push(left.saturating_sub(*offered));
                self.late.push(now.saturating_sub(*arrived));
            }
            Outcome::Lost { cause, .. } => match cause {
                Cause::Queue => self.lost_queue += 1,
                Cause::Random => self.lost_random += 1,
                Cause::Outage => self.lost_outage += 1,
            },
        }
    }
}

fn of(times: &[Duration], percent: f64) -> Option<Duration> {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    percentile(&sorted, percent)
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "down: {}\nup:   {}", self.down, self.up)?;
        match self.refused {
            0 => Ok(()),
            refused => write!(f, "\n{refused} datagrams of too many clients were refused"),
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} datagrams, {} delivered, lost {} in the queue, {} at random, {} in outages",
            self.offered, self.delivered, self.lost_queue, self.lost_random, self.lost_outage
        )?;
        if self.unsent > 0 {
            write!(f, "; {} could not be sent on", self.unsent)?;
        }
        let ms = |time: Option<Duration>| time.map(|time| 1000.0 * time.as_secs_f64());
        let queueing = |percent| ms(self.queueing_percentile(percent));
        if let Some(((p50, p95), late)) = queueing(50.0)
            .zip(queueing(95.0))
            .zip(ms(self.late_percentile(99.0)))
        {
            write!(
                f,
                "; queueing delay p50 {p50:.1} ms, p95 {p95:.1} ms; sent on late by p99 {late:.2} ms"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::Packet;

    #[test]
    fn outcomes_are_counted_and_told() {
        let millis = Duration::from_millis;
        let packet = Packet {
            bytes: 100,
            delay: None,
            payload: (),
        };
        let mut counts = Counts::default();
        counts.down.offered = 22;
        for number in 0..20 {
            let outcome = Outcome::Delivered {
                packet: packet.clone(),
                offered: millis(number),
                left: millis(2 * number + 1),
                arrived: millis(100),
            };
            counts.down.count(&outcome, millis(101));
        }
        for cause in [Cause::Queue, Cause::Random] {
            let outcome = Outcome::Lost {
                packet: packet.clone(),
                offered: millis(1),
                at: millis(1),
                cause,
            };
            counts.down.count(&outcome, millis(101));
        }
        assert_eq!(counts.down.queueing_percentile(95.0), Some(millis(19)));
        assert_eq!(counts.up.queueing_percentile(95.0), None);
        assert_eq!(
            counts.to_string(),
            "down: 22 datagrams, 20 delivered, lost 1 in the queue, 1 at random, 0 in outages; \
             queueing delay p50 10.0 ms, p95 19.0 ms; sent on late by p99 1.00 ms\n\
             up:   0 datagrams, 0 delivered, lost 0 in the queue, 0 at random, 0 in outages"
        );
    }
}
