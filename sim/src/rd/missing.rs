//! What was to be measured and failed: said at once, and named again at the end.

use std::fmt;

use raq_shared::exit::{Exit, Failure};

/// What a report lacks.
#[derive(Debug, Clone, Default)]
pub struct Missing {
    names: Vec<String>,
    first: Option<Failure>,
}

impl Missing {
    /// Says on standard error why `what` is left out, and remembers it.
    pub fn note(&mut self, what: impl fmt::Display, failure: Failure) {
        eprintln!("Leaving out {what}: {failure}");
        self.names.push(what.to_string());
        self.first.get_or_insert(failure);
    }

    /// The first failure, where nothing but failures came of a run.
    pub fn first(&self) -> Option<&Failure> {
        self.first.as_ref()
    }

    /// In the order in which it failed.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// How the program ends.
    ///
    /// # Errors
    /// [`Failure`] with all names where something is missing.
    pub fn none(&self) -> Result<(), Failure> {
        if self.names.is_empty() {
            return Ok(());
        }
        let names = self.names.join("; ");
        Err(Failure::new(
            Exit::Failure,
            format_args!("the report lacks what failed, see above: {names}"),
        ))
    }
}
