"""A click on a row of an attention map: how the weights of one query were computed."""

import numpy as np

from cutaway.errors import OptionError, ShapeError
from cutaway.explain import Explanation
from cutaway.explain.graph import Node
from cutaway.story.text import WIDTH, Story, align, number
from cutaway.studio.clicks.contract import Click
from cutaway.studio.stories import told

KEYS = 24  # in a text: those with the largest weights
CUT = 16  # characters of a token


class HeadClick(Click):
    """The softmax of one query of one head, index (head, query)."""

    what = "head"

    def tell(self, clicked):
        tokens = clicked.subject.tokens(clicked.row)
        story = HeadStory(clicked.why, clicked.path, clicked.index[:2], tokens)
        return told(story.headline(), story)


class HeadStory(Story):
    """The attention weights of one query: p_k = e^s_k / Σ e^s over the keys that it may see.

    Attributes:
        path, head, query: of the attention, counted from 0.
        scores: (keys,) q · k / √d.
        weights: (keys,) their softmax; 0 for a key that it may not see.
        seen: (keys,) whether it may.
        names: of the tokens, or their numbers.

    Raises:
        OptionError: no attention of this path ran. ShapeError: no such head or query.
    """

    def __init__(self, why: Explanation, path: str, index: tuple[int, ...], tokens=None):
        scores, weights = (_labeled(why, path, symbol) for symbol in ("s", "p"))
        _, heads, queries, keys = weights.shape
        if len(index) != 2 or not (0 <= index[0] < heads and 0 <= index[1] < queries):
            raise ShapeError(
                f"the attention {path!r} has no element {tuple(index)}",
                expected=f"(head, query), from (0, 0) to {(heads - 1, queries - 1)}",
            )
        self.path, (self.head, self.query) = path, index
        self.scores = np.asarray(scores.value[0, self.head, self.query], np.float64)
        self.weights = np.asarray(weights.value[0, self.head, self.query], np.float64)
        self.seen = (self.weights > 0) & np.isfinite(self.scores)
        names = [] if tokens is None else list(map(str, tokens))
        self.names = [names[k] if k < len(names) else str(k + 1) for k in range(keys)]

    def headline(self) -> str:
        token = self.names[self.query] if self.query < len(self.names) else str(self.query + 1)
        return f"Attention of {self.path}, head {self.head + 1}: what {token} looks at"

    def _parts(self) -> tuple[np.ndarray, float]:
        """(e^(s - the largest score) of each key, their sum)."""
        largest = self.scores[self.seen].max(initial=-np.inf)
        with np.errstate(invalid="ignore"):
            parts = np.where(self.seen, np.exp(self.scores - largest), 0.0)
        return parts, float(parts.sum())

    def text(self, width: int = WIDTH) -> str:
        lines = [self.headline(), "", "s = q · k / √d, a score for each key"]
        if not self.seen.any():
            return "\n".join([*lines, "", "It may look at no key, so all weights are 0."])
        parts, total = self._parts()
        largest = number(self.scores[self.seen].max())
        lines += [f"p = e^(s - {largest}) / {number(total)}, their softmax", ""]
        order = np.argsort(-self.weights, kind="stable")[:KEYS]
        rows = [["  key", "s", f"e^(s - {largest})", "p"]]
        for k in np.sort(order):
            cells = [number(v) for v in (self.scores[k], parts[k], self.weights[k])]
            cells = cells if self.seen[k] else ["may not look", "", "0"]
            rows.append([f"  {self.names[k][:CUT]}", *cells])
        shown = self.weights[order].sum()
        if len(self.weights) > KEYS:
            left = len(self.weights) - KEYS
            rows.append([f"  {left} others", "", "", number(self.weights.sum() - shown)])
        rows.append(["  sum", "", number(total), number(self.weights.sum())])
        return "\n".join([*lines, *align(rows, "<>>>")])

    def latex(self) -> str | None:
        if not self.seen.any():
            return None
        parts, total = self._parts()
        k = int(self.weights.argmax())
        return (
            rf"p_{{{k + 1}}} = \frac{{e^{{s_{{{k + 1}}}}}}}{{\sum_j e^{{s_j}}}} = "
            rf"\frac{{{number(parts[k])}}}{{{number(total)}}} = {number(self.weights[k])}"
        )

    def to_dict(self) -> dict:
        return {
            "path": self.path,
            "head": self.head,
            "query": self.query,
            "names": self.names,
            "scores": self.scores.tolist(),
            "weights": self.weights.tolist(),
        }


def _labeled(why: Explanation, path: str, symbol: str) -> Node:
    """The last node of an attention with this label: "s" of the scores, "p" of the weights."""
    nodes = [
        n
        for n in why.trace.graph.nodes
        if n.module == path and n.label is not None and n.label[0] == symbol
    ]
    if not nodes:
        raise OptionError(
            f"{path!r} is no attention that ran for this input",
            expected="the path of a MultiHeadAttention, as in net.summary()",
        )
    return nodes[-1]
