//! Watching a program: `--stats`, the status line, `--metrics`, `--qlog` and the log. All figures over an
//! interval are one [`Figures`], handed to [`Observers::interval`].

pub(crate) mod log;
#[cfg(feature = "metrics")]
pub mod metrics;
mod options;
#[cfg(feature = "qlog")]
pub mod qlog;
mod seldom;
mod status;

use std::time::Duration;

use serde::Serialize;

use crate::exit::Failure;
use crate::meter::Figures;
use crate::stats::StatsFile;
use crate::stats::columns::Rows;

use self::status::StatusLine;

pub use self::options::{LogFormat, ObserveArgs};
pub use self::status::{Console, Held};

impl ObserveArgs {
    /// Tells a failure in the log where that is JSON.
    ///
    /// # Errors
    /// The failure, without its words where they were told.
    pub fn tell(&self, result: Result<(), Failure>) -> Result<(), Failure> {
        log::tell(self.log_format, result)
    }
}

/// Everybody who is told what happens.
#[derive(Debug)]
pub struct Observers {
    rows: Rows,
    interval: Duration,
    stats: Vec<StatsFile>,
    status: StatusLine,
    /// What the program does without a session.
    meanwhile: Option<&'static str>,
    #[cfg(feature = "metrics")]
    metrics: Option<metrics::Publisher>,
}

impl Observers {
    /// Begins to serve what `args` ask for; `program` is its name. Nothing is written yet.
    ///
    /// # Errors
    /// [`Failure`] where the address of `--metrics` cannot be used.
    pub fn start(
        args: &ObserveArgs,
        console: &Console,
        program: &'static str,
    ) -> Result<Self, Failure> {
        #[cfg(not(feature = "metrics"))]
        let _ = program;
        Ok(Self {
            rows: args.rows(),
            interval: args.interval(),
            stats: Vec::new(),
            status: StatusLine::new(console),
            meanwhile: None,
            #[cfg(feature = "metrics")]
            metrics: match args.metrics {
                Some(address) => Some(metrics::serve(address, program)?),
                None => None,
            },
        })
    }

    /// Opens what `--stats` names; `columns` are those of CSV.
    ///
    /// # Errors
    /// [`Failure`] where one of them cannot be written.
    pub fn open(&mut self, args: &ObserveArgs, columns: &[&'static str]) -> Result<(), Failure> {
        for (path, format) in args.places() {
            let file = StatsFile::create(path, format, columns.to_vec())?;
            self.stats.push(file);
        }
        Ok(())
    }

    /// How long figures are summed up.
    pub fn period(&self) -> Duration {
        self.interval
    }

    /// A frame was sent, shown or skipped.
    ///
    /// # Errors
    /// [`Failure::closed_pipe`] where standard output has no reader any more.
    pub fn frame<R: Serialize>(&mut self, record: &R) -> Result<(), Failure> {
        match self.rows {
            Rows::Frames => each(&mut self.stats, |stats| stats.write(record)),
            Rows::Intervals => Ok(()),
        }
    }

    /// A connection was made or lost, or everything is over.
    ///
    /// # Errors
    /// As [`Self::frame`].
    pub fn event<R: Serialize>(&mut self, record: &R) -> Result<(), Failure> {
        each(&mut self.stats, |stats| stats.write_surely(record))
    }

    /// An interval of a session is over; `record` makes its line.
    ///
    /// # Errors
    /// As [`Self::frame`].
    pub fn interval<R: Serialize>(
        &mut self,
        figures: Figures,
        record: impl FnOnce(Figures) -> R,
    ) -> Result<(), Failure> {
        #[cfg(feature = "metrics")]
        if let Some(metrics) = &self.metrics {
            metrics.interval(&figures);
        }
        if self.status.is_drawn() {
            let line = figures.line();
            self.status.show(match self.meanwhile {
                Some(what) => format!("{what}  {line}"),
                None => line,
            });
        }
        match self.rows {
            Rows::Intervals if !self.stats.is_empty() => {
                let record = record(figures);
                each(&mut self.stats, |stats| stats.write(&record))
            }
            Rows::Intervals | Rows::Frames => Ok(()),
        }
    }

    /// A session has begun.
    pub fn began(&mut self) {
        self.meanwhile = None;
        #[cfg(feature = "metrics")]
        if let Some(metrics) = &self.metrics {
            metrics.session(true);
        }
    }

    /// There is no session now; `what` the program does meanwhile.
    pub fn ended(&mut self, what: &'static str) {
        self.meanwhile = Some(what);
        #[cfg(feature = "metrics")]
        if let Some(metrics) = &self.metrics {
            metrics.session(false);
        }
        if self.status.is_drawn() {
            self.status.show(what.to_owned());
        }
    }
}

/// All are told; the last that fails says how.
fn each(
    stats: &mut [StatsFile],
    mut write: impl FnMut(&mut StatsFile) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut result = Ok(());
    for stats in stats {
        let written = write(stats);
        if written.is_err() {
            result = written;
        }
    }
    result
}
