"""Training, evaluation and export of raq's models (PyTorch)."""

import os

# ONNX Runtime reads it when it is imported, and would otherwise send usage data to Microsoft.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
