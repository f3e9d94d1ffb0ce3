//! Reports that are not true: they move the estimate no further than its bounds, and cost no memory.

use std::ops::Range;

use proptest::prelude::*;
use raq_shared::wire::report::{Arrival, Echo, Report};

use super::*;
use crate::rate::PATH_OVERHEAD;

/// Time over which bytes make a rate.
const WINDOW: Duration = Duration::from_millis(300);
/// A rate that may be tried whatever arrives, bytes per second.
const TRY: f64 = 8e3;
/// The estimate before the first report, bytes per second.
const START: f64 = 37_500.0;

/// What happens next.
#[derive(Debug, Clone)]
enum Step {
    /// Time goes by, ms.
    Wait(u64),
    /// A frame of the source comes, that can use so many bytes.
    Frame(usize),
    Report(Forged),
    Garbage(Vec<u8>),
}

/// A report about the newest datagrams that left, or others.
#[derive(Debug, Clone)]
struct Forged {
    /// How many of them.
    count: usize,
    /// Those before are passed over.
    skipped: usize,
    /// Added to their frames' numbers.
    off: u16,
    /// When the first of them is said to have come, after the last that was told before, µs …
    at: u32,
    /// … and µs from one to the next.
    gap: u32,
    echo: Option<u32>,
    backlog: u8,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u64..60).prop_map(Step::Wait),
        1 => (0u64..1500).prop_map(Step::Wait),
        8 => prop_oneof![Just(usize::MAX), 0usize..3000].prop_map(Step::Frame),
        8 => forged().prop_map(Step::Report),
        1 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Step::Garbage),
    ]
}

fn forged() -> impl Strategy<Value = Forged> {
    let at = prop_oneof![3 => 0u32..50_000, 1 => any::<u32>()];
    let gap = prop_oneof![2 => Just(0u32), 4 => 0u32..2000, 1 => any::<u32>()];
    let off = prop_oneof![8 => Just(0u16), 1 => any::<u16>()];
    let echo = prop::option::of(any::<u32>());
    let backlog = prop_oneof![4 => Just(0u8), 1 => any::<u8>()];
    let which = (1usize..64, prop_oneof![Just(0usize), 0usize..40]);
    (which, off, at, gap, echo, backlog).prop_map(
        |((count, skipped), off, at, gap, echo, backlog)| Forged {
            count,
            skipped,
            off,
            at,
            gap,
            echo,
            backlog,
        },
    )
}

/// A session, what left it, and a receiver that lies.
struct Deceived {
    session: Session,
    now: Duration,
    number: u32,
    left: Vec<(Duration, usize, u32, u8)>,
    /// The receiver's clock.
    clock: u32,
}

impl Deceived {
    fn new() -> Self {
        Self {
            session: streaming(),
            now: at(1000),
            number: 0,
            left: Vec::new(),
            clock: u32::MAX - 1_000_000,
        }
    }

    fn drain(&mut self) -> Option<Allowance> {
        let mut allowed = None;
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Code { allowance, .. } => allowed = Some(allowance),
                Output::Datagram {
                    bytes,
                    frame,
                    index,
                } => {
                    let size = bytes.len() + PATH_OVERHEAD;
                    self.left.push((self.now, size, frame, index));
                }
                _ => {}
            }
        }
        allowed
    }

    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.session.deadline().filter(|&due| due <= end) {
            self.now = self.now.max(due);
            self.session.handle(self.now, Input::Timeout);
            self.drain();
        }
        self.now = end;
    }

    fn frame(&mut self, most: usize) {
        self.session.handle(
            self.now,
            Input::Encoded {
                number: self.number,
                captured: self.now,
                path: path(),
            },
        );
        self.number += 1;
        let Some(allowance) = self.drain() else {
            return;
        };
        let each = allowance.bytes.min(most) / usize::from(allowance.count);
        let mut datagrams = vec![BytesMut::zeroed(each.max(12)); allowance.count.into()];
        let coded = Input::Coded {
            datagrams: &mut datagrams,
            level: 50,
            codewords: CODEWORDS,
        };
        self.session.handle(self.now, coded);
        self.drain();
    }

    fn report(&mut self, forged: &Forged) {
        let end = self.left.len().saturating_sub(forged.skipped);
        let told = &self.left[end.saturating_sub(forged.count)..end];
        self.clock = self.clock.wrapping_add(forged.at);
        let mut arrivals = Vec::new();
        for &(_, _, frame, index) in told {
            arrivals.push(Arrival {
                frame: (frame as u16).wrapping_add(forged.off),
                index,
                at: self.clock,
            });
            self.clock = self.clock.wrapping_add(forged.gap);
        }
        let honest = self.now.as_micros() as u32 / 100;
        let report = Report {
            backlog: forged.backlog,
            echo: Echo {
                sent: forged.echo.unwrap_or(honest) & 0x00ff_ffff,
                held: Duration::ZERO,
            },
            arrivals,
            ..Report::default()
        };
        let mut bytes = Vec::new();
        report.encode(&mut bytes);
        self.session.handle(self.now, Input::Datagram(&bytes));
        self.drain();
    }

    /// Bytes per second.
    fn estimate(&self) -> f64 {
        self.session.bandwidth().estimate().bits_per_second() as f64 / 8.0
    }

    /// The most that left within 300 ms, bytes per second.
    fn sent(&self) -> f64 {
        let mut most = 0;
        let (mut first, mut sum) = (0, 0);
        for &(at, size, ..) in &self.left {
            sum += size;
            while self.left[first].0 + WINDOW < at {
                sum -= self.left[first].1;
                first += 1;
            }
            most = most.max(sum);
        }
        most as f64 / WINDOW.as_secs_f64()
    }
}

const BOUNDS: Range<f64> = 3.9e3..125.1e6;

fn deceive(steps: &[Step]) -> Result<(), TestCaseError> {
    let mut deceived = Deceived::new();
    // An outage halves what is known; that it was known is not forgotten.
    let mut highest = 0.0;
    for step in steps {
        let before = deceived.estimate();
        match step {
            Step::Wait(millis) => deceived.wait(at(*millis)),
            Step::Frame(most) => deceived.frame(*most),
            Step::Report(forged) => deceived.report(forged),
            Step::Garbage(bytes) => {
                let input = Input::Datagram(bytes);
                deceived.session.handle(deceived.now, input);
                deceived.drain();
            }
        }
        let after = deceived.estimate();
        prop_assert!(BOUNDS.contains(&after), "{after}");
        prop_assert!(after <= 2.0 * before + 1.0, "{before} to {after}");
        highest = f64::max(highest, 3.0 * deceived.sent() + TRY);
        let most = highest.max(before).max(START);
        prop_assert!(after <= most + 1.0, "{before} to {after} of {most}");
        if !matches!(step, Step::Report(_)) {
            prop_assert!(after <= before, "{step:?}: {before} to {after}");
        }
        let remembered = deceived.session.bandwidth().remembered();
        prop_assert!(remembered < 10_000, "{remembered}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn reports_that_lie_lift_the_estimate_no_higher_than_was_sent(
        steps in prop::collection::vec(step(), 1..300),
    ) {
        deceive(&steps)?;
    }
}
