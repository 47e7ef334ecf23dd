"""What every network of the catalog can do: one contract, over the CASES of cases_*.py."""

import functools
import importlib
from pathlib import Path

import jax
import numpy as np
import pytest

import cutaway as ct
from cutaway.engine import Tensor, no_grad
from cutaway.losses.terms import columns_of, named_terms
from cutaway.nn import init
from cutaway.nn.state import named_variables
from cutaway.nn.trees import call, leaves, map_leaves

pytestmark = pytest.mark.usefixtures("compile_quickly")

CASES = [
    case
    for path in sorted(Path(__file__).parent.glob("cases_*.py"))
    for case in importlib.import_module(f"tests.models.{path.stem}").CASES
]


class Subject:
    """A case's small network with its batch, and one compiled step that all its tests share."""

    def __init__(self, case):
        ct.seed(0)
        self.case = case
        self.net = case.build()
        self.x, self.y = case.batch(np.random.default_rng(0))  # trees of arrays
        self.initial = self.net.state_dict()
        self.optimizer = ct.Adam(self.net, lr=case.lr)
        slots = named_variables(self.optimizer).values()
        self.initial_slots = [(slot, np.array(slot.data)) for slot in slots]
        self.compiled = ct.jit(self.step, self.net, self.optimizer)

    def gradients(self, x, y):
        """The loss and {path: gradient}."""
        loss = columns_of(named_terms(self.case.loss(call(self.net, x), y)))["loss"]
        loss.backward()
        return loss, {
            path: p.data * 0 if p.grad is None else p.grad
            for path, p in self.net.named_parameters().items()
        }

    def step(self, x, y):
        """One step of Adam; returns the loss and the gradients it followed."""
        found = self.gradients(x, y)
        self.optimizer.step()
        return found

    def reset(self):
        """Network and optimizer as they were built, in training, whatever other tests did."""
        for slot, value in self.initial_slots:
            slot.data = jax.numpy.asarray(value)
        self.net.load_state_dict(self.initial)
        self.optimizer.zero_grad()
        self.net.train()
        return self

    @functools.cached_property
    def first(self):
        """(loss, {path: gradient}) of the first compiled step."""
        self.reset()
        loss, gradients = self.compiled(self.x, self.y)
        return float(loss), {path: np.asarray(g.data) for path, g in gradients.items()}


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.name)
def subject(request):
    yield Subject(request.param)
    jax.clear_caches()  # programs of all networks together would take gigabytes


def test_every_case_has_a_name_of_its_own():
    names = [case.name for case in CASES]
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize(
    "case", [c for c in CASES if c.full is not None], ids=lambda case: case.name
)
def test_the_full_size_has_as_many_parameters_as_the_paper_or_the_oracle(case, monkeypatch):
    # drawing 138 million random numbers takes seconds, zeros none
    for name in ("_normal", "_uniform"):
        monkeypatch.setattr(init, name, lambda shape, scale: np.zeros(shape, np.float32))
    net = case.full()
    assert sum(p.size for p in net.parameters()) == case.parameters


def test_each_stage_gives_the_shape_that_the_paper_says(subject):
    if not subject.case.shapes:
        pytest.skip("the network has no stages")
    net = subject.reset().net.eval()

    @no_grad()
    def maps(x):
        return {name: out.data for name, out in net.maps(Tensor(x)).items()}

    x = subject.x[:1]
    found = jax.eval_shape(maps, jax.ShapeDtypeStruct(x.shape, x.dtype))
    assert {name: out.shape for name, out in found.items()} == subject.case.shapes


def test_every_parameter_gets_a_finite_gradient_that_is_not_zero(subject):
    loss, gradients = subject.first
    assert np.isfinite(loss)
    wrong = [path for path, g in gradients.items() if not np.isfinite(g).all() or not g.any()]
    assert not wrong


@pytest.mark.slow
def test_the_compiled_step_does_what_the_eager_one_does(subject):
    loss, compiled = subject.first
    subject.reset()
    x, y = (map_leaves(Tensor, tree) for tree in (subject.x, subject.y))
    eager_loss, eager = subject.gradients(x, y)
    assert float(eager_loss) == pytest.approx(loss, rel=1e-4, abs=1e-6)
    # a parameter whose exact gradient is 0, as of an attention's key bias, has noise in both
    floor = 1e-5 * max(np.linalg.norm(g) for g in compiled.values())
    for path, expected in compiled.items():
        error = np.linalg.norm(np.asarray(eager[path]) - expected)
        assert error <= 2e-3 * np.linalg.norm(expected) + floor, path


def test_it_learns_one_batch_by_heart(subject):
    first, _ = subject.first
    subject.reset()
    for _ in range(subject.case.steps):
        last, _ = subject.compiled(subject.x, subject.y)
    assert float(last) < 0.1 * first


def test_it_trains_in_bfloat16(subject):
    first, _ = subject.first
    subject.reset()
    with ct.matmul_precision("bfloat16"):
        losses = [
            float(subject.compiled(subject.x, subject.y)[0])
            for _ in range(max(5, subject.case.steps // 2))
        ]
    assert losses[0] == pytest.approx(first, rel=0.1, abs=0.05)
    assert losses[-1] < 0.7 * losses[0]


def test_saved_weights_make_another_copy_the_same_network(subject, tmp_path):
    net = subject.reset().net.eval()
    ct.save_weights(net, tmp_path / "net.safetensors")
    ct.seed(1)
    other = subject.case.build().eval()
    ct.load_weights(other, tmp_path / "net.safetensors")
    state = other.state_dict()
    assert all(np.array_equal(value, state[path]) for path, value in net.state_dict().items())
    x = first_rows(subject.x, 2)
    with no_grad():
        for mine, copied in zip(leaves(call(net, x)), leaves(call(other, x)), strict=True):
            assert np.array_equal(mine.numpy(), copied.numpy())


@pytest.mark.slow
def test_explain_opens_it(subject):
    net = subject.reset().net
    x, y = first_rows(subject.x, 1), first_rows(subject.y, 1)
    why = ct.explain(net, x, y, loss=subject.case.loss)
    with no_grad():
        outs = call(net.eval(), x)
    for mine, out in zip(leaves(why.output), map(np.asarray, leaves(outs)), strict=True):
        np.testing.assert_allclose(mine, out, rtol=1e-3, atol=1e-3 * np.abs(out).max())
    assert np.isfinite([layer.gradient for layer in why.flow().layers]).all()


def test_draw_shows_it(subject):
    svg = ct.draw(subject.reset().net, x=first_rows(subject.x, 1)).svg
    assert svg.lstrip().startswith("<svg")
    for stage in subject.case.shapes:
        assert stage in svg


def first_rows(tree, count):
    return map_leaves(lambda leaf: leaf[:count], tree)
