"""Words that push: how the prediction for a text changes when one of its words is left out.

Occlusion; Li, Monroe & Jurafsky 2016, "Understanding neural networks through representation
erasure", arXiv:1612.08220.
"""

import dataclasses
from collections.abc import Callable
from html import escape

import numpy as np

from cutaway.story.html import table

TEXTS = 4  # shown with their words marked: half of them the surest wrong ones
SAMPLED = 60  # validation texts in which words are counted
MOST = 4000  # texts predicted in all, each with one word left out
LEAST = 3  # texts in which a word of the table occurs
WORDS = 8  # of the table, for each class
LONG = 60  # tokens of a text that are left out, from its beginning
PALEST = 0.05  # of the largest push of a text, below which a word is not marked


@dataclasses.dataclass(frozen=True)
class Pushes:
    """What each token of a text adds to what is predicted.

    Attributes:
        tokens: (n,) ids.
        values: (n,): the prediction minus that without the token; a probability, or a value.
    """

    tokens: np.ndarray
    values: np.ndarray


def word_pushes(
    predict: Callable[[np.ndarray], np.ndarray], ids: np.ndarray, output: int | None
) -> Pushes:
    """The Pushes of the first tokens of a text.

    Args:
        predict: function of ids (rows, length) -> outputs, as Run.outputs.
        ids: (length,) padded at the end with 0.
        output: the class whose probability is looked at; None: the predicted value.
    """
    tokens = ids[ids != 0][:LONG]
    without = np.repeat(ids[None], len(tokens) + 1, axis=0)
    for k in range(len(tokens)):  # the later tokens move up, and padding comes last
        without[k + 1] = np.append(np.delete(ids, k), 0)
    found = np.asarray(predict(without), np.float64)
    found = found.ravel() if output is None else found[:, output]
    return Pushes(tokens, found[0] - found[1:])


def words_section(predict, rows, x, truth, outputs, *, budget: int = MOST) -> str | None:
    """HTML: texts with the words marked that push their predictions, and these words over texts.

    Args:
        predict: see `word_pushes`.
        rows: TextRows.
        x: (rows, length) ids of the validation texts.
        truth: (rows,) class numbers or values.
        outputs: (rows, classes) probabilities, or (rows,) values.
        budget: most texts to predict.
    """
    if not len(x):
        return None
    classes = rows.classes
    order = _of_interest(truth, outputs, classes)
    shown, spent = [], 0
    for k in order:
        if spent > budget // 2:
            break
        output = None if classes is None else int(outputs[k].argmax())
        pushes = word_pushes(predict, x[k], output)
        spent += len(pushes.tokens) + 1
        shown.append(_text(rows, pushes, truth[k], outputs[k], len(x[k][x[k] != 0])))
    said = "the predicted value" if classes is None else "the probability of the predicted class"
    lead = (
        f'<p class="soft">Each word was left out once. <span class="up">Blue, underlined</span>: '
        f'{said} falls without it, so it speaks for the prediction. <span class="down">Orange, '
        "dotted</span>: it rises without it, so the word speaks against. The stronger the color, "
        "the larger the change.</p>"
    )
    table_of_words = _over_texts(predict, rows, x, budget - spent)
    return lead + "".join(shown) + table_of_words


def _of_interest(truth, outputs, classes) -> list[int]:
    """Rows to show: the surest wrong ones, and the surest right ones; largest errors of values."""
    if classes is None:
        return list(np.argsort(-np.abs(np.ravel(outputs) - np.ravel(truth)), kind="stable")[:TEXTS])
    guess, sure = outputs.argmax(axis=1), outputs.max(axis=1)
    order = np.argsort(-sure, kind="stable")
    wrong = [k for k in order if guess[k] != truth[k]][: TEXTS // 2]
    right, seen = [], set()
    for k in order:  # one of each class first
        if guess[k] == truth[k] and guess[k] not in seen:
            seen.add(guess[k])
            right.append(k)
    return [int(k) for k in (*wrong, *right[: TEXTS - len(wrong)])]


def _text(rows, pushes: Pushes, truth, output, length: int) -> str:
    largest = float(np.abs(pushes.values).max()) if len(pushes.values) else 0.0
    words = []
    for token, value in zip(pushes.tokens, pushes.values, strict=True):
        word = escape(_word(rows, token))
        strength = abs(value) / largest if largest else 0.0
        if strength < PALEST:
            words.append(word)
            continue
        kind, color = ("up", "var(--up)") if value > 0 else ("down", "var(--down)")
        words.append(
            f'<span class="{kind}" style="background:color-mix(in srgb, {color} '
            f'{10 + 55 * strength:.0f}%, transparent)" title="{value:+.3g}">{word}</span>'
        )
    if rows.classes is None:
        head = f"predicted {float(np.ravel(output)[0]):.4g}, true {float(truth):.4g}"
    else:
        guess = int(output.argmax())
        head = f"predicted {rows.classes[guess]}, {output[guess]:.1%}"
        head += "" if guess == truth else f"; wrong: it is {rows.classes[int(truth)]}"
    more = " ..." if length > len(pushes.tokens) else ""
    between = "" if rows.kind == "character" else " "
    return (
        f'<p class="words"><span class="soft">{escape(head)}</span><br>'
        f"{between.join(words)}{more}</p>"
    )


def _word(rows, token) -> str:
    return rows.tokenizer.decode([int(token)]) or rows.tokenizer.token(int(token))


def _over_texts(predict, rows, x, budget: int) -> str:
    """The words with the largest mean push, over a sample of texts; '' if they are too few."""
    if rows.kind == "character":
        return ""
    classes = rows.classes
    output = None if classes is None else len(classes) - 1 if len(classes) == 2 else 0
    outputs = range(len(classes)) if classes is not None and len(classes) > 2 else [output]
    chosen = np.unique(np.linspace(0, len(x) - 1, min(len(x), SAMPLED)).round().astype(int))
    each: dict[int, list] = {}
    texts = 0
    for k in chosen:
        if budget < LONG:
            break
        tokens = x[k][x[k] != 0][:LONG]
        budget -= len(tokens) + 1
        texts += 1
        found = _all_pushes(predict, x[k], len(tokens), outputs)
        for token in dict.fromkeys(tokens.tolist()):
            each.setdefault(token, []).append(found[tokens == token].mean(axis=0))
    special = {rows.tokenizer.padding, rows.tokenizer.unknown}
    means = {
        t: np.mean(v, axis=0) for t, v in each.items() if len(v) >= LEAST and t not in special
    }
    if len(means) < 2:
        return ""
    parts = []
    for at, number in enumerate(outputs):
        ranked = sorted(means, key=lambda t, at=at: -means[t][at])
        up = [t for t in ranked if means[t][at] > 0][:WORDS]
        down = [t for t in ranked[::-1] if means[t][at] < 0][:WORDS]
        if classes is None:
            sides = [("a higher value", up), ("a lower value", down)]
        elif number is not None and len(classes) == 2:
            sides = [(str(classes[1]), up), (str(classes[0]), down)]
        else:
            sides = [(str(classes[number or 0]), up)]
        for name, tokens in sides:
            words = ", ".join(f"{_word(rows, t)} ({means[t][at]:+.3f})" for t in tokens)
            parts.append((name, words or "none"))
    what = "value" if classes is None else f"probability of {classes[1]}"
    what = what if classes is None or len(classes) == 2 else "probability of the class"
    return (
        f'<p class="soft">Over {texts:,} validation texts: the words, in at least {LEAST} of them, '
        f"that on average push most toward each side, and how much the {what} changes with them."
        "</p>" + table(("toward", "words"), parts)
    )


def _all_pushes(predict, ids, count: int, outputs) -> np.ndarray:
    """(count, outputs) pushes of the first tokens."""
    without = np.repeat(ids[None], count + 1, axis=0)
    for k in range(count):
        without[k + 1] = np.append(np.delete(ids, k), 0)
    found = np.asarray(predict(without), np.float64)
    found = found.reshape(len(without), -1)
    chosen = [0 if output is None else output for output in outputs]
    return (found[0] - found[1:])[:, chosen]
