//! `--set KEY=VALUE`: any key of a scenario from the command line.

use toml::{Table, Value};

/// Sets `key`, names and numbers of list entries separated by dots, to `value`: TOML where it is
/// TOML, text otherwise. Whether the key means anything is found out when the scenario is read.
///
/// # Errors
/// Cause and cure, for what is no assignment or leads through what is no table or list.
pub(super) fn set(scenario: &mut Table, assignment: &str) -> Result<(), String> {
    let (key, value) = assignment
        .split_once('=')
        .ok_or_else(|| format!("{assignment:?} sets nothing; give KEY=VALUE"))?;
    let (key, value) = (key.trim(), value.trim());
    if key.split('.').any(str::is_empty) {
        return Err(format!(
            "{key:?} is no key; give names separated by dots, as in link.down.rate"
        ));
    }
    let value = read(value);
    let mut names: Vec<&str> = key.split('.').collect();
    let last = names.pop().unwrap_or_default();
    let mut at = Place::Table(scenario);
    for name in names {
        at = at.enter(name).map_err(|what| format!("{key}: {what}"))?;
    }
    at.put(last, value).map_err(|what| format!("{key}: {what}"))
}

/// As TOML writes it, or else as text: `5`, `true`, `"a"`, `[1, 2]`, `40ms`.
fn read(text: &str) -> Value {
    let line = format!("value = {text}");
    let read = line
        .parse::<Table>()
        .ok()
        .and_then(|mut table| table.remove("value"));
    read.unwrap_or_else(|| Value::String(text.to_owned()))
}

enum Place<'a> {
    Table(&'a mut Table),
    List(&'a mut Vec<Value>),
}

impl<'a> Place<'a> {
    fn enter(self, name: &str) -> Result<Self, String> {
        let inner = match self {
            Self::Table(table) => table
                .entry(name)
                .or_insert_with(|| Value::Table(Table::new())),
            Self::List(list) => entry(list, name)?,
        };
        match inner {
            Value::Table(table) => Ok(Self::Table(table)),
            Value::Array(list) => Ok(Self::List(list)),
            _ => Err(format!(
                "{name} is a value and holds no keys; shorten the key"
            )),
        }
    }

    fn put(self, name: &str, value: Value) -> Result<(), String> {
        match self {
            Self::Table(table) => {
                table.insert(name.to_owned(), value);
            }
            Self::List(list) => *entry(list, name)? = value,
        }
        Ok(())
    }
}

fn entry<'a>(list: &'a mut [Value], name: &str) -> Result<&'a mut Value, String> {
    let len = list.len();
    let found = name.parse::<usize>().ok().and_then(|at| list.get_mut(at));
    found.ok_or_else(|| format!("{name} is no entry of a list of {len}; count from 0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(assignments: &[&str]) -> Result<Table, String> {
        let mut table = "duration = '5s'\n[link.down]\nrate = '1Mbit'\n[[flow]]\nstart = '0s'"
            .parse()
            .unwrap();
        for assignment in assignments {
            set(&mut table, assignment)?;
        }
        Ok(table)
    }

    #[test]
    fn any_key_can_be_set() {
        let table = after(&[
            "link.down.rate=2Mbit",
            "media.fps = 25",
            "flow.0.start=\"3s\"",
            "link.down.loss=0.5",
        ])
        .unwrap();
        assert_eq!(table["link"]["down"]["rate"].as_str(), Some("2Mbit"));
        assert_eq!(table["media"]["fps"].as_integer(), Some(25));
        assert_eq!(table["flow"][0]["start"].as_str(), Some("3s"));
        assert_eq!(table["link"]["down"]["loss"].as_float(), Some(0.5));
        assert_eq!(table["duration"].as_str(), Some("5s"));
    }

    #[test]
    fn what_leads_nowhere_is_refused() {
        for (bad, says) in [
            ("duration", "KEY=VALUE"),
            ("=5", "is no key"),
            ("link..rate=1", "is no key"),
            ("duration.x=1", "shorten"),
            ("flow.1.start=2s", "count from 0"),
            ("flow.first=2s", "count from 0"),
        ] {
            let error = after(&[bad]).expect_err(bad);
            assert!(error.contains(says), "{bad}: {error}");
        }
    }
}
