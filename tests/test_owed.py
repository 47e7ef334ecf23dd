"""Which fact a new leaf still owes: each kind of leaf declares what others read of it.

A failure names the leaf and what is missing; CONTRIBUTING.md says where it goes.
"""

import importlib
import inspect
import re
from pathlib import Path

import numpy as np
import pytest

import cutaway as ct
from cutaway import losses, metrics, models, nn, ops, optim
from cutaway.doctor.diagnosis import all_symptoms, effects
from cutaway.engine import Operation
from cutaway.engine.operation import operation
from cutaway.leaves import objects_of
from cutaway.metrics.contract import metric
from cutaway.optim.optimizer import STEPS, Optimizer
from cutaway.runs.kinds import KINDS as DATA_KINDS
from cutaway.runs.kinds import DataKind
from cutaway.runs.options import TrainingOptions, declared_options
from cutaway.runs.preprocessing import Preprocessing
from cutaway.story.svg import KINDS
from tests.docs.test_docs import MODULES
from tests.ops.test_traits import ANY

ROOT = Path(__file__).parents[1]
TESTS_OF_OPERATIONS = "".join(p.read_text() for p in (ROOT / "tests" / "ops").glob("test_*.py"))

TESTS_OF_RUNS = "".join(p.read_text() for p in (ROOT / "tests" / "runs").glob("test_*.py"))


def undocumented(leaf) -> list:
    return [] if inspect.getdoc(leaf) else ["a docstring: the formula, and where it is from"]


def of_operation(leaf: Operation) -> list:
    owed = undocumented(leaf)
    if leaf.differentiable:
        owed += [] if leaf.rule else ["its rule: @name.backward"]
        compared = re.search(rf'\bops\.{leaf.name}\b|"{leaf.name}"', TESTS_OF_OPERATIONS)
        owed += [] if compared else ["a line in tests/ops/test_gradients.py"]
        known = leaf.traits.edges != "any" or leaf.name in ANY
        owed += [] if known else ["edges=..., see engine/traits.py, or a place in ANY"]
    trained_only = leaf.name == "batch_norm"  # networks are exported in evaluation mode
    owed += [] if leaf.written or trained_only else ["how ONNX writes it: @name.onnx"]
    return owed


def of_activation(leaf: Operation) -> list:
    known = leaf.traits.activation
    owed = [] if leaf.traits.edges in ("elementwise", "rowwise") else ["edges of an activation"]
    owed += [] if known.title.isidentifier() else ["a title that can be a layer's name"]
    owed += [] if known.range[0] < known.range[1] else ["its range, the smaller end first"]
    return owed + ([] if known.largest_slope >= 0 else ["its largest slope"])


def of_layer(leaf: type) -> list:
    owed = undocumented(leaf)
    owed += [] if leaf.layer_kind in (*KINDS, "module") else [f"layer_kind, one of {[*KINDS]}"]
    return owed + ([] if leaf.forward is not nn.Module.forward else ["forward"])


def of_loss(leaf) -> list:
    owed = undocumented(leaf)
    return owed + ([] if losses.expects(leaf) else ["what it expects: @expecting(output, target)"])


def of_metric(leaf) -> list:
    owed = undocumented(leaf)
    owed += [] if leaf.task in ("classification", "regression") else ["its task"]
    owed += [] if isinstance(leaf.higher_is_better, bool) else ["higher_is_better"]
    names = list(inspect.signature(leaf).parameters)[:3]
    return owed + ([] if names == ["prediction", "target", "weights"] else ["weights=None"])


def of_optimizer(leaf: type) -> list:
    owed = undocumented(leaf)
    owed += [] if "update" in vars(leaf) or leaf.update is not Optimizer.update else ["update"]
    owed += (
        [] if leaf.terms is not None else ["terms: a step of it written out, for explain_update"]
    )
    owed += [] if leaf.steps in STEPS else [f"steps, one of {STEPS}"]
    owed += [] if leaf.usual_lr is None or leaf.usual_lr > 0 else ["usual_lr"]
    if not owed:
        net = ct.Linear(2, 1)
        optimizer = leaf(net, lr=0.1)
        net(np.ones((3, 2))).sum().backward()
        optimizer.step()
        rate = optimizer.rate_of(net.weight)[0]
        owed += [] if np.all(np.isfinite(rate)) else ["effective_rate"]
    return owed


def of_symptom(code: str, look) -> list:
    module = inspect.getmodule(look)
    owed = undocumented(module)
    programs = "".join(p.read_text() for p in (ROOT / "benchmarks/doctor/programs").glob("*.py"))
    cases = len(re.findall(rf'@fault\(\s*"{code}"', programs))
    owed += [] if cases >= 2 else [f"two programs in benchmarks/doctor/programs (has {cases})"]
    return owed


ASKED_OF_KINDS = ("recognize", "preprocessing", "prepare", "networks", "network_inputs")


def of_kind(leaf: DataKind) -> list:
    kind = type(leaf)
    owed = undocumented(kind)
    owed += [f"{fact}=..." for fact in ("name", "title", "network") if not getattr(leaf, fact, "")]
    owed += [n for n in ASKED_OF_KINDS if getattr(kind, n) is getattr(DataKind, n)]
    others = [one for one in DATA_KINDS.values() if one is not leaf]
    owed += ["a title of its own"] if leaf.title in [one.title for one in others] else []
    options = getattr(leaf, "options", None)
    if options is None or not issubclass(options, TrainingOptions):
        return [*owed, "options=..., a dataclass of TrainingOptions"]
    owed += undocumented(options)
    own, common = declared_options(options), declared_options(TrainingOptions)
    for other in others:
        known = declared_options(other.options) | common
        unlike = [n for n in {*own} & {*known} if own[n].flag != known[n].flag]
        owed += [f"for {n} the flag of {other.name}, or none" for n in unlike]
    if "preprocessing" not in owed:
        rows, wanted = leaf.preprocessing(), ("transform", "from_json", "to_json")
        owed += [f"{n} of its preprocessing" for n in wanted if n not in dir_of(rows)]
        if not {"read", "read_written"} & set(dir_of(rows)):
            owed.append("read or read_written of its preprocessing")
    if leaf.transfer_options is not None and kind.prepare_transfer is DataKind.prepare_transfer:
        owed += ["prepare_transfer"]
    name = getattr(leaf, "name", "")
    tested = name and f'"{name}"' in TESTS_OF_RUNS
    return owed + ([] if tested else ["a test in tests/runs that trains it, by its name"])


def dir_of(rows: type) -> set:
    """The names that a preprocessing has beyond those of the base class."""
    return {name for kind in rows.__mro__[:-1] if kind is not Preprocessing for name in vars(kind)}


OPERATIONS = objects_of("cutaway.ops", ops.__path__, lambda v: isinstance(v, Operation))
LAYERS = [  # and networks: every public Module of the package
    value
    for module in map(importlib.import_module, MODULES)
    for name, value in vars(module).items()
    if isinstance(value, type)
    and issubclass(value, nn.Module)
    and value.__module__ == module.__name__
    and name == value.__name__
    and not name.startswith("_")
]


@pytest.mark.parametrize("leaf", OPERATIONS, ids=lambda leaf: leaf.name)
def test_an_operation_owes_nothing(leaf):
    assert leaf.name.startswith("_") or of_operation(leaf) == []


@pytest.mark.parametrize("title", ops.ACTIVATION_FUNCTIONS)
def test_an_activation_owes_nothing(title):
    assert of_activation(ops.ACTIVATION_FUNCTIONS[title]) == []


@pytest.mark.parametrize("leaf", LAYERS, ids=lambda leaf: leaf.__name__)
def test_a_layer_owes_nothing(leaf):
    assert leaf is nn.Module or of_layer(leaf) == []


def test_layers_of_every_package_are_asked():
    assert {*LAYERS} >= {nn.Linear, models.ResNet, models.Translator, nn.LSTM}
    assert len(LAYERS) > 100 and len({leaf.__name__ for leaf in LAYERS}) == len(LAYERS)


@pytest.mark.parametrize("name", losses.LOSSES)
def test_a_loss_owes_nothing(name):
    assert of_loss(losses.LOSSES[name]) == []


@pytest.mark.parametrize("name", metrics.METRICS)
def test_a_metric_owes_nothing(name):
    assert of_metric(metrics.METRICS[name]) == []


@pytest.mark.parametrize("name", optim.OPTIMIZERS)
def test_an_optimizer_owes_nothing(name):
    assert of_optimizer(optim.OPTIMIZERS[name]) == []


@pytest.mark.parametrize("code", all_symptoms())
def test_a_symptom_owes_nothing(code):
    assert of_symptom(code, all_symptoms()[code]) == []


@pytest.mark.parametrize("name", DATA_KINDS)
def test_a_kind_of_data_owes_nothing(name):
    assert of_kind(DATA_KINDS[name]) == []


def test_what_a_symptom_explains_is_there():
    assert set().union(*effects().values()) <= set(all_symptoms())
    # a family is named as a whole, so that a new member of it is explained too
    assert {"plateau", "saddle_point"} <= effects()["frozen_parameters"]


def test_a_bare_leaf_owes_every_fact():
    bare = operation(lambda x: x, name="bare")
    assert len(of_operation(bare)) == 5
    assert [o.split(":")[0] for o in of_optimizer(type("Bare", (Optimizer,), {}))][-2:] == [
        "update",
        "terms",
    ]
    assert len(of_metric(metric("ranking", higher_is_better=None)(lambda a, b: a))) == 4
    assert of_loss(lambda prediction, target: prediction)[-1].startswith("what it expects")
    assert "forward" in of_layer(type("Bare", (nn.Module,), {}))
    bare = type("Bare", (DataKind,), {"title": "a table", "__module__": "bare"})()
    bare.options = type("Twice", (TrainingOptions,), {"__doc__": "Options."})
    assert of_kind(bare)[-9:] == [
        "name=...",
        "network=...",
        *ASKED_OF_KINDS,
        "a title of its own",
        "a test in tests/runs that trains it, by its name",
    ]
    assert of_symptom("no_such_code", lambda evidence: None)[-1].endswith("(has 0)")
