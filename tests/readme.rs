//! The README's commands, run as they stand there.

use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
};

use raq_shared::paths;
use raq_tests::{
    clips,
    display::Display,
    outside_data,
    sandbox::{PATIENCE, Sandbox, interrupt, programs, run},
    skip,
};
use xtask::{build, program::Program, stats};

/// The lines of all blocks marked `sh`, in order.
fn commands() -> Vec<String> {
    let text = fs::read_to_string(paths::repository().join("README.md")).unwrap();
    let mut lines = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match line.strip_prefix("```") {
            Some(language) => inside = language == "sh",
            None if inside => lines.push(line.to_owned()),
            None => {}
        }
    }
    lines
}

fn of(start: &str) -> Vec<String> {
    let found: Vec<_> = commands()
        .into_iter()
        .filter(|line| line.starts_with(start))
        .collect();
    assert!(!found.is_empty(), "README has no line `{start}…`");
    found
}

/// A shell at the repository's root that becomes the program.
fn shell(line: &str) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("exec {line}")])
        .current_dir(paths::repository());
    command
        .env(paths::DATA_VARIABLE, paths::outside_data())
        .stdin(Stdio::null());
    build::as_typed(&mut command);
    command
}

#[test]
fn every_command_is_run_by_a_test_here() {
    let known = [
        "cargo xtask ",
        "cargo build --release",
        "target/release/raq-",
        "chromium --headless ",
    ];
    for line in commands() {
        assert!(
            known.iter().any(|start| line.starts_with(start)),
            "nothing runs `{line}`"
        );
    }
}

#[test]
fn the_programs_do_what_is_said() {
    let sandbox = Sandbox::new();
    let Some(_) = outside_data("video/y4m") else {
        return;
    };
    let Some(display) = Display::start(&sandbox) else {
        return;
    };
    let built = programs();
    let prepared = |line: &str, port: &str| {
        let line = line.replace("target/release", &built.display().to_string());
        let mut command = shell(&line.replace("4433", port));
        command
            .env("RAQ_CONFIG_DIR", sandbox.path("own"))
            .env("DISPLAY", display.name());
        command.stdout(Stdio::null());
        command
    };
    let mut receiver: Option<(Program, u16)> = None;
    for line in of("target/release/raq-") {
        // It needs no other program; see below.
        if line.starts_with("target/release/raq-sim") {
            continue;
        }
        if line.starts_with("target/release/raq-recv --listen") {
            // A port that is free here, in the place of one that need not be.
            let mut recv = Program::start("raq-recv", &mut prepared(&line, "0")).unwrap();
            let address = recv
                .wait_for("where it listens", PATIENCE, stats::listening)
                .unwrap();
            receiver = Some((recv, address.port()));
            continue;
        }
        let port = receiver.as_ref().map_or(0, |(_, port)| *port);
        let camera = line.contains("--camera") && !Path::new("/dev/video0").exists();
        // A camera would go on until it is stopped.
        let limited = match line.contains("--camera") {
            true => format!("{line} --frames 3"),
            false => line.clone(),
        };
        let ended = run(&mut prepared(&limited, &port.to_string()));
        let expected = if camera { 6 } else { 0 };
        assert_eq!(ended.code(), Some(expected), "`{line}`: {}", ended.stderr);
    }
    let (recv, _) = receiver.expect("README starts raq-recv");
    interrupt(&recv);
    recv.finish(PATIENCE).unwrap().well().unwrap();
}

#[test]
fn the_simulator_makes_the_picture() {
    let sandbox = Sandbox::new();
    let built = programs();
    let folder = sandbox.path("lte");
    let here = |line: &str| {
        let line = line.replace("target/release", &built.display().to_string());
        line.replace("target/lte", &folder.display().to_string())
    };
    for line in of("target/release/raq-sim") {
        run(&mut shell(&here(&line))).well().unwrap();
    }
    assert!(folder.join("summary.json").is_file() && folder.join("report.html").is_file());
    let line = of("chromium")[0].replace("--headless", "--headless --no-sandbox");
    let found = Command::new("chromium")
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    if found.is_err() {
        return skip("Chromium is not installed (Debian: apt-get install chromium)");
    }
    run(&mut shell(&here(&line))).well().unwrap();
    let picture = fs::read(folder.join("report.png")).unwrap();
    assert!(picture.starts_with(b"\x89PNG") && picture.len() > 20_000);
}

#[test]
fn setup_can_be_run_any_time() {
    for line in of("cargo xtask setup") {
        run(&mut shell(&line)).well().unwrap();
    }
}

/// This very test is part of what `cargo xtask test` runs, so only its name is tried.
#[test]
fn test_is_a_chore() {
    for line in of("cargo xtask test") {
        run(shell(&format!("{line} --help")).stdout(Stdio::null()))
            .well()
            .unwrap();
    }
}

/// Whether to build for release, as the lines say; it takes ten minutes. Otherwise the programs that
/// all tests start stand in.
fn for_release() -> bool {
    env::var_os("RAQ_RELEASE").is_some_and(|value| value == "1")
}

/// A chore that needs the programs.
fn chore(line: &str) {
    let mut command = shell(line);
    if !for_release() {
        command.env(build::PROGRAMS, programs());
    }
    let status = command.stdout(Stdio::null()).status().unwrap();
    assert!(status.success(), "`{line}` fails");
}

#[test]
fn the_programs_can_be_built_for_release() {
    for line in of("cargo build --release") {
        let line = match for_release() {
            true => line,
            // At least there are such packages.
            false => line.replacen("build --release", "tree --quiet --depth 0", 1),
        };
        let status = shell(&line).stdout(Stdio::null()).status().unwrap();
        assert!(status.success(), "`{line}` fails");
    }
}

#[test]
fn demo_leaves_pictures_and_figures() {
    let sandbox = Sandbox::new();
    for line in of("cargo xtask demo") {
        match for_release() {
            true => chore(&line),
            // The tests' programs keep up with less than what stands there.
            false => {
                let clip = clips::generate(&sandbox, &clips::format(128, 96, 10), 40);
                chore(&format!("cargo xtask demo --input {}", clip.display()));
                break;
            }
        }
    }
    let folder = paths::repository().join("target/demo");
    let text = fs::read(folder.join("summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let number = |value: &serde_json::Value| value.as_f64().unwrap();
    assert!(number(&summary["frames_decoded"]) > 0.0);
    assert!(number(&summary["delay_ms"]["p50"]) <= number(&summary["delay_ms"]["p95"]));
    assert!(summary["provider"].is_string() && summary["codebook_digest"].is_string());
    let column = |list: &str, name: &str| {
        let rows = summary[list].as_array().unwrap();
        rows.iter()
            .map(|row| number(&row[name]))
            .collect::<Vec<_>>()
    };
    assert_eq!(column("per_rate", "max_kbps"), [60.0, 150.0, 400.0, 1000.0]);
    let all = [2.0, 16.0, 256.0, 4096.0];
    assert_eq!(column("per_codewords", "codewords"), all);
    let rises = |list: &str, name: &str| {
        let column = column(list, name);
        assert!(
            column.is_sorted_by(|a, b| a < b),
            "{name} {list}: {column:?}"
        );
    };
    rises("per_codewords", "psnr_y_db");
    // How far the tests' programs get with rates depends on how busy the machine is; that a
    // larger rate is a better picture is seen in end_to_end/loopback.rs.
    if for_release() {
        rises("per_rate", "psnr_y_db");
        rises("per_rate", "kbps");
    }
    for file in ["decoded.y4m", "side-by-side.png"] {
        assert!(
            fs::metadata(folder.join(file)).unwrap().len() > 1000,
            "{file}"
        );
    }
}

#[test]
fn the_relay_has_figures_of_both() {
    let sandbox = Sandbox::new();
    // So little that a busy machine keeps up, which the chore insists on.
    let clip = clips::generate(&sandbox, &clips::format(48, 32, 10), 50);
    for line in of("cargo xtask relay") {
        // What is measured there takes a minute, and both cores.
        chore(&format!("{line} --duration 5s --input {}", clip.display()));
    }
    let folder = paths::repository().join("target/relay");
    let text = fs::read(folder.join("summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&text).unwrap();
    for figures in [&summary["real"], &summary["simulated"]] {
        assert_eq!(figures["captured"], 50, "{figures}");
        // The link alone delays by 20 ms.
        assert!(
            figures["delay_ms"]["p50"].as_f64().unwrap() > 20.0,
            "{figures}"
        );
        assert!(figures["shown"].as_u64().unwrap() > 25, "{figures}");
    }
}
