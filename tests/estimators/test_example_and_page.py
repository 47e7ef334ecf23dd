"""The example and the page of the estimators run."""

import re
from pathlib import Path

import pytest

from tests.docs.scripts import example

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_example_compares_a_network_with_scikit_learns_models(capsys):
    scores = example("estimators").main(epochs=15)
    assert {"network", "text network", "counted words"} < set(scores)
    assert scores["network"] > 0.7 and scores["text network"] > 0.7
    assert "best of the grid" in capsys.readouterr().out


@pytest.mark.slow  # a diagnosis of a training of 500 epochs
def test_the_python_of_the_page_runs(capsys):
    blocks = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs" / "estimators.md").read_text(), re.DOTALL
    )
    scope = {}
    exec("\n".join(blocks), scope)
    assert scope["accuracy"] > 0.7
    assert scope["texts"].predict(["a fine, lovely song"]).tolist() == ["good"]
    assert scope["images"].score(scope["pixels"], ["bar", "noise"] * 24) > 0.9
    assert "∂L/∂w" in capsys.readouterr().out
