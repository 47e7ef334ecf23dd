"""Texts in a column of a table: their words as ids, and what a network makes of them."""

import dataclasses
import json

import msgspec
import numpy as np
import polars as pl
import pytest

from cutaway.data import TablePreprocessing
from cutaway.data.encoders import from_json
from cutaway.data.text_column import TextColumn
from cutaway.models.table import TableNetwork
from cutaway.runs.options.table import TableOptions
from cutaway.runs.table import prepare_table

TEXTS = ["a good film", "a bad film, a very bad one", "good and good", None, "   "]


def test_words_are_ids_by_how_often_they_occur_and_padding_is_0():
    column = TextColumn.fit(pl.Series("review", TEXTS))
    ids = np.stack(column.encode(pl.Series("review", [*TEXTS, "unknown good"]), []), axis=1)
    assert ids.shape == (6, column.length) and len(column.names) == column.length
    a, good = ids[0][0], ids[0][1]
    assert (ids[2] == [good, 1, good] + [0] * (column.length - 3)).all()  # "and" occurs once
    assert (ids[1][:4] == [a, ids[1][1], ids[0][2], ids[1][3]]).all()
    assert not ids[3].any() and not ids[4].any()
    assert ids[5][:3].tolist() == [1, good, 0]
    assert 1 < good < column.tokens


def test_a_text_column_comes_back_from_json_and_damage_is_named():
    column = TextColumn.fit(pl.Series("review", TEXTS))
    value = json.loads(json.dumps(dataclasses.asdict(column)))
    again = from_json(value)
    assert again == column
    new = pl.Series("review", ["a very good film indeed"])
    np.testing.assert_array_equal(again.encode(new, []), column.encode(new, []))
    with pytest.raises(ValueError, match="the words of 'review'"):
        from_json({**value, "tokenizer": "{}"})
    with pytest.raises(msgspec.ValidationError):
        from_json({**value, "length": 0})


def test_texts_are_the_last_columns_behind_the_codes_of_categories():
    rng = np.random.default_rng(0)
    levels = [f"L{k % 40}" for k in range(400)]
    frame = pl.DataFrame({
        "text": [f"this is {'good' if k % 2 else 'bad'} number {k}" for k in range(400)],
        "level": levels, "a": rng.normal(size=400), "y": [k % 2 for k in range(400)],
    })  # fmt: skip
    fitted = TablePreprocessing.fit(frame, "y")
    assert [e.name for e in fitted.encoders] == ["a", "level", "text"]
    assert fitted.feature_sources[-1] == "text"
    x = fitted.transform(frame).x
    assert x.shape[1] == 1 + 1 + fitted.texts[0].length
    np.testing.assert_array_equal(x[:, 2:], np.stack(fitted.texts[0].encode(frame["text"], []), 1))
    spec = prepare_table(frame, "y").spec
    assert spec["num_features"] == 1 and spec["embeddings"][0][0] == 41
    assert spec["texts"][0][1] == fitted.texts[0].length


def test_the_network_pools_the_vectors_of_words_and_not_of_padding():
    net = TableNetwork(2, [(5, 3)], (4,), 1, texts=[(9, 4, 2)])
    words, level = net.words[0].weight.numpy(), net.embeddings[0].weight.numpy()
    x = np.array([[0.5, -1, 2, 3, 7, 0, 0], [0.1, 0.2, 0, 0, 0, 0, 0]], np.float32)
    two = words[[3, 7]]
    inputs = np.stack([
        np.r_[x[0, :2], level[2], two.mean(0), two.max(0)],
        np.r_[x[1, :2], level[0], np.zeros(4)],
    ])  # fmt: skip
    np.testing.assert_allclose(net(x).numpy(), net.mlp(inputs.astype("f4")).numpy(), rtol=1e-5)
    more = np.concatenate([x, np.zeros((2, 3), np.float32)], axis=1)
    longer = TableNetwork(2, [(5, 3)], (4,), 1, texts=[(9, 7, 2)])
    longer.load_state_dict(net.state_dict())
    np.testing.assert_allclose(longer(more).numpy(), net(x).numpy(), rtol=1e-6)


@pytest.mark.slow
def test_a_table_whose_text_tells_the_class_is_learned(tmp_path):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 300)
    words = np.array(["dull", "bright"])[y]
    frame = pl.DataFrame({
        "a": rng.normal(size=300), "y": y,
        "note": [f"the {w} one of {k} things" for k, w in enumerate(words)],
    })  # fmt: skip
    scores = {}
    for name, kinds in (("with", {}), ("without", {"note": "ignore"})):
        prepared = prepare_table(frame, "y", TableOptions(epochs=15, kinds=kinds))
        run = prepared.train(tmp_path / name, progress=False)
        scores[name] = run.metrics["validation"]["accuracy"]
    assert scores["with"] > 0.95 and scores["without"] < 0.7


def test_more_than_a_thousand_levels_are_embedded_if_each_has_rows_enough():
    many = [f"sku{k % 1200}" for k in range(7200)]
    frame = pl.DataFrame({"sku": many, "few": [f"c{k}" for k in range(7200)], "y": [0, 1] * 3600})
    fitted = TablePreprocessing.fit(frame, "y")
    assert fitted.embeddings[0][:2] == ("sku", 1201)
    kinds = {column.name: column.kind for column in fitted.columns}
    assert kinds == {"sku": "category", "few": "identifier"}
    assert any(note.startswith("few: not used (all 7,200 values") for note in fitted.notes)
