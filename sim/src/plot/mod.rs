//! Plots as SVG, legible on light and on dark ground, drawn from numbers alone.

mod axis;
mod legend;
mod series;
mod svg;

pub use self::{
    axis::{Axis, Scale},
    series::{Draw, Series},
};

/// Curves over two axes.
#[derive(Debug, Clone)]
pub struct Plot<'a> {
    /// Names it within a page; empty for none.
    pub id: &'a str,
    /// Above the plot, and what is read to those who do not see it.
    pub title: &'a str,
    /// The horizontal axis.
    pub x: Axis<'a>,
    /// The vertical axis.
    pub y: Axis<'a>,
    /// Width and height of the whole.
    pub size: (f64, f64),
    /// Where the curves' names are.
    pub legend: Legend,
    /// The curves; the first is the lowest.
    pub series: Vec<Series<'a>>,
}

/// Where the curves' names are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Legend {
    /// Right of the curves, one below the other.
    Right,
    /// Between title and curves, one after the other.
    Above,
}
