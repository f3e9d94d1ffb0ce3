//! TROUBLESHOOTING.md has every message of the programs, and none that they do not say.

use std::{
    fs,
    iter::Peekable,
    path::{Path, PathBuf},
    str::Chars,
};

use raq_shared::paths;

/// What stands for anything that differs from case to case.
const ANYTHING: char = '…';

/// What needs no page: wrong values of flags, where everything stands in the line; what only those
/// see who train models; news that nothing is wrong.
const PLAIN: [&str; 18] = [
    "is no ",
    "is not taken from cameras",
    "is given twice",
    "is too long; give",
    "export the model again",
    "give true or false",
    "give 1 or 0",
    "give 0, 1 or 2",
    "a name is a lower-case letter",
    "a model has 1 to",
    "codebooks and shifts up to",
    "connected to …",
    "was asked for",
    "start raq-recv there again",
    "frames decoded (",
    "install the same version on both sides",
    "default-src 'none'",
    "charset=utf-8",
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && name != "tests" {
            sources(&path, found);
        } else if name.ends_with(".rs") && name != "tests.rs" {
            found.push(path);
        }
    }
}

/// Every string literal in `source` but those of its test module, as the compiler reads them.
fn strings(source: &str) -> Vec<String> {
    let source = source.split("#[cfg(test)]\nmod tests {").next();
    let mut letters = source.unwrap_or_default().chars().peekable();
    let mut found = Vec::new();
    while let Some(letter) = letters.next() {
        match letter {
            '/' if letters.peek() == Some(&'/') => {
                while letters.next_if(|l| *l != '\n').is_some() {}
            }
            // A quoted quote.
            '\'' if letters.next_if_eq(&'"').is_some() => {}
            '"' => found.push(string(&mut letters)),
            _ => {}
        }
    }
    found
}

/// The rest of a string literal after its first quote.
fn string(letters: &mut Peekable<Chars>) -> String {
    let mut text = String::new();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => break,
            '\\' => match letters.next() {
                Some('\n') => while letters.next_if(|l| l.is_whitespace()).is_some() {},
                Some(escaped @ ('"' | '\\')) => text.push(escaped),
                _ => {}
            },
            letter => text.push(letter),
        }
    }
    text
}

/// `text` as it is compared: placeholders and runs of them are `…`, no backticks.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut depth = 0_u32;
    for letter in text.chars() {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            '`' | '\\' => {}
            _ if depth > 0 => {}
            letter => plain.push(letter),
        }
        if letter == '}' && !plain.ends_with(ANYTHING) {
            plain.push(ANYTHING);
        }
    }
    plain
}

/// The words of a message between what differs.
fn fixed(message: &str) -> Vec<&str> {
    let parts = message.split(ANYTHING).map(str::trim);
    parts.filter(|part| part.len() > 8).collect()
}

/// What the programs say, and the messages of the page.
fn both() -> (Vec<String>, Vec<String>) {
    let root = paths::repository();
    let mut files = Vec::new();
    for package in ["sender", "receiver", "shared"] {
        sources(&root.join(package).join("src"), &mut files);
    }
    let mut said = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        said.extend(strings(&text));
    }
    let page = fs::read_to_string(root.join("shared/docs/TROUBLESHOOTING.md")).unwrap();
    let quoted = |line: &str| Some(plain(line.strip_prefix("| `")?.split_once("` |")?.0));
    let listed: Vec<_> = page.lines().filter_map(quoted).collect();
    assert!(listed.len() > 50, "the page's tables are not found");
    (said.iter().map(|text| plain(text)).collect(), listed)
}

#[test]
fn every_message_is_on_the_page() {
    let (said, listed) = both();
    let missing: Vec<_> = said
        .iter()
        .filter(|text| text.contains("; ") && fixed(text).iter().any(|part| part.contains(' ')))
        .filter(|text| !PLAIN.iter().any(|known| text.contains(known)))
        .filter(|text| {
            let parts = fixed(text);
            !listed
                .iter()
                .any(|line| parts.iter().all(|part| line.contains(part)))
        })
        .collect();
    assert!(missing.is_empty(), "not on the page: {missing:#?}");
}

#[test]
fn nothing_else_is_on_the_page() {
    let (said, listed) = both();
    let invented: Vec<_> = listed
        .iter()
        .filter(|line| {
            let known = |part: &&str| !said.iter().any(|text| text.contains(*part));
            fixed(line).iter().any(known)
        })
        .collect();
    assert!(invented.is_empty(), "no program says: {invented:#?}");
}
