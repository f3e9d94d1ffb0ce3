//! What wins where several places set something, and what is said about what is wrong.

use std::fs;

use clap::{ArgAction, CommandFactory as _, FromArgMatches as _};

use super::*;

#[derive(Parser, Clone, Debug)]
#[command(name = "program")]
struct Options {
    #[arg(long, required_unless_present = "print_config")]
    listen: Option<u16>,
    #[arg(long, group = "source")]
    camera: Option<String>,
    #[arg(long, num_args = 0..=1, default_missing_value = "motion", group = "source")]
    test_pattern: Option<String>,
    #[arg(long, default_value = "640x360", conflicts_with = "input")]
    size: String,
    #[arg(long, group = "source")]
    input: Option<String>,
    #[arg(long, overrides_with = "no_reconnect")]
    reconnect: bool,
    #[arg(long, overrides_with = "reconnect")]
    no_reconnect: bool,
    #[arg(long)]
    once: bool,
    #[arg(long)]
    output: Vec<String>,
    #[arg(short, long, action = ArgAction::Count)]
    verbose: u8,
    #[command(flatten)]
    settings: SettingsArgs,
}

struct Given<'a> {
    typed: &'a [&'a str],
    variables: &'a [(&'a str, &'a str)],
    file: &'a str,
}

impl Given<'_> {
    fn parse(&self) -> Result<(Parsed, Command), Failure> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("raq.toml");
        fs::write(&path, self.file).unwrap();
        let mut typed: Vec<OsString> = vec!["program".into()];
        typed.extend(self.typed.iter().map(OsString::from));
        let mut variables: Vec<(OsString, OsString)> = Vec::new();
        if !self.file.is_empty() {
            variables.push(("RAQ_CONFIG".into(), path.into()));
        }
        variables.extend(self.variables.iter().map(|(a, b)| (a.into(), b.into())));
        let mut command = Options::command();
        command.build();
        Ok((parse(&command, &typed, variables.into_iter())?, command))
    }

    fn settings(&self) -> Options {
        match self.parse().unwrap() {
            (Parsed::Settings(matches, _), _) => Options::from_arg_matches(&matches).unwrap(),
            (other, _) => panic!("{other:?}"),
        }
    }

    fn wrong(&self) -> String {
        match self.parse() {
            Err(failure) => failure.message,
            Ok((Parsed::Wrong(error), _)) => format!("clap: {error}"),
            Ok(other) => panic!("{other:?}"),
        }
    }

    fn lines(&self) -> String {
        match self.parse().unwrap() {
            (Parsed::Settings(matches, layers), command) => {
                show::lines(&command, &matches, &layers).join("\n")
            }
            (other, _) => panic!("{other:?}"),
        }
    }
}

const NOTHING: Given<'_> = Given {
    typed: &[],
    variables: &[],
    file: "",
};

#[test]
fn what_is_typed_wins_then_variables_then_the_file() {
    let given = Given {
        typed: &["--size", "1x1"],
        variables: &[("RAQ_SIZE", "2x2"), ("RAQ_LISTEN", "2"), ("RAQ_OTHER", "x")],
        file: "size = '3x3'\nlisten = 3\ncamera = '3'\nonce = true\nverbose = 2\n\
               output = ['a', 'b']",
    };
    let options = given.settings();
    assert_eq!((options.size.as_str(), options.listen), ("1x1", Some(2)));
    assert_eq!((options.camera.as_deref(), options.verbose), (Some("3"), 2));
    assert!(options.once && options.output == ["a", "b"]);
    let options = Given {
        typed: &["--output", "c"],
        ..given
    };
    assert_eq!(options.settings().output, ["c"], "lists are not mixed");
}

#[test]
fn what_cannot_stand_beside_something_stronger_goes() {
    let file = "camera = '0'\nsize = '3x3'\nlisten = 1\nreconnect = false";
    let given = |typed| Given {
        typed,
        variables: &[("RAQ_CAMERA", "1")],
        file,
    };
    let plain = given(&[]).settings();
    assert_eq!(plain.camera.as_deref(), Some("1"));
    assert!(plain.no_reconnect);
    let other = given(&["--input", "x.y4m"]).settings();
    assert_eq!(other.camera, None);
    assert_eq!(other.size, "640x360", "it means nothing beside an input");
    assert!(!given(&["--reconnect"]).settings().no_reconnect);
    // Two of one place contradict each other.
    let both = Given {
        file: "camera = '0'\ninput = 'x'\nlisten = 1",
        ..NOTHING
    };
    assert!(
        both.wrong().contains("cannot be used with"),
        "{}",
        both.wrong()
    );
}

#[test]
fn switches_are_turned_on_and_off() {
    let with = |value| Given {
        typed: &["--listen", "1"],
        variables: value,
        file: "once = true\ntest-pattern = true",
    };
    assert!(
        with(&[("RAQ_ONCE", "")]).settings().once,
        "an empty one says nothing"
    );
    assert!(!with(&[("RAQ_ONCE", "off")]).settings().once);
    let pattern = with(&[]).settings().test_pattern;
    assert_eq!(pattern.as_deref(), Some("motion"));
    let wrong = with(&[("RAQ_ONCE", "maybe")]).wrong();
    assert_eq!(wrong, "RAQ_ONCE=maybe is neither on nor off; give 1 or 0");
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let file = |file| Given { file, ..NOTHING }.wrong();
    for (text, says) in [
        ("listen = ", "line 1: "),
        ("a = 1\nlisten == 2", "line 2: "),
        ("lissten = 1", "lissten is no setting; give names of flags"),
        ("print-id = true", "print-id is no setting"),
        ("config = 'x'", "config is no setting"),
        ("listen = [1, 2]", "listen takes one value; give no list"),
        ("listen = true", "listen takes text or a number"),
        ("once = 1", "once is a switch; give true or false"),
        ("verbose = -1", "verbose is a count; give 0, 1 or 2"),
        ("listen = 70000", "70000 is not in 0..=65535"),
        ("[listen]\na = 1", "listen takes text or a number"),
    ] {
        assert!(file(text).contains(says), "{text}: {}", file(text));
        assert!(file(text).contains("raq.toml"), "{}", file(text));
    }
    let variable = Given {
        variables: &[("RAQ_LISTEN", "all")],
        ..NOTHING
    };
    assert!(
        variable
            .wrong()
            .starts_with("RAQ_LISTEN: invalid value 'all'")
    );
    let missing = Given {
        typed: &["--config", "/no/such/file"],
        ..NOTHING
    };
    assert!(missing.wrong().contains("name a file that can be read"));
    let endless = Given {
        typed: &["--config", "/dev/zero"],
        ..NOTHING
    };
    assert!(endless.wrong().contains("name a file of settings"));
    assert!(
        NOTHING
            .wrong()
            .starts_with("clap: error: the following required")
    );
    let typed = Given {
        typed: &["--listen", "x"],
        variables: &[("RAQ_LISTEN", "1")],
        ..NOTHING
    };
    assert!(typed.wrong().starts_with("clap: error: invalid value"));
}

#[test]
fn all_settings_are_shown_with_their_origins_and_can_be_read_again() {
    let given = Given {
        typed: &["--print-config", "--size", "1x1"],
        variables: &[("RAQ_CAMERA", "a \"b\"")],
        file: "reconnect = false\noutput = ['-']",
    };
    let lines = given.lines();
    for (setting, origin) in [
        ("size = \"1x1\"", "command line"),
        ("camera = 'a \"b\"'", "RAQ_CAMERA"),
        ("once = false", "default"),
        ("# listen =", "not set"),
    ] {
        let found = lines.lines().filter_map(|line| line.split_once("  # "));
        let mut found = found.filter(|(line, _)| line.trim_end() == setting);
        assert_eq!(
            found.next().map(|it| it.1),
            Some(origin),
            "{setting}\n{lines}"
        );
    }
    let off = lines.lines().find(|line| line.starts_with("reconnect"));
    assert!(off.unwrap().starts_with("reconnect = false"), "{lines}");
    assert!(off.unwrap().contains("# reconnect in "), "{lines}");
    assert!(!lines.contains("no-reconnect"), "{lines}");
    let long = "a".repeat(70_000);
    let long = Given {
        typed: &["--print-config"],
        variables: &[("RAQ_CAMERA", &long)],
        file: "",
    };
    assert!(long.lines().contains("  # RAQ_CAMERA"), "as wide as it is");
    let again = Given {
        typed: &["--print-config"],
        variables: &[],
        file: &lines,
    };
    let values = |text: &str| -> Vec<_> {
        let line = |line: &str| line.split("  #").next().unwrap().trim_end().to_owned();
        text.lines().map(line).collect()
    };
    assert_eq!(values(&again.lines()), values(&lines));
}
