//! Two columns: seconds and Mbit/s.

use super::{Problem, Sample, lines, sample};

pub(super) fn parse(text: &str) -> Result<Vec<Sample>, Problem> {
    let mut samples: Vec<Sample> = Vec::new();
    for (line, text) in lines(text) {
        let mut columns = text.split_whitespace().map(str::parse);
        let (Some(Ok(seconds)), Some(Ok(mbps)), None) =
            (columns.next(), columns.next(), columns.next())
        else {
            return Err(Problem::at(
                line,
                format_args!("{text:?} is not two numbers; give seconds and Mbit/s"),
            ));
        };
        samples.push(sample(line, samples.last().copied(), seconds, mbps)?);
    }
    Ok(samples)
}
