"""Checks wheels against their pinned SHA-256 and puts their shared libraries into one folder.

Usage: unpack.py WHEELS OUT SHA256...    (WHEELS holds one wheel for each sum, and no other)
"""

import hashlib
import pathlib
import re
import shutil
import sys
import zipfile

LIBRARY = re.compile(r"(onnxruntime/capi/libonnxruntime|nvidia/\w+/lib/lib)[^/]*\.so(\.[\d.]+)?")
# The second build of nvrtc (*.alt.so.13), which nothing here opens.
UNUSED = ".alt.so"


def sha256(path: pathlib.Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def main() -> None:
    wheels, out, pins = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), set(sys.argv[3:])
    found = {path: sha256(path) for path in sorted(wheels.glob("*.whl"))}
    for path, digest in found.items():
        if digest not in pins:
            sys.exit(f"{path.name} has SHA-256 {digest}, which is not the pinned one")
    missing = pins - set(found.values())
    if missing:
        sys.exit(f"no wheel has SHA-256 {', '.join(sorted(missing))}")
    for path in found:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                if LIBRARY.fullmatch(entry.filename) and UNUSED not in entry.filename:
                    target = out / pathlib.PurePosixPath(entry.filename).name
                    with archive.open(entry) as source, target.open("wb") as copy:
                        shutil.copyfileobj(source, copy, 1 << 20)


main()
