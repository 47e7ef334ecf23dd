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
MOST_OF_LARGE = 120  # the same of a large network
LEAST = 3  # texts in which a word of the table occurs
WORDS = 8  # of the table, for each class
LONG = 60  # tokens of a text that are left out, from its beginning
PALEST = 0.05  # of the largest push of a text, below which a word is not marked


@dataclasses.dataclass(frozen=True)
class Pushes:
    """What each token of a text adds to what is predicted.

    Attributes:
        tokens: (n,) ids.
        values: (n, outputs): the prediction minus that without the token, as probabilities of the
            classes, or one value.
    """

    tokens: np.ndarray
    values: np.ndarray


def word_pushes(predict: Callable[[np.ndarray], np.ndarray], texts) -> list[Pushes]:
    """The Pushes of the first tokens of each text.

    Args:
        predict: function of ids (rows, length) -> outputs, as Run.outputs.
        texts: (rows, length) ids, padded at the end with 0.
    """
    variants, counts = [], []
    for ids in texts:
        count = min(LONG, int((ids != 0).sum()))
        counts.append(count)
        variants.append(ids)
        # the later tokens move up, and padding comes last
        variants += [np.append(np.delete(ids, k), ids.dtype.type(0)) for k in range(count)]
    if not variants:
        return []
    outputs = np.asarray(predict(np.stack(variants)), np.float64).reshape(len(variants), -1)
    found, at = [], 0
    for ids, count in zip(texts, counts, strict=True):
        own = outputs[at : at + count + 1]
        found.append(Pushes(np.asarray(ids[:count]), own[0] - own[1:]))
        at += count + 1
    return found


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
    order = _of_interest(truth, outputs, rows.classes)
    sample = np.linspace(0, len(x) - 1, min(len(x), SAMPLED)).round().astype(int)
    chosen = [*order, *np.unique(sample)]
    spent = np.cumsum([min(LONG, int((x[k] != 0).sum())) + 1 for k in chosen])
    chosen = [k for k, at in zip(chosen, spent, strict=True) if at <= budget]
    if not chosen:
        return None
    found = word_pushes(predict, x[chosen])
    shown = order[: len(found)]
    texts = [
        _text(rows, pushes, truth[k], outputs[k], int((x[k] != 0).sum()))
        for k, pushes in zip(shown, found, strict=False)
    ]
    is_value = rows.classes is None
    said = "the predicted value" if is_value else "the probability of the predicted class"
    lead = (
        f'<p class="soft">Each word was left out once. <span class="up">Blue, underlined</span>: '
        f"without it {said} falls, so the word pushes it up. "
        f'<span class="down">Orange, dotted</span>: without it {said} rises. The stronger the '
        "color, the larger the change within its text.</p>"
    )
    return lead + "".join(texts) + _over_texts(rows, found[len(shown) :])


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
    values = pushes.values[:, 0 if rows.classes is None else int(output.argmax())]
    largest = float(np.abs(values).max()) if len(values) else 0.0
    words = []
    for token, value in zip(pushes.tokens, values, strict=True):
        word = escape(word_of(rows, token))
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


def word_of(rows, token) -> str:
    """A token as people read it; of what has no text, such as padding, its name.

    Args:
        rows: TextRows or LanguageRows.
    """
    return rows.tokenizer.decode([int(token)]) or rows.tokenizer.token(int(token))


def _over_texts(rows, found: list[Pushes]) -> str:
    """The words with the largest mean push, over texts; '' if they are too few."""
    if rows.kind == "character":
        return ""
    each: dict[int, list] = {}
    for pushes in found:
        for token in dict.fromkeys(pushes.tokens.tolist()):
            each.setdefault(token, []).append(pushes.values[pushes.tokens == token].mean(axis=0))
    special = {rows.tokenizer.padding, rows.tokenizer.unknown}
    often = {t: v for t, v in each.items() if len(v) >= LEAST and t not in special}
    means = {token: np.mean(values, axis=0) for token, values in often.items()}
    if len(means) < 2:
        return ""
    names = ["the value"] if rows.classes is None else [str(name) for name in rows.classes]
    body = []
    for column, name in enumerate(names):
        ranked = sorted(means, key=lambda token, column=column: -means[token][column])
        top = [token for token in ranked[:WORDS] if means[token][column] > 0]
        body.append((name, _listed(rows, means, top, column)))
        if rows.classes is None:
            down = [token for token in ranked[::-1][:WORDS] if means[token][column] < 0]
            body = [("higher", body[0][1]), ("lower", _listed(rows, means, down, column))]
    what = "the value" if rows.classes is None else "the probability of the class"
    return (
        f'<p class="soft">Over {len(found):,} validation texts: the words, in at least {LEAST} of '
        f"them, that push most on average, and by how much {what} is larger with them.</p>"
    ) + table(("toward", "words"), body)


def _listed(rows, means, tokens, column: int) -> str:
    found = ", ".join(f"{word_of(rows, t)} ({means[t][column]:+.3f})" for t in tokens)
    return found or "none"
