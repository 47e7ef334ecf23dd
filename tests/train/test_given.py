"""fit, evaluate and predict take the same: what it is changes no bit of what comes out."""

import jax.numpy as jnp
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import torch

import cutaway as ct
from cutaway import losses
from cutaway.errors import DataError, ShapeError
from cutaway.train.given import as_tree

RNG = np.random.default_rng(0)
X = RNG.integers(-8, 8, (33, 4)).astype(np.float32) / 4
Y = X.sum(axis=1)
NAMES = list("abcd")

FORMS = {
    "list": lambda a: a.tolist(),
    "list of rows": lambda a: [row.tolist() for row in a],
    "float64": lambda a: a.astype(np.float64),
    "JAX": jnp.asarray,
    "Tensor": ct.Tensor,
    "torch": torch.tensor,
    "torch with gradient": lambda a: torch.tensor(a).requires_grad_(),
    "torch float64": lambda a: torch.tensor(a, dtype=torch.float64),
    "torch bfloat16": lambda a: torch.tensor(a).bfloat16(),
    "torch parameter": lambda a: torch.nn.Parameter(torch.tensor(a)),
    "polars": lambda a: pl.DataFrame(a, schema=NAMES) if a.ndim == 2 else pl.Series(a),
    "lazy": lambda a: pl.DataFrame(a, schema=NAMES).lazy() if a.ndim == 2 else pl.Series(a),
    "pandas": lambda a: pd.DataFrame(a) if a.ndim == 2 else pd.Series(a, index=range(33, 0, -1)),
    "pandas nullable": lambda a: (pd.DataFrame(a) if a.ndim == 2 else pd.Series(a)).astype(
        "Float32"
    ),
    "objects": lambda a: a.astype(object),
    "masked": lambda a: np.ma.masked_array(a, mask=False),
}


def trained(x, y, **options):
    ct.seed(0)
    net = ct.Sequential(ct.Linear(4, 1))
    trainer = ct.Trainer(net, loss=losses.mean_squared_error, optimizer=ct.SGD(net, lr=0.1))
    trainer.fit(x, y, epochs=2, batch_size=11, seed=0, progress=False, **options)
    return trainer


EXPECTED = trained(X, Y)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_same_numbers_gives_the_same_bits(form):
    x, y = FORMS[form](X), FORMS[form](Y)
    trainer = trained(x, y, validation=(x, y))
    np.testing.assert_array_equal(trainer.net[0].weight, EXPECTED.net[0].weight)
    assert trainer.evaluate(x, y) == EXPECTED.evaluate(X, Y)
    np.testing.assert_array_equal(trainer.predict(x), EXPECTED.predict(X))
    assert trainer.history["val_loss"][-1] == trainer.evaluate(X, Y)["loss"]


def test_trees_of_frames_and_tensors_are_taken_by_all_three():
    class Both(ct.nn.Module):
        def __init__(self):
            self.inner = ct.Linear(4, 1)

        def forward(self, table, factor):
            return self.inner(table) * factor

    x = {"table": pd.DataFrame(X), "factor": torch.full((33, 1), 2.0)}
    trainer = ct.Trainer(Both(), loss=losses.mean_squared_error)
    trainer.fit(x, Y.tolist(), epochs=1, progress=False)
    weight, bias = trainer.net.inner.weight.numpy(), trainer.net.inner.bias.numpy()
    found = 2 * (X @ weight + bias)
    np.testing.assert_allclose(trainer.predict(x), found, rtol=1e-5, atol=1e-6)
    expected = ((found[:, 0] - Y) ** 2).mean()
    assert trainer.evaluate(x, Y.tolist())["loss"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("form", [np.asarray, torch.tensor, jnp.asarray, ct.Tensor, list])
def test_pictures_of_bytes_are_converted_alike_in_all_three(form):
    pictures = RNG.integers(0, 256, (12, 5, 5, 1)).astype(np.uint8)
    labels = np.arange(12) % 2

    def as_given(a):
        return form(a) if form is not list else a.tolist()

    def net():
        ct.seed(1)
        return ct.Sequential(ct.Conv2d(1, 2, 3), ct.nn.Flatten(), ct.Linear(18, 2))

    found = []
    for x in (pictures, as_given(pictures)):
        trainer = ct.Trainer(
            net(),
            loss=losses.sparse_categorical_cross_entropy_with_logits,
            prepare=lambda x: x.data / 255 if isinstance(x, ct.Tensor) else x / 255,
        )
        trainer.fit(x, labels, epochs=1, batch_size=4, seed=0, progress=False)
        found.append((trainer.predict(x), trainer.evaluate(x, labels)["loss"]))
        direct = trainer.net(pictures.astype(np.float32) / 255).numpy()
        np.testing.assert_allclose(found[-1][0], direct, rtol=1e-4, atol=1e-5)
        shifted = direct - direct.max(axis=1, keepdims=True)
        picked = shifted[range(12), labels] - np.log(np.exp(shifted).sum(axis=1))
        assert found[-1][1] == pytest.approx(-picked.mean(), rel=1e-4)
    np.testing.assert_array_equal(found[0][0], found[1][0])


@pytest.mark.parametrize("kernel", [1, 3])
def test_bytes_without_a_preparation_count_as_their_numbers(kernel):
    pictures = RNG.integers(0, 256, (8, 4, 4, 3)).astype(np.uint8)
    labels, found = np.arange(8) % 2, []
    for x in (pictures, pictures.astype(np.float32)):
        ct.seed(1)
        size = 2 * (5 - kernel) ** 2
        net = ct.Sequential(ct.Conv2d(3, 2, kernel), ct.nn.Flatten(), ct.Linear(size, 2))
        loss = losses.sparse_categorical_cross_entropy_with_logits
        trainer = ct.Trainer(net, loss=loss, optimizer=ct.SGD(net, lr=1e-5))
        trainer.fit(x, labels, epochs=2, batch_size=4, seed=0, progress=False)
        found.append((trainer.predict(x), trainer.evaluate(x, labels)["loss"]))
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-5)
    assert found[0][1] == pytest.approx(found[1][1], rel=1e-5)


WORDS = X.astype(str)
MISSING = pl.DataFrame({"a": [1.0, None, 2.0]})


@pytest.mark.parametrize(
    ("x", "kind", "words"),
    [
        (WORDS, DataError, r"x holds texts, like '.*' in row 0"),
        (WORDS.tolist(), DataError, "x holds texts"),
        (WORDS.astype(object), DataError, "x holds a str, like '.*' in row 0"),
        ("table.csv", DataError, "x holds texts, like 'table.csv'"),
        (pl.DataFrame({"a": [1.0], "b": ["u"]}), DataError, "column 'b' of x holds String"),
        (pd.DataFrame({"a": [1.0], "b": ["u"]}), DataError, "of x holds String, like 'u'"),
        (pd.DataFrame({"t": pd.to_datetime(["2024-02-29"])}), DataError, "column 't' of x"),
        (np.array(["2024-02-29"], "datetime64[D]"), DataError, "x holds times"),
        ([[1.0, 2.0], [3.0]], ShapeError, "different lengths: row 0 has 2, row 1 has 1"),
        (object(), DataError, "x is a object"),
        ({1.0, 2.0}, DataError, "x is a set"),
        (scipy.sparse.csr_matrix(X), DataError, r"x is a csr_matrix\n(.|\n)*x.toarray\(\)"),
        (torch.utils.data.TensorDataset(torch.zeros(3, 4)), DataError, "x is a TensorDataset"),
        (np.array([1.0, {}], object), DataError, "x holds a dict, like {} in row 1"),
        (3.0, ShapeError, "x has no rows"),
    ],
)  # fmt: skip
def test_what_is_no_number_is_named_by_all_three(x, kind, words):
    trainer = ct.Trainer(ct.Linear(4, 1), loss=losses.mean_squared_error)
    try:
        rows = len(x)
    except TypeError:
        rows = 1
    y = np.zeros(rows, np.float32)
    with pytest.raises(kind, match=words):
        trainer.fit(x, y, progress=False)
    with pytest.raises(kind, match=words):
        trainer.evaluate(x, y)
    with pytest.raises(kind, match=words):
        trainer.predict(x)


@pytest.mark.parametrize("gap", [None, np.nan, pd.NA])
def test_what_is_missing_is_named_by_fit(gap):
    trainer = ct.Trainer(ct.Linear(1, 1), loss=losses.mean_squared_error)
    frame = pd.DataFrame({"a": pd.Series([1.0, gap, 2.0], dtype="object")})
    masked = np.ma.masked_array([[1.0], [9.0], [2.0]], mask=[[False], [True], [False]])
    for x in (frame, MISSING, frame["a"].to_numpy()[:, None], masked):
        with pytest.raises(DataError, match="x contains NaN or infinity in 1 of 3 rows"):
            trainer.fit(x, [1, 2, 3], batch_size=3, progress=False)


def test_a_leaf_is_named_by_its_place_in_the_tree():
    with pytest.raises(DataError, match=r"x\['words'\]\[1\] holds texts"):
        as_tree({"words": (np.zeros(2), np.array(["a", "b"]))}, "x")
    with pytest.raises(DataError, match=r"column 'b' of x\['table'\]"):
        as_tree({"table": pl.DataFrame({"b": ["u"]})}, "x")
