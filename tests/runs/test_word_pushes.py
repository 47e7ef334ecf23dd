"""Words that push: a network that adds the weights of its words, whose pushes are known."""

import re

import numpy as np

from cutaway.data import Tokenizer
from cutaway.data.target import Target
from cutaway.runs.text import TextRows
from cutaway.runs.word_pushes import word_pushes, words_section

TEXTS = ["good film", "bad film", "good and bad film", "a film", "good good film"]
TOKENIZER = Tokenizer.train(TEXTS, kind="word")
WEIGHTS = {"good": 2.0, "bad": -1.0}


def rows_of(classes):
    task = "regression" if classes is None else "binary"
    target = Target("label", task, classes, 0.0, 1.0, [3, 2], [])
    return TextRows("text", "word", TOKENIZER, 6, target)


def ids_of(texts):
    found = TOKENIZER.encode(texts).ids
    return np.pad(found, ((0, 0), (0, 6 - found.shape[1]))).astype(np.int32)


def total(ids):
    weights = np.array([WEIGHTS.get(TOKENIZER.token(k), 0.0) for k in range(TOKENIZER.size)])
    return weights[ids].sum(axis=1)


def test_the_push_of_a_word_is_what_it_adds():
    ids = ids_of(["good and bad film"])
    (found,) = word_pushes(total, ids)
    words = [TOKENIZER.token(k) for k in found.tokens]
    assert dict(zip(words, found.values[:, 0], strict=True)) == {
        "good": 2.0, "and": 0.0, "bad": -1.0, "film": 0.0,
    }  # fmt: skip


def test_the_words_after_one_that_is_left_out_move_up():
    seen = []

    def first(ids):
        seen.append(ids)
        return ids[:, 0].astype(float)

    ids = ids_of(["bad film"])
    (found,) = word_pushes(first, ids)
    np.testing.assert_array_equal(seen[0][1], np.append(ids[0, 1:], 0))
    assert found.values[:, 0].tolist() == [float(ids[0, 0] - ids[0, 1]), 0.0]


def probabilities(ids):
    p = 1 / (1 + np.exp(-total(ids)))
    return np.stack([1 - p, p], axis=1)


def test_the_section_marks_words_by_the_direction_of_their_push():
    x = ids_of(TEXTS)
    truth = np.array([1, 0, 0, 0, 1])
    html = words_section(probabilities, rows_of(["poor", "fine"]), x, truth, probabilities(x))
    assert html is not None
    # the surest wrong one is "good and bad film": predicted fine for "good", against "bad"
    assert "predicted fine, 73.1%; wrong: it is poor" in html
    assert re.search(r'class="up"[^>]*>good<', html) and re.search(r'class="down"[^>]*>bad<', html)
    assert ">film</span>" not in html


def test_the_table_gives_the_mean_change_over_the_texts_of_a_word():
    x = ids_of(TEXTS)
    html = words_section(probabilities, rows_of(["poor", "fine"]), x, np.zeros(5, int),
                         probabilities(x))  # fmt: skip
    assert html is not None

    def sigma(z):
        return 1 / (1 + np.exp(-z))

    each = [sigma(2) - sigma(0), sigma(1) - sigma(-1), sigma(4) - sigma(2)]
    assert f"good ({np.mean(each):+.3f})" in html


def test_values_have_words_that_raise_and_words_that_lower_them():
    x = ids_of([*TEXTS, "bad", "so bad"])
    html = words_section(total, rows_of(None), x, np.zeros(len(x)), total(x))
    assert html is not None
    higher, lower = re.findall(r"<td>(?:higher|lower)</td><td>([^<]*)</td>", html)
    assert higher == "good (+2.000)" and lower == "bad (-1.000)"


def test_a_budget_that_is_too_small_for_one_text_gives_no_section():
    x = ids_of(TEXTS)
    assert words_section(total, rows_of(None), x, np.zeros(5), total(x), budget=1) is None
