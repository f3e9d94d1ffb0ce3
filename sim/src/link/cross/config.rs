//! Other traffic as a scenario describes it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::link::{
    config::LinkError,
    quantity::{Rate, Size, Time},
};

/// More flows are not asked for.
const MOST_FLOWS: u32 = 1000;
/// Shortest mean of a span or a pause.
const SHORTEST_MEAN: Time = Time(Duration::from_millis(1));

/// Traffic that shares a queue: an element of `cross`, its kind named by `kind`. Packets have 1500
/// bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum CrossConfig {
    /// The same rate all the time.
    Constant(Constant),
    /// A rate now and then.
    OnOff(OnOff),
    /// One TCP flow that always has something to send, with CUBIC's window.
    Bulk(Bulk),
    /// TCP flows that send something, pause, and send something again.
    Short(Short),
}

/// Packets at the same distance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constant {
    /// What is offered, more than 0.
    pub rate: Rate,
    /// When it begins.
    #[serde(default)]
    pub start: Time,
    /// When it ends, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Time>,
}

/// Packets at the same distance in spans of exponential length, with such pauses between.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnOff {
    /// What is offered while it is on, more than 0.
    pub rate: Rate,
    /// Mean length of what is on, at least 1 ms.
    pub on: Time,
    /// Mean length of the pauses, at least 1 ms.
    pub off: Time,
    /// When the first span begins.
    #[serde(default)]
    pub start: Time,
    /// When it ends, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Time>,
}

/// One TCP flow.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bulk {
    /// What an acknowledgement takes on its way back; the link's own delay if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back: Option<Time>,
    /// When it begins.
    #[serde(default)]
    pub start: Time,
    /// When it ends, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Time>,
}

/// TCP flows as in RFC 8867, section 5.7: sizes and pauses are exponential, and each flow begins
/// with a pause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Short {
    /// How many, 1 to 1000.
    pub flows: u32,
    /// Mean of what is sent at once.
    pub size: Size,
    /// Mean time from the last byte's acknowledgement to the next transfer, at least 1 ms.
    pub pause: Time,
    /// What an acknowledgement takes on its way back; the link's own delay if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub back: Option<Time>,
    /// When the first pauses begin.
    pub start: Time,
    /// When transfers end, if they do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<Time>,
}

impl Default for Short {
    fn default() -> Self {
        Self {
            flows: 10,
            size: Size(100_000),
            pause: Time(Duration::from_secs(10)),
            back: None,
            start: Time::default(),
            stop: None,
        }
    }
}

impl CrossConfig {
    /// Refuses what makes no sense.
    pub(in crate::link) fn check(&self) -> Result<(), LinkError> {
        if let Some(stop) = self.stop()
            && stop <= self.start()
        {
            let problem = format_args!(
                "{stop} is not after the start at {}; write a later time",
                self.start()
            );
            return Err(LinkError::value("cross.stop", problem));
        }
        match self {
            Self::Constant(Constant { rate, .. }) => some("cross.rate", *rate),
            Self::OnOff(OnOff { rate, on, off, .. }) => {
                some("cross.rate", *rate)?;
                long("cross.on", *on)?;
                long("cross.off", *off)
            }
            Self::Bulk(_) => Ok(()),
            Self::Short(Short { flows, pause, .. }) => {
                if !(1..=MOST_FLOWS).contains(flows) {
                    let problem = format_args!("{flows} flows; write 1 to {MOST_FLOWS}");
                    return Err(LinkError::value("cross.flows", problem));
                }
                long("cross.pause", *pause)
            }
        }
    }

    pub(super) fn start(&self) -> Time {
        match self {
            Self::Constant(Constant { start, .. })
            | Self::OnOff(OnOff { start, .. })
            | Self::Bulk(Bulk { start, .. })
            | Self::Short(Short { start, .. }) => *start,
        }
    }

    pub(super) fn stop(&self) -> Option<Time> {
        match self {
            Self::Constant(Constant { stop, .. })
            | Self::OnOff(OnOff { stop, .. })
            | Self::Bulk(Bulk { stop, .. })
            | Self::Short(Short { stop, .. }) => *stop,
        }
    }
}

/// Refuses nothing at all.
fn some(key: &'static str, rate: Rate) -> Result<(), LinkError> {
    if rate == Rate::default() {
        Err(LinkError::value(key, "0 is no traffic; write more"))
    } else {
        Ok(())
    }
}

/// Refuses means that would make for more events than packets.
fn long(key: &'static str, mean: Time) -> Result<(), LinkError> {
    if mean < SHORTEST_MEAN {
        let problem = format_args!("{mean} is too short; write at least {SHORTEST_MEAN}");
        Err(LinkError::value(key, problem))
    } else {
        Ok(())
    }
}
