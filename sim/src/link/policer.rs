//! What drops packets beyond a rate instead of letting them wait: a token bucket.

use serde::{Deserialize, Serialize};

use super::config::LinkError;
use super::quantity::{Rate, Size};

const SECOND: u128 = 1_000_000_000;
/// Bits times 10⁹ of a byte, so that nothing is rounded.
const BYTE: u128 = 8 * SECOND;
/// A packet of this size must fit into the bucket.
const PACKET: u64 = 1500;

/// A policer in front of the queue, as a scenario describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicerConfig {
    /// What passes for long.
    pub rate: Rate,
    /// What passes at once after a pause, at least 1500 bytes.
    pub burst: Size,
}

impl PolicerConfig {
    pub(super) fn check(&self) -> Result<(), LinkError> {
        if self.rate == Rate::default() {
            let problem = "0 lets nothing through; write more, or leave the policer out";
            return Err(LinkError::value("policer.rate", problem));
        }
        if self.burst.0 < PACKET {
            let problem = format_args!("a packet of {PACKET} bytes would never pass; write more");
            return Err(LinkError::value("policer.burst", problem));
        }
        Ok(())
    }
}

/// The bucket, full at first.
#[derive(Debug)]
pub(super) struct Policer {
    rate: u128,
    most: u128,
    tokens: u128,
    filled: u64,
}

impl Policer {
    pub(super) fn new(config: PolicerConfig) -> Self {
        let most = u128::from(config.burst.0) * BYTE;
        Self {
            rate: config.rate.0.bits_per_second().into(),
            most,
            tokens: most,
            filled: 0,
        }
    }

    /// Whether a packet that comes `now` may pass; it is paid for then.
    pub(super) fn lets_pass(&mut self, now: u64, bytes: u32) -> bool {
        let time = now.saturating_sub(self.filled);
        self.filled = self.filled.max(now);
        self.tokens = (self.tokens + self.rate * u128::from(time)).min(self.most);
        let price = u128::from(bytes) * BYTE;
        let passes = price <= self.tokens;
        if passes {
            self.tokens -= price;
        }
        passes
    }
}
