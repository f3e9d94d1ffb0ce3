//! What can be wrong before or while a session runs: one line with cause and cure, the right exit
//! code, nothing half written.

use std::{fs, net::UdpSocket, path::Path, process::Command};

use raq_shared::video::VideoFormat;
use raq_tests::{
    clips, model,
    sandbox::{PATIENCE, Sandbox, assert_error, run},
    transfer::{Receiver, start_sender},
};

fn format() -> VideoFormat {
    clips::format(64, 48, 10)
}

/// Sends what is at `input` to a receiver that is there; how raq-send ends, and how many frames
/// the receiver has written (none: no file).
fn sent(sandbox: &Sandbox, input: &Path) -> (xtask::program::Ended, Option<usize>) {
    let output = sandbox.path("received.y4m");
    let mut recv = sandbox.recv();
    let recv = Receiver::start(recv.args(["--once", "--output"]).arg(&output));
    let mut send = sandbox.send();
    let send = start_sender(send.arg("--input").arg(input), recv.address);
    let send = send.finish(PATIENCE).unwrap();
    // A sender that never connected is none to a receiver.
    let received = fs::exists(&output).unwrap();
    if received {
        recv.finish();
    }
    (send, received.then(|| clips::read(&output).1.len()))
}

fn refused_clip(contents: &[u8], words: &[&str]) {
    let sandbox = Sandbox::new();
    let path = sandbox.path("clip.y4m");
    fs::write(&path, contents).unwrap();
    let (send, received) = sent(&sandbox, &path);
    assert_error(&send, 1, words);
    assert_eq!(received, None);
}

#[test]
fn a_file_that_is_no_y4m() {
    refused_clip(b"RIFF\0\0\0\0AVI ", &["clip.y4m", "not a y4m", "ffmpeg"]);
    refused_clip(b"", &["clip.y4m"]);
    refused_clip(b"YUV4MPEG2 W64 F25:1\n", &["clip.y4m"]);
}

#[test]
fn a_picture_of_impossible_size() {
    refused_clip(
        b"YUV4MPEG2 W4000000000 H4000000000 F25:1\nFRAME\n",
        &["clip.y4m"],
    );
    refused_clip(b"YUV4MPEG2 W0 H48 F25:1\nFRAME\n", &["clip.y4m"]);
}

#[test]
fn a_clip_that_is_cut_off_is_sent_as_far_as_it_goes() {
    let sandbox = Sandbox::new();
    let clip = clips::generate(&sandbox, &format(), 5);
    let whole = fs::read(&clip).unwrap();
    fs::write(&clip, &whole[..whole.len() - 1000]).unwrap();
    let (send, received) = sent(&sandbox, &clip);
    assert_error(&send, 1, &["source.y4m", "cut off after frame 4"]);
    assert_eq!(received, Some(4), "what was good has arrived");
}

#[test]
fn a_clip_with_rubbish_after_a_frame() {
    let sandbox = Sandbox::new();
    let clip = clips::generate(&sandbox, &format(), 3);
    let mut bytes = fs::read(&clip).unwrap();
    bytes.extend(b"RUBBISH, and more of it\n");
    fs::write(&clip, bytes).unwrap();
    let (send, received) = sent(&sandbox, &clip);
    assert_error(&send, 1, &["source.y4m", "broken after frame 3"]);
    assert_eq!(received, Some(3));
}

#[test]
fn a_clip_that_is_not_there() {
    let sandbox = Sandbox::new();
    let (send, received) = sent(&sandbox, Path::new("missing.y4m"));
    assert_error(&send, 1, &["missing.y4m", "No such file"]);
    assert_eq!(received, None);
}

#[test]
fn figures_that_would_replace_a_clip() {
    let sandbox = Sandbox::new();
    let clip = clips::generate(&sandbox, &format(), 3);
    let whole = fs::read(&clip).unwrap();
    let mut send = sandbox.send();
    send.args(["--peer", "127.0.0.1:1", "--input"]).arg(&clip);
    let ended = run(send.arg("--stats").arg(&clip));
    assert_error(&ended, 2, &["source.y4m is also --input"]);
    assert!(fs::read(&clip).unwrap() == whole);
    let mut recv = sandbox.recv();
    recv.args(["--listen", "127.0.0.1:0", "--overwrite", "--output"]);
    let ended = run(recv.arg(&clip).arg("--stats").arg(&clip));
    assert_error(&ended, 2, &["source.y4m is also --output"]);
    assert!(fs::read(&clip).unwrap() == whole);
}

#[test]
fn a_port_in_use() {
    let sandbox = Sandbox::new();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let ended = run(sandbox
        .recv()
        .args(["--output", "null", "--listen", &address]));
    assert_error(&ended, 1, &[&address, "in use"]);
}

#[test]
fn a_peer_that_is_not_there() {
    let sandbox = Sandbox::new();
    let clip = clips::generate(&sandbox, &format(), 2);
    // Bound and silent: nobody else can take the port meanwhile.
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let peer = silent.local_addr().unwrap();
    let mut send = sandbox.send();
    let send = start_sender(send.arg("--input").arg(&clip), peer)
        .finish(PATIENCE)
        .unwrap();
    assert_error(&send, 4, &[&peer.to_string()]);
}

#[test]
fn a_peer_whose_name_means_nothing() {
    let sandbox = Sandbox::new();
    let clip = clips::generate(&sandbox, &format(), 2);
    for (peer, code) in [
        ("host.invalid:4433", 4),
        ("no-port", 2),
        (":4433", 2),
        ("h:99999", 2),
    ] {
        let ended = run(sandbox.send().args(["--peer", peer, "--input"]).arg(&clip));
        assert_eq!(ended.code(), Some(code), "{peer}: {}", ended.stderr);
    }
}

#[test]
fn an_output_that_exists_is_kept() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.path("precious.y4m"), "precious").unwrap();
    let ended = run(sandbox
        .recv()
        .args(["--listen", "127.0.0.1:0", "--output", "precious.y4m"]));
    assert_error(&ended, 2, &["precious.y4m", "--overwrite"]);
    assert_eq!(fs::read(sandbox.path("precious.y4m")).unwrap(), b"precious");
}

#[test]
fn no_display_and_no_output_given() {
    let sandbox = Sandbox::new();
    let ended = run(sandbox.recv().args(["--listen", "127.0.0.1:0"]));
    assert_error(&ended, 2, &["display", "--output", "FILE.y4m", "null"]);
}

#[test]
fn a_camera_that_is_not_there() {
    let sandbox = Sandbox::new();
    let send = ["--peer", "127.0.0.1:9", "--camera", "/dev/video-none"];
    assert_error(
        &run(sandbox.send().args(send)),
        6,
        &["/dev/video-none", "--list-cameras"],
    );
}

/// Both programs, asked about a copy of the model that `damage` has changed.
fn with_model(damage: impl Fn(&Path), words: &[&str]) {
    let print = ["--print-model"];
    with_changed_model(damage, &print, &print, words);
}

/// Both programs with these arguments and a copy of the model that `damage` has changed.
fn with_changed_model(damage: impl Fn(&Path), send: &[&str], recv: &[&str], words: &[&str]) {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("model");
    fs::create_dir(&folder).unwrap();
    for entry in fs::read_dir(model()).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), folder.join(entry.file_name())).unwrap();
        }
    }
    damage(&folder);
    let with_model = |command: &mut Command, arguments: &[&str]| {
        let ended = run(command.args(arguments).arg("--model").arg(&folder));
        assert_error(&ended, 5, words);
    };
    with_model(&mut sandbox.recv(), recv);
    with_model(&mut sandbox.send(), send);
}

/// Its codebooks are regenerated, but frames cannot be coded with them.
#[test]
fn a_model_without_tables() {
    let unlist = |folder: &Path| {
        let path = folder.join("manifest.json");
        let text = fs::read_to_string(&path).unwrap();
        let mut manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
        let files = manifest["files"].as_object_mut().unwrap();
        assert!(files.remove("tables.json").is_some());
        fs::write(&path, manifest.to_string()).unwrap();
    };
    let words = ["tables.json", "--model"];
    with_changed_model(
        unlist,
        &["--test-pattern", "--peer", "127.0.0.1:9"],
        &["--listen", "127.0.0.1:0", "--output", "null"],
        &words,
    );
    with_model(unlist, &words);
}

#[test]
fn a_model_file_that_is_missing() {
    with_model(
        |folder| {
            // The processor decides which of them is looked for.
            for decoder in ["decoder.onnx", "decoder_int8.onnx"] {
                fs::remove_file(folder.join(decoder)).unwrap();
            }
        },
        &["decoder", ".onnx: No such file", "--model"],
    );
    with_model(
        |folder| fs::remove_file(folder.join("manifest.json")).unwrap(),
        &["manifest.json", "--model"],
    );
}

#[test]
fn a_model_file_with_another_hash() {
    with_model(
        |folder| {
            let path = folder.join("adapter.onnx");
            let mut bytes = fs::read(&path).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            fs::write(&path, bytes).unwrap();
        },
        &["adapter.onnx", "BLAKE3", "the manifest says"],
    );
}

#[test]
fn a_model_file_that_is_cut_off() {
    with_model(
        |folder| {
            let path = folder.join("encoder.onnx");
            let bytes = fs::read(&path).unwrap();
            fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        },
        &["encoder.onnx", "bytes", "the manifest says"],
    );
}

#[test]
fn a_manifest_that_is_none() {
    with_model(
        |folder| fs::write(folder.join("manifest.json"), "{\"format\": 1").unwrap(),
        &["manifest.json", "cannot be used"],
    );
}

#[test]
fn a_library_that_does_not_load_is_not_passed_over() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.path("lib.so"), "no library").unwrap();
    for path in ["missing.so", "lib.so"] {
        let ended = run(sandbox
            .recv()
            .args(["--print-model", "--onnxruntime", path]));
        assert_error(&ended, 5, &[path, "--onnxruntime", "cargo xtask setup"]);
        let ended = run(sandbox
            .send()
            .arg("--print-model")
            .env("ORT_DYLIB_PATH", path));
        assert_error(&ended, 5, &[path, "ORT_DYLIB_PATH", "cargo xtask setup"]);
    }
}

#[test]
fn without_a_library_every_place_tried_is_listed() {
    let sandbox = Sandbox::new();
    let nowhere = sandbox.path("nowhere");
    let ended = run(sandbox
        .recv()
        .arg("--print-model")
        .env("RAQ_DATA_DIR", &nowhere));
    assert_error(
        &ended,
        5,
        &[
            &nowhere.display().to_string(),
            "libonnxruntime.so",
            "cargo xtask setup",
        ],
    );
}
