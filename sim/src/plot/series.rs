//! A curve.

/// One curve.
#[derive(Debug, Clone, PartialEq)]
pub struct Series<'a> {
    /// Its name in the legend.
    pub name: &'a str,
    /// Its colour and mark, the same number in every plot; they repeat after 8.
    pub style: usize,
    /// How it is drawn.
    pub draw: Draw,
    /// Points of (x, y), ascending by x, in pieces between which no line is drawn.
    pub lines: Vec<Vec<(f64, f64)>>,
    /// Ranges of (x, lowest y, highest y) around it, in pieces likewise; drawn faintly.
    pub bands: Vec<Vec<(f64, f64, f64)>>,
}

/// How a curve is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Draw {
    /// A line with a mark on each point, which tells its values.
    Marks,
    /// A line.
    Line,
    /// A line with gaps.
    Dashes,
    /// What is below it is filled, in grey.
    Area,
}
