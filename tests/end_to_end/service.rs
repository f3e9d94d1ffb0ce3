//! raq-recv as a service of systemd.

use std::{fs, process::Command, process::Stdio};

use raq_shared::paths;
use raq_tests::{
    sandbox::{Sandbox, programs},
    skip,
};

/// Above this `systemd-analyze security` speaks of more than it must: 0 is best, 10 worst.
const EXPOSURE: f64 = 2.0;

#[test]
fn the_unit_is_sound_and_exposes_little() {
    let sandbox = Sandbox::new();
    let analyze = |arguments: &[&str]| {
        let mut command = Command::new("systemd-analyze");
        command
            .args(arguments)
            .env("SYSTEMD_COLORS", "0")
            .stdin(Stdio::null());
        command.output()
    };
    if analyze(&["--version"]).is_err() {
        return skip("systemd-analyze is not installed");
    }
    let unit = paths::repository().join("receiver/packaging/raq-recv.service");
    let program = programs().join("raq-recv");
    let text = fs::read_to_string(unit).unwrap();
    // It looks whether there is a program.
    let here = text.replace("/usr/local/bin/raq-recv", &program.to_string_lossy());
    assert_ne!(here, text);
    let copy = sandbox.path("raq-recv.service");
    fs::write(&copy, here).unwrap();
    let copy = copy.to_string_lossy();
    let verified = analyze(&["verify", "--man=no", &copy]).unwrap();
    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success() && said.is_empty(), "{said}");
    let looked = analyze(&["security", "--offline=true", "--no-pager", &copy]).unwrap();
    let report = String::from_utf8_lossy(&looked.stdout);
    let level = report.rsplit_once("exposure level for raq-recv.service: ");
    let level = level.and_then(|(_, rest)| rest.split_whitespace().next()?.parse::<f64>().ok());
    let level = level.unwrap_or_else(|| panic!("no level in {report}"));
    assert!(level < EXPOSURE, "{report}");
}

#[test]
fn the_settings_that_come_with_it_are_settings() {
    let sandbox = Sandbox::new();
    let settings = paths::repository().join("receiver/packaging/recv.toml");
    let mut command = sandbox.recv();
    command.arg("--config").arg(settings).arg("--print-config");
    let printed = command.stdout(Stdio::piped()).output().unwrap();
    let said = String::from_utf8_lossy(&printed.stderr);
    assert!(printed.status.success(), "{said}");
    let printed = String::from_utf8_lossy(&printed.stdout);
    for line in ["listen = \"4433\"", "web:8433", "/etc/raq/trust", "metrics"] {
        assert!(printed.contains(line), "{line} is not in {printed}");
    }
}
