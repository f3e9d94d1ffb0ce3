//! CSV with a header.

use super::{Problem, Sample, iso8601, sample};

pub(super) fn parse(text: &str) -> Result<Vec<Sample>, Problem> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let header = reader.headers().map_err(|e| problem(&e))?;
    let column = |name: &str| {
        let place = header.iter().position(|title| title == name);
        place.ok_or_else(|| {
            Problem::at(
                1,
                format_args!("no column is called {name}; time and throughput_mbps are needed"),
            )
        })
    };
    let (time, rate) = (column("time")?, column("throughput_mbps")?);
    let mut samples: Vec<Sample> = Vec::new();
    let mut first = None;
    for record in reader.records() {
        let record = record.map_err(|e| problem(&e))?;
        let line = record.position().map_or(0, |place| place.line() as usize);
        let text = record.get(time).unwrap_or_default();
        let Some(nanos) = iso8601::nanos(text) else {
            return Err(Problem::at(
                line,
                format_args!("{text:?} is no time; give it as 2024-05-28T20:32:12.5"),
            ));
        };
        let text = record.get(rate).unwrap_or_default();
        let Ok(mbps) = text.parse() else {
            return Err(Problem::at(
                line,
                format_args!("{text:?} is no rate; give Mbit/s"),
            ));
        };
        let since = nanos - *first.get_or_insert(nanos);
        samples.push(sample(
            line,
            samples.last().copied(),
            since as f64 / 1e9,
            mbps,
        )?);
    }
    if samples.is_empty() {
        return Err(Problem::at(
            1,
            "only a header is in it; give a trace with lines",
        ));
    }
    Ok(samples)
}

fn problem(error: &csv::Error) -> Problem {
    Problem {
        line: error.position().map(|place| place.line() as usize),
        what: format!("{error}; give as many columns in each line as in the header"),
    }
}
