"""To add an activation, an optimizer or a metric is to add one file: everybody else finds it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cutaway.leaves import modules_of, objects_of

PACKAGE = Path(__file__).parents[1] / "cutaway"

ACTIVATION = '''
"""Mish."""

import math

import jax
import jax.numpy as jnp

from cutaway.engine import Activation
from cutaway.engine.operation import operation


MISH = Activation("Mish", range=(-0.30884, math.inf), largest_slope=1.0885, rectifies=True)


@operation(activation=MISH)
def mish(z):
    """z tanh(softplus(z)). Misra 2019, arXiv:1908.08681."""
    return z * jnp.tanh(jax.nn.softplus(z))


@mish.backward
def mish_backward(grad, out, z):
    t, s = jnp.tanh(jax.nn.softplus(z)), jax.nn.sigmoid(z)
    return grad * (t + z * s * (1 - t * t))
'''
OPTIMIZER = '''
"""Lion."""

import jax.numpy as jnp

from cutaway.optim.optimizer import Optimizer


class Lion(Optimizer):
    """Lion: steps of the length η by the sign of a mean gradient. arXiv:2302.06675."""

    name = "lion"
    slots = ("m",)
    steps = "length"
    usual_lr = 1e-3

    def update(self, p, g, m):
        return p - self.lr * jnp.sign(0.9 * m + 0.1 * g), 0.99 * m + 0.01 * g
'''
METRIC = '''
"""Median absolute error."""

import jax.numpy as jnp

from cutaway.metrics.contract import metric, misfit, row_weights, wide


@metric("regression", higher_is_better=False)
def median_absolute_error(prediction, target, weights=None):
    """Median of |y - ŷ| over the rows of weight > 0."""
    prediction, target = wide(prediction), wide(target)
    if prediction.shape != target.shape:
        raise misfit(prediction, target, "equal shapes (rows, ...)")
    counted = row_weights(weights, len(prediction)) > 0
    return jnp.nanmedian(jnp.where(counted, jnp.abs(prediction - target).T, jnp.nan))
'''


LAYER = '''
"""A gate."""

from cutaway.nn.layers import Linear
from cutaway.nn.module import Module
from cutaway import ops


class HighwayGate(Module):
    """g x + (1 - g) x W with g = σ(x V). Srivastava et al. 2015, arXiv:1505.00387."""

    def __init__(self, features: int):
        self.gate, self.inner = Linear(features, features), Linear(features, features)

    def forward(self, x):
        g = ops.sigmoid(self.gate(x))
        return g * x + (1 - g) * self.inner(x)
'''


@pytest.fixture
def house(tmp_path):
    """A copy of the package with three more files, as an environment of its own."""
    shutil.copytree(PACKAGE, tmp_path / "cutaway", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "cutaway/ops/smooth.py").write_text(ACTIVATION)
    (tmp_path / "cutaway/optim/lion.py").write_text(OPTIMIZER)
    (tmp_path / "cutaway/metrics/median.py").write_text(METRIC)
    (tmp_path / "cutaway/nn/highway.py").write_text(LAYER)
    return tmp_path


def run(house, *command) -> str:
    done = subprocess.run(
        [sys.executable, *command],
        cwd=house,
        env={**os.environ, "PYTHONPATH": str(house), "COLUMNS": "80"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_new_file_is_known_to_commands_explanations_and_races(house):
    code = (
        "import cutaway as ct; from cutaway.metrics import METRICS; "
        "print(ct.Mish(), ct.Lion.name, ct.HighwayGate(2)([[1.0, 2.0]]).ndim, "
        " METRICS['median_absolute_error'].task, "
        "ct.check_gradient(ct.ops.mish, [0.3, -2.0]))"
    )
    assert run(house, "-c", code).split()[:4] == ["Mish()", "lion", "2", "regression"]
    run(house, "-m", "cutaway", "train", "--activation", "mish", "--optimizer", "lion",
        "--epochs", "3", "--out", "run")  # fmt: skip
    told = run(house, "-m", "cutaway", "explain", "run", "--neuron", "1:0", "--weight", "0:0,0")
    assert "mish" in told
    drawn = "import cutaway as ct; print(ct.draw(ct.Sequential(ct.Linear(2, 1), ct.Mish())).svg)"
    assert "Mish" in run(house, "-c", drawn)
    race = run(house, "-m", "cutaway", "race", "--optimizer", "lion,adam", "--steps", "20")
    assert "lion" in race


def test_what_a_module_only_imports_is_not_its_own():
    import cutaway.optim as optim

    classes = objects_of(optim.__name__, optim.__path__, lambda v: isinstance(v, type))
    assert len(classes) == len(set(classes)) and all(
        kind.__module__.startswith("cutaway.optim.") for kind in classes
    )
    names = [module.__name__ for module in modules_of(optim.__name__, optim.__path__)]
    assert names == sorted(names) and "cutaway.optim.adam" in names
