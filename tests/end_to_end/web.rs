//! raq-recv's page, in a browser without a screen.

use raq_tests::{
    browser::Browser,
    sandbox::{PATIENCE, Sandbox, interrupt},
    transfer::{Receiver, scene, start_sender},
};
use xtask::{
    program::{Ended, Program},
    stats,
};

/// Waits until a canvas has shown `changes` different things, each with more than a few colours.
fn watch_change(selector: &str, changes: u32) -> String {
    format!(
        "new Promise(done => {{
            const canvas = document.querySelector('{selector}'), seen = new Set();
            (function look() {{
                const {{width, height}} = canvas;
                const copy = new OffscreenCanvas(width, height);
                const context = copy.getContext('2d', {{willReadFrequently: true}});
                context.drawImage(canvas, 0, 0);
                const {{data}} = context.getImageData(0, 0, width, height);
                let hash = 0;
                const colours = new Set();
                for (let at = 0; at < data.length; at += 4) {{
                    const colour = data[at] << 16 | data[at + 1] << 8 | data[at + 2];
                    hash = Math.imul(hash, 31) + colour | 0;
                    if (data[at + 3] > 0) colours.add(colour);
                }}
                if (colours.size > 3) seen.add(hash);
                if (seen.size > {changes}) done(colours.size);
                else requestAnimationFrame(look);
            }})();
        }})"
    )
}

/// Waits until the line that says how things are contains `words`.
fn watch_state(words: &str) -> String {
    format!(
        "new Promise(done => (function look() {{
            const text = document.getElementById('state').textContent;
            if (text.includes('{words}')) done(text);
            else requestAnimationFrame(look);
        }})())"
    )
}

/// raq-recv, and where its page is.
fn page(sandbox: &Sandbox) -> (Receiver, String) {
    let mut recv = sandbox.recv();
    recv.args(["--listen", "127.0.0.1:0", "--output", "web"]);
    let mut program = Program::start("raq-recv", &mut recv).unwrap();
    let said = |line: &str| Some(line.strip_prefix("watch at ")?.to_owned());
    let url = program.wait_for("where to watch", PATIENCE, said).unwrap();
    let address = program.wait_for("where it listens", PATIENCE, stats::listening);
    let address = address.unwrap();
    (Receiver { program, address }, url)
}

#[test]
fn the_page_shows_the_video_and_plots() {
    let sandbox = Sandbox::new();
    let Some(mut browser) = Browser::start(&sandbox) else {
        return;
    };
    let (recv, url) = page(&sandbox);
    browser.open(&url, (1300, 800));
    browser.evaluate(&watch_state("waiting for a sender"));

    let send = start_sender(&mut scene(&sandbox, "320x240"), recv.address);
    let state = browser.evaluate(&watch_state("receiving"));
    assert_eq!(state, "receiving 320\u{d7}240 at 10 frames a second");
    let colours = browser.evaluate(&watch_change("#picture", 3));
    assert!(
        colours.as_u64() > Some(100),
        "{colours}: the scene is not flat"
    );
    let plots = browser.evaluate("document.querySelectorAll('.plot canvas').length");
    assert_eq!(plots, 8);
    for plot in 1..=8 {
        browser.evaluate(&watch_change(&format!(".plot:nth-child({plot}) canvas"), 2));
    }
    let bitrate =
        browser.evaluate("parseFloat(document.querySelector('.plot output').textContent)");
    assert!(bitrate.as_f64() > Some(1.0), "{bitrate} kbit/s");

    // A second page shows the same, plots of the past included.
    browser.open(&url, (700, 900));
    browser.evaluate(&watch_change("#picture", 1));
    browser.evaluate(&watch_change(".plot:nth-child(1) canvas", 0));
    assert_eq!(browser.complaints(), [""; 0]);

    interrupt(&send);
    send.finish(PATIENCE).and_then(Ended::well).unwrap();
    browser.evaluate(&watch_state("waiting for a sender"));
    interrupt(&recv.program);
    recv.finish().well().unwrap();
    browser.evaluate(&watch_state("has ended"));
}

#[test]
fn without_the_token_there_is_no_page() {
    let sandbox = Sandbox::new();
    let Some(mut browser) = Browser::start(&sandbox) else {
        return;
    };
    let (_recv, url) = page(&sandbox);
    let (place, _) = url.split_once("?token=").unwrap();
    browser.open(place, (700, 900));
    let text = browser.evaluate(
        "new Promise(done => (function look() {
            const text = document.body?.textContent;
            text?.includes('token') ? done(text) : requestAnimationFrame(look);
        })())",
    );
    assert!(text.as_str().unwrap().contains("raq-recv has printed"));
    assert_eq!(
        browser.evaluate("document.querySelectorAll('canvas').length"),
        0
    );
}
