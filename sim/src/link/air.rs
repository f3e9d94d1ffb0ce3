//! What happens to a packet behind the queue: loss, duplication, jitter.

use std::time::{Duration, Instant};

use str0m_netem::{
    GilbertElliot, Input, LossModel, Netem, NetemConfig, Output, Probability, RandomLoss, WithLen,
};

use super::{capacity::nanos, config::LinkConfig};

/// Draws what becomes of each packet, with str0m-netem.
///
/// Rate and queue are not netem's: it knows no traces, no limit in packets or time, and does not
/// tell what it drops. Nor is the delay, which may differ by flow, nor reordering, which there
/// lets a packet come sooner than the link's delay allows.
#[derive(Default)]
pub(super) struct Air {
    /// None where nothing ever happens.
    netem: Option<Netem<Token>>,
    /// What [`Netem`] calls time 0. Only differences from it matter.
    origin: Option<Instant>,
    jitter: u64,
    /// When the last packet came out, in nanoseconds.
    last: u64,
}

/// Stands for a packet.
#[derive(Debug, Clone, Copy)]
struct Token;

impl WithLen for Token {
    fn len(&self) -> usize {
        0
    }
}

impl Air {
    pub(super) fn new(config: &LinkConfig, seed: u64) -> Self {
        let jitter = config.jitter.0;
        if config.loss == 0.0 && config.duplicate == 0.0 && jitter.is_zero() {
            return Self::default();
        }
        let netem = NetemConfig::new()
            .latency(jitter)
            .jitter(jitter)
            .loss(loss(config))
            .duplicate(Probability::new(config.duplicate as f32))
            .seed(seed);
        Self {
            netem: Some(Netem::new(netem)),
            origin: Some(any_instant()),
            jitter: nanos(jitter),
            last: 0,
        }
    }

    /// When the copies of a packet that left the queue at `left` reach the far end after `delay`:
    /// none, one or two of them, never before an earlier packet's of the same delay.
    pub(super) fn pass(&mut self, left: u64, delay: u64) -> [Option<u64>; 2] {
        let (Some(netem), Some(origin)) = (&mut self.netem, self.origin) else {
            return [Some(left.saturating_add(delay)), None];
        };
        netem.handle_input(Input::Packet(origin + Duration::from_nanos(left), Token));
        let mut copies = [None, None];
        for copy in &mut copies {
            if netem.is_empty() {
                break;
            }
            // Taken out at once, so that nothing waits in two places.
            let due = netem.poll_timeout();
            netem.handle_input(Input::Timeout(due));
            while let Some(output) = netem.poll_output() {
                if matches!(output, Output::Packet(_)) {
                    break;
                }
            }
            self.last = self.last.max(nanos(due - origin));
            *copy = Some(self.last.saturating_add(delay.saturating_sub(self.jitter)));
        }
        copies
    }
}

fn loss(config: &LinkConfig) -> LossModel {
    let loss = config.loss;
    if loss == 0.0 {
        return LossModel::None;
    }
    if config.burst <= 1.0 {
        return RandomLoss::new(Probability::new(loss as f32)).into();
    }
    // In the bad state everything is lost. It lasts `burst` packets and takes the share `loss` of
    // all, so the good state lasts burst (1 - loss) / loss.
    let good = config.burst * (1.0 - loss) / loss;
    GilbertElliot::new()
        .good_duration(good as f32)
        .bad_duration(config.burst as f32)
        .into()
}

#[allow(
    clippy::disallowed_methods,
    reason = "an Instant is made in no other way, and which one it is does not matter"
)]
fn any_instant() -> Instant {
    Instant::now()
}
