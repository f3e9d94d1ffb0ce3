//! `--invite`: whether a ticket is made.

use std::ops::RangeInclusive;
use std::time::Duration;

use clap::Args;
use raq_shared::units::parse_duration;

/// How long a ticket may be good.
const LIFETIMES: RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_secs(7 * 24 * 3600);
/// How long it is, where nothing is said.
const LIFETIME: Duration = Duration::from_secs(600);

/// Whether a ticket is made.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Trust")]
pub struct InviteArgs {
    /// Print a ticket, with which one new sender is let in, for 10 minutes or the time given: 1h; on a
    /// terminal it is the default
    #[arg(long, value_name = "TIME", num_args = 0..=1, default_missing_value = "10m",
        value_parser = lifetime, overrides_with = "no_ticket")]
    pub invite: Option<Duration>,
    /// Print no ticket
    #[arg(long, overrides_with = "invite")]
    pub no_ticket: bool,
}

impl InviteArgs {
    /// How long a ticket is good; none where none is made. `terminal` says whether somebody would
    /// read it without having asked for it.
    pub(crate) fn lifetime(&self, terminal: bool) -> Option<Duration> {
        match self.no_ticket {
            true => None,
            false => self.invite.or_else(|| terminal.then_some(LIFETIME)),
        }
    }
}

fn lifetime(text: &str) -> Result<Duration, String> {
    let time = parse_duration(text)?;
    match LIFETIMES.contains(&time) {
        true => Ok(time),
        false => Err("give a time of up to a week: 1h or 30m".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::options::Options;

    #[test]
    fn invitations_last_ten_minutes_unless_said_otherwise() {
        let lifetime = |args: &[&str], terminal| {
            let all = ["raq-recv", "--listen", "1"].iter().chain(args);
            let options = Options::try_parse_from(all).unwrap();
            options.invite.lifetime(terminal).map(|time| time.as_secs())
        };
        assert_eq!(lifetime(&[], false), None);
        assert_eq!(lifetime(&[], true), Some(600));
        assert_eq!(lifetime(&["--invite"], false), Some(600));
        assert_eq!(lifetime(&["--invite", "1h"], true), Some(3600));
        assert_eq!(lifetime(&["--no-ticket"], true), None);
        assert_eq!(lifetime(&["--no-ticket", "--invite"], false), Some(600));
        for bad in ["0", "8000h", "soon"] {
            let args = ["raq-recv", "--listen", "1", "--invite", bad];
            assert!(Options::try_parse_from(args).is_err(), "{bad}");
        }
    }
}
