"""race: each way against a loop written by hand, and ends that are named by their curvature."""

import json
import math
import re

import numpy as np
import pytest

import cutaway as ct
from cutaway.errors import OptionError, ShapeError
from cutaway.landscape import SURFACES, TextbookSurface, race
from cutaway.optim import OPTIMIZERS

GRADIENTS = {
    "ravine": lambda w: np.array([0.04 * w[0], 2 * w[1]]),
    "rosenbrock": lambda w: np.array(
        [-2 * (1 - w[0]) - 400 * w[0] * (w[1] - w[0] ** 2), 200 * (w[1] - w[0] ** 2)]
    ),
    "himmelblau": lambda w: np.array(
        [
            4 * w[0] * (w[0] ** 2 + w[1] - 11) + 2 * (w[0] + w[1] ** 2 - 7),
            2 * (w[0] ** 2 + w[1] - 11) + 4 * w[1] * (w[0] + w[1] ** 2 - 7),
        ]
    ),
}


def by_hand(name, gradient, start, lr, steps):
    """The way of an optimizer as its paper writes it, in NumPy."""
    w = np.array(start, float)
    v, m, r = np.zeros(2), np.zeros(2), np.zeros(2)
    product = 1.0
    way = [w]
    for t in range(1, steps + 1):
        g = gradient(w)
        if name == "sgd":
            w = w - lr * g
        elif name == "momentum":
            v = 0.9 * v + g
            w = w - lr * v
        elif name == "averaged_momentum":
            v = 0.9 * v + 0.1 * g
            w = w - lr * v
        elif name == "nesterov":
            v = 0.9 * v + g
            w = w - lr * (g + 0.9 * v)
        elif name == "adagrad":
            r = r + g**2
            w = w - lr * g / (np.sqrt(r) + 1e-10)
        elif name == "adadelta":
            r = 0.9 * r + 0.1 * g**2
            delta = np.sqrt(v + 1e-6) / np.sqrt(r + 1e-6) * g
            v = 0.9 * v + 0.1 * delta**2
            w = w - lr * delta
        elif name == "rmsprop":
            r = 0.99 * r + 0.01 * g**2
            w = w - lr * g / (np.sqrt(r) + 1e-8)
        elif name in ("adam", "adamw"):
            if name == "adamw":
                w = w * (1 - lr * 0.01)
            m = 0.9 * m + 0.1 * g
            r = 0.999 * r + 0.001 * g**2
            w = w - lr * (m / (1 - 0.9**t)) / (np.sqrt(r / (1 - 0.999**t)) + 1e-8)
        elif name == "nadam":
            m = 0.9 * m + 0.1 * g
            r = 0.999 * r + 0.001 * g**2
            mu = 0.9 * (1 - 0.5 * 0.96 ** (t * 0.004))
            after = 0.9 * (1 - 0.5 * 0.96 ** ((t + 1) * 0.004))
            product = product * mu
            m_hat = after * m / (1 - product * after) + (1 - mu) * g / (1 - product)
            w = w - lr * m_hat / (np.sqrt(r / (1 - 0.999**t)) + 1e-8)
        way.append(w)
    return np.array(way)


@pytest.mark.parametrize("surface", GRADIENTS)
def test_every_trajectory_is_that_of_a_plain_loop(surface):
    found = race(surface, steps=100)
    assert [racer.name for racer in found.racers] == list(OPTIMIZERS)
    for racer in found.racers:
        expected = by_hand(racer.name, GRADIENTS[surface], found.start, racer.lr, 100)
        np.testing.assert_allclose(
            racer.points, expected, rtol=1e-10, atol=1e-10, err_msg=racer.name
        )
        np.testing.assert_allclose(racer.values, SURFACES[surface].values(expected), atol=1e-8)


def test_learning_rates_follow_the_rule():
    found = race("ravine", steps=2)
    rates = {racer.name: racer.lr for racer in found.racers}
    # the largest curvature of 0.02 x² + y² is 2, its picture 20 wide
    assert rates == pytest.approx(
        dict.fromkeys(("sgd", "momentum", "averaged_momentum", "nesterov"), 0.5)
        | dict.fromkeys(("rmsprop", "adam", "adamw", "nadam"), 0.1)
        | {"adagrad": 1.0, "adadelta": 1.0}
    )
    assert "Default learning rates" in str(found)
    given = race("ravine", ["sgd", "adam"], steps=2, lr={"sgd": 0.25})
    assert [r.lr for r in given.racers] == [0.25, pytest.approx(0.1)]
    assert "Default learning rates" not in str(race("ravine", ["sgd"], steps=2, lr=0.25))


def test_with_the_rules_rate_plain_descent_never_rises():
    for name in SURFACES:
        (racer,) = race(name, "sgd").racers
        assert (np.diff(racer.values) <= 1e-12).all(), name


def test_the_curvature_tells_whether_descent_ended_on_a_saddle_or_in_a_minimum():
    # the ridge leads to the saddle, and a gradient that is exactly 0 across it keeps one there
    ridge = race("saddle", ["sgd", "momentum", "adam"], start=(-2, 0))
    assert {racer.verdict for racer in ridge.racers} == {"saddle"}
    assert all(racer.reached is None for racer in ridge.racers)
    beside = race("saddle", ["sgd", "momentum", "adam"])
    assert {racer.verdict for racer in beside.racers} == {"minimum"}
    assert all(racer.minimum == (0.0, 1.0) for racer in beside.racers)
    pits = race("rastrigin", ["sgd", "adam"])
    for racer in pits.racers:
        assert racer.verdict == "minimum" and racer.end.smallest > 0
        np.testing.assert_allclose(racer.points[-1], racer.minimum, atol=0.01)
        assert racer.values[-1] == pytest.approx(17.909, abs=0.02)
    assert "(local)" in str(pits)
    assert {r.verdict for r in race("plateau", ["sgd", "adadelta"]).racers} == {"plateau"}
    assert race("rosenbrock", ["sgd"], steps=500)["sgd"].verdict == "slope"


def test_the_verdict_needs_no_knowledge_of_the_surface():
    known = SURFACES["saddle"]
    bare = TextbookSurface("mine", "?", known.f, (-2.0, 0.0), (-3, 3), (-3, 3))
    found = race(bare, ["sgd"], steps=400)
    assert found["sgd"].verdict == "saddle" and found["sgd"].minimum is None
    assert math.isinf(found["sgd"].distance)
    str(found), found.page(), found.figure()
    there = race(bare, ["sgd"], steps=400, start=(-2.0, 0.5))
    assert there["sgd"].verdict == "minimum"


def test_a_minimum_is_reached_when_it_is_not_left_any_more():
    found = race("ravine", ["momentum"])
    racer = found["momentum"]
    away = np.linalg.norm(racer.points, axis=1)
    assert found.tolerance == pytest.approx(0.2)
    assert (away[racer.reached :] <= 0.2).all() and away[racer.reached - 1] > 0.2
    # it came by before
    assert (away[: racer.reached] <= 0.2).any()


def test_a_diverging_optimizer_is_reported():
    found = race("bowl", ["sgd", "adam"], lr=3.0, steps=3000)
    assert found["sgd"].verdict == "diverged" and found["sgd"].end is None
    assert re.search(r"sgd .*diverged at step \d+", str(found))
    assert str(found).index("adam") < str(found).index("sgd ")
    drawn = found.figure()
    drawn.canvas.draw()
    assert "NaN" not in found.page()


def test_custom_optimizers_can_race():
    makers = {
        "heavy": lambda parameters, lr: ct.Momentum(parameters, lr, beta=0.5),
        "light": lambda parameters, lr: ct.Momentum(parameters, lr, beta=0.0),
    }
    found = race("bowl", makers, steps=20)
    plain = race("bowl", [ct.SGD], steps=20)
    np.testing.assert_allclose(found["light"].points, plain["sgd"].points, rtol=1e-14)
    assert np.abs(found["heavy"].points - plain["sgd"].points).max() > 0.1


@pytest.fixture(scope="module")
def everyone():
    return race("himmelblau", steps=60)


def test_the_text_has_a_row_for_each_and_fits_80_columns(everyone):
    lines = str(everyone).splitlines()
    assert max(map(len, lines)) <= 80
    firsts = [line.split()[0] for line in lines if line]
    assert set(OPTIMIZERS) <= set(firsts)
    for name in SURFACES:
        assert max(map(len, str(race(name, ["averaged_momentum"], steps=3)).splitlines())) <= 80


def test_the_dict_is_json_with_all_trajectories(everyone):
    found = json.loads(json.dumps(everyone.to_dict()))
    assert [o["name"] for o in found["optimizers"]] == list(OPTIMIZERS)
    assert np.shape(found["optimizers"][0]["points"]) == (61, 2)
    assert found["optimizers"][0]["end"]["verdict"] == found["optimizers"][0]["verdict"]


def test_all_racers_differ_in_the_plots(everyone):
    drawn = everyone.figure()
    (legend,) = drawn.legends
    assert {t.get_text() for t in legend.get_texts()} == {*OPTIMIZERS, "known minimum", "start"}
    lines = [line for line in drawn.axes[0].lines if line.get_label() in OPTIMIZERS]
    # without colors: by dashes and marks
    assert len({(line.get_linestyle(), line.get_marker()) for line in lines}) == len(OPTIMIZERS)
    assert len({line.get_color() for line in lines}) == len(OPTIMIZERS)
    heights = everyone.plot_values()
    assert heights.get_yscale() == "log" and len(heights.lines) == len(OPTIMIZERS)
    assert everyone.plot().get_xlabel() == "x"


def test_the_page_loads_nothing_and_has_every_trajectory_and_a_slider(everyone):
    page = everyone.page()
    addresses = set(re.findall(r'(?:src|href)="([^"]{0,30})', page))
    assert all(a.startswith("data:image/png;base64,") for a in addresses)
    assert not re.search(r"@import|url\((?!#)|fetch\(", page)
    assert page.count('class="trajectory halo"') == len(OPTIMIZERS)
    assert page.partition("Where they ended")[0].count("<tr>") == len(OPTIMIZERS) + 1
    assert f'max="{everyone.steps}"' in page
    assert everyone.html().startswith('<div class="cutaway-race"')
    # two in one notebook do not share names
    names = {re.search(r'id="(race-\w+)"', everyone.html())[1] for _ in range(2)}
    assert len(names) == 2


def test_long_trajectories_are_thinned_in_the_page_and_keep_their_ends():
    found = race("rosenbrock", ["sgd"], steps=4000)
    way = json.loads(re.search(r"race = (\[.*?\]);\n", found.page())[1])[0]
    assert len(way["points"]) <= 1501 and way["steps"][0] == 0 and way["steps"][-1] == 4000


WRONG = [
    ({"surface": "ravin"}, OptionError, 'did you mean "ravine"'),
    ({"optimizers": ["adm"]}, OptionError, 'did you mean "adam"'),
    ({"optimizers": []}, OptionError, "no optimizer was given"),
    ({"steps": 0}, OptionError, "steps is 0"),
    ({"start": (1, 2, 3)}, ShapeError, "two finite numbers"),
    ({"start": (1, math.nan)}, ShapeError, "two finite numbers"),
    ({"lr": 0.0}, OptionError, "learning rate lr is 0"),
    ({"optimizers": ["sgd"], "lr": {"adam": 0.1}}, OptionError, "is not in the race"),
]


@pytest.mark.parametrize("case", WRONG, ids=lambda case: str(case[0]))
def test_wrong_input_is_an_error_that_says_what_to_do(case):
    given, kind, words = case
    with pytest.raises(kind, match=words):
        race(**given)


def test_an_unknown_racer_is_named():
    with pytest.raises(OptionError, match="'adam' is not in this race"):
        race("bowl", ["sgd"], steps=2)["adam"]
