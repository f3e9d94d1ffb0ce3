//! A plot as an SVG document.

use std::fmt::Write as _;

use super::{Axis, Draw, Legend, Plot, Series, legend};
use crate::html::escape;

/// Margins of the area for curves, without the legend.
pub(super) const LEFT: f64 = 68.0;
pub(super) const TOP: f64 = 36.0;
const RIGHT: f64 = 14.0;
const BOTTOM: f64 = 50.0;
/// What a legend needs to the right.
const LEGEND: f64 = 146.0;
/// Of medium brightness: a contrast of 3 or more to white and to near black.
pub(super) const COLOURS: [&str; 8] = [
    "#d9480f", "#2f7fd0", "#2b9348", "#a855c7", "#b07d12", "#d6457f", "#12909a", "#7a7f87",
];
pub(super) const GREY: &str = "#7a7f87";
const INK: &str = "#1c1c1e";
const GRID: &str = "#d8d8dc";
/// Light is in the attributes, since not every viewer knows style sheets.
const DARK: &str = "@media(prefers-color-scheme:dark){\
    .plot text{fill:#ececf0}.plot .ground{fill:#18181b}.plot .grid{stroke:#44444c}}";

/// The area for curves.
struct Area<'a> {
    x: &'a Axis<'a>,
    y: &'a Axis<'a>,
    top: f64,
    right: f64,
    bottom: f64,
}

impl Area<'_> {
    fn x(&self, value: f64) -> f64 {
        LEFT + self.x.place(value) * (self.right - LEFT)
    }

    fn y(&self, value: f64) -> f64 {
        self.bottom - self.y.place(value) * (self.bottom - self.top)
    }

    /// Path commands through points.
    fn path(&self, points: impl Iterator<Item = (f64, f64)>) -> String {
        let mut path = String::new();
        for (number, (x, y)) in points.enumerate() {
            let command = if number == 0 { "M" } else { "L" };
            let _ = write!(path, "{command}{:.1} {:.1}", self.x(x), self.y(y));
        }
        path
    }

    fn grid(&self, svg: &mut String) {
        let (left, top, right, bottom) = (LEFT, self.top, self.right, self.bottom);
        for (value, name) in self.x.ticks() {
            let x = self.x(value);
            let _ = writeln!(
                svg,
                "<path class=\"grid\" stroke=\"{GRID}\" d=\"M{x:.1} {top}V{bottom}\"/>\
                 <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{name}</text>",
                bottom + 18.0
            );
        }
        for (value, name) in self.y.ticks() {
            let y = self.y(value);
            let _ = writeln!(
                svg,
                "<path class=\"grid\" stroke=\"{GRID}\" d=\"M{left} {y:.1}H{right}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{name}</text>",
                left - 6.0,
                y + 4.0
            );
        }
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\
             <text transform=\"translate(14 {:.1}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            left.midpoint(right),
            bottom + 38.0,
            escape(self.x.label),
            top.midpoint(bottom),
            escape(self.y.label)
        );
    }

    fn series(&self, svg: &mut String, series: &Series<'_>) {
        let colour = COLOURS[series.style % COLOURS.len()];
        let name = escape(series.name);
        for band in &series.bands {
            let low = band.iter().map(|&(x, low, _)| (x, low));
            let high = band.iter().rev().map(|&(x, _, high)| (x, high));
            let outline = self.path(low.chain(high));
            let _ = writeln!(
                svg,
                "<path fill=\"{colour}\" fill-opacity=\".22\" d=\"{outline}z\"/>"
            );
        }
        let lines: Vec<_> = series
            .lines
            .iter()
            .map(|line| self.path(line.iter().copied()))
            .collect();
        let stroke =
            format!("stroke=\"{colour}\" stroke-linecap=\"round\" stroke-linejoin=\"round\"");
        let _ = match series.draw {
            Draw::Marks => writeln!(
                svg,
                "<path class=\"curve\" fill=\"none\" stroke-width=\"2\" {stroke} d=\"{}\"/>",
                lines.concat()
            ),
            // A piece of one point is a dot.
            Draw::Line | Draw::Dashes => writeln!(
                svg,
                "<path class=\"curve\" fill=\"none\" stroke-width=\"1.6\" {stroke}{} d=\"{}\">\
                 <title>{name}</title></path>",
                if series.draw == Draw::Dashes {
                    " stroke-dasharray=\"4 6\""
                } else {
                    ""
                },
                lines.join("h0") + "h0"
            ),
            Draw::Area => {
                let closed = series
                    .lines
                    .iter()
                    .zip(&lines)
                    .filter_map(|(points, path)| {
                        let (first, last) = (points.first()?.0, points.last()?.0);
                        let (first, last, bottom) = (self.x(first), self.x(last), self.bottom);
                        Some(format!("{path}L{last:.1} {bottom}L{first:.1} {bottom}z"))
                    });
                writeln!(
                    svg,
                    "<path class=\"curve\" fill=\"{GREY}\" fill-opacity=\".3\" d=\"{}\">\
                     <title>{name}</title></path>",
                    closed.collect::<String>()
                )
            }
        };
        if series.draw == Draw::Marks {
            for &(x, y) in series.lines.iter().flatten() {
                let _ = writeln!(
                    svg,
                    "<path fill=\"{colour}\" d=\"{}\"><title>{name}: {x:.1}, {y:.3}</title></path>",
                    mark(series.style, self.x(x), self.y(y))
                );
            }
        }
    }
}

impl Plot<'_> {
    /// The plot as an SVG document, which may also stand inside HTML.
    pub fn to_svg(&self) -> String {
        let (width, height) = self.size;
        let right = match self.legend {
            Legend::Right => width - RIGHT - LEGEND,
            Legend::Above => width - RIGHT,
        };
        let places = legend::places(self, right);
        let rows = match (self.legend, places.last()) {
            (Legend::Above, Some(last)) => last.1 - TOP + legend::ROW,
            _ => 0.0,
        };
        let area = Area {
            x: &self.x,
            y: &self.y,
            top: TOP + rows,
            right,
            bottom: height - BOTTOM,
        };
        let title = escape(self.title);
        let id = match self.id {
            "" => String::new(),
            id => format!(" id=\"{}\"", escape(id)),
        };
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\"{id} viewBox=\"0 0 {width} {height}\" \
             width=\"{width}\" height=\"{height}\" class=\"plot\" role=\"img\" \
             aria-label=\"{title}\" font-family=\"system-ui,sans-serif\" font-size=\"13\" \
             fill=\"{INK}\"><style>{DARK}</style>\
             <rect class=\"ground\" fill=\"#fff\" width=\"{width}\" height=\"{height}\"/>\
             <text x=\"{LEFT}\" y=\"22\" font-weight=\"600\">{title}</text>\n"
        );
        area.grid(&mut svg);
        for series in &self.series {
            area.series(&mut svg, series);
        }
        for (series, place) in self.series.iter().zip(places) {
            legend::entry(&mut svg, series, place);
        }
        svg + "</svg>\n"
    }
}

/// Colours alone do not tell curves apart for everybody: disc, square, diamond, triangle.
pub(super) fn mark(style: usize, x: f64, y: f64) -> String {
    match style % 4 {
        0 => format!(
            "M{:.1} {y:.1}a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0z",
            x - 4.5
        ),
        1 => format!("M{:.1} {:.1}h8v8h-8z", x - 4.0, y - 4.0),
        2 => format!("M{x:.1} {:.1}l5.5 5.5l-5.5 5.5l-5.5 -5.5z", y - 5.5),
        _ => format!("M{x:.1} {:.1}l5.5 9.5h-11z", y - 6.0),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::Scale;
    use super::*;

    pub(in super::super) fn series(name: &str, draw: Draw, points: Vec<(f64, f64)>) -> Series<'_> {
        Series {
            name,
            style: 4,
            draw,
            lines: vec![points],
            bands: Vec::new(),
        }
    }

    pub(in super::super) fn plot<'a>(title: &'a str, series: Vec<Series<'a>>) -> Plot<'a> {
        let points = || {
            series
                .iter()
                .flat_map(|series| series.lines.iter().flatten())
        };
        Plot {
            id: "here",
            title,
            x: Axis::around("kbit/s", Scale::Log, points().map(|p| p.0), 0.1),
            y: Axis::around("PSNR-Y, dB", Scale::Linear, points().map(|p| p.1), 0.05),
            size: (720.0, 400.0),
            legend: Legend::Right,
            series,
        }
    }

    #[test]
    fn a_plot_has_its_curves_and_is_closed() {
        let jpeg = series("jpeg", Draw::Marks, vec![(100.0, 30.0), (400.0, 36.0)]);
        let vp8 = series("vp8", Draw::Marks, vec![(200.0, 33.0)]);
        let svg = plot("a<b", vec![jpeg, vp8.clone()]).to_svg();
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert!(svg.contains("a&lt;b") && !svg.contains("a<b"));
        assert!(svg.contains(" id=\"here\" "));
        assert_eq!(svg.matches("class=\"curve\"").count(), 2);
        assert_eq!(svg.matches("<title>").count(), 3);
        for few in [vec![vp8], Vec::new()] {
            let svg = plot("few", few).to_svg();
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
    }

    #[test]
    fn bands_areas_and_pieces_are_drawn() {
        let mut line = series("delay", Draw::Dashes, vec![(1.0, 10.0), (2.0, 20.0)]);
        line.lines.push(vec![(10.0, 15.0)]);
        line.bands.push(vec![(1.0, 5.0, 15.0), (2.0, 15.0, 25.0)]);
        let area = series("capacity", Draw::Area, vec![(1.0, 10.0), (10.0, 20.0)]);
        let svg = plot("time", vec![area, line]).to_svg();
        assert_eq!(svg.matches("fill-opacity").count(), 3, "{svg}");
        assert_eq!(svg.matches("stroke-dasharray").count(), 2, "{svg}");
        let dashes = svg
            .lines()
            .find(|l| l.contains("class=\"curve\" fill=\"none\""))
            .unwrap();
        assert_eq!(dashes.matches("h0").count(), 2, "{dashes}");
        assert_eq!(dashes.matches('M').count(), 2, "{dashes}");
    }
}
