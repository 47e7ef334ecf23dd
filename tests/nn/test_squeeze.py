"""Squeeze and excitation against torchvision's."""

import numpy as np
import pytest

import cutaway as ct
from cutaway.errors import ShapeError
from tests.oracles import oracle


def test_squeeze_and_excitation_equals_torchvisions():
    torch, tv = oracle("torch"), oracle("torchvision.ops")
    layer, theirs = ct.SqueezeExcite(6, 2), tv.SqueezeExcitation(6, 2)
    for ours, conv in ((layer.reduce, theirs.fc1), (layer.expand, theirs.fc2)):
        ours.weight.data = conv.weight.detach().numpy()[:, :, 0, 0].T
        ours.bias.data = conv.bias.detach().numpy()
    x = np.random.default_rng(0).normal(size=(2, 5, 4, 6)).astype(np.float32)
    a = ct.Tensor(x, requires_grad=True)
    b = torch.tensor(x.transpose(0, 3, 1, 2), requires_grad=True)
    out, expected = layer(a), theirs(b)
    (out * out).sum().backward()
    (expected * expected).sum().backward()
    np.testing.assert_allclose(
        out.numpy(), expected.detach().numpy().transpose(0, 2, 3, 1), rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(a.grad, b.grad.numpy().transpose(0, 2, 3, 1), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        layer.reduce.weight.grad, theirs.fc1.weight.grad[:, :, 0, 0].numpy().T, rtol=1e-4, atol=1e-5
    )


def test_another_number_of_channels_is_named():
    with pytest.raises(ShapeError, match="channels=6"):
        ct.SqueezeExcite(6, 2)(np.ones((1, 4, 4, 5)))
