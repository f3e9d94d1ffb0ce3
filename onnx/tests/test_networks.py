"""Encoder and decoder: orthonormal skip, any size, ONNX equal to PyTorch to one level of 255."""

import numpy as np
import onnxruntime
import pytest
import torch

from raq_train import network_graph
from raq_train.config import ModelConfig
from raq_train.data import generate_pictures
from raq_train.model import LATENT_SCALE, UNQUANTISED_LEVEL, Autoencoder, to_patches
from raq_train.psnr import mean_psnr, pad_planes

WEIGHT = 0.6


@pytest.fixture(scope="module", params=[2, 0], ids=["encoder branch", "linear encoder"])
def model(request: pytest.FixtureRequest) -> Autoencoder:
    torch.manual_seed(2)
    config = ModelConfig(32, 16, request.param, 16, 2)
    model = Autoencoder(config, WEIGHT)
    pictures = [[torch.from_numpy(p).float() for p in pic] for pic in generate_pictures(6, 64, 1)]
    patches = [to_patches(y[None, None], c[None], WEIGHT) for y, c in pictures]
    model.set_basis(torch.cat([p.permute(0, 2, 3, 1).reshape(-1, p.shape[1]) for p in patches]))
    return model


def test_basis_is_orthonormal_and_shared(model: Autoencoder) -> None:
    basis = model.encoder.basis
    torch.testing.assert_close(basis @ basis.T, torch.eye(32), rtol=0, atol=1e-5)
    assert torch.equal(basis, model.decoder.basis)


def test_training_starts_at_the_principal_components(model: Autoencoder) -> None:
    picture = generate_pictures(1, 96, 5)[0]
    luma, chroma = (torch.from_numpy(p).float() for p in pad_planes(picture))
    patches = to_patches(luma, chroma, WEIGHT)
    with torch.no_grad():
        latents = model.encode(luma, chroma)
    expected = torch.einsum("dp,nphw->ndhw", model.encoder.basis, patches)
    torch.testing.assert_close(latents, expected, rtol=1e-4, atol=1e-2)
    assert mean_psnr(model, [picture]) > 30


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 96), (288, 352)])
def test_onnx_equals_pytorch(model: Autoencoder, height: int, width: int) -> None:
    torch.manual_seed(9)
    for parameter in model.parameters():  # away from the start, where the network branch is zero
        parameter.data.add_(0.02 * torch.randn_like(parameter))
    rng = np.random.default_rng(1)
    luma = rng.integers(0, 256, (1, 1, height, width), np.uint8)
    chroma = rng.integers(0, 256, (1, 2, height // 2, width // 2), np.uint8)
    encoder, decoder = (
        onnxruntime.InferenceSession(build(model).SerializeToString())
        for build in (network_graph.encoder, network_graph.decoder)
    )
    latents = encoder.run(None, {"luma": luma, "chroma": chroma})[0]
    with torch.no_grad():
        expected = model.encode(torch.from_numpy(luma).float(), torch.from_numpy(chroma).float())
        levels = torch.full_like(expected[:, :1], UNQUANTISED_LEVEL)
        levels[:, :, ::2] = torch.randint(0, 97, levels[:, :, ::2].shape)
        planes = model.decode(expected, levels)
    np.testing.assert_allclose(
        latents, expected.permute(0, 2, 3, 1).numpy() * LATENT_SCALE, atol=0.05
    )
    decoded = decoder.run(None, {"latents": latents, "depth": levels[:, 0].numpy()})
    for got, plane in zip(decoded, planes, strict=True):
        wanted = plane.round().clamp(0, 255).numpy()
        assert np.abs(got.astype(int) - wanted).max() <= 1


def test_levels_tell_the_decoder_how_much_to_trust_latents(model: Autoencoder) -> None:
    for parameter in model.decoder.parameters():
        parameter.data.add_(0.02 * torch.randn_like(parameter))
    latents = torch.randn(1, 32, 4, 4) * 20

    def decoded(level: float) -> torch.Tensor:
        with torch.no_grad():
            return model.decode(latents, torch.full((1, 1, 4, 4), level))[0]

    assert not torch.equal(decoded(60.0), decoded(96.0))
    assert not torch.equal(decoded(96.0), decoded(UNQUANTISED_LEVEL))
    # Below the coarsest that it knows all levels are the same.
    assert torch.equal(decoded(0.0), decoded(38.0))
