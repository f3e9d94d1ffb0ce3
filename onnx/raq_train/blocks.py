"""Blocks of positions as vectors: what the codewords of a codebook stand for."""

from __future__ import annotations

from torch import Tensor


def to_vectors(latents: Tensor, cover: int, lead: int) -> Tensor:
    """Latents [N, D, h, w] to one vector [cover * cover * lead] a block: [M, dims].

    The positions of a block row by row, the leading components of a position together; `cover`
    divides the sides.
    """
    cut = latents[:, :lead].unfold(2, cover, cover).unfold(3, cover, cover)
    return cut.permute(0, 2, 3, 4, 5, 1).reshape(-1, cover * cover * lead)


def from_vectors(vectors: Tensor, cover: int, shape: tuple[int, int, int]) -> Tensor:
    """The inverse: vectors [M, dims] to [N, lead, h, w], where `shape` is (N, h, w)."""
    count, height, width = shape
    lead = vectors.shape[1] // cover**2
    cut = vectors.reshape(count, height // cover, width // cover, cover, cover, lead)
    return cut.permute(0, 5, 1, 3, 2, 4).reshape(count, lead, height, width)
