//! The congestion window that QUIC stacks use by default: CUBIC (RFC 9438).

use std::time::Duration;

/// What is left of the window after a loss.
const BETA: f64 = 0.7;
/// Growth in packets per second cubed.
const C: f64 = 0.4;

/// A CUBIC window as quinn 0.11 computes it: slow start without HyStart, one reduction per round
/// trip, fast convergence, the Reno-friendly region as a function of time, and at most one packet
/// of growth per acknowledgement. It has no clock: times are since any fixed start.
#[derive(Debug, Clone, PartialEq)]
pub struct Cubic {
    /// Bytes.
    window: u64,
    slow_start_threshold: u64,
    /// Bytes of a full packet.
    mtu: u64,
    /// Packets sent up to then belong to a round trip that has had its reduction.
    reduced: Option<Duration>,
    /// Window in bytes to which the curve returns, and after how many seconds.
    w_max: f64,
    k: f64,
    /// Growth that is not yet a whole packet.
    growth: u64,
}

impl Cubic {
    /// A window of `initial_window` bytes in slow start, for packets of up to `mtu` bytes.
    pub fn new(initial_window: u64, mtu: u16) -> Self {
        let mtu = u64::from(mtu.max(1));
        Self {
            window: initial_window.max(2 * mtu),
            slow_start_threshold: u64::MAX,
            mtu,
            reduced: None,
            w_max: 0.0,
            k: 0.0,
            growth: 0,
        }
    }

    /// A packet of `bytes`, sent at `sent`, was acknowledged. Nothing grows while the application
    /// (not the window) limits what is sent.
    pub fn on_ack(
        &mut self,
        now: Duration,
        sent: Duration,
        bytes: u64,
        application_limited: bool,
        smoothed_round_trip: Duration,
    ) {
        if application_limited || self.was_reduced_for(sent) {
            return;
        }
        if self.window < self.slow_start_threshold {
            self.window = self.window.saturating_add(bytes);
            return;
        }
        let start = *self.reduced.get_or_insert_with(|| {
            // Slow start ended without a loss since: the curve begins here.
            (self.w_max, self.k) = (self.window as f64, 0.0);
            now
        });
        let mtu = self.mtu as f64;
        let since = now.saturating_sub(start).as_secs_f64();
        let round_trip = smoothed_round_trip.as_secs_f64().max(1e-6);
        let past = since + round_trip - self.k;
        let cubic = C * past * past * past * mtu + self.w_max;
        let reno = self.w_max * BETA + 3.0 * (1.0 - BETA) / (1.0 + BETA) * since / round_trip * mtu;
        let window = self.window as f64;
        let growth = if cubic < reno {
            reno - window
        } else {
            (cubic - window) / window * mtu
        };
        // Negative growth, as below the curve's start, is none.
        self.growth = self.growth.saturating_add(growth as u64);
        if self.growth >= self.mtu {
            self.window = self.window.saturating_add(self.mtu);
            self.growth = 0;
        }
    }

    /// A packet sent at `sent` was found lost.
    pub fn on_loss(&mut self, now: Duration, sent: Duration) {
        if self.was_reduced_for(sent) {
            return;
        }
        self.reduced = Some(now);
        let window = self.window as f64;
        // Fast convergence: a flow that has less than before leaves room to new ones.
        self.w_max = if window < self.w_max {
            window * (1.0 + BETA) / 2.0
        } else {
            window
        };
        self.slow_start_threshold = ((window * BETA) as u64).max(self.least());
        self.window = self.slow_start_threshold;
        self.k = (self.w_max / self.mtu as f64 * (1.0 - BETA) / C).cbrt();
        self.growth = (self.growth as f64 * BETA) as u64;
    }

    /// Nothing came through for so long that the path must be learnt anew. The losses that say so
    /// go to [`Self::on_loss`] first.
    pub fn on_persistent_congestion(&mut self) {
        self.reduced = None;
        self.w_max = self.window as f64;
        self.slow_start_threshold = ((self.window as f64 * BETA) as u64).max(self.least());
        self.growth = 0;
        self.window = self.least();
    }

    /// Bytes that may be in flight.
    pub fn window(&self) -> u64 {
        self.window
    }

    fn was_reduced_for(&self, sent: Duration) -> bool {
        self.reduced.is_some_and(|reduced| sent <= reduced)
    }

    fn least(&self) -> u64 {
        2 * self.mtu
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MTU: u16 = 1200;
    const ROUND_TRIP: Duration = Duration::from_millis(100);

    /// Acknowledges a window's worth of packets a round trip, and gives the window after each.
    fn grow(cubic: &mut Cubic, from: Duration, rounds: u32) -> Vec<u64> {
        let round = |round| {
            let sent = from + ROUND_TRIP * round;
            for _ in 0..cubic.window() / u64::from(MTU) {
                cubic.on_ack(sent + ROUND_TRIP, sent, MTU.into(), false, ROUND_TRIP);
            }
            cubic.window()
        };
        (0..rounds).map(round).collect()
    }

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn slow_start_doubles_every_round_trip() {
        let mut cubic = Cubic::new(12_000, MTU);
        assert_eq!(grow(&mut cubic, at(0), 3), [24_000, 48_000, 96_000]);
        assert_eq!(Cubic::new(0, MTU).window(), 2400);
    }

    #[test]
    fn a_round_trip_is_punished_once() {
        let mut cubic = Cubic::new(120_000, MTU);
        cubic.on_loss(at(1000), at(900));
        cubic.on_loss(at(1010), at(950));
        cubic.on_loss(at(1020), at(1000));
        assert_eq!(cubic.window(), 84_000);
        cubic.on_ack(at(1050), at(990), 1200, false, ROUND_TRIP);
        assert_eq!(cubic.window(), 84_000);
        cubic.on_loss(at(1100), at(1001));
        assert_eq!(cubic.window(), 58_799);
    }

    #[test]
    fn the_window_returns_to_where_it_was_after_k_seconds_and_then_beyond() {
        let mut cubic = Cubic::new(1_200_000, MTU);
        cubic.on_loss(at(0), at(0));
        assert_eq!(cubic.window(), 840_000);
        // K = (1000 packets · 0.3 / 0.4)^⅓ = 9.09 s.
        let windows = grow(&mut cubic, at(1), 150);
        let after = |seconds: f64| windows[(seconds * 10.0) as usize - 1] as f64;
        assert!(
            (after(9.1) / 1_200_000.0 - 1.0).abs() < 0.02,
            "{}",
            after(9.1)
        );
        assert!(after(5.0) > 1_120_000.0, "fast at first: {}", after(5.0));
        assert!(
            after(15.0) > 1_270_000.0,
            "and again later: {}",
            after(15.0)
        );
        assert!(windows.is_sorted());
    }

    #[test]
    fn small_windows_grow_as_reno_does() {
        let mut cubic = Cubic::new(24_000, MTU);
        cubic.on_loss(at(0), at(0));
        // RFC 9438, figure 4: 9/17 of a packet per round trip at beta 0.7.
        let windows = grow(&mut cubic, at(1), 17);
        let packets = (windows[16] - 16_800) / 1200;
        assert!(
            (8..=10).contains(&packets),
            "{packets} packets in 17 round trips"
        );
    }

    #[test]
    fn fast_convergence_gives_up_more_the_second_time() {
        let mut cubic = Cubic::new(120_000, MTU);
        cubic.on_loss(at(0), at(0));
        assert_eq!(cubic.w_max, 120_000.0);
        cubic.on_loss(at(200), at(100));
        assert_eq!(cubic.w_max, 84_000.0 * 0.85);
        assert_eq!(cubic.window(), 58_799);
    }

    #[test]
    fn an_idle_application_does_not_open_the_window() {
        let mut cubic = Cubic::new(12_000, MTU);
        cubic.on_ack(at(100), at(0), 1200, true, ROUND_TRIP);
        assert_eq!(cubic.window(), 12_000);
    }

    #[test]
    fn persistent_congestion_starts_slowly_anew() {
        let mut cubic = Cubic::new(120_000, MTU);
        cubic.on_loss(at(100), at(0));
        cubic.on_persistent_congestion();
        assert_eq!(cubic.window(), 2400);
        cubic.on_ack(at(250), at(50), 1200, false, ROUND_TRIP);
        assert_eq!(cubic.window(), 3600);
        for _ in 0..100 {
            cubic.on_ack(at(300), at(200), 1200, false, ROUND_TRIP);
        }
        // 0.7 twice of 120 kB ends slow start.
        assert!(
            (58_800..62_000).contains(&cubic.window()),
            "{}",
            cubic.window()
        );
    }

    #[test]
    fn nothing_overflows_after_days_without_loss() {
        let mut cubic = Cubic::new(u64::MAX - 5, MTU);
        cubic.on_ack(at(1), at(0), 1200, false, ROUND_TRIP);
        assert_eq!(cubic.window(), u64::MAX);
        let mut cubic = Cubic::new(120_000, MTU);
        cubic.on_loss(at(0), at(0));
        let later = Duration::from_secs(86_400_000);
        cubic.on_ack(later, later, 1200, false, Duration::ZERO);
        assert_eq!(cubic.window(), 85_200);
    }
}
