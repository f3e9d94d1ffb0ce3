//! The table for people.

use std::io::{self, Write as _};

use anyhow::Result;

use super::Summary;

/// Prints what README shows, in Markdown.
pub(super) fn print(summary: &Summary) -> Result<()> {
    let mut out = io::stdout().lock();
    let machine = &summary.machine;
    writeln!(out, "{}, {} cores\n", machine.processor, machine.cores)?;
    writeln!(
        out,
        "| picture | threads | encode + code, ms | decode, ms | frames shown | delay p50 / p95, ms | of it in the programs, ms | first picture, ms | processor s per minute, send / receive | memory, MiB |"
    )?;
    writeln!(
        out,
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    )?;
    for it in &summary.streams {
        let [delay, added] = [it.delay_ms, it.added_ms].map(|delay| {
            delay.map_or_else(
                || "none".to_owned(),
                |delay| format!("{:.0} / {:.0}", delay.p50, delay.p95),
            )
        });
        let first = it
            .first_picture_ms
            .map_or_else(|| "none".to_owned(), |ms| format!("{ms:.0}"));
        writeln!(
            out,
            "| {}×{}, {:.0} kbit/s | {} | {:.1} + {:.1} | {:.1} | {:.0} % | {delay} | {added} | {first} | {:.1} / {:.1} | {:.0} / {:.0} |",
            it.width,
            it.height,
            it.kbps,
            it.threads,
            it.encode_ms,
            it.code_ms,
            it.decode_ms,
            100.0 * it.shown,
            it.send_cpu_s,
            it.recv_cpu_s,
            it.send_mib,
            it.recv_mib,
        )?;
    }
    for it in &summary.x264 {
        writeln!(
            out,
            "| x264 ultrafast, {}×{}, {:.0} kbit/s | {} | | | | | | | {:.1} / {:.1} | |",
            it.width, it.height, it.kbps, it.threads, it.encode_cpu_s, it.decode_cpu_s,
        )?;
    }
    if let Some(search) = &summary.search {
        writeln!(
            out,
            "\n| nearest of {} codewords, D = {}, one thread | FAISS, µs a vector | raq, µs a vector | ratio | indices |",
            search.codewords, search.dims
        )?;
        writeln!(out, "| --- | --- | --- | --- | --- |")?;
        for row in &search.search {
            let each = |seconds: f64| seconds * 1e6 / f64::from(row.vectors);
            for (build, &seconds) in &row.raq_s {
                writeln!(
                    out,
                    "| {} vectors, {build} | {:.2} | {:.2} | {:.2} | {} |",
                    row.vectors,
                    each(row.faiss_s),
                    each(seconds),
                    row.faiss_s / seconds,
                    if row.indices_equal { "equal" } else { "DIFFER" },
                )?;
            }
        }
    }
    for reason in &summary.left_out {
        writeln!(out, "\nnot measured: {reason}")?;
    }
    if !machine.tells_energy {
        writeln!(
            out,
            "\nnot measured: energy, which this machine does not tell"
        )?;
    }
    Ok(())
}
