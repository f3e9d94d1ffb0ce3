"""Searches with FAISS as often as it is told to: `faiss_search.py FOLDER DIMS`.

FOLDER has `codewords` and `vectors`, 16-bit numbers. Each line of standard input is a number of
vectors; the answer is how many seconds they took, and their codewords' indices are in `indices`.
"""

import sys
import time
from pathlib import Path

import faiss
import numpy as np


def main() -> None:
    folder, dims = Path(sys.argv[1]), int(sys.argv[2])
    faiss.omp_set_num_threads(1)

    def rows(name: str) -> np.ndarray:
        numbers = np.fromfile(folder / name, dtype="<i2").astype(np.float32)
        return np.ascontiguousarray(numbers.reshape(-1, dims))

    index = faiss.IndexFlatL2(dims)
    index.add(rows("codewords"))
    vectors = rows("vectors")
    for line in sys.stdin:
        wanted = vectors[: int(line)]
        began = time.perf_counter()
        _, indices = index.search(wanted, 1)
        seconds = time.perf_counter() - began
        indices.astype("<i8").tofile(folder / "indices")
        print(seconds, flush=True)


main()
