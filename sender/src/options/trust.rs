//! Which receiver is meant: a pinned key or a ticket.

use std::io::{self, Read as _};
use std::str::FromStr;

use clap::Args;
use raq_shared::exit::{Exit, Failure};
use raq_shared::identity::{KeyId, Ticket};

use super::usage;

/// Bytes of standard input that are looked at for a ticket.
const MAX_BYTES: u64 = 4096;

/// Which receiver is meant.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Trust")]
pub struct TrustArgs {
    /// Pair with the receiver that printed this ticket, once; - reads it from standard input, which
    /// keeps it out of the list of processes
    #[arg(long, value_name = "TICKET|-", conflicts_with = "pin")]
    pub ticket: Option<TicketArg>,
    /// Send to the holder of this key and nobody else, whatever is remembered
    #[arg(long, value_name = "ID")]
    pub pin: Option<KeyId>,
}

/// Where a ticket is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TicketArg {
    /// On the command line.
    Given(Ticket),
    /// On standard input.
    Stdin,
}

impl FromStr for TicketArg {
    type Err = <Ticket as FromStr>::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "-" => Ok(Self::Stdin),
            text => text.parse().map(Self::Given),
        }
    }
}

impl TrustArgs {
    /// The ticket, if there is one; `video_on_stdin` where standard input is not free for it.
    ///
    /// # Errors
    /// [`Failure`] where standard input cannot be read or holds none.
    pub(crate) fn ticket(&self, video_on_stdin: bool) -> Result<Option<Ticket>, Failure> {
        match &self.ticket {
            None => Ok(None),
            Some(TicketArg::Given(ticket)) => Ok(Some(ticket.clone())),
            Some(TicketArg::Stdin) if video_on_stdin => Err(usage(
                "--ticket - and --input - both want standard input; give the ticket on the command \
                 line",
            )),
            Some(TicketArg::Stdin) => {
                let mut text = String::new();
                let read = io::stdin().take(MAX_BYTES).read_to_string(&mut text);
                read.map_err(|error| {
                    Failure::new(
                        Exit::Failure,
                        format_args!("cannot read the ticket: {error}; pipe it into raq-send"),
                    )
                })?;
                // The whole printed line may be piped in as well.
                let word = text
                    .split_whitespace()
                    .find(|word| word.starts_with("raqt"));
                let ticket = word.unwrap_or_default().parse::<Ticket>();
                ticket
                    .map(Some)
                    .map_err(|error| usage(format_args!("standard input: {error}")))
            }
        }
    }
}
