"""What each kind of data lets a search try, and the part of the rows kept back for a test."""

import dataclasses

import numpy as np
import polars as pl
import pytest

from cutaway.errors import DataError, OptionError
from cutaway.runs import TableOptions, prepare
from cutaway.runs.images import ImageOptions
from cutaway.runs.language import LanguageOptions
from cutaway.runs.recordings import RecordingOptions
from cutaway.runs.series import SeriesOptions
from cutaway.runs.space import Choice
from cutaway.runs.text import TextOptions
from cutaway.runs.time_series_classification import TimeSeriesClassificationOptions

OPTIONS = [
    TableOptions,
    TextOptions,
    ImageOptions,
    TimeSeriesClassificationOptions,
    SeriesOptions,
    LanguageOptions,
    RecordingOptions,
]


@pytest.mark.parametrize("kind", OPTIONS, ids=lambda kind: kind.__name__)
def test_the_first_values_of_a_space_lie_in_it_and_are_the_defaults(kind):
    for options in (kind(), kind(optimizer="sgd", dropout=0.7, weight_decay=0.0)):
        space = options.space(300)
        values = {name: one.first() for name, one in space.items()}
        for name, one in space.items():
            if isinstance(one, Choice):
                assert values[name] in one.values
            else:
                assert one.low <= values[name] <= one.high, name
        drawn = options.drawn(values)
        decay = options.weight_decay or values["weight_decay"]
        assert drawn == dataclasses.replace(
            options, batch_size=options.batch(300), weight_decay=decay
        )
        assert drawn.rate() == options.rate()


def test_a_rate_is_drawn_as_a_multiple_of_what_is_usual_for_the_optimizer():
    drawn = TableOptions().drawn({"optimizer": "nesterov", "rate_factor": 2.0})
    assert drawn.rate() == pytest.approx(0.04)
    drawn = TableOptions().drawn({"width": 24, "depth": 3, "optimizer": "adamw"})
    assert drawn.layers == (24, 24, 24) and drawn.lr is None


def table():
    rng = np.random.default_rng(1)
    a = rng.normal(size=100)
    return pl.DataFrame({"a": a, "kind": ["x", "y"] * 50, "y": np.where(a > 0.3, "yes", "no")})


DRAWS = {
    "table": {"width": 7, "depth": 3, "init": "he_normal", "dropout": 0.1},
    "text": {"dropout": 0.5, "optimizer": "adam"},
    "series": {"hidden": 9, "dropout": 0.1, "batch_size": 16},
    "language": {"hidden": 70, "num_layers": 2},
    "time-series-classification": {"dropout": 0.4, "rate_factor": 3.0},
}


@pytest.fixture(params=DRAWS, ids=str)
def source(request, tmp_path):
    """(data, target, kind, options) of each kind that needs no files of media."""
    rng = np.random.default_rng(2)
    if request.param == "table":
        return table(), "y", "table", {"recipe": "plain"}
    if request.param == "text":
        words = np.array(
            ["good", "bad", "fine", "dull", "warm", "cold", "new", "old", "red", "blue"]
        )
        texts = [" ".join(words[rng.integers(0, 8, 6)]) for _ in range(80)]
        return (
            pl.DataFrame({"text": texts, "y": ["p" if "good" in t else "n" for t in texts]}),
            "y",
            "text",
            {"text": "text"},
        )
    if request.param == "series":
        return pl.DataFrame({"v": np.sin(np.arange(300) / 4)}), None, "series", {"window": 24}
    if request.param == "language":
        path = tmp_path / "text.txt"
        path.write_text("the cat sat on the mat and the dog ran after the cat. " * 60)
        return path, None, "language", {"length": 16}
    path = tmp_path / "curves.tsv"
    rows = [
        "\t".join([str(k % 2), *(f"{v:.4f}" for v in np.sin(np.arange(20) / (1 + k % 2)))])
        for k in range(40)
    ]
    path.write_text("\n".join(rows) + "\n")
    return path, None, "time-series-classification", {}


def test_the_same_data_with_other_options_is_what_preparing_them_anew_gives(source):
    data, target, kind, given = source
    base = prepare(data, target, kind=kind, **given)
    options = base.options.drawn(DRAWS[kind])
    again = base.with_options(options)
    given = {f.name: getattr(options, f.name) for f in dataclasses.fields(options)}
    anew = prepare(data, target, kind=kind, **given)
    assert again.spec == anew.spec != base.spec or kind == "time-series-classification"
    for path, value in again.net.state_dict().items():
        np.testing.assert_array_equal(value, anew.net.state_dict()[path])


def test_a_test_part_is_kept_out_of_everything_that_is_fitted(source):
    data, target, kind, given = source
    base = prepare(data, target, kind=kind, test=0.2, **given)
    x, y = base.test
    assert len(x) == len(y) > 0
    used = len(base.training) + len(base.validation)
    if kind in ("table", "text", "time-series-classification"):
        assert used + len(x) == len(base.x)
        assert not set(base.training) & set(base.validation)
    if kind == "series":  # the scaling is that of the first 64%, and the test is the last fifth
        times = 300 - round(300 * 0.2)
        split = times - round(times * 0.2)
        values = np.asarray(data["v"])[:split]
        assert base.preprocessing.scaling.mean[0] == pytest.approx(values.mean())
        horizon = base.preprocessing.horizon
        assert len(x) == 300 - times - horizon + 1
        assert base.row_numbers[base.validation[-1]] - 1 + horizon <= times


def test_the_preprocessing_knows_nothing_of_the_test_rows():
    frame = table()
    base = prepare(frame, "y", kind="table", test=0.25)
    known = np.asarray(frame["a"])[base.training]
    train = base.x[base.training][:, 0]
    np.testing.assert_allclose(train, (known - known.mean()) / known.std(), atol=1e-5)


def test_a_test_part_that_cannot_be_had_is_an_error(tmp_path):
    with pytest.raises(OptionError, match="test is 1"):
        TableOptions(test=1.0)
    path = tmp_path / "t.txt"
    path.write_text("the cat sat on the mat. " * 40)
    with pytest.raises(DataError, match="tokens in the test set"):
        prepare(path, kind="language", test=0.02, length=32)
