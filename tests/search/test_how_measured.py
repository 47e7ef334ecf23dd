"""How a comparison was measured, in words: nothing is said of intervals where there are none."""

import types

import pytest

from cutaway.search.page import how_measured

SUMMARY = {"examples": "pictures", "test_rows": 6, "parameters": 1000, "method": "All alike."}


@pytest.mark.parametrize("redrawn", [True, False])
def test_one_seed_has_no_interval_and_several_have(redrawn):
    one, five = (
        how_measured(types.SimpleNamespace(summary={**SUMMARY, "seeds": n, "redrawn": redrawn}))
        for n in (1, 5)
    )
    assert one.startswith("One seed: 6 test pictures ") and "±" not in one and "verdict" not in one
    assert five.startswith("5 seeds") and "± is a 95% confidence interval" in five
    assert ("Nadeau" in five) == redrawn
    for text in (one, five):
        assert text.endswith("The network has 1,000 parameters. All alike.")
