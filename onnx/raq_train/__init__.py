"""Training, evaluation and export of raq's models (PyTorch)."""
