"""Convolution, pooling and upsampling equal PyTorch's, forward and every gradient."""

import importlib
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

import cutaway as ct
from cutaway import ops
from cutaway.engine import Operation, Tensor, check_gradient, float64, gradients
from cutaway.errors import OptionError, ShapeError
from cutaway.ops.correlation import WINOGRAD, choose
from tests.shapes import few


def torch_layout(x):
    """(batch, *sizes, channels) -> (batch, channels, *sizes)."""
    return np.moveaxis(x, -1, 1)


def torch_kernel(w, groups=1, transposed=False):
    """(*window, in / groups, out) in the order of torch.nn.Conv or ConvTranspose."""
    if not transposed:
        return np.moveaxis(w, (-1, -2), (0, 1))
    *window, fan, out = w.shape
    w = w.reshape(*window, fan, groups, out // groups)
    w = np.moveaxis(w, -2, -3).reshape(*window, groups * fan, out // groups)
    return np.moveaxis(w, (-2, -1), (0, 1))


def expect_torch_agrees(ours, theirs, arrays, to_torch, rtol):
    """Value and gradients of Σ weights · f(arrays) by both."""
    leaves = [Tensor(jnp.asarray(a), requires_grad=True) for a in arrays]
    out = ours(*leaves)
    rng = np.random.default_rng(1)
    weights = rng.uniform(0.5, 1.5, out.shape).astype(out.dtype)
    grads = {id(t): g for t, g in gradients(out, jnp.asarray(weights))}

    tensors = [
        torch.tensor(np.ascontiguousarray(f(a)), requires_grad=True)
        for f, a in zip(to_torch, arrays, strict=True)
    ]
    expected = theirs(*tensors)
    expected.backward(torch.tensor(np.ascontiguousarray(torch_layout(weights))))
    close(torch_layout(np.asarray(out.data)), expected.detach().numpy(), rtol)
    for leaf, f, tensor in zip(leaves, to_torch, tensors, strict=True):
        close(f(np.asarray(grads[id(leaf)])), tensor.grad.numpy(), rtol)


def close(ours, theirs, rtol):
    assert ours.shape == theirs.shape
    scale = max(np.abs(theirs).max(initial=0), 1e-3)
    np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=rtol * scale)


@st.composite
def convolutions(draw):
    axes = draw(st.sampled_from((1, 2, 2, 3)))
    groups, fan, share = draw(
        st.sampled_from(((1, 3, 2), (1, 1, 4), (2, 2, 3), (4, 1, 1), (3, 1, 2)))
    )
    per = lambda least, most: tuple(draw(st.integers(least, most)) for _ in range(axes))  # noqa: E731
    kernel, stride, dilation = per(1, 3), per(1, 3), per(1, 2)
    padding = per(0, 2)
    sizes = tuple(
        draw(st.integers(max(d * (k - 1) + 1 - 2 * p, 1), 7))
        for k, d, p in zip(kernel, dilation, padding, strict=True)
    )
    return {
        "x": (draw(st.integers(1, 2)), *sizes, groups * fan),
        "w": (*kernel, fan, groups * share),
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "groups": groups,
    }


def drawn(case, dtype):
    rng = np.random.default_rng(0)
    return rng.normal(size=case["x"]).astype(dtype), rng.normal(size=case["w"]).astype(dtype)


def check_convolution(case, dtype, rtol):
    axes = len(case["x"]) - 2
    f = (F.conv1d, F.conv2d, F.conv3d)[axes - 1]
    options = {k: case[k] for k in ("stride", "dilation", "groups")}
    expect_torch_agrees(
        lambda x, w: ops.convolution(
            x, w, padding=tuple((p, p) for p in case["padding"]), **options
        ),
        lambda x, w: f(x, w, padding=case["padding"], **options),
        drawn(case, dtype),
        (torch_layout, torch_kernel),
        rtol,
    )


@few(12)
@given(convolutions())
def test_convolution_equals_pytorch_in_float32(case):
    check_convolution(case, np.float32, 1e-5)


@pytest.mark.slow
@few(12)
@given(convolutions())
def test_convolution_equals_pytorch_in_float64(case):
    with float64():
        check_convolution(case, np.float64, 1e-10)


def check_transposed(case, dtype, rtol):
    axes, groups = len(case["x"]) - 2, case["groups"]
    f = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[axes - 1]
    options = {k: case[k] for k in ("stride", "dilation", "groups")}
    extra = tuple(max(s, d) - 1 for s, d in zip(case["stride"], case["dilation"], strict=True))
    # pad so little that something is left of the output
    padding = tuple(
        min(p, d * (k - 1) // 2)
        for p, d, k in zip(case["padding"], case["dilation"], case["w"], strict=False)
    )
    expect_torch_agrees(
        lambda x, w: ops.transposed_convolution(
            x, w, padding=tuple((p, p) for p in padding), output_padding=extra, **options
        ),
        lambda x, w: f(x, w, padding=padding, output_padding=extra, **options),
        drawn(case, dtype),
        (torch_layout, lambda w: torch_kernel(w, groups, transposed=True)),
        rtol,
    )


@few(12)
@given(convolutions())
def test_transposed_convolution_equals_pytorch_in_float32(case):
    check_transposed(case, np.float32, 1e-5)


@pytest.mark.slow
@few(12)
@given(convolutions())
def test_transposed_convolution_equals_pytorch_in_float64(case):
    with float64():
        check_transposed(case, np.float64, 1e-10)


# each a call and the shapes of its inputs
CALLS = {
    "convolution": [
        (
            lambda x, w: ops.convolution(x, w, padding="same", stride=2),
            [(1, 5, 4, 2), (3, 2, 2, 3)],
        ),
        (lambda x, w: ops.convolution(x, w, padding="causal", dilation=2), [(2, 5, 2), (2, 2, 2)]),
        (lambda x, w: ops.convolution(x, w, padding=((1, 0),), groups=2), [(1, 4, 2), (2, 1, 2)]),
        (lambda x, w: ops.convolution(x, w, padding=((0, 0),) * 2), [(0, 3, 3, 1), (2, 2, 1, 2)]),
    ],
    "transposed_convolution": [
        (
            lambda x, w: ops.transposed_convolution(x, w, stride=2, padding=((1, 0),)),
            [(1, 3, 2), (3, 2, 2)],
        ),
    ],
    "pad_borders": [
        (lambda x: ops.pad_borders(x, padding=((2, 1), (0, 3)), mode="reflect"), [(1, 3, 4, 1)]),
        (lambda x: ops.pad_borders(x, padding=((2, 0),), mode="replicate"), [(2, 3, 2)]),
    ],
    "max_pool": [
        (lambda x: ops.max_pool(x, kernel_size=2), [(1, 4, 6, 2)]),
        (lambda x: ops.max_pool(x, kernel_size=3, stride=2, padding=1), [(2, 5, 2)]),
        (lambda x: ops.max_pool(x, kernel_size=2, ceil_mode=True), [(1, 3, 5, 1)]),
    ],
    "average_pool": [
        (lambda x: ops.average_pool(x, kernel_size=2), [(1, 2, 4, 4, 1)]),
        (lambda x: ops.average_pool(x, kernel_size=3, stride=1, padding=1), [(1, 4, 2)]),
    ],
    "adaptive_average_pool": [
        (lambda x: ops.adaptive_average_pool(x, output_size=(2, 3)), [(1, 5, 4, 2)]),
    ],
    "upsample_nearest": [(lambda x: ops.upsample_nearest(x, factor=(2, 3)), [(1, 2, 2, 2)])],
    "upsample_linear": [(lambda x: ops.upsample_linear(x, factor=2), [(1, 3, 1, 2)])],
}


def test_every_operation_of_windows_stands_in_this_file():
    found = set()
    for name in ("conv", "pooling", "resampling"):
        module = importlib.import_module(f"cutaway.ops.{name}")
        found |= {v.name for _, v in inspect.getmembers(module, lambda v: isinstance(v, Operation))}
    assert found == set(CALLS)


@pytest.mark.parametrize(
    ("name", "k"), [(name, k) for name, calls in CALLS.items() for k in range(len(calls))]
)
def test_rules_equal_jax_and_central_differences(name, k):
    call, shapes = CALLS[name][k]
    rng = np.random.default_rng(k)
    sizes = [int(np.prod(s)) for s in shapes]
    arrays = [
        rng.permutation(np.linspace(-2, 2.3, n)).reshape(s)
        for n, s in zip(sizes, shapes, strict=True)
    ]
    check_gradient(call, *arrays)
    with float64():
        leaves = [Tensor(jnp.asarray(a), requires_grad=True) for a in arrays]
        out = call(*leaves)
        weights = jnp.asarray(rng.uniform(0.5, 1.5, out.shape))
        ours = {id(t): g for t, g in gradients(out, weights)}
        jaxs = jax.grad(
            lambda *v: jnp.sum(call(*(Tensor(a) for a in v)).data * weights),
            argnums=tuple(range(len(arrays))),
        )(*map(jnp.asarray, arrays))
        for leaf, theirs in zip(leaves, jaxs, strict=True):
            np.testing.assert_allclose(ours[id(leaf)], theirs, rtol=1e-9, atol=1e-12)


POOLS = [
    {"kernel_size": 2},
    {"kernel_size": 3, "stride": 2, "padding": 1},
    {"kernel_size": (3, 2), "stride": (2, 3), "ceil_mode": True},
    {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True},
    {"kernel_size": 2, "stride": 1},
    {"kernel_size": 1, "stride": 3, "ceil_mode": True},
]


@pytest.mark.parametrize("options", POOLS)
@pytest.mark.parametrize("sizes", [(6, 6), (7, 5)])
def test_pools_of_images_equal_pytorch(options, sizes):
    x = [np.random.default_rng(0).normal(size=(2, *sizes, 3)).astype(np.float32)]
    expect_torch_agrees(
        lambda x: ops.max_pool(x, **options),
        lambda x: F.max_pool2d(x, **options),
        x,
        [torch_layout],
        1e-6,
    )
    for count in (True, False):
        expect_torch_agrees(
            lambda x: ops.average_pool(x, count_padding=count, **options),  # noqa: B023
            lambda x: F.avg_pool2d(x, count_include_pad=count, **options),  # noqa: B023
            x,
            [torch_layout],
            1e-6,
        )


@pytest.mark.parametrize("axes", [1, 3])
def test_pools_and_upsampling_of_series_and_volumes_equal_pytorch(axes):
    x = [np.random.default_rng(0).normal(size=(2, *(4, 6, 5)[:axes], 2)).astype(np.float32)]
    pairs = [
        (lambda x: ops.max_pool(x, kernel_size=2), (F.max_pool1d, F.max_pool3d), (2,), {}),
        (lambda x: ops.average_pool(x, kernel_size=2), (F.avg_pool1d, F.avg_pool3d), (2,), {}),
        (
            lambda x: ops.adaptive_average_pool(x, output_size=3),
            (F.adaptive_avg_pool1d, F.adaptive_avg_pool3d),
            (3,),
            {},
        ),
        (
            lambda x: ops.upsample_linear(x, factor=2),
            (F.interpolate, F.interpolate),
            (),
            {"scale_factor": 2, "mode": "linear" if axes == 1 else "trilinear"},
        ),
        (
            lambda x: ops.upsample_nearest(x, factor=2),
            (F.interpolate, F.interpolate),
            (),
            {"scale_factor": 2},
        ),
    ]
    for ours, theirs, args, options in pairs:
        f = theirs[axes == 3]
        expect_torch_agrees(ours, lambda x: f(x, *args, **options), x, [torch_layout], 1e-5)  # noqa: B023


def test_bilinear_upsampling_and_border_padding_equal_pytorch():
    x = [np.random.default_rng(0).normal(size=(2, 4, 5, 3)).astype(np.float32)]
    expect_torch_agrees(
        lambda x: ops.upsample_linear(x, factor=(2, 3)),
        lambda x: F.interpolate(x, scale_factor=(2, 3), mode="bilinear"),
        x,
        [torch_layout],
        1e-5,
    )
    for mode in ("reflect", "replicate"):
        expect_torch_agrees(
            lambda x: ops.pad_borders(x, padding=((1, 2), (3, 0)), mode=mode),  # noqa: B023
            lambda x: F.pad(x, (3, 0, 1, 2), mode=mode),  # noqa: B023
            x,
            [torch_layout],
            1e-6,
        )


def test_the_first_of_equal_maxima_gets_the_gradient():
    for options in ({"kernel_size": 2}, {"kernel_size": 2, "padding": 1}):
        x = torch.ones(1, 1, 4, 4, requires_grad=True)
        F.max_pool2d(x, **options).sum().backward()
        mine = Tensor(np.ones((1, 4, 4, 1)), requires_grad=True)
        ops.max_pool(mine, **options).sum().backward()
        assert mine.grad[0, :, :, 0].tolist() == x.grad[0, 0].tolist()


def test_compiled_convolutions_equal_eager_ones():
    ct.seed(0)
    net = ct.Sequential(
        ct.Conv2d(3, 4, 3, padding="same"),
        ct.MaxPool(2),
        ct.Conv2d(4, 4, 3, padding=1, groups=4, stride=2),
        ct.ConvTranspose2d(4, 2, 2, stride=2),
    )
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32)

    def step(x):
        for p in net.parameters():
            p.grad = None
        loss = (net(x) * net(x)).mean()
        loss.backward()
        return loss, [Tensor(p.grad) for p in net.parameters()]

    eager = step(Tensor(x))
    compiled = ct.jit(step, net, donate=False)(x)
    np.testing.assert_allclose(compiled[0].numpy(), eager[0].numpy(), rtol=1e-5)
    for mine, theirs in zip(compiled[1], eager[1], strict=True):
        np.testing.assert_allclose(mine.numpy(), theirs.numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("groups", [1, 2])
def test_bfloat16_rounds_the_factors_and_nothing_else(groups):
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(2, 6, 6, 4)), rng.normal(size=(3, 3, 4 // groups, 4))
    x, w = (a.astype(np.float32) for a in (x, w))
    rounded = [jnp.asarray(a).astype(jnp.bfloat16).astype(jnp.float32) for a in (x, w)]
    options = {"padding": ((1, 1), (1, 1)), "groups": groups}
    with ct.matmul_precision("bfloat16"):
        out = ops.convolution(x, w, **options)
    expected = ops.convolution(*rounded, **options)
    assert out.dtype == jnp.float32
    np.testing.assert_allclose(out.numpy(), expected.numpy(), rtol=1e-5, atol=1e-5)


def test_causal_convolutions_never_see_the_future():
    net = ct.Conv1d(2, 3, 3, dilation=2, padding="causal")
    x = Tensor(np.random.default_rng(0).normal(size=(1, 9, 2)), requires_grad=True)
    net(x)[0, 4].sum().backward()
    read = np.abs(x.grad[0]).sum(axis=1) > 0
    assert read.tolist() == [t in (0, 2, 4) for t in range(9)]


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: ct.Conv2d(3, 4, 5)(np.ones((1, 4, 8, 3))), ShapeError, "spans 5 .* has 4"),
        (lambda: ct.Conv2d(3, 4, 3)(np.ones((1, 8, 8, 1))), ShapeError, "in_channels=3"),
        (lambda: ct.Conv2d(3, 4, 3)(np.ones((8, 8, 3))), ShapeError, "add the batch axis"),
        (lambda: ct.Conv2d(3, 4, 3, groups=2), OptionError, "divides both"),
        (lambda: ct.Conv2d(3, 4, (3, 3, 3)), OptionError, "2 of them"),
        (lambda: ct.Conv2d(3, 4, 3, stride=0), OptionError, "stride is 0"),
        (lambda: ct.Conv2d(3, 4, 3, padding=-1), OptionError, "padding is -1"),
        (lambda: ct.Conv2d(3, 4, 3, padding="full"), OptionError, "padding is 'full'"),
        (lambda: ct.Conv1d(3, 4, 3, padding_mode="wrap"), OptionError, "padding_mode"),
        (lambda: ct.Conv1d(3, 4, 3, padding="causal", stride=2), OptionError, "stride 1"),
        (
            lambda: ct.ConvTranspose1d(3, 4, 3, padding="same"),
            OptionError,
            "the amount cropped from the borders",
        ),
        (
            lambda: ct.ConvTranspose1d(3, 4, 3, output_padding=1)(np.ones((1, 4, 3))),
            OptionError,
            "output_padding",
        ),
        (lambda: ct.MaxPool(3)(np.ones((1, 2, 8, 3))), ShapeError, "spans 3"),
        (lambda: ct.MaxPool(2, padding=2)(np.ones((1, 4, 4, 3))), OptionError, "half"),
        (
            lambda: ct.Conv1d(1, 1, 7, padding=3, padding_mode="reflect")(np.ones((1, 3, 1))),
            ShapeError,
            "at most 2",
        ),
        (lambda: ct.Upsample(2, mode="cubic"), OptionError, "mode"),
    ],
)
def test_windows_that_do_not_fit_are_named(call, error, says):
    with pytest.raises(error, match=says):
        call()


def test_a_layer_in_a_network_is_named_by_its_path():
    net = ct.Sequential(ct.Conv2d(1, 2, 3), ct.Conv2d(2, 2, 9))
    with pytest.raises(ShapeError, match="layer 1, Conv2d: the window spans 9"):
        net(np.ones((1, 8, 8, 1)))


ON_CPU = pytest.mark.skipif(jax.default_backend() != "cpu", reason="chosen on CPU alone")


@ON_CPU
@pytest.mark.parametrize("padding", [((1, 1), (1, 1)), ((0, 2), (0, 0))])
def test_3_by_3_between_many_channels_by_winograds_algorithm_equals_pytorch(padding):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4, 13, 14, 128)).astype(np.float32)
    w = (rng.normal(size=(3, 3, 128, 130)) / 34).astype(np.float32)
    geometry = {"stride": (1, 1), "padding": padding, "spacing": (1, 1), "groups": 1}
    assert choose(x.shape, w.shape, **geometry, dilation=(1, 1)) == WINOGRAD
    (top, bottom), (left, right) = padding

    def theirs(x, w):
        return F.conv2d(F.pad(x, (left, right, top, bottom)), w)

    expect_torch_agrees(
        lambda x, w: ops.convolution(x, w, padding=padding),
        theirs,
        (x, w),
        (torch_layout, torch_kernel),
        3e-5,
    )


@ON_CPU
def test_winograds_algorithm_leaves_other_convolutions_alone():
    geometry = {"stride": (1, 1), "padding": ((1, 1),) * 2, "spacing": (1, 1), "groups": 1}
    x, w, dilation = (4, 16, 16, 128), (3, 3, 128, 128), (1, 1)
    assert choose(x, w, **geometry, dilation=dilation) == WINOGRAD
    for others in (
        {"dtype": np.float64},
        {"dilation": (2, 2)},
        {"stride": (2, 2)},
        {"w_shape": (5, 5, 128, 128)},
        {"w_shape": (3, 3, 128, 64)},
        {"x_shape": (1, 16, 16, 128)},
    ):
        given = {"x_shape": x, "w_shape": w, "dilation": dilation} | geometry | others
        assert choose(**given) != WINOGRAD, others
    with ct.matmul_precision("bfloat16"):
        assert choose(x, w, **geometry, dilation=dilation) != WINOGRAD
