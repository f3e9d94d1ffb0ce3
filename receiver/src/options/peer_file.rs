//! Names of files that every peer has one of its own for.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

/// What stands for the number of a peer.
const NUMBER: &[u8] = b"{peer}";

/// Whether the name has a place for the number.
pub(super) fn has_number(path: &Path) -> bool {
    let name = path.as_os_str().as_bytes();
    name.windows(NUMBER.len()).any(|it| it == NUMBER)
}

/// The name with the number in every such place; other names stay as they are.
pub(super) fn of_peer(path: &Path, number: u32) -> PathBuf {
    let mut name = Vec::new();
    let mut rest = path.as_os_str().as_bytes();
    while let Some((&first, others)) = rest.split_first() {
        match rest.strip_prefix(NUMBER) {
            Some(after) => {
                name.extend(number.to_string().into_bytes());
                rest = after;
            }
            None => {
                name.push(first);
                rest = others;
            }
        }
    }
    PathBuf::from(OsString::from_vec(name))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn the_number_stands_wherever_its_place_is() {
        let of = |name: &str| of_peer(Path::new(name), 12);
        assert_eq!(of("{peer}/a-{peer}.mkv"), Path::new("12/a-12.mkv"));
        assert_eq!(of("a-{pee}.mkv"), Path::new("a-{pee}.mkv"));
        assert_eq!(of("{{peer}"), Path::new("{12"));
        assert!(has_number(Path::new("a{peer}")) && !has_number(Path::new("{peer")));
        let odd = Path::new(OsStr::from_bytes(b"\xff{peer}"));
        assert_eq!(of_peer(odd, 1).as_os_str().as_bytes(), b"\xff1");
    }
}
