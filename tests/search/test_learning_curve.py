"""compare: the same rows for every model, intervals, and verdicts that these bear out."""

import numpy as np
import polars as pl
import pytest
from scipy import stats
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

import cutaway as ct
from cutaway.data import stratified_split
from cutaway.errors import CutawayError, DataError, OptionError, RunError
from cutaway.search import Comparison

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("compile_quickly"),
]  # a minute in all; the commands' errors are in every run


SMALL = {"kind": "table", "epochs": 2, "layers": (4,)}


@pytest.fixture(scope="module")
def found(points, tmp_path_factory):
    out = tmp_path_factory.mktemp("compare") / "c"
    return ct.compare(points, "where", sizes=2, seeds=2, out=out, **SMALL)


def test_baselines_are_those_of_scikit_learn_on_the_same_rows(points, found):
    assert found.sizes == [20, 90]
    for seed in (0, 1):
        options = {"test": 0.25, "seed": seed, "recipe": "plain"}
        base = ct.runs.prepare(points, "where", kind="table", **options)
        rows = np.sort(np.concatenate([base.training, base.validation]))
        assert len(rows) == 90
        x, y = base.x[rows], base.y[rows]
        linear = LogisticRegression(max_iter=1000).fit(x, y).score(*base.test)
        forest = RandomForestClassifier(200, random_state=seed).fit(x, y).score(*base.test)
        assert found.scores["linear"][-1, seed] == pytest.approx(linear)
        assert found.scores["random forest"][-1, seed] == pytest.approx(forest)
    assert list(found.scores) == ["network", "linear", "boosted trees", "random forest"]
    # a line does not part what lies inside from what lies outside; trees do
    assert found.scores["random forest"][-1].min() > found.scores["linear"][-1].max()


def test_the_network_at_all_rows_is_the_ordinary_training_on_the_same_division(points, tmp_path):
    found = ct.compare(points, "where", sizes=1, seeds=1, **SMALL)
    base = ct.runs.prepare(points, "where", test=0.25, **SMALL)
    rows = np.sort(np.concatenate([base.training, base.validation]))
    training, validation = stratified_split(base.y[rows], 0.2, seed=0)
    base.training, base.validation = rows[training], rows[validation]
    run = base.train(tmp_path / "run", progress=False)
    assert found.scores["network"][0, 0] == pytest.approx(run.metrics["test"]["accuracy"])
    assert "one seed gives no intervals" in found.verdict()


def comparison(network, other, *, redrawn=True, name="linear"):
    summary = {
        "title": "t", "examples": "rows", "score": "accuracy", "network": "mlp", "parameters": 1,
        "seeds": 3, "test_rows": 25, "pool_rows": 75, "redrawn": redrawn,
    }  # fmt: skip
    return Comparison([20, 50, 100], {"network": network, name: other}, summary)


def test_intervals_are_students_t_widened_where_divisions_overlap():
    values = np.array([[0.7, 0.8, 0.75]])
    low, high = stats.t.interval(0.95, 2, loc=0.75, scale=stats.sem(values[0]))
    mean, half = comparison(values, values, redrawn=False).interval(values)
    assert (mean[0] - half[0], mean[0] + half[0]) == pytest.approx((low, high))
    _, wider = comparison(values, values).interval(values)
    assert wider[0] / half[0] == pytest.approx(np.sqrt(2))


SAME = np.array([[0.7, 0.71, 0.69]] * 3)
NOISE = np.array([0.002, -0.002, 0.0])


@pytest.mark.parametrize(
    ("gain", "words"),
    [
        ((0.0, 0.1, 0.1), "is better than the linear model (0.70 ± 0.04) from 50 on."),
        ((0.1, 0.1, 0.1), "is better than the linear model (0.70 ± 0.04) at every size."),
        ((0.1, 0.0, 0.1), "is better than the linear model (0.70 ± 0.04)."),
        (
            (0.1, -0.1, -0.1),
            "the network (0.60 ± 0.03) is worse than the linear model (0.70 ± 0.04).",
        ),
        ((0.1, 0.0, 0.0), "is not significantly different from the linear model (0.70 ± 0.04)."),
    ],
)
def test_the_verdict_says_what_the_intervals_of_the_differences_say(gain, words):
    mine = SAME + np.array(gain)[:, None] + NOISE
    found = comparison(mine, SAME)
    assert found.verdict().startswith("With 100 rows the network (") and words in found.verdict()
    found.scores["random forest"] = mine + 0.2 + NOISE
    text = found.verdict()
    assert "the random forest (" in text[text.index("is worse than") :]


def test_the_page_the_plot_and_the_rows_hold_every_size(found):
    page = (found.path / "compare.html").read_text()
    assert found.verdict().split(":")[0] in page and "Nadeau" in page and "<script" not in page
    assert (found.path / "compare.png").read_bytes().startswith(b"\x89PNG")
    assert found.rows.height == 2 * 2 * 4
    assert max(map(len, str(found).split("\n\n")[0].splitlines())) <= 80


def test_values_are_scored_by_the_share_of_their_variance():
    rng = np.random.default_rng(3)
    a = rng.normal(size=100)
    frame = pl.DataFrame({"a": a, "y": 30 * a + 100 + rng.normal(size=100)})
    found = ct.compare(frame, "y", sizes=1, seeds=1, **SMALL)
    assert found.summary["score"] == "R²" and found.scores["linear"][0, 0] > 0.99


def test_texts_are_compared_with_a_bag_of_words():
    rng = np.random.default_rng(0)
    words = np.array(["good", "bad", "fine", "dull", "warm", "cold"])
    texts = [" ".join(words[rng.integers(0, 6, 6)]) for _ in range(120)]
    frame = pl.DataFrame({"t": texts, "y": ["p" if "good" in t else "n" for t in texts]})
    found = ct.compare(frame, "y", kind="text", text="t", sizes=1, seeds=1, epochs=2)
    assert list(found.scores) == ["network", "bag of words"]
    assert found.scores["bag of words"][0, 0] > 0.8


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"sizes": 0}, OptionError, "sizes is 0"),
        ({"seeds": 0}, OptionError, "seeds is 0"),
        ({"test": 0.0}, OptionError, "there is no test set"),
        ({"test": 0.0, "sizes": 2}, OptionError, "there is no test set"),
        ({"seconds": 0}, OptionError, "seconds is 0"),
        ({"test": 0.8, "sizes": 5}, DataError, "too few for a learning curve"),
        ({"target": "nowhere"}, DataError, "nowhere"),
        ({"color": 1}, OptionError, "color"),
        ({"kind": "series", "target": None, "column": "a", "window": 4}, CutawayError, "series"),
    ],
)
def test_wrong_input_leaves_nothing_behind(points, tmp_path, given, error, words):
    given = {"target": "where", "kind": "table", **given}
    with pytest.raises(error, match=words):
        ct.compare(points.select("a", "where"), out=tmp_path / "c", **given)
    assert not list(tmp_path.iterdir())


def test_a_folder_with_something_else_is_left_alone(points, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(RunError, match="is not empty"):
        ct.compare(points, "where", out=tmp_path, **SMALL)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
