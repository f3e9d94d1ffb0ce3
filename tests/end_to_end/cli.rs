//! The command line.

use std::process::{Command, Stdio};

use raq_shared::model::ModelFolder;
use raq_tests::{
    model,
    sandbox::{Sandbox, run},
};
use serde_json::Value;

fn stdout(command: &mut Command) -> String {
    let output = command.stdout(Stdio::piped()).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn help_lists_flags_and_exit_codes() {
    let sandbox = Sandbox::new();
    for (mut command, flags) in [
        (
            sandbox.send(),
            "--camera --list-cameras --input --test-pattern --peer --codewords --fps --duration \
             --frames",
        ),
        (
            sandbox.recv(),
            "--listen --output --overwrite --once --max-size --precision",
        ),
    ] {
        let help = stdout(command.arg("--help"));
        let common = "--stats --model --onnxruntime --provider --trust --print-id --print-model \
                      --verbose --quiet --version";
        for flag in flags.split_whitespace().chain(common.split_whitespace()) {
            assert!(help.contains(flag), "{flag} is not in:\n{help}");
        }
        for line in [
            "3  peer not trusted",
            "5  model or ONNX Runtime missing",
            "130  interrupted",
        ] {
            assert!(help.contains(line), "{line:?} is not in:\n{help}");
        }
    }
}

#[test]
fn versions_are_the_packages() {
    let sandbox = Sandbox::new();
    for (mut command, name) in [(sandbox.send(), "raq-send"), (sandbox.recv(), "raq-recv")] {
        let version = stdout(command.arg("--version"));
        let expected = format!("{name} {}", env!("CARGO_PKG_VERSION"));
        assert!(version.starts_with(&expected), "{version}");
    }
}

#[test]
fn wrong_command_lines_end_with_2() {
    let sandbox = Sandbox::new();
    let peer = ["--peer", "127.0.0.1:9"];
    let senders: [&[&str]; 8] = [
        &[],
        &["--test-pattern"],
        &["--nonsense"],
        &["--test-pattern", "plaid", peer[0], peer[1]],
        &["--test-pattern", "--camera", "0", peer[0], peer[1]],
        &["--test-pattern", "--codewords", "0", peer[0], peer[1]],
        &["--test-pattern", "--codewords", "5000", peer[0], peer[1]],
        &["--test-pattern", "--fps", "0", peer[0], peer[1]],
    ];
    for arguments in senders {
        let ended = run(sandbox.send().args(arguments));
        assert_eq!(
            ended.code(),
            Some(2),
            "raq-send {arguments:?}: {}",
            ended.stderr
        );
    }
    let receivers: [&[&str]; 4] = [
        &[],
        &["--listen", "70000"],
        &["--listen", "0", "--output", "clip.avi"],
        &["--listen", "0", "--output", "null", "--max-size", "big"],
    ];
    for arguments in receivers {
        let ended = run(sandbox.recv().args(arguments));
        assert_eq!(
            ended.code(),
            Some(2),
            "raq-recv {arguments:?}: {}",
            ended.stderr
        );
    }
}

#[test]
fn print_model_tells_the_facts_as_json() {
    let sandbox = Sandbox::new();
    let folder = ModelFolder::open(&model()).unwrap();
    for mut command in [sandbox.send(), sandbox.recv()] {
        let text = stdout(command.args(["--print-model", "--provider", "cpu"]));
        let facts: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(facts["model"], folder.manifest().name.as_str());
        assert_eq!(
            facts["codebook_digest"],
            folder.manifest().codebook_digest.to_hex().as_str()
        );
        assert_eq!(facts["digest_matches_manifest"], true);
        assert!(
            facts["regenerate_ms"].as_f64().is_some_and(|ms| ms > 0.0),
            "{text}"
        );
        assert!(
            facts["onnxruntime"]
                .as_str()
                .is_some_and(|v| v.starts_with("1.")),
            "{text}"
        );
        assert_eq!(facts["provider"], "cpu");
    }
}

#[test]
fn onnx_runtime_keeps_nothing_to_send_to_its_makers() {
    let sandbox = Sandbox::new();
    let cache = sandbox.path("cache");
    std::fs::create_dir(&cache).unwrap();
    for mut command in [sandbox.send(), sandbox.recv()] {
        command
            .env("XDG_CACHE_HOME", &cache)
            .env_remove("ORT_DISABLE_TELEMETRY");
        stdout(command.args(["--print-model", "--provider", "cpu"]));
    }
    let left: Vec<_> = std::fs::read_dir(&cache).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn cameras_can_be_listed_where_there_are_none() {
    let sandbox = Sandbox::new();
    run(sandbox.send().arg("--list-cameras")).well().unwrap();
}
