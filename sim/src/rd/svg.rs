//! Rate-distortion plots as SVG, legible on light and on dark ground.

use std::fmt::Write as _;

/// A plot of quality over rate; the rate's axis is logarithmic.
#[derive(Debug, Clone)]
pub struct Plot<'a> {
    /// Above the plot.
    pub title: &'a str,
    /// What is plotted, with its unit.
    pub quality: &'a str,
    /// The curves.
    pub series: Vec<Series<'a>>,
}

/// One curve.
#[derive(Debug, Clone)]
pub struct Series<'a> {
    /// Its name in the legend.
    pub name: &'a str,
    /// Its colour and mark, the same number in every plot; they repeat after 8.
    pub style: usize,
    /// Points of (kbit/s, quality), ascending by rate; rates above 0.
    pub points: Vec<(f64, f64)>,
}

const SIZE: (f64, f64) = (720.0, 400.0);
/// Corners of the area for curves; the legend is to its right.
const AREA: [f64; 4] = [62.0, 36.0, 560.0, 350.0];
/// Of medium brightness: a contrast of 3 or more to white and to near black.
const COLOURS: [&str; 8] = [
    "#d9480f", "#2f7fd0", "#2b9348", "#a855c7", "#b07d12", "#d6457f", "#12909a", "#7a7f87",
];
const INK: &str = "#1c1c1e";
const GRID: &str = "#d8d8dc";
/// Light is in the attributes, since not every viewer knows style sheets.
const DARK: &str = "@media(prefers-color-scheme:dark){\
    .rd text{fill:#ececf0}.rd .ground{fill:#18181b}.rd .grid{stroke:#44444c}}";

impl Plot<'_> {
    /// The plot as an SVG document, which may also stand inside HTML.
    pub fn to_svg(&self) -> String {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let rates = range(points().map(|point| point.0.log10()), 0.1);
        let qualities = range(points().map(|point| point.1), 0.05);
        let [left, top, right, bottom] = AREA;
        let x = |kbps: f64| left + (kbps.log10() - rates.0) / (rates.1 - rates.0) * (right - left);
        let y = |quality: f64| {
            bottom - (quality - qualities.0) / (qualities.1 - qualities.0) * (bottom - top)
        };

        let (width, height) = SIZE;
        let title = escape(self.title);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             width=\"{width}\" height=\"{height}\" class=\"rd\" role=\"img\" \
             aria-label=\"{title}\" font-family=\"system-ui,sans-serif\" font-size=\"13\" \
             fill=\"{INK}\"><style>{DARK}</style>\
             <rect class=\"ground\" fill=\"#fff\" width=\"{width}\" height=\"{height}\"/>\
             <text x=\"{left}\" y=\"22\" font-weight=\"600\">{title}</text>\n"
        );
        for kbps in rate_ticks(rates) {
            let x = x(kbps);
            let _ = writeln!(
                svg,
                "<path class=\"grid\" stroke=\"{GRID}\" d=\"M{x:.1} {top}V{bottom}\"/>\
                 <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{kbps}</text>",
                bottom + 18.0
            );
        }
        let (ticks, decimals) = quality_ticks(qualities);
        for quality in ticks {
            let y = y(quality);
            let _ = writeln!(
                svg,
                "<path class=\"grid\" stroke=\"{GRID}\" d=\"M{left} {y:.1}H{right}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{quality:.decimals$}</text>",
                left - 6.0,
                y + 4.0
            );
        }
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">measured rate, kbit/s</text>\
             <text transform=\"translate(16 {:.1}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            left.midpoint(right),
            bottom + 38.0,
            top.midpoint(bottom),
            escape(self.quality)
        );
        for (row, series) in self.series.iter().enumerate() {
            let colour = COLOURS[series.style % COLOURS.len()];
            let at = |&(kbps, quality): &(f64, f64)| (x(kbps), y(quality));
            let line: Vec<_> = series
                .points
                .iter()
                .map(|point| {
                    let (x, y) = at(point);
                    format!("{x:.1},{y:.1}")
                })
                .collect();
            let _ = writeln!(
                svg,
                "<polyline fill=\"none\" stroke-width=\"2\" stroke=\"{colour}\" points=\"{}\"/>",
                line.join(" ")
            );
            for point in &series.points {
                let (x, y) = at(point);
                let name = escape(series.name);
                let _ = writeln!(
                    svg,
                    "<path fill=\"{colour}\" d=\"{}\"><title>{name}: {:.1} kbit/s, {:.3}</title></path>",
                    mark(series.style, x, y),
                    point.0,
                    point.1
                );
            }
            let (x, y) = (right + 16.0, top + 12.0 + 22.0 * row as f64);
            let _ = writeln!(
                svg,
                "<path stroke-width=\"2\" stroke=\"{colour}\" d=\"M{x} {y}h24\"/>\
                 <path fill=\"{colour}\" d=\"{}\"/><text x=\"{}\" y=\"{}\">{}</text>",
                mark(series.style, x + 12.0, y),
                x + 32.0,
                y + 4.0,
                escape(series.name)
            );
        }
        svg + "</svg>\n"
    }
}

/// Text for SVG and HTML.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// Colours alone do not tell curves apart for everybody: disc, square, diamond, triangle.
fn mark(style: usize, x: f64, y: f64) -> String {
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

/// The values' range, widened by a share of it on both sides.
fn range(values: impl Iterator<Item = f64>, margin: f64) -> (f64, f64) {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    match high - low {
        width if width > 0.0 && width.is_finite() => (low - margin * width, high + margin * width),
        _ if low.is_finite() => (low - 0.5, high + 0.5),
        _ => (0.0, 1.0),
    }
}

/// 1, 2, 5 times powers of ten within a range of log10, in kbit/s.
fn rate_ticks((low, high): (f64, f64)) -> Vec<f64> {
    (low.floor() as i32..=high.ceil() as i32)
        .flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10f64.powi(power)))
        .filter(|kbps| (low..=high).contains(&kbps.log10()))
        .collect()
}

/// Five to ten round values within a range, and the decimals they need.
fn quality_ticks((low, high): (f64, f64)) -> (Vec<f64>, usize) {
    let rough = (high - low) / 5.0;
    let power = rough.log10().floor();
    let unit = 10f64.powf(power);
    let step = unit
        * [5.0, 2.0, 1.0]
            .into_iter()
            .find(|&f| f * unit <= rough)
            .unwrap_or(1.0);
    let ticks =
        ((low / step).ceil() as i64..=(high / step).floor() as i64).map(|n| n as f64 * step);
    (ticks.collect(), (-power).max(0.0) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        assert_eq!(rate_ticks((1.7, 3.1)), [100.0, 200.0, 500.0, 1000.0]);
        let (ticks, decimals) = quality_ticks((27.3, 38.9));
        assert_eq!(
            (ticks[0], *ticks.last().unwrap(), decimals),
            (28.0, 38.0, 0)
        );
        let (ticks, decimals) = quality_ticks((0.901, 0.987));
        assert_eq!((ticks.len(), decimals), (8, 2));
    }

    #[test]
    fn a_plot_has_its_curves_and_is_closed() {
        let plot = Plot {
            title: "a<b",
            quality: "PSNR-Y, dB",
            series: vec![
                Series {
                    name: "jpeg",
                    style: 4,
                    points: vec![(100.0, 30.0), (400.0, 36.0)],
                },
                Series {
                    name: "vp8",
                    style: 3,
                    points: vec![(200.0, 33.0)],
                },
            ],
        };
        let svg = plot.to_svg();
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert!(svg.contains("a&lt;b") && !svg.contains("a<b"));
        assert_eq!(svg.matches("<polyline").count(), 2);
        assert_eq!(svg.matches("<title>").count(), 3);
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
        let alone = Plot {
            series: vec![plot.series[1].clone()],
            ..plot.clone()
        };
        assert!(!alone.to_svg().contains("NaN"));
        let none = Plot {
            series: Vec::new(),
            ..plot
        };
        assert!(!none.to_svg().contains("NaN"));
    }
}
