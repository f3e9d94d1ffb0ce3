//! The receiver's clock, of which reports tell the lowest bits.

use std::time::Duration;

/// Where its time begins for us: what was before the first report does not count below zero.
const BEGINNING: Duration = Duration::from_secs(1 << 16);

/// Continues 32-bit times in µs, which wrap after 71 minutes. What is told is taken to be within half
/// of that of what was told before.
#[derive(Debug, Default)]
pub struct ReceiverClock(Option<(u32, Duration)>);

impl ReceiverClock {
    /// The time that `micros` stands for, since any fixed moment.
    pub fn extend(&mut self, micros: u32) -> Duration {
        let (last, time) = self.0.unwrap_or((micros, BEGINNING));
        let step = micros.wrapping_sub(last) as i32;
        let moved = Duration::from_micros(step.unsigned_abs().into());
        let time = match step >= 0 {
            true => time.saturating_add(moved),
            false => time.saturating_sub(moved),
        };
        self.0 = Some((micros, time));
        time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_on_over_the_wrap_and_back() {
        let mut clock = ReceiverClock::default();
        let start = clock.extend(u32::MAX - 999);
        assert_eq!(clock.extend(1000) - start, Duration::from_micros(2000));
        assert_eq!(clock.extend(0) - start, Duration::from_micros(1000));
        assert_eq!(
            start - clock.extend(u32::MAX - 1999),
            Duration::from_micros(1000)
        );
    }

    #[test]
    fn any_times_are_taken() {
        let mut clock = ReceiverClock::default();
        for n in 0..100_000u32 {
            clock.extend(n.wrapping_mul(0x9e37_79b9));
        }
        for _ in 0..100_000 {
            let micros = clock.0.unwrap().0.wrapping_sub(0x8000_0000);
            clock.extend(micros);
        }
    }
}
