//! The page's parts, from the figures of all to the pictures.

use std::fmt::Write as _;

use raq_shared::exit::Failure;

use super::{delay, level, pareto, picture, quality::MEASURES, rate, timeline::Timeline};
use crate::{
    html::{self, escape, figure, table},
    record::{PolicyRun, Run},
    summary::{self, Summary, Table},
};

/// The whole page.
pub(super) fn html(run: &Run, scenario: Option<&str>) -> Result<String, Failure> {
    let summary = summary::of(run);
    let mut page = String::new();
    head(&mut page, run);
    page.push_str("<div class=\"row\"><section>\n");
    figures(&mut page, &summary);
    page.push_str("</section><section>\n");
    plots(
        &mut page,
        "Delay against quality",
        "A point per policy. Signal delay is how old what the viewer sees is.",
        [pareto::svg(&summary)],
    );
    page.push_str("</section></div>\n");
    page.push_str(
        "<p>Use is what was delivered, headers included, of what the link could carry and the \
         source could give. Queue is queueing delay in the direction of the media. Self-loss is \
         what was lost because the queue was full. For signal delay a frame that is not displayed \
         takes the time of the next one that is.</p>\n",
    );
    over_time(&mut page, run);
    pictures(&mut page, run)?;
    if let Some(scenario) = scenario {
        let _ = writeln!(
            page,
            "<details><summary>The scenario as run</summary><pre>{}</pre></details>",
            escape(scenario)
        );
    }
    Ok(html::page(&run.record.scenario, &page))
}

fn head(page: &mut String, run: &Run) {
    let record = &run.record;
    let seconds = |us: u64| us as f64 / 1e6;
    let limit = record
        .max_kbps
        .map_or_else(String::new, |kbps| format!(" up to {kbps} kbit/s"));
    let flows = match record.flows {
        1 => "one flow".to_owned(),
        flows => format!("{flows} flows"),
    };
    let _ = writeln!(
        page,
        "<p>{}</p>\n<p>{} s, {flows} of media \u{201c}{}\u{201d} at {} frames per second{limit}; \
         frames are due {} ms after their capture. Mode {}, seed {}.</p>",
        escape(&record.description),
        seconds(record.duration_us),
        escape(&record.media),
        (1000.0 * record.fps).round() / 1000.0,
        1000.0 * seconds(record.playout_us),
        record.mode.name(),
        record.seed
    );
    for note in &run.notes {
        let _ = writeln!(page, "<p><strong>{}.</strong></p>", escape(note));
    }
}

/// Policies side by side.
fn figures(page: &mut String, summary: &Summary) {
    page.push_str("<h2>Figures</h2>\n");
    let names: Vec<_> = summary
        .policies
        .iter()
        .map(|(name, _)| name.to_owned())
        .collect();
    let rows = Table::of(summary).rows();
    table(
        page,
        "",
        &names,
        rows.map(|(name, cells)| (name.to_owned(), cells)),
    );
}

fn over_time(page: &mut String, run: &Run) {
    let timeline = Timeline::new(run.record.duration_us);
    let each = |svg: &dyn Fn(&PolicyRun) -> Option<String>| {
        run.policies.iter().filter_map(svg).collect::<Vec<_>>()
    };
    let y = rate::axis(run, &timeline);
    plots(
        page,
        "Rate",
        "Grey is what the link could carry, cut off where it is far above what was sent. Where \
         what was sent is above it, a queue grows.",
        each(&|policy| Some(rate::svg(run, policy, &timeline, &y))),
    );
    let y = delay::axis(run, &timeline);
    plots(
        page,
        "Delay",
        "Lines are medians and bands reach from the lowest to the highest, of all datagrams or \
         frames in a moment; so too below. The scale is logarithmic. Signal delay is at least the \
         link's own delay.",
        each(&|policy| Some(delay::svg(run, policy, &timeline, &y))),
    );
    plots(
        page,
        "Level",
        "The quality that frames are coded at, in quarter octaves.",
        each(&|policy| level::levels(policy, &timeline)),
    );
    plots(
        page,
        "Codewords",
        "How many codewords each stage of a frame may use.",
        each(&|policy| level::codewords(policy, &timeline)),
    );
    let measured = MEASURES.iter().flat_map(|measure| {
        let y = measure.axis(run);
        each(&|policy| measure.svg(policy, &timeline, y.as_ref()?))
    });
    plots(
        page,
        "Quality",
        "\u{201c}Frame due\u{201d} compares what is on screen at a frame's deadline with that frame, \
         so that a frozen picture counts as bad; \u{201c}own frame\u{201d} compares displayed \
         pictures with the frames that they are of.",
        measured,
    );
}

/// A part of the page, unless there is nothing to be seen.
fn plots(page: &mut String, heading: &str, text: &str, svgs: impl IntoIterator<Item = String>) {
    let svgs: Vec<_> = svgs.into_iter().collect();
    if svgs.is_empty() {
        return;
    }
    let _ = writeln!(
        page,
        "<h2>{heading}</h2>\n<p>{text}</p>\n<div class=\"plots\">"
    );
    for svg in svgs {
        let _ = writeln!(page, "<div class=\"wide\">{svg}</div>");
    }
    page.push_str("</div>\n");
}

fn pictures(page: &mut String, run: &Run) -> Result<(), Failure> {
    let moments = picture::moments(run)?;
    if moments.is_empty() {
        return Ok(());
    }
    page.push_str(
        "<h2>Pictures</h2>\n<p>What was on screen when a frame was due, with PSNR-Y against that \
         frame. The pictures themselves are in the policies' folders.</p>\n",
    );
    for moment in moments {
        page.push_str("<div class=\"row\">\n");
        for (name, png) in &moment.pictures {
            let policy = run.policies.iter().find(|policy| policy.name == *name);
            let mut frames = policy.into_iter().flat_map(|policy| &policy.frames);
            let row = frames.find(|row| (row.flow, row.frame) == (moment.flow, moment.frame));
            let quality = row.and_then(|row| row.psnr_due_db);
            let quality = quality.map_or_else(String::new, |db| format!(", {db:.2} dB"));
            let flow = match run.record.flows {
                1 => String::new(),
                _ => format!(" of flow {}", moment.flow),
            };
            let caption = format!("{name}: frame {}{flow}{quality}", moment.frame);
            figure(page, &caption, png);
        }
        page.push_str("</div>\n");
    }
    Ok(())
}
