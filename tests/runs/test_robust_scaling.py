"""Robust scaling: pytabkit's numbers, and what is said of it says what was done."""

import json

import numpy as np
import polars as pl
import pytest

from cutaway.data import TablePreprocessing
from cutaway.data.encoders import from_json
from cutaway.data.robust_scaling import smooth_clip, smooth_unclip
from cutaway.errors import DataError, OptionError
from cutaway.models import TableNetwork
from cutaway.nn import seed
from cutaway.runs.kinds import KINDS
from cutaway.runs.row_encoding import table_encoding
from cutaway.runs.table import TableRows
from cutaway.studio.subject import columns_of

FRAME = pl.DataFrame(
    {
        "plain": [1.5, -2.0, 0.25, 7.0, 3.0, 100.0, -0.5, 4.0],
        "mostly": [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 8.0],
        "constant": [2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0],
        "y": [0.0, 1.0, 2.0, 3.5, 4.0, 5.0, 6.0, 7.0],
    }
)
# by pytabkit 1.8.0: MedianCenterFactory, RobustScaleFactory, smooth_clip_func
PYTABKIT = [
    [-0.159773, -0.867897, -0.422416, 0.960045, 0.159773, 2.969429, -0.575761, 0.370476],
    [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.664101],
    [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
]


def fitted():
    # a column that is constant in the training rows alone
    whole = FRAME.vstack(FRAME.with_columns(constant=pl.lit(3.0)))
    prep = TablePreprocessing.fit(
        whole, "y", scaling="robust", kinds={"mostly": "number", "constant": "number"}
    )
    return TableRows(prep.refit(FRAME))


def test_robust_scaling_equals_pytabkit_also_of_constant_and_half_constant_columns():
    rows = fitted()
    x = rows.transform(FRAME).x
    np.testing.assert_allclose(x.T, PYTABKIT, rtol=0, atol=2e-6)
    again = TablePreprocessing.from_json(json.loads(json.dumps(rows.fitted.to_json())))
    other = FRAME.with_columns(constant=pl.lit(9.0))
    np.testing.assert_array_equal(again.transform(other).x, x)


def test_the_clip_is_undone_and_bounded():
    values = np.linspace(-50, 50, 101)
    np.testing.assert_allclose(smooth_unclip(smooth_clip(values)), values, rtol=1e-10, atol=1e-12)
    assert abs(smooth_clip(1e12)) <= 3 and np.isfinite(smooth_unclip(np.float32(3)))


def test_an_encoder_of_an_earlier_version_is_standard_and_another_scaling_is_refused():
    stored = {"name": "a", "median": 1.0, "log": False, "mean": 2.0, "scale": 4.0}
    stored |= {"indicator": False, "kind": "number"}
    encoder = from_json(stored)
    assert encoder.scaling == "standard"
    assert encoder.encode(pl.Series("a", [10.0]), [])[0].tolist() == [2.0]
    with pytest.raises(Exception, match="scale of 'a' is 0"):
        from_json({**stored, "scale": 0.0})
    with pytest.raises(OptionError, match="scaling"):
        TablePreprocessing.fit(FRAME, "y", scaling="rubust")
    broken = {**fitted().fitted.to_json()}
    broken["encoders"][0]["scaling"] = "rubust"
    with pytest.raises(DataError, match="not a preprocessing of a table"):
        TablePreprocessing.from_json(broken)


def test_what_is_said_of_robust_scaling_is_its_arithmetic():
    rows, kind = fitted(), KINDS["table"]
    row = FRAME.head(1).with_columns(plain=pl.lit(40.25), constant=pl.lit(5.0))
    x = rows.transform(row, with_target=False).x
    [network_input] = kind.network_inputs(rows)
    text = "\n".join(network_input.sentences)
    assert "plain: u = (plain - 2.25) / 4.6875 by median and spread" in text
    assert "then u / sqrt(1 + (u / 3)^2)" in text and "0, whatever constant is" in text
    assert "±3" in str(rows.summary_rows()[0]) and "standardized" not in str(rows.summary_rows()[0])
    far = "plain is 38 above the training median, 8.1 times its spread in training"
    assert kind.unusual(rows, x) == [far]
    told = table_encoding(rows, x, row)
    assert told["plain"][0].startswith("plain: 40.25 -> u = (40.25 - 2.25) / 4.6875 = 8.107")
    u = (40.25 - 2.25) / 4.6875
    assert f"= {u / np.sqrt(1 + (u / 3) ** 2):.4g}: smoothly clipped" in told["plain"][1]
    assert "the column was constant in training" in told["constant"][0]


def test_the_studio_shows_robustly_scaled_columns_in_their_unit():
    rows = fitted()
    x = rows.transform(FRAME).x
    found = columns_of(x, np.arange(8), KINDS["table"].input_columns(rows))
    plain, _, constant = found
    assert (plain.low, plain.high) == pytest.approx((-2.0, 100.0), rel=1e-4)
    assert plain.mean == pytest.approx(FRAME["plain"].mean(), rel=1e-4)
    np.testing.assert_allclose(plain.encoded(FRAME["plain"]), x[:, 0], rtol=1e-6)
    assert (constant.low, constant.encoded(7.0)) == (2.0, 0.0)


def test_embeddings_of_categories_begin_as_small_as_asked():
    def vectors(**options):
        seed(0)
        net = TableNetwork(1, [(5, 3)], (4,), 1, **options)
        return net.embeddings[0].weight.numpy(), net.mlp[0].weight.numpy()

    np.testing.assert_allclose(vectors(embedding_scale=0.2)[0], 0.2 * vectors()[0], rtol=1e-6)
    np.testing.assert_array_equal(vectors(embedding_scale=0.2)[1], vectors()[1])
    with pytest.raises(OptionError, match="embedding_scale is 0"):
        vectors(embedding_scale=0)
