"""What operations declare of themselves is true: their edges, and what activations are like."""

import functools
import importlib
import math
import pkgutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import cutaway as ct
from cutaway import nn, ops
from cutaway.engine import Activation, Operation, Tensor, float64
from cutaway.errors import OptionError
from tests.ops.test_gradients import CALLS, ONE, REDUCED, TWO, apart

# nothing is known of their edges; a new operation stands here or declares what it knows
ANY = {
    *("batch_norm", "group_norm", "instance_norm", "normalize", "attention", "attention_weights"),
    *("rotary", "rnn", "lstm", "gru", "transposed_convolution", "adaptive_average_pool"),
    *("upsample_linear", "roi_align", "roi_pool"),
    "pyramid_roi_align",
    *("box_iou", "generalized_box_iou", "complete_box_iou"),
}
RNG = np.random.default_rng(0)


def operations():
    """{name: Operation} of all files of ops."""
    found = {}
    for info in pkgutil.iter_modules(ops.__path__):
        module = importlib.import_module(f"cutaway.ops.{info.name}")
        found |= {v.name: v for v in vars(module).values() if isinstance(v, Operation)}
    return {name: found[name] for name in sorted(found) if found[name].differentiable}


def found_activation(name) -> bool:
    return getattr(ops, name).traits.activation is not None


def calls(name):
    """[(function of Tensors, arrays)] of an operation, small."""
    more = {
        "upsample_nearest": [(lambda x: ops.upsample_nearest(x, factor=2), [(1, 2, 2)])],
        "pad_borders": [
            (functools.partial(ops.pad_borders, padding=((1, 2),), mode=m), [(1, 4, 2)])
            for m in ("reflect", "replicate")
        ],
        "layer_norm": [(lambda x: ops.layer_norm(x, None, None), [(3, 4)])],
        "rms_norm": [(lambda x: ops.rms_norm(x, None), [(3, 4)])],
        "local_response_norm": [(lambda x: ops.local_response_norm(x, size=3), [(2, 5)])],
        "softmax": [(ops.softmax, [(3, 4)])],
        "max_pool": [(lambda x: ops.max_pool(x, kernel_size=2), [(1, 4, 2)])],
        "average_pool": [(lambda x: ops.average_pool(x, kernel_size=2), [(1, 4, 2)])],
        "convolution": [
            (lambda x, w: ops.convolution(x, w, padding=((1, 1),)), [(1, 4, 2), (3, 2, 2)])
        ],
    }
    if name in more:
        return [(call, [apart(RNG, s) for s in shapes]) for call, shapes in more[name]]
    if name in ONE:
        return [(getattr(ops, name), [ONE[name](RNG, (2, 3))])]
    if name in TWO:
        return [(getattr(ops, name), [TWO[name](RNG, (2, 3)), TWO[name](RNG, (3,)) + 0.013])]
    if name in REDUCED:
        return [(lambda x: getattr(ops, name)(x, axis=1), [REDUCED[name](RNG, (2, 3))])]
    if name not in CALLS and found_activation(name):  # a new activation, tested in its own file
        return [(getattr(ops, name), [apart(RNG, (2, 3))])]
    some = [(call, shapes) for call, shapes in CALLS[name] if all(map(math.prod, shapes))]
    return [(call, [apart(RNG, s) for s in shapes]) for call, shapes in some]


def jacobians(call, arrays):
    """(output, [(elements of the output, elements of an input) for each input]), in float64."""
    with float64():
        values = [jnp.asarray(a) for a in arrays]
        out = call(*map(Tensor, values)).data

        def forward(*values):
            return call(*map(Tensor, values)).data.ravel()

        found = jax.jacrev(forward, argnums=tuple(range(len(values))))(*values)
        sizes = [(out.size, value.size) for value in values]
        return out, [np.asarray(j).reshape(s) for j, s in zip(found, sizes, strict=True)]


def test_every_operation_declares_its_edges_or_stands_in_the_list_of_those_that_know_none():
    silent = {name for name, o in operations().items() if o.traits.edges == "any"}
    assert silent == ANY


@pytest.mark.parametrize("name", [n for n in operations() if n not in ANY])
def test_edges_are_where_an_operation_says_they_are(name):
    edges = operations()[name].traits.edges
    for call, arrays in calls(name):
        out, found = jacobians(call, arrays)
        for array, matrix in zip(arrays, found, strict=True):
            numbers = np.arange(array.size).reshape(array.shape)
            if edges == "elementwise":
                own = np.broadcast_to(numbers, out.shape).ravel()
                assert not matrix[np.arange(array.size)[None, :] != own[:, None]].any()
            elif edges == "movement" and len(arrays) == 1 and matrix.size:
                if name == "getitem" and out.shape == () and array.shape == (3,):
                    continue  # that call multiplies two of them
                assert ((matrix == 0) | (matrix == 1)).all() and matrix.sum(axis=1).max() <= 1
            elif edges == "reduction":
                row = np.arange(out.size)[:, None]
                assert not matrix[row != numbers.ravel()[None, :] // array.shape[1]].any()
            elif edges == "rowwise" and out.shape == (3, 4):
                row = np.arange(out.size)[:, None] // 4
                assert not matrix[row != np.arange(12)[None, :] // 4].any()
            elif edges == "pool":
                assert (matrix != 0).sum(axis=1).max() <= 2
    if edges in ("product", "convolution"):  # linear in each input
        _, first = jacobians(call, arrays)
        _, again = jacobians(call, [arrays[0] + 1, *arrays[1:]])
        np.testing.assert_allclose(first[0], again[0], rtol=1e-12)


DECOMPOSED = {
    "rnn": ([(2, 3, 4), (4, 5), (5, 5), (5,), (2, 5)], {"lengths": np.array([3, 2])}),
    "lstm": ([(2, 3, 4), (4, 20), (5, 20), (20,), (2, 5), (2, 5)], {"reverse": True}),
    "gru": ([(2, 3, 4), (4, 15), (5, 15), (15,), (5,), (2, 5)], {"lengths": np.array([1, 3])}),
    "attention": ([(2, 3, 4), (2, 3, 4), (2, 3, 4)], {"num_heads": 2, "causal": True}),
    "layer_norm": ([(3, 4), (4,), (4,)], {}),
    "rms_norm": ([(3, 4), (4,)], {}),
    "batch_norm": ([(3, 4), (4,), (4,)], {}),
    "instance_norm": ([(2, 3, 4), (4,), (4,)], {}),
    "group_norm": ([(2, 3, 4), (4,), (4,)], {"num_groups": 2}),
    "normalize": ([(3, 4), (4,), (4,), (4,), (4,)], {}),
}


def test_every_decomposition_of_an_operation_is_tested():
    assert {n for n, o in operations().items() if o.steps is not None} == set(DECOMPOSED)


@pytest.mark.parametrize("name", DECOMPOSED)
def test_a_decomposition_has_the_value_and_the_gradients_of_its_operation(name):
    operation, (shapes, options) = operations()[name], DECOMPOSED[name]
    with float64():
        arrays = [jnp.asarray(RNG.uniform(0.2, 1.0, size=shape)) for shape in shapes]
        found = []
        for call in (operation, functools.partial(operation.steps, lambda tensor, *_: tensor)):
            leaves = [Tensor(array, requires_grad=True) for array in arrays]
            out = call(*leaves, **options)
            outs = out if isinstance(out, tuple) else (out,)
            sum((one * one).sum() for one in outs).backward()
            found.append([one.data for one in outs] + [leaf.grad for leaf in leaves])
        for ours, theirs in zip(*found, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


ACTIVATIONS = {n: o for n, o in operations().items() if o.traits.activation is not None}
# beside edges a slope may be larger than everywhere else
EDGES = [edge + np.linspace(-1e-6, 1e-6, 5) for edge in (-3, 0, 3)]
Z = np.concatenate([np.linspace(-40, 40, 80_001), *EDGES])
FAR = 10.0 ** np.arange(2, 7)  # 100 to a million: slow functions have arrived, or still grow


def values_and_slopes(operation, numbers=Z):
    """act(z) and act'(z) of these numbers, of a softmax's first of two."""
    with float64():
        if operation.traits.edges == "rowwise":
            z = jnp.stack([jnp.asarray(numbers), jnp.zeros(len(numbers))], axis=1)
            leaf = Tensor(z, requires_grad=True)
            out = operation(leaf)[:, 0]
        else:
            leaf = Tensor(jnp.asarray(numbers), requires_grad=True)
            more = [Tensor(jnp.asarray([0.25]))] if len(operation.input_names) > 1 else []
            out = operation(leaf, *more)
        out.sum().backward()
        slopes = np.asarray(leaf.grad)
        return out.numpy(), slopes[:, 0] if slopes.ndim > 1 else slopes


def wrong_facts(operation) -> list:
    """What the activation's declared range and largest slope have against them."""
    activation = operation.traits.activation
    near, slopes = values_and_slopes(operation)
    (left, far_slopes_left), (right, far_slopes_right) = (
        values_and_slopes(operation, sign * FAR) for sign in (-1, 1)
    )
    found = []
    for end, limit, extreme in ((0, activation.range[0], np.min), (1, activation.range[1], np.max)):
        if math.isfinite(limit):
            reached = extreme([extreme(near), extreme(left), extreme(right)])
            found += [f"range[{end}]"] if abs(reached - limit) > 1e-4 else []
        else:  # each decade adds about as much as the one before, or more, on one of the sides
            sign = math.copysign(1, limit)
            steps = [np.diff(sign * side) for side in (left, right)]
            grows = any(side[-1] > 0 and side[-1] > 0.5 * side[-2] for side in steps)
            found += [] if grows else [f"range[{end}]"]
    steepest = max(np.abs(s).max() for s in (slopes, far_slopes_left, far_slopes_right))
    found += [] if abs(steepest - activation.largest_slope) <= 1e-4 else ["largest_slope"]
    return found


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_have_the_range_and_the_slopes_that_they_declare(name):
    activation = ACTIVATIONS[name].traits.activation
    assert wrong_facts(ACTIVATIONS[name]) == []
    _, slopes = values_and_slopes(ACTIVATIONS[name])
    rests = bool((slopes[np.abs(Z + 5) < 1] == 0).all())  # of z around -5, where others only bend
    assert activation.turns_off == rests
    if activation.rectifies:
        passed, held = np.abs(slopes[Z > 10]).max(initial=0), np.abs(slopes[Z < -10]).max()
        assert held <= 0.25 and (passed > 0.99 or activation.range[1] == 6)


def declared(function, slope, low, high, **facts):
    """An activation of these declared facts."""
    made = ct.operation(activation=Activation("Own", range=(low, high), **facts))(function)
    made.backward(lambda grad, out, z: grad * slope(z))
    return made


SQUAREPLUS = (  # comes near its limits by 1 / z
    lambda z: (z + jnp.sqrt(z * z + 4)) / 2,
    lambda z: (1 + z / jnp.sqrt(z * z + 4)) / 2,
)
SOFTSIGN = (lambda z: z / (1 + jnp.abs(z)), lambda z: (1 + jnp.abs(z)) ** -2)
ARSINH = (jnp.arcsinh, lambda z: 1 / jnp.sqrt(z * z + 1))  # grows without end, ever more slowly


@pytest.mark.parametrize(
    ("function", "facts", "wrong"),
    [
        (SQUAREPLUS, (0, math.inf), []),
        (SQUAREPLUS, (0.02, math.inf), ["range[0]"]),
        (SQUAREPLUS, (-1, math.inf), ["range[0]"]),
        (SQUAREPLUS, (-math.inf, math.inf), ["range[0]"]),
        (SQUAREPLUS, (0, 40), ["range[1]"]),
        (SOFTSIGN, (-1, 1), []),
        (SOFTSIGN, (-1, math.inf), ["range[1]"]),
        (SOFTSIGN, (-0.99, 1), ["range[0]"]),
        (ARSINH, (-math.inf, math.inf), []),
        (ARSINH, (-math.inf, 20), ["range[1]"]),
    ],
)
def test_a_declared_range_is_true_or_found_wrong_however_slowly_it_is_reached(
    function, facts, wrong
):
    assert wrong_facts(declared(*function, *facts)) == wrong
    assert wrong_facts(declared(*function, *facts, largest_slope=0.99)) == [*wrong, "largest_slope"]


@pytest.mark.parametrize("title", ops.ACTIVATION_FUNCTIONS)
def test_every_activation_has_a_layer_of_its_title_that_computes_it(title):
    layer = nn.activations.LAYERS[title]()
    assert type(layer).__name__ == title and getattr(ct.nn, title) is type(layer)
    assert layer.activation_function is ops.ACTIVATION_FUNCTIONS[title]
    x = RNG.normal(size=(2, 3)).astype(np.float32)
    inputs = [x, np.full(1, 0.25, np.float32)] if title == "PReLU" else [x]
    np.testing.assert_array_equal(layer(x).numpy(), layer.activation_function(*inputs).numpy())
    assert hasattr(nn.init, layer.activation_function.traits.activation.fitting_initializer)


def test_options_of_an_activation_are_arguments_of_its_layer():
    assert repr(ct.LeakyReLU(0.2)) != repr(ct.LeakyReLU()) and "slope=0.2" in repr(
        ct.LeakyReLU(0.2)
    )
    assert ct.ELU(alpha=2.0)(np.float32([-100.0])).item() == pytest.approx(-2)
    with pytest.raises(TypeError):
        ct.ReLU(0.1)


def test_an_unknown_kind_of_edges_is_refused_where_it_is_declared():
    with pytest.raises(OptionError, match="elementwise"):
        ct.operation(edges="elementwize")(lambda x: x)


def test_a_user_s_activation_is_known_to_all_who_read_traits():
    @ct.operation(activation=Activation("TanhExp", range=(-0.3533, math.inf), rectifies=True))
    def tanh_exp(z):
        return z * jnp.tanh(jnp.exp(z))

    @tanh_exp.backward
    def tanh_exp_backward(grad, out, z):
        e = jnp.exp(z)
        t = jnp.tanh(e)
        return grad * (t + z * e * (1 - t * t))

    class Net(ct.Module):
        def __init__(self):
            self.first, self.second = ct.Linear(3, 4), ct.Linear(4, 1)

        def forward(self, x):
            return self.second(tanh_exp(self.first(x)))

    net, x = Net(), RNG.normal(size=(64, 3)).astype(np.float32)
    why = ct.explain(net, x[0], x[0, :1], loss=ct.losses.mean_squared_error)
    assert "slope of tanh_exp" in why.gradient("first.weight", (1, 0)).text()
    assert "tanh_exp" in why.flow().text()
    probes = ct.Probes(x, x[:, :1])
    ct.Trainer(net, loss=ct.losses.mean_squared_error).fit(
        x, x[:, :1], epochs=2, batch_size=16, callbacks=[probes], progress=False
    )
    assert ("TanhExp", "tanh_exp") in {(row["kind"], row["layer"]) for row in probes.rows}


def test_every_normalization_has_that_role():
    named = vars(importlib.import_module("cutaway.ops.normalization")).values()
    own = [o for o in named if isinstance(o, Operation) and o.__module__.endswith("normalization")]
    assert len(own) == 7
    assert {o.name for o in own if o.traits.role != "norm"} == set()


@pytest.mark.parametrize(
    "name", [n for n, o in operations().items() if o.traits.neutral is not None]
)
def test_a_neutral_number_changes_nothing(name):
    x = RNG.normal(size=(2, 3)).astype(np.float32)
    operation = operations()[name]
    for inputs in ((x, operation.traits.neutral), (operation.traits.neutral, x)):
        np.testing.assert_array_equal(operation(*inputs).numpy(), x)


@pytest.mark.parametrize("name", [n for n, o in operations().items() if o.traits.role == "choice"])
def test_a_choice_gives_elements_of_its_inputs(name):
    a, b = RNG.normal(size=(2, 4, 5))
    first = [np.arange(20).reshape(4, 5) % 2 == 0] if name == "where" else []
    out = operations()[name](*first, a, b).numpy()
    np.testing.assert_array_equal((out == np.float32(a)) ^ (out == np.float32(b)), True)


@pytest.mark.parametrize("name", [n for n, o in ACTIVATIONS.items() if o.traits.edges == "rowwise"])
def test_the_own_slopes_of_a_row_are_the_diagonal_of_its_jacobian(name):
    operation = operations()[name]
    with float64():
        z = jnp.asarray(RNG.normal(size=5))
        matrix = jax.jacrev(lambda z: operation(Tensor(z)).data)(z)
        slopes = operation.traits.activation.own_slope(operation(Tensor(z)).data)
    np.testing.assert_allclose(slopes, np.diag(matrix), rtol=1e-12)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_only_the_identity_changes_nothing(name):
    changes = (values_and_slopes(ACTIVATIONS[name])[0] != np.float64(Z)).any()
    assert ACTIVATIONS[name].traits.activation.changes_nothing == (not changes)
