//! The search thread: latents to the indices of their nearest codewords.

use std::sync::mpsc;

use raq_shared::search::Searcher;
use tokio::sync::mpsc::UnboundedSender;

use crate::clock::Clock;
use crate::event::{Encoded, Event};

/// A frame to be searched.
#[derive(Debug)]
pub(crate) struct Job {
    /// The frame.
    pub(crate) encoded: Encoded,
    /// K̃.
    pub(crate) codewords: u16,
    /// A list to be filled.
    pub(crate) indices: Vec<u16>,
}

/// What the search thread works with.
pub(crate) struct SearchThread {
    pub(crate) searcher: Searcher,
    pub(crate) clock: Clock,
    pub(crate) jobs: mpsc::Receiver<Job>,
    pub(crate) events: UnboundedSender<Event>,
}

impl SearchThread {
    /// Searches until no more jobs can come.
    pub(crate) fn run(self) {
        while let Ok(Job {
            encoded,
            codewords,
            mut indices,
        }) = self.jobs.recv()
        {
            let began = self.clock.now();
            self.searcher
                .search(&encoded.latents, codewords.into(), &mut indices);
            let time = self.clock.now() - began;
            if self
                .events
                .send(Event::Searched {
                    encoded,
                    indices,
                    time,
                })
                .is_err()
            {
                break;
            }
        }
    }
}
