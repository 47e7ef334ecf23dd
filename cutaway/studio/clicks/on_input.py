"""A click on an input: what the prediction owes to it."""

import numpy as np

from cutaway.errors import expect_range
from cutaway.nn.trees import is_array
from cutaway.story.text import number
from cutaway.studio.clicks.contract import Click, ClickedPlace
from cutaway.studio.stories import told

ACCURATE = 4096  # numbers of an input, up to which gradients are integrated


class InputClick(Click):
    """The attribution of the prediction to all inputs; the title is of the one that was clicked."""

    what = "input"

    def tell(self, clicked):
        x = clicked.why.trace.x
        small = is_array(x) and x.size <= ACCURATE
        method = "integrated_gradients" if small else "gradient_x_input"
        names = _names(clicked)
        found = clicked.why.attribution(method=method, names=names)
        title = "What the prediction owes to its inputs"
        values = getattr(found, "values", None)
        if clicked.index and isinstance(values, np.ndarray):
            title = _title(clicked, names, values)
        return told(title, found, plotted=True)


def _title(clicked: ClickedPlace, names, values: np.ndarray) -> str:
    index = clicked.index if values.ndim == len(clicked.index) else (0, *clicked.index)
    if len(index) != values.ndim:
        return "What the prediction owes to its inputs"
    for i, size in zip(index, values.shape, strict=True):
        expect_range(i, what="the index of the input", least=0, below=size)
    name = f"input {', '.join(str(i + 1) for i in clicked.index)}"
    if names is not None and index[-1] < len(names):
        name = names[index[-1]]
    return f"The prediction owes {number(values[index])} to {name}"


def _names(clicked: ClickedPlace) -> list[str] | None:
    """Of the columns of a table, or of the tokens of a text."""
    if clicked.subject.inputs is not None:
        return [column.name for column in clicked.subject.inputs]
    x = clicked.why.trace.x
    tokens = clicked.subject.tokens(clicked.row)
    if tokens is None or not (is_array(x) and x.ndim == 2 and x.dtype.kind in "iu"):
        return None
    return [*tokens, *["padding"] * (x.shape[-1] - len(tokens))]
