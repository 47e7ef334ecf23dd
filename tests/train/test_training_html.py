"""A training in a notebook: its parts and curves, and one bar that is drawn anew in place."""

import re
import sys
import types

import numpy as np
import pytest

import cutaway as ct
from cutaway.train import notebook_bar
from cutaway.train.progress import Progress


@pytest.fixture
def displays(monkeypatch):
    """[[bundle, ...] of each display] of a notebook that is made believe."""
    shown = []

    class Handle:
        def __init__(self, bundle):
            self.bundles = [bundle]
            shown.append(self.bundles)

        def update(self, bundle, *, raw):
            assert raw
            self.bundles.append(bundle)

    def display(bundle, *, raw, display_id):
        assert raw and display_id
        return Handle(bundle)

    fake, inner = types.ModuleType("IPython"), types.ModuleType("IPython.display")
    fake.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    inner.display = display
    monkeypatch.setitem(sys.modules, "IPython", fake)
    monkeypatch.setitem(sys.modules, "IPython.display", inner)
    monkeypatch.setattr(notebook_bar, "EVERY", 0.0)
    return shown


def trainer_of(**options):
    ct.seed(0)
    net = ct.Sequential(ct.Linear(3, 2), ct.Sigmoid(), ct.Linear(2, 1))
    return ct.Trainer(net, loss=ct.losses.mean_squared_error, **options)


def rows(count=32):
    x = np.random.default_rng(0).normal(size=(count, 3)).astype(np.float32)
    return x, x.sum(axis=1, keepdims=True)


def widths(bundles):
    return [float(re.search(r'style="width:([\d.]+)%"', b["text/html"])[1]) for b in bundles]


def test_a_fit_in_a_notebook_draws_one_bar_in_place(displays, capsys):
    trainer = trainer_of()
    history = trainer.fit(*rows(), epochs=3, batch_size=8, validation=0.25)
    (bundles,) = displays
    assert len(bundles) > 2
    assert widths(bundles) == sorted(widths(bundles)) and widths(bundles)[-1] == 100
    assert bundles[0]["text/plain"] == "  0%  compiling"
    last = bundles[-1]["text/plain"]
    assert last.startswith("100%  3 epochs  loss ")
    assert f"val loss {history['val_loss'][-2]:.4g}" in last or (
        f"val loss {history['val_loss'][-1]:.4g}" in last
    )
    assert capsys.readouterr() == ("", "")


def test_a_stopped_fit_says_how_far_it_came(displays):
    trainer = trainer_of()
    trainer.fit(
        *rows(),
        epochs=10,
        batch_size=8,
        callbacks=[lambda t, row: t.epoch == 4 and t.stop("enough")],
    )
    (bundles,) = displays
    assert "4 of 10 epochs" in bundles[-1]["text/plain"] and "enough" in bundles[-1]["text/plain"]
    assert widths(bundles)[-1] == 40


def test_no_bar_is_drawn_if_none_is_wanted_or_this_is_no_notebook(displays, monkeypatch):
    trainer_of().fit(*rows(), epochs=1, progress=False)
    assert displays == []
    assert Progress.wanted()
    monkeypatch.setitem(sys.modules, "IPython", None)
    assert not Progress.wanted()  # standard error is a pipe here


def test_drawings_are_no_more_frequent_than_a_page_can_follow(displays, monkeypatch):
    monkeypatch.setattr(notebook_bar, "EVERY", 1e9)
    trainer_of().fit(*rows(), epochs=20, batch_size=8)
    assert len(displays[0]) == 2  # the first and the last


def test_a_history_shows_its_curves_and_its_ends():
    table = [
        {"epoch": 1, "loss": 0.75, "val_loss": 0.5, "val_accuracy": 0.25, "seconds": 1.0},
        {"epoch": 2, "loss": 0.125, "val_loss": 0.375, "val_accuracy": 0.5, "seconds": 1.0},
    ]
    html = ct.History(table)._repr_html_()
    assert html.count("<svg") == 2 and html.count("<polyline") >= 3  # a panel each
    cells = re.findall(r'<td class="n">([^<]*)</td>', html)
    assert cells == ["1", "0.75", "0.5", "0.25", "2", "0.125", "0.375", "0.5"]
    assert "no epochs yet" in ct.History()._repr_html_()


def test_a_trainer_shows_network_loss_optimizer_and_epochs():
    trainer = trainer_of(metrics=[ct.metrics.mean_absolute_error], precision="float32")
    html = trainer._repr_html_()
    for text in ("Sequential of 11 parameters", "mean_squared_error", "Adam(lr=0.001",
                 "mean_absolute_error", "not trained"):  # fmt: skip
        assert text in html
    assert html.count("<svg") == 1 and "<math" in html  # the drawing, the optimizer's formulas
    trainer.fit(*rows(), epochs=2, batch_size=8)
    html = trainer._repr_html_()
    assert "2 epochs of batch size 8" in html and html.count("<svg") == 2


def test_networks_that_train_in_turn_are_both_drawn():
    from cutaway.train import AdversarialProgram

    maker = ct.Sequential(ct.Linear(2, 3), ct.ReLU(), ct.Linear(3, 2))
    judge = ct.Sequential(ct.Linear(2, 3), ct.ReLU(), ct.Linear(3, 1))
    html = ct.Trainer(AdversarialProgram(maker, judge))._repr_html_()
    assert html.count("<summary>network: Sequential</summary>") == 2
