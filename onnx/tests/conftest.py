"""Heavy packages may be absent: then these tests skip, or fail under RAQ_REQUIRE_ALL=1."""

import importlib.util
import os

import pytest

# Threads that wait for each other crawl where another program has one of two cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# As in raq_train, for tests that import ONNX Runtime first.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

_NEEDED = (
    "torch",
    "onnx",
    "onnxruntime",
    "blake3",
    "vector_quantize_pytorch",
    "torchmetrics",
    "matplotlib",
)
_MISSING = [name for name in _NEEDED if not importlib.util.find_spec(name)]

collect_ignore_glob = ["test_*.py", "paper/test_*.py"] if _MISSING else []


def pytest_sessionstart(session: pytest.Session) -> None:
    if _MISSING:
        reason = f"onnx/tests need {', '.join(_MISSING)}: run `cargo xtask setup --train`"
        if os.environ.get("RAQ_REQUIRE_ALL") == "1":
            pytest.exit(f"{reason} (RAQ_REQUIRE_ALL=1)", returncode=1)
        print(f"skipped: {reason}")
