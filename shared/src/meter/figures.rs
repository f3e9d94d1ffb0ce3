//! What is told of an interval.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// Figures over an interval; what an end does not know, or what had no frame to be seen on, is not there.
///
/// Rounded where they are made, so that every place that shows one shows the same number.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// When the interval ended, milliseconds since 1970.
    pub unix_ms: u64,
    /// Its length, s.
    pub seconds: f64,
    /// Frames sent, at the receiver shown.
    pub frames: u32,
    /// Frames of the source that were not: of the receiver also those that were lost, or gave way to
    /// newer ones.
    pub skipped: u32,
    /// Bytes of datagrams that left or arrived, headers included.
    pub bytes: u64,
    /// `frames` a second.
    pub fps: f64,
    /// `bytes` as kbit/s.
    pub kbps: f64,
    /// What the frames might have taken, kbit/s; at the receiver over a second that the sender noted last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_kbps: Option<f64>,
    /// What the path is taken to carry, kbit/s: with the last frame, at the receiver what the sender noted
    /// last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate_kbps: Option<f64>,
    /// Quality level of the last frame, 0 to 96.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<u8>,
    /// The least codebook size K̃ of the last frame's stages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codewords_least: Option<u16>,
    /// The median of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codewords_median: Option<u16>,
    /// The largest of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codewords_most: Option<u16>,
    /// QUIC's round trip, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtt_ms: Option<f64>,
    /// Share of datagrams lost, 0 to 1: at the receiver those of decoded frames, at the sender those
    /// that were reported, of late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
    /// Median delay, ms: at the sender from capture until the last datagram has left; at the receiver
    /// from capture until shown, above the least of the last half minute, as the clocks are two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_p50_ms: Option<f64>,
    /// The delay that 95 % of the frames keep to, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_p95_ms: Option<f64>,
    /// Share of tiles that were never received and show their neighbours, 0 to 1; the receiver's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concealed: Option<f64>,
    /// Time in the decoder network, mean, ms; the receiver's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decode_ms: Option<f64>,
}

impl Figures {
    /// One line for a terminal, what matters most first: narrow ones show its beginning.
    pub fn line(&self) -> String {
        let mut line = format!("{:.1} fps  {:.0}", self.fps, self.kbps);
        // Writing into a string cannot fail.
        if let Some(target) = self.target_kbps {
            let _ = write!(line, " of {target:.0}");
        }
        line.push_str(" kbit/s");
        if let (Some(least), Some(median)) = (self.codewords_least, self.codewords_median) {
            let _ = write!(line, "  K̃ {least}/{median}");
        }
        if let (Some(median), Some(high)) = (self.delay_p50_ms, self.delay_p95_ms) {
            let _ = write!(line, "  delay {median:.0}/{high:.0} ms");
        }
        if let Some(loss) = self.loss {
            let _ = write!(line, "  loss {:.1} %", 100.0 * loss);
        }
        if let Some(concealed) = self.concealed {
            let _ = write!(line, "  concealed {:.1} %", 100.0 * concealed);
        }
        let _ = write!(line, "  skipped {}", self.skipped);
        if let Some(rtt) = self.rtt_ms {
            let _ = write!(line, "  RTT {rtt:.0} ms");
        }
        if let Some(estimate) = self.estimate_kbps {
            let _ = write!(line, "  path {estimate:.0} kbit/s");
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_what_is_known() {
        let mut figures = Figures {
            fps: 29.97,
            kbps: 148.3,
            skipped: 2,
            ..Figures::default()
        };
        assert_eq!(figures.line(), "30.0 fps  148 kbit/s  skipped 2");
        figures.target_kbps = Some(150.0);
        figures.estimate_kbps = Some(420.4);
        figures.codewords_least = Some(2);
        figures.codewords_median = Some(64);
        figures.delay_p50_ms = Some(14.2);
        figures.delay_p95_ms = Some(22.0);
        figures.loss = Some(0.013);
        figures.rtt_ms = Some(21.0);
        figures.concealed = Some(0.0);
        assert_eq!(
            figures.line(),
            "30.0 fps  148 of 150 kbit/s  K̃ 2/64  delay 14/22 ms  loss 1.3 %  concealed 0.0 %  skipped 2  \
             RTT 21 ms  path 420 kbit/s"
        );
    }
}
