"""Attention layers equal PyTorch's, masks hide what they say, positions count."""

import jax.numpy as jnp
import numpy as np
import pytest
import torch

import cutaway as ct
from cutaway import ops
from cutaway.engine import Tensor, float64
from cutaway.errors import OptionError, ShapeError

RTOL = {"float32": 1e-5, "float64": 1e-10}
FEATURES, HEADS = 8, 2


def close(ours, theirs, rtol):
    theirs = theirs.detach().numpy() if isinstance(theirs, torch.Tensor) else theirs
    scale = max(1.0, np.abs(theirs).max())
    np.testing.assert_allclose(np.asarray(ours), theirs, rtol=rtol, atol=rtol * scale)


def drawn(*shape, seed=0, dtype="float32"):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def pairs(ours, theirs):
    """(our parameter, PyTorch's, whether it is transposed there) of two equal modules."""
    if isinstance(theirs, torch.nn.MultiheadAttention):
        yield ours.query_key_value.weight, theirs.in_proj_weight
        yield ours.query_key_value.bias, theirs.in_proj_bias
        yield from pairs(ours.out, theirs.out_proj)
    elif isinstance(theirs, torch.nn.TransformerEncoderLayer):
        yield from pairs(ours.attention, theirs.self_attn)
        yield from pairs(ours.attention_norm, theirs.norm1)
        yield from pairs(ours.hidden, theirs.linear1)
        yield from pairs(ours.out, theirs.linear2)
        yield from pairs(ours.norm, theirs.norm2)
    elif isinstance(theirs, torch.nn.TransformerEncoder):
        for a, b in zip(ours.layers, theirs.layers, strict=True):
            yield from pairs(a, b)
        if theirs.norm is not None:
            yield from pairs(ours.norm, theirs.norm)
    else:
        yield ours.weight, theirs.weight
        yield ours.bias, theirs.bias


def same_weights(ours, theirs, dtype):
    """Random weights in both; the number of parameters is the same."""
    rng = np.random.default_rng(5)
    ours.astype(dtype)
    theirs.to(getattr(torch, dtype))
    found = list(pairs(ours, theirs))
    assert len(found) == len(ours.parameters()) == len(list(theirs.parameters()))
    for a, b in found:
        value = rng.normal(size=a.shape).astype(dtype) * 0.5
        a.data = jnp.asarray(value)
        b.data = torch.tensor(value.T if value.ndim == 2 else value)


def expect_equal(ours, theirs, run_ours, run_theirs, inputs, rtol):
    a = [Tensor(jnp.asarray(x), requires_grad=True) for x in inputs]
    b = [torch.tensor(x, requires_grad=True) for x in inputs]
    out, expected = run_ours(*a), run_theirs(*b)
    (out * out + out).sum().backward()
    (expected**2 + expected).sum().backward()
    close(out.data, expected, rtol)
    for x, y in zip(a, b, strict=True):
        close(x.grad, y.grad, rtol)
    for x, y in pairs(ours, theirs):
        close(x.grad, y.grad.T if y.ndim == 2 else y.grad, rtol)


PADDING = np.array([[True, True, True, False, False], [True, True, True, True, True]])
EARLIER = np.tri(5, dtype=bool)


@pytest.mark.parametrize("dtype", RTOL)
@pytest.mark.parametrize("kind", ["self", "padding", "mask", "cross", "cross with padding"])
def test_multi_head_attention_equals_pytorch_forward_weights_and_every_gradient(dtype, kind):
    x, context = drawn(2, 5, FEATURES, dtype=dtype), drawn(2, 5, FEATURES, seed=1, dtype=dtype)
    inputs = [x, context[:, :4]] if kind == "cross" else [x, context] if "cross" in kind else [x]
    padding = PADDING if "padding" in kind else None
    mask = EARLIER if kind == "mask" else None
    with float64():
        ours = ct.MultiHeadAttention(FEATURES, HEADS)
        theirs = torch.nn.MultiheadAttention(FEATURES, HEADS, batch_first=True)
        same_weights(ours, theirs, dtype)

        def run_theirs(q, kv=None):
            kv = q if kv is None else kv
            hidden = None if padding is None else torch.tensor(~padding)
            later = None if mask is None else torch.tensor(~mask)
            options = {"key_padding_mask": hidden, "attn_mask": later}
            out, run_theirs.weights = theirs(q, kv, kv, average_attn_weights=False, **options)
            return out

        def run_ours(*tensors):
            return ours(*tensors, padding_mask=padding, mask=mask)

        expect_equal(ours, theirs, run_ours, run_theirs, inputs, RTOL[dtype])
        weights = ours.weights(*inputs, padding_mask=padding, mask=mask)
        close(weights.data, run_theirs.weights, RTOL[dtype])


@pytest.mark.parametrize("dtype", RTOL)
@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("norm_first", [True, False])
def test_the_encoder_layer_equals_pytorch_forward_and_every_gradient(norm_first, activation, dtype):
    with float64():
        ours = ct.TransformerEncoderLayer(
            FEATURES, HEADS, 12, activation=getattr(ops, activation), norm_first=norm_first
        )
        theirs = torch.nn.TransformerEncoderLayer(
            FEATURES, HEADS, 12, 0.0, activation, batch_first=True, norm_first=norm_first
        )
        same_weights(ours, theirs, dtype)
        expect_equal(
            ours,
            theirs,
            lambda x: ours(x, PADDING),
            lambda x: theirs(x, src_key_padding_mask=torch.tensor(~PADDING)),
            [drawn(2, 5, FEATURES, dtype=dtype)],
            RTOL[dtype],
        )


@pytest.mark.parametrize("norm_first", [True, False])
def test_the_encoder_equals_pytorch_forward_and_every_gradient(norm_first):
    ours = ct.TransformerEncoder(FEATURES, HEADS, 12, num_layers=2, norm_first=norm_first)
    layer = torch.nn.TransformerEncoderLayer(
        FEATURES, HEADS, 12, 0.0, "gelu", batch_first=True, norm_first=norm_first
    )
    norm = torch.nn.LayerNorm(FEATURES) if norm_first else None
    theirs = torch.nn.TransformerEncoder(layer, 2, norm=norm, enable_nested_tensor=False)
    with float64():  # two layers in float32 differ by more than 1e-5, PyTorch's from exact too
        same_weights(ours, theirs, "float64")
        x = drawn(2, 5, FEATURES, dtype="float64")
        expect_equal(ours, theirs, ours, theirs, [x], 1e-10)


def test_what_stands_in_the_padding_changes_nothing():
    net = ct.TransformerEncoder(FEATURES, HEADS, num_layers=2, rotary=True)
    x = drawn(2, 5, FEATURES)
    real = PADDING[..., None]
    first = net(x, padding_mask=PADDING).numpy()
    altered = np.where(real, x, 100 * drawn(2, 5, FEATURES, seed=7))
    permuted = x.copy()
    permuted[0, 3:] = x[0, [4, 3]]
    for other in (altered, permuted):
        np.testing.assert_allclose(
            np.where(real, net(other, padding_mask=PADDING).numpy(), 0),
            np.where(real, first, 0),
            rtol=1e-5,
            atol=1e-6,
        )
    short = net(x[:1, :3]).numpy()  # without the padding at all
    np.testing.assert_allclose(first[:1, :3], short, rtol=1e-4, atol=1e-5)
    leaf = Tensor(x, requires_grad=True)
    (net(leaf, padding_mask=PADDING) * real).sum().backward()
    assert not np.asarray(leaf.grad)[~PADDING].any()
    assert np.asarray(leaf.grad)[PADDING].any(axis=-1).all()


@pytest.mark.parametrize("rotary", [False, True])
def test_causal_layers_see_no_future(rotary):
    net = ct.TransformerEncoder(FEATURES, HEADS, num_layers=2, causal=True, rotary=rotary)
    x = drawn(1, 5, FEATURES)
    for t in range(5):
        leaf = Tensor(x, requires_grad=True)
        (net(leaf)[0, t] * drawn(FEATURES, seed=2)).sum().backward()
        assert not leaf.grad[0, t + 1 :].any()
        assert np.asarray(leaf.grad[0, : t + 1]).any(axis=-1).all()
    by_mask = ct.TransformerEncoder(FEATURES, HEADS, num_layers=2, rotary=rotary)
    by_mask.load_state_dict(net.state_dict())
    masks = [EARLIER, EARLIER[None], EARLIER[None, None]]
    for mask in masks:
        np.testing.assert_allclose(
            net(x).numpy(), by_mask(x, mask=mask).numpy(), rtol=1e-5, atol=1e-6
        )


def test_masks_of_keys_and_of_positions_join():
    layer = ct.MultiHeadAttention(FEATURES, HEADS)
    causal = ct.MultiHeadAttention(FEATURES, HEADS, causal=True)
    causal.load_state_dict(layer.state_dict())
    x = drawn(2, 5, FEATURES)
    expected = (EARLIER & PADDING[:, None])[:, None]
    for weights in (
        layer.weights(x, padding_mask=PADDING, mask=EARLIER),
        causal.weights(x, padding_mask=PADDING),
        layer.weights(x, mask=np.broadcast_to(expected, (2, HEADS, 5, 5))),
    ):
        np.testing.assert_array_equal(
            weights.numpy() > 0, np.broadcast_to(expected, (2, HEADS, 5, 5))
        )
        np.testing.assert_allclose(weights.numpy().sum(-1), 1, rtol=1e-5)


def test_without_positions_attention_does_not_know_the_order_and_with_them_it_does():
    x = drawn(1, 5, FEATURES)
    order = [3, 1, 4, 0, 2]

    def turns_with_its_input(net):
        return np.allclose(net(x).numpy()[:, order], net(x[:, order]).numpy(), atol=1e-5)

    plain = ct.TransformerEncoderLayer(FEATURES, HEADS)
    assert turns_with_its_input(plain)
    assert not turns_with_its_input(ct.TransformerEncoderLayer(FEATURES, HEADS, rotary=True))
    for positions in (ct.SinusoidalPositions(FEATURES), ct.LearnedPositions(5, FEATURES)):
        if isinstance(positions, ct.LearnedPositions):
            positions.weight.data = positions.weight.data * 50
        assert not turns_with_its_input(ct.Sequential(positions, plain))


def test_rotary_attention_depends_on_distances_only():
    layer = ct.MultiHeadAttention(FEATURES, HEADS, rotary=True)
    x = drawn(1, 4, FEATURES)
    shifted = np.concatenate([drawn(1, 3, FEATURES, seed=4), x], axis=1)
    mask = np.array([[False] * 3 + [True] * 4])
    np.testing.assert_allclose(
        layer(shifted, padding_mask=mask).numpy()[:, 3:], layer(x).numpy(), rtol=1e-4, atol=1e-5
    )


def test_sinusoidal_positions_are_the_papers():
    y = ct.SinusoidalPositions(5)(np.zeros((2, 3, 5), np.float32)).numpy()
    for t in range(3):
        waves = [t, t, t / 10000 ** (2 / 5), t / 10000 ** (2 / 5), t / 10000 ** (4 / 5)]
        functions = [np.sin, np.cos, np.sin, np.cos, np.sin]
        expected = [f(w) for f, w in zip(functions, waves, strict=True)]
        np.testing.assert_allclose(y[:, t], [expected] * 2, rtol=1e-6)


def test_learned_positions_get_gradients_for_the_tokens_that_came():
    layer = ct.LearnedPositions(4, 2)
    x = drawn(3, 2, 2)
    np.testing.assert_allclose(layer(x).numpy(), x + layer.weight.numpy()[:2], rtol=1e-6)
    layer(x).sum().backward()
    assert layer.weight.grad.tolist() == [[3, 3], [3, 3], [0, 0], [0, 0]]


def steps(net, x, count, compiled):
    optimizer = ct.SGD(net, lr=0.05)

    def step(x):
        loss = ct.losses.mean_squared_error(net(x, padding_mask=PADDING), x * 0)
        loss.backward()
        optimizer.step()
        return loss

    step = ct.jit(step, net, optimizer) if compiled else step
    return [step(Tensor(x)).item() for _ in range(count)]


@pytest.mark.slow
def test_compiled_steps_with_dropout_equal_eager_ones():
    runs = []
    for compiled in (False, True):
        ct.seed(3)
        net = ct.TransformerEncoder(FEATURES, HEADS, 12, num_layers=1, dropout=0.3, causal=True)
        runs.append(steps(net, drawn(2, 5, FEATURES), 3, compiled))
    np.testing.assert_allclose(runs[0], runs[1], rtol=1e-4)


def test_dropout_draws_anew_in_training_and_rests_in_evaluation():
    net = ct.MultiHeadAttention(FEATURES, HEADS, dropout=0.5)
    x = drawn(1, 5, FEATURES)
    assert not np.array_equal(net(x).numpy(), net(x).numpy())
    net.eval()
    plain = ct.MultiHeadAttention(FEATURES, HEADS)
    plain.load_state_dict(net.state_dict())
    np.testing.assert_array_equal(net(x).numpy(), net(x).numpy())
    np.testing.assert_array_equal(net(x).numpy(), plain(x).numpy())


X = np.ones((2, 5, FEATURES), np.float32)


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        (lambda n: ct.MultiHeadAttention(8, 3), OptionError, "choose num_heads from 1, 2, 4, 8"),
        (lambda n: ct.MultiHeadAttention(6, 2, rotary=True), OptionError, "even number"),
        (lambda n: ct.MultiHeadAttention(8, 2, dropout=1.0), OptionError, "dropout is 1.0"),
        (lambda n: ct.TransformerEncoder(8, 2, num_layers=0), OptionError, "num_layers is 0"),
        (lambda n: n(X[..., :4]), ShapeError, "features=8"),
        (lambda n: n(X[0]), ShapeError, r"shape \(5, 8\)(.|\n)*batch, tokens, 8"),
        (lambda n: n(X, X[:1]), ShapeError, "equal batch sizes"),
        (
            lambda n: n(X, padding_mask=np.ones((2, 4), bool)),
            ShapeError,
            r"padding mask has shape \(2, 4\)(.|\n)*\(batch, keys\) = \(2, 5\)",
        ),
        (lambda n: n(X, padding_mask=np.ones((2, 5))), OptionError, "has dtype float"),
        (lambda n: n(X, mask=np.ones((5, 5), np.int32)), OptionError, "has dtype int32"),
        (lambda n: n(X, mask=np.ones((2, 5), bool)), ShapeError, "keys only as padding_mask"),
        (lambda n: n(X, mask=np.ones((2, 3, 5, 5), bool)), ShapeError, "1 or heads"),
        (
            lambda n: ct.MultiHeadAttention(8, 2, rotary=True)(X, X),
            OptionError,
            "rotary positions with a context",
        ),
        (lambda n: ct.LearnedPositions(4, 8)(X), ShapeError, "max_tokens=5"),
        (lambda n: ct.SinusoidalPositions(4)(X), ShapeError, "features=4"),
    ],
)
def test_what_does_not_fit_is_named(wrong, error, words):
    with pytest.raises(error, match=words):
        wrong(ct.MultiHeadAttention(FEATURES, HEADS))
