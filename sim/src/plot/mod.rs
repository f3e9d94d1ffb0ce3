//! Plots as SVG, legible on light and on dark ground, drawn from numbers alone.

mod axis;
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
    /// Height of the whole, where the width is 720.
    pub height: f64,
    /// The curves; the first is the lowest.
    pub series: Vec<Series<'a>>,
}
