"""Rate-Adaptive Quantization as its paper has it (arXiv 2405.14222), and what could replace it."""
