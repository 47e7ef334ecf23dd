"""Dropout before and after: what is dropped, what is scaled, and that inverted dropout is fair."""

import itertools
import json

import numpy as np
import pytest

from cutaway.diagram import dropout_story
from cutaway.errors import OptionError
from cutaway.story.design import hue


def test_kept_units_are_scaled_and_dropped_ones_are_zero():
    story = dropout_story((3, 6, 6, 2), p=0.25, seed=4)
    for raw, after, kept in zip(story.raw, story.after[1:-1], story.kept[1:-1], strict=True):
        np.testing.assert_allclose(after, np.where(kept, raw / 0.75, 0), rtol=1e-6)
        assert kept.any() and not kept.all()
    # the first hidden layer has the same inputs as without dropout
    np.testing.assert_allclose(story.raw[0], story.before[1], rtol=1e-6)
    assert len(story.rows()) == 12


def test_on_average_a_unit_is_what_it_is_without_dropout():
    stories = [dropout_story((1, 8, 1), p=0.5, seed=s) for s in range(60)]
    ratios = np.concatenate([s.after[1] / s.before[1] for s in stories])
    # 480 draws of 0 or 2: mean 1, standard error 0.046
    assert ratios.mean() == pytest.approx(1, abs=0.19)
    assert set(ratios.round(4)) == {0.0, 2.0}


def test_without_dropout_nothing_changes():
    story = dropout_story((2, 3, 1), p=0.0)
    for before, after in zip(story.before, story.after, strict=True):
        np.testing.assert_array_equal(before, after)


def test_edges_of_dropped_units_are_not_drawn():
    story = dropout_story()
    kept = [int(k.sum()) for k in story.kept]
    before, after = story.html().split("(b) after dropout</title>")
    assert before.count('class="wire"') == 3 * 5 + 5 * 5 + 5
    assert after.count('class="wire"') == sum(a * b for a, b in itertools.pairwise(kept))
    assert after.count(f'stroke="{hue("orange")}"') == 10 - sum(kept[1:-1])
    text = str(story)
    assert max(map(len, text.splitlines())) <= 80 and "units, not layers" in text
    json.dumps(story.to_dict())
    story.figure().canvas.draw()


def test_networks_that_cannot_be_drawn_are_errors():
    with pytest.raises(OptionError, match="hidden layer"):
        dropout_story((3, 1))
    with pytest.raises(OptionError, match="size of a layer is 11"):
        dropout_story((3, 11, 1))
    with pytest.raises(OptionError, match="p is 1"):
        dropout_story(p=1.0)
