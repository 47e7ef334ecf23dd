"""cutaway explain --sizes: a network of a textbook, with its own numbers."""

import inspect
import re
from typing import Any

from cutaway.cli.products import product
from cutaway.cli.show import console, escape, print_json
from cutaway.errors import OptionError, ShapeError, did_you_mean, expect_range
from cutaway.files import write_atomically
from cutaway.story.text import Story

NAMED = re.compile(r"(?P<what>[wb])_(?P<index>\d+(?:,\d+)*)\^\(?(?P<layer>\d+)\)?")
LARGEST = 1e30  # of an input or a target; float32 ends at 3.4e38
PREAMBLE = r"""\documentclass{article}
\usepackage{amsmath}
\setcounter{MaxMatrixCols}{20}
\begin{document}
"""


def textbook_command(*, html, latex, weights, force, as_json, **asked) -> None:
    """Explain one step of a network with given sizes, weights, x and y.

    Args:
        html, latex: files to write, or None.
        weights: a file of weights, or None.
        asked: sizes, x, y, activations, loss, optimizer, lr, weight and top, as they were typed.
    """
    with (
        product(html, "--html", inputs=[weights], force=force),
        product(latex, "--latex", inputs=[weights], force=force),
    ):
        stories, drawing, lead = _stories(weights=weights, **asked)
        written = []
        if html is not None:
            from cutaway.story import write_page

            title = f"A network of sizes {asked['sizes']}"
            write_page(html, title, stories, drawing=drawing, lead=lead)
            written.append((html, "page for the browser"))
        if latex is not None:
            write_atomically(latex, _document(stories).encode())
            written.append((latex, "LaTeX"))
    if as_json:
        print_json({heading: story.to_dict() for heading, story in stories})
        return
    print("\n\n".join(str(story) for _, story in stories))
    for path, what in written:
        console.print(f"\n[bold]{escape(path)}[/]\n  {what}", soft_wrap=True)


def expect_run(run, own: dict) -> None:
    """Raise OptionError unless there is a run, and no option of a network without one.

    Args:
        own: {name: value} of the options that go with --sizes.
    """
    given = [f"--{name}" for name, value in own.items() if value is not None]
    if run is None or given:
        raise OptionError(
            "RUN is missing" if not given else f"{', '.join(given)} without --sizes",
            expected="cutaway explain RUN [OPTIONS], or cutaway explain --sizes 4,3,2,1 --x ...",
            fix="see cutaway explain --help",
        )


def expect_no_run(run, options: dict) -> None:
    """Raise OptionError if --sizes is given beside a run or options of one."""
    given = [name for name, value in {str(run): run, **options}.items() if value is not None]
    if given:
        raise OptionError(
            f"--sizes beside {', '.join(given)}",
            expected="a run, or --sizes, --x and --y for a network of your own",
            fix="omit one of them",
        )


def _stories(*, sizes, x, y, weights, activations, loss, optimizer, lr, weight, top) -> tuple:
    """([(heading, story)], drawing, a sentence about the network)."""
    from cutaway.explain import explain
    from cutaway.models import network
    from cutaway.nn import Linear, seed

    seed(0)
    sizes = _sizes(sizes)
    layers = len(sizes) - 1
    net = network(sizes, weights, _activations(activations, layers))
    x = _numbers(x, "--x", sizes[0], "input")
    y = _numbers(y, "--y", sizes[-1], "output")
    name = _default_loss(net) if loss is None else loss
    chosen = _loss(name)
    _expect_targets(y, chosen)
    why = explain(net, x, y, loss=chosen)
    path, index = place_of_name(weight or "w_11^(1)", net)
    gradient = why.gradient(path, index, top=top)
    linear = [path for path, layer in net.modules().items() if isinstance(layer, Linear)]
    stories: list[tuple[str, Story]] = [
        (f"Layer {k}", why.layer(path)) for k, path in enumerate(linear, 1)
    ]
    stories.append(("Loss", why.losses()))
    stories.append((f"Gradient of {gradient.name}", gradient))
    step = why.update(_optimizer(optimizer, net, lr), path, index)
    stories.append((f"Next step of {gradient.name}", step))
    lead = f"ŷ = {', '.join(f'{v:.4g}' for v in why.output.ravel())}; {name}: {why.loss:.4g}."
    if weights is None:
        lead += " The weights are drawn: --weights FILE takes those of a textbook."
    return stories, why.draw(gradient), lead


def _sizes(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.replace("-", ",").split(","))
    except ValueError:
        raise OptionError(
            f"--sizes {text}",
            expected="integers separated by commas: inputs, hidden layers, outputs",
            fix="for example --sizes 4,3,2,1",
        ) from None


def _numbers(text: str | None, option: str, size: int, what: str) -> list[float]:
    if text is None:
        raise OptionError(
            f"{option} is missing",
            expected=f"{size} number{'s' * (size > 1)}, one for each {what}",
            fix=f"{option} " + ",".join("1" for _ in range(min(size, 8))),
        )
    try:
        found = [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        found = []
    if len(found) != size:
        raise ShapeError(
            f"{option} {text}",
            expected=f"{size} number{'s' * (size > 1)}, separated by commas: one for each {what}",
        )
    for value in found:
        expect_range(value, what=option, least=-LARGEST, most=LARGEST)
    return found


def _activations(text: str | None, layers: int) -> list:
    """The class of each layer's activation; None for none."""
    from cutaway.nn.activations import ACTIVATIONS

    names = (text or "sigmoid").replace("-", "_").split(",")
    names = names * layers if len(names) == 1 else names
    if len(names) != layers:
        raise OptionError(
            f"--activations {text}",
            expected=f"one name for all layers, or {layers}, one for each",
        )
    for name in names:
        if name not in (*ACTIVATIONS, "none"):
            raise OptionError(
                f"--activations {name}",
                expected="names of activations, or none",
                fix=did_you_mean(name, [*ACTIVATIONS, "none"]),
            )
    return [ACTIVATIONS.get(name) for name in names]


def _default_loss(net) -> str:
    """The loss that fits the last layer: cross-entropy after a sigmoid or softmax."""
    from cutaway.nn import Sigmoid, Softmax

    last = list(net)[-1]
    if isinstance(last, Sigmoid):
        return "binary_cross_entropy"
    return "categorical_cross_entropy" if isinstance(last, Softmax) else "mean_squared_error"


def _loss(name: str):
    from cutaway.losses import LOSSES
    from cutaway.runs.options.flags import parse_loss

    known = parse_loss(name)
    if known not in LOSSES:
        raise OptionError(
            f"--loss {name}", expected="a loss of Cutaway", fix=did_you_mean(name, LOSSES)
        )
    return LOSSES[known]


def _expect_targets(y: list[float], loss) -> None:
    """Raise OptionError for targets that are no probabilities, of a loss of probabilities."""
    from cutaway.losses import expects

    wants = expects(loss)
    if wants is None or wants.target not in ("binary", "one_hot"):
        return
    wrong = [value for value in y if not 0 <= value <= 1]
    if wrong:
        raise OptionError(
            f"--y {wrong[0]:g} with the loss {loss.__name__}",
            expected="0, 1 or a probability between them",
            fix="for other targets: --loss mse, with --activations sigmoid,none for two layers",
        )


def _optimizer(name: str, net, lr: float | None):
    from cutaway.optim import OPTIMIZERS

    if name not in OPTIMIZERS:
        raise OptionError(
            f"--optimizer {name}",
            expected="an optimizer of Cutaway",
            fix=did_you_mean(name, OPTIMIZERS),
        )
    kind: Any = OPTIMIZERS[name]
    default = inspect.signature(kind).parameters["lr"].default
    if lr is None and default is not inspect.Parameter.empty:
        return kind(net)
    return kind(net, lr=1.0 if lr is None else lr)


def place_of_name(name: str, net) -> tuple[str, tuple[int, ...]]:
    """(path, index) of a parameter in the notation of textbooks, or as LAYER:I,J.

    Args:
        name: w_12^(1), w_12^1, w_1,12^1, b_2^(1), or 0:0,1.

    Raises:
        OptionError: it is none of these, or the network has no such weight.
    """
    from cutaway.nn import Linear
    from cutaway.runs.explain import parse_place

    found = NAMED.fullmatch(name.strip())
    if found is None:
        path, index = parse_place(name, "--weight")
        return (path if path in net.named_parameters() else f"{path}.weight"), index
    linear = [path for path, layer in net.modules().items() if isinstance(layer, Linear)]
    if not {name.rpartition(".")[0] for name in net.named_parameters()} <= {*linear}:
        raise OptionError(
            f"--weight {name}: the network has layers that are not Linear",
            expected="a layer, a colon and indices from 0, for example 0:2,1",
            fix="`cutaway summary RUN` lists the layers",
        )
    is_bias, digits = found["what"] == "b", found["index"]
    places = digits.split(",") if "," in digits or is_bias else list(digits)
    layer, index = int(found["layer"]), tuple(int(place) - 1 for place in places)
    path = linear[layer - 1] if 0 < layer <= len(linear) else None
    shape = () if path is None else net.modules()[path].weight.shape[is_bias:]
    if len(index) != len(shape) or not all(0 <= i < n for i, n in zip(index, shape, strict=True)):
        raise OptionError(
            f"--weight {name}: the network has no such {'bias' if is_bias else 'weight'}",
            expected="w_ij^(l) from input i to neuron j of layer l, or b_j^(l), each from 1",
            fix="for example w_11^(1)",
        )
    return f"{path}.{'bias' if is_bias else 'weight'}", index


def _document(stories) -> str:
    """A LaTeX document with the formulas of the stories."""
    parts = [PREAMBLE]
    for heading, story in stories:
        formula = story.latex()
        if formula is not None:
            heading = re.sub(r"([wb])_(\S+?)\^(\S+)", r"$\1_{\2}^{\3}$", heading)
            parts.append(f"\\section*{{{heading}}}\n\\[ {formula} \\]\n")
    return "".join([*parts, "\\end{document}\n"])
