//! `index.html`: tables, plots and pictures in one file that needs no other.

use std::fmt::Write as _;

use super::{
    Codec,
    comparison::clips,
    picture::Picture,
    report::{NamedPlot, Report, dash, four_decimals},
};
use crate::html::{self, escape, figure, table};

/// The whole page.
pub(super) fn html(report: &Report, plots: &[NamedPlot]) -> String {
    let mut page = String::from(
        "<p>Rates and means are over the sixth and later frames. PSNR is of 8-bit luma. \
         ST-LPIPS is the metric of Ghildyal and Liu (2022), lower is better; its numbers are not \
         those of LPIPS. Times are of the whole encode on one thread; for codecs in ffmpeg they \
         include the start of the process.</p>\n",
    );
    let missing = report.missing.names();
    if !missing.is_empty() {
        let names = escape(&missing.join("; "));
        let _ = writeln!(
            page,
            "<p><strong>Failed, and missing here:</strong> {names}.</p>"
        );
    }
    for clip in clips(&report.points) {
        let _ = writeln!(page, "<h2>{}</h2>\n<div class=\"row\">", escape(clip));
        for plot in plots.iter().filter(|plot| plot.clip == clip) {
            page += &plot.svg;
        }
        page += "</div>\n";
        points(&mut page, report, clip);
        bd_rates(&mut page, report, clip);
        equal_rates(&mut page, report, clip);
        pictures(&mut page, report, clip);
    }
    html::page("Rate and distortion", &page)
}

fn points(page: &mut String, report: &Report, clip: &str) {
    let head = [
        "target kbit/s",
        "kbit/s",
        "PSNR-Y dB",
        "SSIM",
        "ST-LPIPS",
        "ms per frame",
        "setting",
    ];
    let rows = report.of(clip).map(|point| {
        let cells = vec![
            point.target_kbps.map_or_else(dash, |kbps| kbps.to_string()),
            format!("{:.1}", point.kbps),
            format!("{:.2}", point.psnr_y_db),
            point.ssim.map_or_else(dash, four_decimals),
            point.st_lpips.map_or_else(dash, four_decimals),
            format!("{:.2}", point.ms_per_frame),
            point.setting.clone(),
        ];
        (point.codec.to_string(), cells)
    });
    table(page, "codec", &head.map(str::to_owned), rows);
}

fn bd_rates(page: &mut String, report: &Report, clip: &str) {
    let codecs = report.codecs(clip);
    let of = |codec, reference| report.comparison.of(clip, codec, reference);
    let limit = report
        .comparison
        .bd_rate
        .iter()
        .find_map(|record| record.max_kbps);
    let limit = limit.map_or_else(String::new, |kbps| format!(", up to {kbps} kbit/s"));
    let _ = writeln!(
        page,
        "<h3>BD-rate{limit}</h3><p>How much more rate the codec of a line needs than the one of \
         a column for the same PSNR-Y, in percent; negative is better.</p>"
    );
    let head: Vec<_> = codecs.iter().map(|codec| codec.to_string()).collect();
    let rows = codecs.iter().map(|&codec| {
        let cell = |&reference: &Codec| {
            let percent = of(codec, reference).and_then(|record| record.bd_rate_percent);
            percent.map_or_else(dash, |percent| format!("{percent:+.1}"))
        };
        (codec.to_string(), codecs.iter().map(cell).collect())
    });
    table(page, "codec", &head, rows);
    let mut reasons: Vec<_> = codecs
        .iter()
        .flat_map(|&codec| codecs.iter().map(move |&reference| (codec, reference)))
        .filter(|(codec, reference)| codec < reference)
        .filter_map(|(codec, reference)| {
            let reason = of(codec, reference)?.reason.as_ref()?;
            Some(format!("{codec}, {reference}: {reason}."))
        })
        .collect();
    reasons.dedup();
    if !reasons.is_empty() {
        let _ = writeln!(page, "<p>{}</p>", escape(&reasons.join(" ")));
    }
}

fn equal_rates(page: &mut String, report: &Report, clip: &str) {
    page.push_str(
        "<h3>PSNR-Y at equal measured rate, dB</h3><p>Each line is a measured point of its codec; \
         the other codecs are interpolated at that rate, and left out where they have no points \
         on both sides.</p>\n",
    );
    let codecs = report.codecs(clip);
    let head: Vec<_> = ["kbit/s".to_owned()]
        .into_iter()
        .chain(codecs.iter().map(|codec| codec.to_string()))
        .collect();
    let asked = report.of(clip).filter(|point| point.target_kbps.is_some());
    let rows = asked.map(|point| {
        let records = &report.comparison.equal_rate;
        let cell = |&codec: &Codec| {
            if codec == point.codec {
                return format!("{:.2}", point.psnr_y_db);
            }
            let record = records.iter().find(|record| {
                record.clip == clip
                    && (record.codec, record.other) == (point.codec, codec)
                    && Some(record.target_kbps) == point.target_kbps
            });
            let other = record.and_then(|record| record.other_psnr_y_db);
            other.map_or_else(dash, |db| format!("{db:.2}"))
        };
        let rate = format!("{:.1}", point.kbps);
        let cells = [rate].into_iter().chain(codecs.iter().map(cell)).collect();
        (point.codec.to_string(), cells)
    });
    table(page, "point of", &head, rows);
}

fn pictures(page: &mut String, report: &Report, clip: &str) {
    let mut of_clip = report
        .pictures
        .iter()
        .filter(|picture| picture.clip == clip)
        .peekable();
    if of_clip.peek().is_none() {
        return;
    }
    page.push_str("<h3>Pictures</h3>\n");
    let of_clip: Vec<_> = of_clip.collect();
    for original in of_clip.iter().filter(|picture| picture.decoded.is_none()) {
        page.push_str("<div class=\"row\">\n");
        let same = |picture: &&&Picture| picture.frame == original.frame;
        for picture in of_clip.iter().filter(same) {
            let caption = match &picture.decoded {
                None => format!("original, frame {}", picture.frame),
                Some(decoded) => format!(
                    "{}: {:.2} dB at {:.1} kbit/s",
                    decoded.codec, decoded.psnr_y_db, decoded.kbps
                ),
            };
            figure(page, &caption, &picture.png);
        }
        page.push_str("</div>\n");
    }
}
