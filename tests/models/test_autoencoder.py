import jax
import numpy as np
import pytest
import torch
import torch.nn.functional as F

import cutaway as ct
from cutaway.errors import OptionError, ShapeError
from cutaway.losses import gaussian_kl_divergence, mean_squared_error
from cutaway.models import (
    VariationalAutoencoder,
    convolutional_autoencoder,
    convolutional_vae,
    dense_autoencoder,
    dense_vae,
)

pytestmark = pytest.mark.slow  # one network of a kind is in every run: ResNet, BERT, WaveNet


RNG = np.random.default_rng(0)


def moments(rows=5, features=3):
    return (
        RNG.normal(size=(rows, features)).astype(np.float32),
        RNG.normal(size=(rows, features)).astype(np.float32),
    )


def test_the_divergence_is_that_of_torch_distributions_and_so_are_its_gradients():
    mean, log_variance = moments()
    ours = [ct.Tensor(v, requires_grad=True) for v in (mean, log_variance)]
    weights = np.array([1, 0, 2, 1, 0.5], np.float32)
    value = gaussian_kl_divergence(*ours, row_weights=weights)
    value.backward()
    m, v = (torch.tensor(a, requires_grad=True) for a in (mean, log_variance))
    posterior = torch.distributions.Normal(m, torch.exp(v / 2))
    each = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0))
    theirs = (torch.tensor(weights) * each.sum(dim=-1)).sum() / weights.sum()
    theirs.backward()
    assert value.item() == pytest.approx(theirs.item(), rel=1e-5)
    for a, b in zip(ours, (m, v), strict=True):
        np.testing.assert_allclose(a.grad, b.grad, rtol=1e-5, atol=1e-7)


def test_the_divergence_is_the_mean_of_log_q_minus_log_p_over_draws():
    mean, log_variance = moments(1, 3)
    z = mean + np.exp(log_variance / 2) * RNG.normal(size=(400_000, 3))
    log_q = -0.5 * (log_variance + (z - mean) ** 2 / np.exp(log_variance))
    draws = (log_q + 0.5 * z**2).sum(axis=1)
    error = draws.std() / np.sqrt(len(draws))
    assert abs(gaussian_kl_divergence(mean, log_variance).item() - draws.mean()) < 4 * error


def test_the_divergences_gradient_is_that_of_central_differences():
    with ct.float64():
        a, b = (v.astype(np.float64) for v in moments())
        ct.check_gradient(lambda m, v: gaussian_kl_divergence(m, v, reduction="sum"), a, b)


def test_means_and_variances_of_different_shapes_are_refused():
    with pytest.raises(ShapeError, match=r"\(2, 3\).*\(2, 4\)"):
        gaussian_kl_divergence(np.zeros((2, 3)), np.zeros((2, 4)))


def dense(w, at, x, count):
    for i in range(count):
        x = x @ w[f"{at}.{2 * i}.weight"] + w[f"{at}.{2 * i}.bias"]
        x = torch.relu(x) if i < count - 1 else x
    return x


def test_loss_and_gradients_are_torchs_with_the_same_weights_and_the_same_noise():
    net = dense_vae((12, 7, 3), beta=0.7)
    x = RNG.uniform(size=(6, 12)).astype(np.float32)
    noise = jax.random.normal(jax.random.split(net.key.data)[1], (6, 3))
    w = {k: torch.tensor(np.array(v.data), requires_grad=True) for k, v in parameters(net)}
    terms = net.loss(net(x), ct.Tensor(x))
    loss = terms["reconstruction"] + terms["kl"]
    loss.backward()
    code = dense(w, "encoder", torch.tensor(x), 2)
    mean, log_variance = code[:, :3], code[:, 3:]
    z = mean + torch.exp(log_variance / 2) * torch.tensor(np.array(noise))
    wrong = F.binary_cross_entropy_with_logits(
        dense(w, "decoder", z, 2), torch.tensor(x), reduction="sum"
    )
    posterior = torch.distributions.Normal(mean, torch.exp(log_variance / 2))
    far = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0))
    theirs = (wrong + 0.7 * far.sum()) / 6
    theirs.backward()
    assert terms["reconstruction"].item() == pytest.approx(wrong.item() / 6, rel=1e-5)
    assert terms["kl"].item() == pytest.approx(0.7 * far.sum().item() / 6, rel=1e-5)
    for path, parameter in parameters(net):
        np.testing.assert_allclose(parameter.grad, w[path].grad, rtol=1e-4, atol=1e-5, err_msg=path)


def parameters(net):
    return net.named_parameters().items()


def test_the_convolutional_one_is_torchs_with_the_same_weights():
    net = convolutional_autoencoder((8, 12, 2), channels=(3, 4), code=5)
    x = RNG.uniform(size=(2, 8, 12, 2)).astype(np.float32)
    y = net(x)
    mean_squared_error(y, x).backward()
    w = {k: torch.tensor(np.array(v.data), requires_grad=True) for k, v in parameters(net)}
    h = torch.tensor(x).permute(0, 3, 1, 2)
    for i in (0, 2):
        kernel = w[f"encoder.{i}.weight"].permute(3, 2, 0, 1)
        h = torch.relu(F.conv2d(h, kernel, w[f"encoder.{i}.bias"], stride=2, padding=1))
    h = h.permute(0, 2, 3, 1).reshape(2, -1) @ w["encoder.5.weight"] + w["encoder.5.bias"]
    h = torch.relu(h @ w["decoder.0.weight"] + w["decoder.0.bias"])
    h = h.reshape(2, 2, 3, 4).permute(0, 3, 1, 2)
    for i in (3, 5):
        kernel = w[f"decoder.{i}.weight"].permute(2, 3, 0, 1)
        h = F.conv_transpose2d(h, kernel, w[f"decoder.{i}.bias"], stride=2, padding=1)
        h = torch.relu(h) if i == 3 else h
    theirs = h.permute(0, 2, 3, 1)
    np.testing.assert_allclose(y.numpy(), theirs.detach(), rtol=1e-4, atol=1e-5)
    F.mse_loss(theirs, torch.tensor(x)).backward()
    for path, parameter in parameters(net):
        np.testing.assert_allclose(parameter.grad, w[path].grad, rtol=1e-4, atol=1e-6, err_msg=path)


def test_a_linear_autoencoder_finds_what_the_principal_components_give():
    # Baldi & Hornik 1989: its best is the projection onto the first components
    x = (RNG.normal(size=(200, 2)) @ RNG.normal(size=(2, 6))).astype(np.float32)
    x += 0.3 * RNG.normal(size=x.shape).astype(np.float32)
    x -= x.mean(axis=0)
    _, values, _ = np.linalg.svd(x, full_matrices=False)
    best = (values[2:] ** 2).sum() / x.size
    net = dense_autoencoder((6, 2))
    optimizer = ct.Adam(net, lr=0.02)
    trainer = ct.Trainer(net, loss=mean_squared_error, optimizer=optimizer)
    trainer.fit(x, x, epochs=2000, batch_size=200, seed=0)
    error = trainer.evaluate(x, x)["loss"]
    assert best - 1e-5 <= error < 1.01 * best


def test_a_variational_autoencoder_trains_with_an_ordinary_trainer():
    """Four patterns: the code keeps them apart, and samples look like them."""
    patterns = RNG.integers(0, 2, (4, 4, 4, 1)).astype(np.float32)
    x = np.repeat(patterns, 16, axis=0)
    net = convolutional_vae((4, 4, 1), channels=(16,), code=2)
    untrained = net.sample(500, seed=1)
    trainer = ct.Trainer(net, loss=net.loss, optimizer=ct.Adam(net, lr=5e-3))
    history = trainer.fit(x, x, epochs=120, batch_size=32, validation=(x, x), seed=0)
    assert history["val_loss"][-1] < history["loss"][-1] < 0.6 * history["loss"][0]
    for part in ("", "val_"):
        terms = (history[f"{part}loss_{name}"] for name in ("reconstruction", "kl"))
        np.testing.assert_allclose(np.sum(list(terms), axis=0), history[f"{part}loss"], rtol=1e-5)
    codes = net.encode(patterns)[0].numpy()
    images, means, _ = trainer.predict(patterns)
    assert images.shape == patterns.shape
    np.testing.assert_allclose(means, codes, rtol=1e-4, atol=1e-5)
    assert np.abs(net.reconstruct(patterns) - patterns).max() < 0.2
    samples = net.sample(500, seed=1)

    def from_nearest(images):
        return np.median(np.abs(images[:, None] - patterns).mean(axis=(2, 3, 4)).min(axis=1))

    assert from_nearest(samples) < 0.25 * from_nearest(untrained)
    np.testing.assert_array_equal(samples, net.sample(500, seed=1))


def test_the_code_is_drawn_in_training_and_its_middle_taken_in_evaluation():
    net = dense_vae((6, 4, 2))
    x = RNG.uniform(size=(3, 6)).astype(np.float32)
    assert not np.array_equal(net(x)[0].numpy(), net(x)[0].numpy())
    net.eval()
    mean, log_variance = net.encode(x)
    logits = net.decoder(mean)
    for found, expected in zip(net(x), (logits, mean, log_variance), strict=True):
        np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-6)
    np.testing.assert_allclose(net.reconstruct(x), 1 / (1 + np.exp(-logits.numpy())), rtol=1e-5)


def test_sizes_that_make_no_sense_are_named():
    with pytest.raises(OptionError, match=r"\(30, 28, 1\) with 2 stages"):
        convolutional_autoencoder((30, 28, 1))
    net = dense_vae((12, 6, 3))
    with pytest.raises(ShapeError, match="outputs 12 values per row"):
        net.loss(net(np.ones((2, 12))), np.ones((2, 10)))
    with pytest.raises(ShapeError, match="the code"):
        VariationalAutoencoder(ct.Linear(12, 5), ct.Linear(3, 12), 3)(np.ones((2, 12)))
    with pytest.raises(OptionError, match="beta"):
        dense_vae((6, 2), beta=-1)
