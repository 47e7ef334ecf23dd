"""BatchEnsemble: member by member in NumPy, and the numbers of the package tabm."""

import jax.numpy as jnp
import numpy as np
import pytest

import cutaway as ct
from cutaway import nn
from cutaway.errors import ShapeError
from tests.nn.test_number_embeddings import wave

X = wave(2, 4, 3, k=0.7)
PARTS = {
    "weight": wave(3, 2, k=0.9),
    "r": wave(4, 3, k=1.3),
    "s": wave(4, 2, k=2.1),
    "bias": wave(4, 2, k=1.9),
}
# tabm 0.0.3: LinearBatchEnsemble(3, 2, k=4, scaling_init="ones")(X) with these, weight transposed
TABM = [
    [
        [2.054401, -1.3426622],
        [-0.5408212, 1.3249091],
        [-0.0666108, -0.9370362],
        [1.1287701, 0.693944],
    ],
    [
        [0.5739794, -0.5381994],
        [-0.5407994, 1.7159796],
        [-0.4682483, -0.8833867],
        [0.6967392, 0.1626377],
    ],
]


def filled():
    layer = nn.BatchEnsembleLinear(3, 2, 4)
    for name, value in PARTS.items():
        getattr(layer, name).data = jnp.asarray(value)
    return layer


def test_batch_ensemble_equals_tabm_and_its_formula_member_by_member():
    y = filled()(X).numpy()
    np.testing.assert_allclose(y, TABM, rtol=1e-5, atol=1e-6)
    weight, r, s, bias = PARTS.values()
    for m in range(4):
        own = weight * np.outer(r[m], s[m])  # each member is a Linear with a weight of its own
        np.testing.assert_allclose(y[:, m], X[:, m] @ own + bias[m], rtol=1e-4, atol=1e-6)


def test_rows_without_an_axis_of_members_are_read_by_all():
    every = np.repeat(X[:, :1], 4, axis=1)
    np.testing.assert_allclose(filled()(X[:, 0]).numpy(), filled()(every).numpy(), rtol=1e-6)
    with pytest.raises(ShapeError, match=r"\(2, 5, 3\)(.|\n)*\(batch, 4, 3\)"):
        filled()(np.zeros((2, 5, 3)))


def test_it_begins_as_tabm_does():
    ct.seed(0)
    first = nn.BatchEnsembleLinear(100, 50, 8, random_signs=True)
    signs = first.r.numpy()
    assert {*np.unique(signs)} == {-1, 1} and abs(signs.mean()) < 0.1
    assert not np.array_equal(signs[0], signs[1])
    assert 0.0995 < np.abs(first.weight.numpy()).max() <= 0.1
    assert np.ptp(first.bias.numpy(), axis=0).max() == 0 and np.ptp(first.bias.numpy()) > 0.1
    second = nn.BatchEnsembleLinear(100, 50, 8)
    assert (second.r.numpy() == 1).all() and (second.s.numpy() == 1).all()
    assert repr(second) == "BatchEnsembleLinear(100, 50, 8)"


def test_paths_through_a_member_add_up_to_the_gradient():
    net = ct.Sequential(filled(), nn.ReLU(), nn.BatchEnsembleLinear(2, 1, 4))
    why = ct.explain(net, X[0], np.ones((4, 1)), loss=ct.losses.mean_squared_error)
    for path in ("0.weight", "0.r", "0.s"):
        found = why.gradient(path, (1, 1))
        total = sum(p.product for p in found.paths) + found.remainder
        np.testing.assert_allclose(total, found.value, rtol=1e-9)


def test_widening_keeps_the_outputs_of_all_members():
    net = ct.Sequential(filled(), nn.ReLU(), nn.BatchEnsembleLinear(2, 1, 4, random_signs=True))
    before = net(X).numpy()
    nn.widen(net, "0", 6)
    np.testing.assert_allclose(net(X).numpy(), before, rtol=1e-5, atol=1e-6)
