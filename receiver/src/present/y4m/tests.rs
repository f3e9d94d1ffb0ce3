use std::os::unix::fs::FileTypeExt;

use raq_shared::frame::FrameSize;
use raq_shared::video::{ChromaSiting, ColourRange, Fraction, FrameRate};
use raq_shared::y4m::Reader;

use super::*;

fn format() -> VideoFormat {
    VideoFormat {
        width: 17,
        height: 31,
        frame_rate: FrameRate::new(30000, 1001).unwrap(),
        aspect: Fraction::new(4, 3),
        chroma_siting: ChromaSiting::Mpeg2,
        colour_range: ColourRange::Limited,
    }
}

fn frame(luma: u8) -> Arc<Frame> {
    let size = FrameSize::new(17, 31).unwrap();
    let mut frame = Frame::new(size);
    frame.fill([&[luma; 17 * 31], &[100; 9 * 16], &[150; 9 * 16]]);
    Arc::new(frame)
}

/// The luma of every frame of a file.
fn lumas(path: &Path) -> Vec<u8> {
    let mut reader = Reader::new(File::open(path).unwrap()).unwrap();
    assert_eq!(
        reader.format(),
        format(),
        "rate, aspect, siting and range are written back"
    );
    let mut frame = Frame::new(reader.size());
    let mut lumas = Vec::new();
    while reader.read(&mut frame).unwrap() {
        lumas.push(frame.luma_tensor()[0]);
    }
    lumas
}

fn target(dir: &tempfile::TempDir, overwrite: bool) -> (PathBuf, Target) {
    let path = dir.path().join("out.y4m");
    (path.clone(), Target::File { path, overwrite })
}

#[test]
fn a_frame_is_found_under_its_number() {
    let dir = tempfile::tempdir().unwrap();
    let (path, target) = target(&dir, false);
    let mut y4m = Y4m::open(target).unwrap();
    y4m.begin(format(), Duration::ZERO).unwrap();
    for number in [2, 3, 6] {
        y4m.show(number, &frame(number as u8)).unwrap();
    }
    assert_eq!(y4m.finish(8).unwrap(), 2 + 2 + 1);
    assert_eq!(lumas(&path), [2, 2, 2, 3, 3, 3, 6, 6]);
}

/// 30000/1001 frames a second.
#[test]
fn a_session_after_another_goes_on_in_time() {
    let dir = tempfile::tempdir().unwrap();
    let (path, target) = target(&dir, false);
    let mut y4m = Y4m::open(target).unwrap();
    let millis = Duration::from_millis;
    let mut session = |gap, numbers: &[u32], sent| {
        y4m.begin(format(), gap).unwrap();
        for &number in numbers {
            y4m.show(number, &frame(10 * number as u8)).unwrap();
        }
        y4m.finish(sent).unwrap()
    };
    assert_eq!(
        session(millis(9000), &[1, 2], 4),
        2,
        "no gap before the first"
    );
    // Five intervals after frame 2, which stands in third place.
    assert_eq!(session(millis(170), &[0, 1], 2), 3);
    let so_far = [10, 10, 20, 20, 20, 20, 20, 0, 10];
    assert_eq!(lumas(&path), so_far);
    assert_eq!(session(millis(33), &[5], 6), 5, "no time has passed");
    // Nothing came of this one, but time has passed since the last frame.
    assert_eq!(session(millis(60), &[], 0), 0);
    assert_eq!(session(millis(100), &[7], 8), 1 + 7);
    assert_eq!(
        lumas(&path)[9..],
        [10, 10, 10, 10, 10, 50, 50, 50, 50, 50, 50, 50, 50, 50, 70]
    );
}

#[test]
fn a_long_gap_is_not_filled_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let (path, target) = target(&dir, false);
    let mut y4m = Y4m::open(target).unwrap();
    y4m.begin(format(), Duration::ZERO).unwrap();
    y4m.show(0, &frame(0)).unwrap();
    y4m.begin(format(), Duration::MAX).unwrap();
    y4m.show(0, &frame(0)).unwrap();
    assert_eq!(lumas(&path).len(), 30 * 30);
    let other = VideoFormat {
        width: 18,
        ..format()
    };
    assert!(y4m.begin(other, Duration::ZERO).is_err());
}

#[test]
fn the_file_is_readable_after_every_frame() {
    let dir = tempfile::tempdir().unwrap();
    let (path, target) = target(&dir, false);
    let mut y4m = Y4m::open(target).unwrap();
    y4m.begin(format(), Duration::ZERO).unwrap();
    for number in 0..5 {
        y4m.show(number, &frame(number as u8)).unwrap();
        assert_eq!(lumas(&path).len(), number as usize + 1);
    }
}

#[test]
fn frames_come_back_to_be_filled_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut y4m = Y4m::open(target(&dir, false).1).unwrap();
    y4m.begin(format(), Duration::ZERO).unwrap();
    let frames = [frame(0), frame(1)];
    for (number, frame) in (0..).zip(&frames) {
        y4m.show(number, frame).unwrap();
    }
    let holders = frames.map(|frame| Arc::strong_count(&frame));
    assert_eq!(holders, [1, 2], "the last one is kept for a gap");
}

#[test]
fn nothing_received_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let (path, target) = target(&dir, false);
    let mut y4m = Y4m::open(target).unwrap();
    y4m.begin(format(), Duration::ZERO).unwrap();
    assert_eq!(y4m.finish(100).unwrap(), 0);
    drop(y4m);
    assert!(!path.exists());
}

#[test]
fn an_existing_file_is_replaced_only_when_asked_and_only_by_frames() {
    let dir = tempfile::tempdir().unwrap();
    let (path, refused) = target(&dir, false);
    std::fs::write(&path, "precious").unwrap();
    let failure = Y4m::open(refused).err().unwrap();
    assert_eq!(failure.exit, Exit::Usage);
    assert!(failure.message.contains("--overwrite"), "{failure}");

    let mut y4m = Y4m::open(target(&dir, true).1).unwrap();
    y4m.begin(format(), Duration::ZERO).unwrap();
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        "precious",
        "until there is a frame"
    );
    y4m.show(0, &frame(9)).unwrap();
    assert_eq!(lumas(&path), [9]);
}

#[test]
fn a_file_that_appears_meanwhile_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (path, target) = target(&dir, false);
    let mut y4m = Y4m::open(target).unwrap();
    y4m.begin(format(), Duration::ZERO).unwrap();
    std::fs::write(&path, "precious").unwrap();
    let failure = y4m.show(0, &frame(0)).unwrap_err();
    assert!(failure.message.contains("--overwrite"), "{failure}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
}

#[test]
fn a_missing_folder_is_told_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("none/out.y4m");
    let failure = Y4m::open(Target::File {
        path,
        overwrite: false,
    })
    .err()
    .unwrap();
    assert_eq!(failure.exit, Exit::Failure);
    assert!(failure.message.contains("there is no folder"), "{failure}");
}

/// A full disk, as /dev/full plays it: the error names the cure, and the device stays.
#[test]
fn a_full_disk_is_an_error_with_a_cure() {
    let path = PathBuf::from("/dev/full");
    if !path
        .symlink_metadata()
        .is_ok_and(|meta| meta.file_type().is_char_device())
    {
        return raq_skips::skip("no /dev/full here");
    }
    let mut y4m = Y4m::open(Target::File {
        path: path.clone(),
        overwrite: true,
    })
    .unwrap();
    y4m.begin(format(), Duration::ZERO).unwrap();
    let failure = y4m.show(0, &frame(0)).unwrap_err();
    assert_eq!(failure.exit, Exit::Failure);
    assert!(failure.message.contains("free space"), "{failure}");
    assert!(path.exists());
}

/// A write that fails in the middle of a frame is cut back to the frames before it.
#[test]
fn half_a_frame_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let (path, target) = target(&dir, false);
    let mut y4m = Y4m::open(target.clone()).unwrap();
    y4m.begin(format(), Duration::ZERO).unwrap();
    y4m.show(0, &frame(1)).unwrap();
    let stream = y4m.stream.as_ref().unwrap();
    io::Write::write_all(&mut &*stream.file, b"FRAME\nhalf").unwrap();
    stream.cut_to_whole_frames(&target);
    assert_eq!(lumas(&path), [1]);
}

#[test]
fn places_that_cannot_be_written_are_told_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let link = dir.path().join("link.y4m");
    std::os::unix::fs::symlink("nowhere/at-all.y4m", &link).unwrap();
    for path in [dir.path().to_owned(), link, "/proc/out.y4m".into()] {
        let overwrite = true;
        let failure = Y4m::open(Target::File { path, overwrite }).err().unwrap();
        assert!(failure.message.contains("choose another"), "{failure}");
    }
    let (path, target) = target(&dir, false);
    Y4m::open(target).unwrap();
    assert!(!path.exists(), "trying leaves nothing");
}
