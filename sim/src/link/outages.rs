//! Spans in which a link carries nothing.

use std::{ops::Range, sync::Arc};

/// Spans in nanoseconds since the start, in order and apart from each other.
#[derive(Debug, Clone, Default)]
pub(super) struct Outages(Arc<[Range<u64>]>);

impl Outages {
    /// These spans, joined where they touch; empty ones are left out.
    pub(super) fn new(mut spans: Vec<Range<u64>>) -> Self {
        spans.retain(|span| !span.is_empty());
        spans.sort_by_key(|span| span.start);
        let mut joined: Vec<Range<u64>> = Vec::new();
        for span in spans {
            match joined.last_mut() {
                Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
                _ => joined.push(span),
            }
        }
        Self(joined.into())
    }

    /// Those that end after `at`, in order.
    pub(super) fn from(&self, at: u64) -> &[Range<u64>] {
        &self.0[self.0.partition_point(|span| span.end <= at)..]
    }

    /// Those that begin before `at`, cut off there.
    pub(super) fn until(&self, at: u64) -> impl Iterator<Item = Range<u64>> {
        let begun = self.0.iter().take_while(move |span| span.start < at);
        begun.map(move |span| span.start..span.end.min(at))
    }

    /// The end of the outage at this moment, if there is one.
    pub(super) fn end(&self, at: u64) -> Option<u64> {
        let span = self.from(at).first()?;
        span.contains(&at).then_some(span.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_sorted_and_joined() {
        let outages = Outages::new(vec![50..60, 10..20, 20..25, 30..30, 12..13]);
        assert_eq!(outages.from(0), [10..25, 50..60]);
        assert_eq!(outages.from(25).len(), 1);
        assert_eq!(outages.end(9), None);
        assert_eq!(outages.end(24), Some(25));
        assert_eq!(outages.end(25), None);
        assert_eq!(outages.end(60), None);
    }
}
