//! `peers list` and `peers forget`: what a program remembers of others.

use std::io::{self, Write as _};

use clap::Subcommand;

use super::{KnownPeers, Role};
use crate::cli::stdout_failure;
use crate::exit::{Exit, Failure};

/// What a program does instead of its work.
#[derive(Subcommand, Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Show or forget the peers that were paired or accepted
    #[command(subcommand)]
    Peers(Peers),
}

/// What to do with the remembered peers.
#[derive(Subcommand, Clone, Debug, PartialEq, Eq)]
pub enum Peers {
    /// Print them: name, key and since when
    List,
    /// Forget one; it must be paired or accepted anew
    Forget {
        /// Its key (raq1…) or its name, as `list` prints them
        #[arg(value_name = "ID|NAME")]
        peer: String,
    },
}

impl Verb {
    /// Does it; `role` is what peers are to this program.
    ///
    /// # Errors
    /// [`Failure`] where the file cannot be used or there is no such peer.
    pub fn run(&self, role: Role) -> Result<(), Failure> {
        let known = KnownPeers::of_user()?;
        let Self::Peers(what) = self;
        match what {
            Peers::List => {
                let peers = known.list()?;
                let peers: Vec<_> = peers.iter().filter(|peer| peer.role == role).collect();
                let width = peers.iter().map(|peer| peer.name.chars().count()).max();
                let width = width.unwrap_or_default();
                let mut stdout = io::stdout().lock();
                peers
                    .iter()
                    .try_for_each(|peer| {
                        let (name, id, since) = (&peer.name, peer.id, &peer.since);
                        writeln!(stdout, "{name:width$}  {id}  {since}")
                    })
                    .and_then(|()| stdout.flush())
                    .map_err(stdout_failure)
            }
            Peers::Forget { peer } => match known.forget(role, peer)? {
                0 => Err(Failure::new(
                    Exit::Failure,
                    format_args!(
                        "no peer {peer:?} is known; give a key or a name that `peers list` prints"
                    ),
                )),
                _ => Ok(()),
            },
        }
    }
}
