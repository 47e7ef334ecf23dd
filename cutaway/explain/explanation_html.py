"""An Explanation in a notebook: what came out, and what can be asked of it."""

from html import escape

import numpy as np

from cutaway.diagram.network_html import network_parts, size_in_words
from cutaway.nn.trees import leaves, named_leaves
from cutaway.story.html import Markup, folded, table
from cutaway.story.notebook import facts, part, shown, title
from cutaway.story.text import number

SHOWN = 8  # values of an output


def explanation_html(why, net) -> str:
    """What a notebook shows of an Explanation.

    Args:
        net: the network that it opened.
    """
    rows = leaves(why.trace.x)[0].shape[0] if why.trace.is_batched else 1
    about = [("network", f"{type(net).__name__} of {size_in_words(net)}")]
    for keys, value in named_leaves(why.output).items():
        about.append((f"output {'.'.join(map(str, keys))}".strip(), _values(value)))
    about += [(f"loss term {name}", number(value, 6)) for name, value in why.terms.items()]
    if why.loss is not None:
        about.append(("loss L", number(why.loss, 6)))
    return shown(
        title("Explanation", f"of {rows} example{'s' * (rows != 1)}"),
        facts(about),
        part("Ask it", table(("call", "answer"), _questions(why))),
        folded("network", network_parts(net)),
    )


def _values(array) -> str:
    flat = np.ravel(np.asarray(array))
    text = ", ".join(number(value) for value in flat[:SHOWN])
    if flat.size <= SHOWN:
        return text
    return f"{text}, ... ({flat.size:,} values of shape {array.shape})"


def _questions(why) -> list:
    """[(call, answer)] with names of this network; the weight is the one of largest gradient."""
    asked = []
    weight = _steepest(why)
    if weight is not None:
        path, index, gradient = weight
        call = f'why.gradient("{path}", {index})'
        asked.append((call, f"∂L/∂w = {number(gradient)}, the largest, over its chain-rule paths"))
    layer = next((n.module for n in why.trace.graph.nodes if n.module and n.record), None)
    if layer is not None:
        asked.append((f'why.forward("{layer}", 0)', "how one neuron's value is computed"))
    if weight is not None:
        asked.append((f'why.update(optimizer, "{path}", {index})', "its next step, term by term"))
        asked.append(("why.flow()", "the gradient layer by layer: where it vanishes or explodes"))
    asked.append(("why.attribution()", "what each input contributed to the output"))
    return [(_code(call), answer) for call, answer in asked]


def _code(call: str) -> Markup:
    return Markup(f"<code>{escape(call)}</code>")


def _steepest(why):
    """(path, index, gradient) of the weight with the largest gradient; None without a loss."""
    if why.loss is None:
        return None
    found = None
    for path, gradient in why.trace.engine_gradients.items():
        values = np.asarray(getattr(gradient, "data", gradient), np.float64)
        if path in why.trace.frozen or not values.size or not np.isfinite(values).all():
            continue
        place = int(np.abs(values).argmax())
        if found is None or abs(values.flat[place]) > abs(found[2]):
            index = tuple(int(i) for i in np.unravel_index(place, values.shape))
            found = path, index, float(values.flat[place])
    return found
