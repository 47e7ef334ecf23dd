"""To add an activation, an optimizer or a metric is to add one file: everybody else finds it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cutaway.leaves import modules_of, objects_of

PACKAGE = Path(__file__).parents[1] / "cutaway"

ACTIVATION = '''
"""TanhExp."""

import math

import jax.numpy as jnp

from cutaway.engine import Activation
from cutaway.engine.operation import operation


TANH_EXP = Activation("TanhExp", range=(-0.35329, math.inf), largest_slope=1.062, rectifies=True)


@operation(activation=TANH_EXP)
def tanh_exp(z):
    """z tanh(e^z). Liu & Di 2020, arXiv:2003.09855."""
    return z * jnp.tanh(jnp.exp(z))


@tanh_exp.backward
def tanh_exp_backward(grad, out, z):
    e = jnp.exp(jnp.minimum(z, 20))
    t = jnp.tanh(e)
    return grad * (t + z * e * (1 - t * t))
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
KIND = '''
"""Arrays: a .npz file with the inputs x and the classes y."""

import dataclasses

from cutaway.runs.kinds.contract import CERTAIN, DataKind, NetworkInput, Sign
from cutaway.runs.options import Flag, TrainingOptions, option
from cutaway.runs.preprocessing import Preprocessing, class_target, expect_format


@dataclasses.dataclass(frozen=True, kw_only=True)
class NpzOptions(TrainingOptions):
    """Training options for arrays."""

    factor: float = option(1.0, Flag("Factor of all inputs.", panel="Arrays"))


class NpzRows(Preprocessing):
    """The factor and the classes."""

    def __init__(self, factor, features, target):
        self.factor, self.features, self.target = factor, features, target

    @classmethod
    def from_json(cls, value):
        expect_format(value, "npz")
        target = class_target("y", value["classes"], value["y"])
        return cls(value["factor"], value["features"], target)

    def to_json(self):
        y = [k for k, count in enumerate(self.target.counts) for _ in range(count)]
        about = {"factor": self.factor, "features": self.features, "classes": self.classes, "y": y}
        return {"kind": "npz", "format": 1, **about}

    def read(self, source):
        import numpy as np
        import polars as pl

        with np.load(source) as file:
            return pl.DataFrame({name: file[name] for name in file.files})

    def transform(self, frame, *, with_target=True):
        import numpy as np

        from cutaway.data import TableArrays

        x = frame["x"].to_numpy().astype(np.float32) * self.factor
        y = frame["y"].to_numpy().astype(np.int32) if with_target else None
        return TableArrays(x, y, np.arange(len(x)), [])


class NpzKind(DataKind):
    """Arrays x and y in a .npz file."""

    name, title, takes = "npz", "arrays", "a .npz file of arrays x and y"
    options, network = NpzOptions, "a linear layer"

    def recognize(self, source):
        is_own = source.file is not None and source.file.suffix == ".npz"
        return Sign("a .npz file", CERTAIN) if is_own else None

    def preprocessing(self):
        return NpzRows

    def prepare(self, data, target, options, *, why):
        import numpy as np

        from cutaway.nn import seed
        from cutaway.runs.experiment import Experiment
        from cutaway.runs.labeled_sets import encode_sets
        from cutaway.runs.networks import DEFAULT_LOSSES, build_network

        rows = NpzRows(options.factor, 0, None)
        frame = rows.read(data)
        rows.features = frame["x"].to_numpy().shape[1]
        found = encode_sets(rows, {"train": frame}, options)
        classes = [str(k) for k in np.unique(found.y)]
        rows.target = class_target("y", classes, found.y[found.training])
        spec = {"model": "npz_linear", "inputs": rows.features, "outputs": len(classes),
                "loss": DEFAULT_LOSSES["multiclass"], "dropout": options.dropout}
        seed(options.seed)
        return Experiment(
            kind=self.name, source=str(data), target="y", options=options, frame=frame,
            preprocessing=rows, training=found.training, validation=found.validation,
            row_numbers=np.arange(len(frame)) + 1, x=found.x, y=found.y, spec=spec,
            net=build_network(spec), notes=found.notes, why=why, test=found.test,
        )

    def networks(self):
        from cutaway.nn import Linear, Sequential

        return {"npz_linear": lambda spec: Sequential(Linear(spec["inputs"], spec["outputs"]))}

    def network_inputs(self, rows):
        return [NetworkInput("x", (rows.features,), "float32", [f"x times {rows.factor:g}"])]

    def input_names(self, rows):
        return [f"sensor {k}" for k in range(rows.features)]

    def attribution_names(self, rows, x, frame):
        return self.input_names(rows)

    def baselines(self, experiment):
        from cutaway.runs.baselines import flat_baselines

        return flat_baselines()
'''


@pytest.fixture
def house(tmp_path):
    """A copy of the package with three more files, as an environment of its own."""
    shutil.copytree(PACKAGE, tmp_path / "cutaway", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "cutaway/ops/smooth.py").write_text(ACTIVATION)
    (tmp_path / "cutaway/optim/lion.py").write_text(OPTIMIZER)
    (tmp_path / "cutaway/metrics/median.py").write_text(METRIC)
    (tmp_path / "cutaway/nn/highway.py").write_text(LAYER)
    (tmp_path / "cutaway/runs/kinds/npz.py").write_text(KIND)
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


@pytest.mark.slow
def test_a_new_file_is_known_to_commands_explanations_and_races(house):
    code = (
        "import cutaway as ct; from cutaway.metrics import METRICS; "
        "print(ct.TanhExp(), ct.Lion.name, ct.HighwayGate(2)([[1.0, 2.0]]).ndim, "
        " METRICS['median_absolute_error'].task, "
        "ct.check_gradient(ct.ops.tanh_exp, [0.3, -2.0]))"
    )
    assert run(house, "-c", code).split()[:4] == ["TanhExp()", "lion", "2", "regression"]
    run(house, "-m", "cutaway", "train", "--activation", "tanh_exp", "--optimizer", "lion",
        "--epochs", "3", "--out", "run")  # fmt: skip
    told = run(house, "-m", "cutaway", "explain", "run", "--neuron", "1:0", "--weight", "0:0,0")
    assert "tanh_exp" in told
    drawn = "import cutaway as ct; print(ct.draw(ct.Sequential(ct.Linear(2, 1), ct.TanhExp())).svg)"
    assert "TanhExp" in run(house, "-c", drawn)
    race = run(house, "-m", "cutaway", "race", "--optimizer", "lion,adam", "--steps", "20")
    assert "lion" in race


@pytest.mark.slow
def test_a_new_kind_of_data_is_known_to_every_command(house):
    y = np.arange(60) % 3
    x = np.eye(3)[y] + 0.1 * np.random.default_rng(0).normal(size=(60, 3))
    np.savez(house / "gas.npz", x=x, y=y)
    told = run(house, "-m", "cutaway", "train", "--help")
    assert "Factor of all inputs. [default: 1.0]" in told
    in_one_line = " ".join(told.replace("│", " ").split())
    assert "a .npz file of arrays x and y" in in_one_line
    told = run(house, "-m", "cutaway", "train", "gas.npz", "--lr", "0.1", "--epochs", "20",
               "--factor", "2", "--out", "run")  # fmt: skip
    assert "Detected as arrays: a .npz file. Network: a linear layer." in told
    assert "(12 of 12)" in told
    told = run(house, "-m", "cutaway", "explain", "run")
    assert "Prediction: y = 0" in told and "sensor 0" in told
    run(house, "-m", "cutaway", "export", "run", "--onnx")
    assert "x times 2" in run(house, "-m", "cutaway", "export", "run", "--safetensors", "--json")
    assert run(house, "-m", "cutaway", "predict", "run", "gas.npz").count("\n") == 61
    told = run(house, "-m", "cutaway", "compare", "gas.npz", "--sizes", "1", "--seeds", "1",
               "--set", "epochs=3")  # fmt: skip
    assert "random forest" in told
    code = "import cutaway.doctor.sources as s; from cutaway.runs import Run; "
    code += "print(s.experiment_of_run(Run.open('run')).preprocessing.factor)"
    assert run(house, "-c", code) == "2.0\n"


def test_what_a_module_only_imports_is_not_its_own():
    import cutaway.optim as optim

    classes = objects_of(optim.__name__, optim.__path__, lambda v: isinstance(v, type))
    assert len(classes) == len(set(classes)) and all(
        kind.__module__.startswith("cutaway.optim.") for kind in classes
    )
    names = [module.__name__ for module in modules_of(optim.__name__, optim.__path__)]
    assert names == sorted(names) and "cutaway.optim.adam" in names
