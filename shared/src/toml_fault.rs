//! What is wrong with a TOML file, in a line of text.

use toml::de::Error;

/// Names the line in `text`, which was read, or the key where no text is left that has lines.
pub fn toml_fault(error: &Error, text: &str) -> String {
    match error.span() {
        Some(span) => {
            let before = text.get(..span.start).unwrap_or(text);
            let line = 1 + before.matches('\n').count();
            format!("line {line}: {}", error.message().trim_end())
        }
        // The message and, in a line of its own, "in `a.key`".
        None => error.to_string().trim_end().replace('\n', " "),
    }
}

#[cfg(test)]
mod tests {
    use toml::Table;

    use super::*;

    #[test]
    fn text_has_lines() {
        let text = "a = 1\nb == 2\n";
        let fault = toml_fault(&text.parse::<Table>().unwrap_err(), text);
        assert!(fault.starts_with("line 2: "), "{fault}");
        assert!(!fault.contains('\n'), "{fault}");
    }

    #[test]
    fn tables_have_keys() {
        let table: Table = "[a]\nb = 'c'".parse().unwrap();
        let number = table.try_into::<std::collections::BTreeMap<String, [u8; 1]>>();
        let fault = toml_fault(&number.unwrap_err(), "");
        assert!(fault.ends_with(" in `a`"), "{fault}");
        assert!(!fault.contains('\n'), "{fault}");
    }
}
