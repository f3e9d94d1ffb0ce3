//! Names of the curves.

use std::fmt::Write as _;

use super::{
    Draw, Legend, Plot, Series,
    svg::{COLOURS, GREY, LEFT, TOP, mark},
};
use crate::html::escape;

/// Between rows.
pub(super) const ROW: f64 = 22.0;

/// Where each entry begins, with its sign's middle as its height; the curves end at `right`.
pub(super) fn places(plot: &Plot<'_>, right: f64) -> Vec<(f64, f64)> {
    let rows = (0..).map(f64::from);
    if plot.legend == Legend::Right {
        let place = |(_, row)| (right + 16.0, TOP + 12.0 + ROW * row);
        return plot.series.iter().zip(rows).map(place).collect();
    }
    let (mut x, mut y) = (LEFT, TOP + 2.0);
    let place = |series: &Series<'_>| {
        // Letters of this size are about this wide.
        let width = 46.0 + 7.2 * series.name.chars().count() as f64;
        if x + width > right && x > LEFT {
            (x, y) = (LEFT, y + ROW);
        }
        let place = (x, y);
        x += width;
        place
    };
    plot.series.iter().map(place).collect()
}

/// Adds an entry.
pub(super) fn entry(svg: &mut String, series: &Series<'_>, (x, y): (f64, f64)) {
    let colour = COLOURS[series.style % COLOURS.len()];
    let _ = match series.draw {
        Draw::Area => write!(
            svg,
            "<path fill=\"{GREY}\" fill-opacity=\".3\" d=\"M{x} {:.1}h24v12h-24z\"/>",
            y - 6.0
        ),
        draw => write!(
            svg,
            "<path stroke-width=\"2\" stroke=\"{colour}\"{} d=\"M{x} {y}h24\"/>",
            if draw == Draw::Dashes {
                " stroke-dasharray=\"4 6\""
            } else {
                ""
            }
        ),
    };
    if series.draw == Draw::Marks {
        let _ = write!(
            svg,
            "<path fill=\"{colour}\" d=\"{}\"/>",
            mark(series.style, x + 12.0, y)
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{}\" y=\"{}\">{}</text>",
        x + 32.0,
        y + 4.0,
        escape(series.name)
    );
}

#[cfg(test)]
mod tests {
    use super::{
        super::svg::tests::{plot, series},
        *,
    };

    #[test]
    fn a_legend_above_takes_as_many_rows_as_it_needs() {
        let few = |count: usize| {
            let series = vec![series("twelve chars", Draw::Line, vec![(1.0, 2.0)]); count];
            Plot {
                legend: Legend::Above,
                ..plot("many", series)
            }
        };
        assert_eq!(places(&few(2), 700.0)[1], (200.4, 38.0));
        assert_eq!(places(&few(6), 700.0)[4], (LEFT, 60.0));
        let top = |count| {
            let svg = few(count).to_svg();
            let (_, grid) = svg
                .split_once("V350")
                .map(|(before, _)| before.rsplit_once(' '))
                .unwrap()
                .unwrap();
            grid.parse::<f64>().unwrap()
        };
        assert_eq!(top(6), top(2) + ROW);
    }
}
