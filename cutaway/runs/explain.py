"""Explanation of one row of a run: prediction, attribution, largest gradient, anomalies."""

import dataclasses
import textwrap
from pathlib import Path
from typing import Any

import numpy as np

from cutaway.errors import CutawayError, DataError, OptionError
from cutaway.explain import Explanation, attribute, explain, grad_cam
from cutaway.explain.attribution_story import Attribution
from cutaway.explain.gradcam import GradCam
from cutaway.explain.gradient import GradientStory, counted
from cutaway.explain.joint_attribution import JointAttribution
from cutaway.explain.lit_path import lit_drawing
from cutaway.files.content import exists
from cutaway.nn.trees import count_rows, map_leaves
from cutaway.runs.experiment import IN_MEMORY
from cutaway.runs.finished_run import Run
from cutaway.runs.kinds import KINDS
from cutaway.runs.nearest_neighbors import NearestNeighbors, nearest_neighbors_of
from cutaway.runs.networks import loss_of
from cutaway.runs.row_arithmetic import RowArithmetic, arithmetic_of_row, class_names
from cutaway.runs.row_loss import output_of
from cutaway.runs.row_step import RowStep, step_of_row
from cutaway.runs.row_views import views_of_row
from cutaway.story.text import WIDTH, Story, number

LARGEST = "Weight of the first layer with the largest gradient for this row"
LONG = 24  # nodes of a path that are shown
WHOLE_WAY = "From the values of the row to ŷ and the loss"
NEXT_STEP = "The next step of the optimizer for this weight"
PATHS = 3  # chain-rule paths shown for a row


@dataclasses.dataclass(repr=False)
class RowStory(Story):
    """The explanation of one row. Made by `explain_row`.

    Attributes:
        run: the Run.
        row: index of the row, from 0.
        source: name of its file or folder.
        shown: {column: value} of the row.
        prediction: in words.
        truth: the true value, in words, or None.
        explanation: the Explanation, with a loss if the true value is known.
        attribution: of the prediction to the inputs, or None.
        gradient: the GradientStory of the weight with the largest gradient, or None.
        arithmetic: the RowArithmetic: from the values of the row to ŷ and the loss.
        step: the RowStep of that weight, or None.
        more: [(heading, story)] of what the network has: a weight through time, gates, a window
            of a convolution.
        saliency: the GradCam of an image, for pretrained backbones; or None.
        neighbors: the NearestNeighbors among the validation examples, for pretrained backbones;
            or None.
        unusual: sentences.
    """

    run: Run
    row: int
    source: str
    shown: dict
    prediction: str
    truth: str | None
    explanation: Explanation
    attribution: Attribution | JointAttribution | None
    gradient: GradientStory | None
    unusual: list
    arithmetic: RowArithmetic
    saliency: GradCam | None = None
    neighbors: NearestNeighbors | None = None
    step: RowStep | None = None
    more: list = dataclasses.field(default_factory=list)

    def text(self, width: int = WIDTH) -> str:
        lines = [f"Row {self.row} of {self.source}"]
        cells = ", ".join(f"{name} = {value}" for name, value in self.shown.items())
        lines += textwrap.wrap(cells, width, initial_indent="  ", subsequent_indent="  ")[:6]
        lines += ["", f"Prediction: {self.prediction}"]
        if self.truth is not None:
            loss = number(self.explanation.loss)
            lines.append(f"True value: {self.truth}   (loss L = {loss})")
        lines += ["", self.arithmetic.text(width)]
        if self.attribution is not None:
            lines += ["", self.attribution.text(width)]
        if self.saliency is not None:
            lines += ["", self.saliency.text(width)]
        if self.neighbors is not None:
            lines += ["", self.neighbors.text(width)]
        if self.gradient is not None:
            lines += ["", f"{LARGEST}:", "", *self._gradient_lines(self.gradient, width)]
        lines += ["", *self._unusual(width)]
        return "\n".join(lines)

    def _gradient_lines(self, story, width):
        paths = f"{counted(story.count)} path{'' if story.count == 1 else 's'}"
        head = f"∂L/∂{story.name} = {number(story.value)}   ({_place(story)}), sum over {paths}"
        lines = textwrap.wrap(f"{head}; the strongest:", width, break_long_words=False)
        for path in story.paths:
            part = f"{100 * path.product / story.value:.3g}%" if story.value else ""
            lines += textwrap.wrap(
                f"{part:>9}  " + " <- ".join(_essential(path.nodes)),
                width,
                subsequent_indent=" " * 11,
                break_long_words=False,
            )
        return lines

    def _unusual(self, width):
        if not self.unusual:
            return ["Unusual: nothing"]
        lines = ["Unusual:"]
        for note in self.unusual:
            lines += textwrap.wrap(note, width, initial_indent="  - ", subsequent_indent="    ")
        return lines

    def drawing(self, gradient=None):
        """A drawing of the network; see row_drawing."""
        return row_drawing(self, gradient)

    def stories(self) -> list:
        """(heading, story) of all parts, for a page."""
        found = [
            (WHOLE_WAY, self.arithmetic),
            ("Attribution", self.attribution),
            ("Saliency", self.saliency),
            ("Nearest neighbors", self.neighbors),
            (LARGEST, self.gradient),
            (NEXT_STEP, self.step),
            *self.more,
        ]
        if self.explanation.loss is not None:
            found.append(("Gradient layer by layer", self.explanation.flow()))
        return [(heading, story) for heading, story in found if story is not None]

    def to_dict(self) -> dict:
        return {
            "row": self.row,
            "source": self.source,
            "values": self.shown,
            "prediction": self.prediction,
            "truth": self.truth,
            "loss": self.explanation.loss,
            "arithmetic": self.arithmetic.to_dict(),
            "step": None if self.step is None else self.step.to_dict(),
            "attribution": None if self.attribution is None else self.attribution.to_dict(),
            "saliency": None if self.saliency is None else self.saliency.to_dict(),
            "neighbors": None if self.neighbors is None else self.neighbors.to_dict(),
            "gradient": None if self.gradient is None else self.gradient.to_dict(),
            "unusual": self.unusual,
        }


def training_data_of(run: Run) -> str:
    """Path of the data that a run was trained on.

    Raises:
        DataError: they are not there.
    """
    source = run.source()
    if source == IN_MEMORY:
        raise DataError(
            "this run was trained on data in memory or from a pipe, which it does not keep",
            expected="a file or folder",
            fix="name the data: cutaway explain RUN --input FILE",
        )
    if not exists(source):
        raise DataError(
            f"the training data of this run are no longer at {source}",
            expected="the file or folder that it was trained on",
            fix="restore them, run the command in the folder that the path is relative to, or name "
            "other data: cutaway explain RUN --input FILE",
        )
    return source


def open_row(run: Run, data=None, row: int = 0):
    """A row of a run's data, encoded.

    Args:
        run: the Run.
        data: path or frame; None: the training data.
        row: index, from 0.

    Returns:
        (frame of that row, x (1, ...), y (1, ...) or None, name of the source)

    Raises:
        DataError: no such data or row.
    """
    source = training_data_of(run) if data is None else data
    preprocessing = run.preprocessing
    frame = preprocessing.read(source)
    kind = KINDS[run.config["kind"]]
    windows = kind.windows
    if not windows:
        _expect_row(row, frame.height, source)
    chosen = frame if windows else frame[row : row + 1]
    arrays = kind.explained_windows(preprocessing, _transformed(preprocessing, chosen))
    if windows:
        _expect_row(row, count_rows(arrays.x), source, preprocessing.examples)
    at = row if windows else 0
    if at >= count_rows(arrays.x):
        raise DataError(
            f"row {row} of {source} cannot be used" + "".join(f": {n}" for n in arrays.notes),
            expected="a row with the values that training used",
        )
    x, y = (
        None if tree is None else map_leaves(lambda leaf: leaf[at : at + 1], tree)
        for tree in (arrays.x, arrays.y)
    )
    return chosen, x, y, Path(str(source)).name


def _expect_row(row: int, count: int, source, what: str = "rows"):
    if not 0 <= row < count:
        raise DataError(
            f"there is no row {row} in {source}",
            expected=f"an index from 0 to {count - 1}"
            + ("" if what == "rows" else f": it makes {count:,} {what}"),
            fix=f"count {what} from 0" + (", without the header" if what == "rows" else ""),
        )


def _transformed(preprocessing, frame):
    try:
        return preprocessing.transform(frame)
    except CutawayError:  # without a target, or with an unknown class
        return preprocessing.transform(frame, with_target=False)


def explanation_of(run: Run, x, y) -> Explanation:
    """`explain` for an encoded row of a run, with the run's own loss."""
    x = map_leaves(_pixels_as_numbers, x)
    kind = KINDS[run.config["kind"]]
    loss = kind.explained_loss(loss_of(run.config["network"]))
    names = kind.input_names(run.preprocessing)
    loss = None if y is None else loss
    return explain(run.net, x, y, loss=loss, names=names, symbol=symbol_of_output(run))


def symbol_of_output(run: Run) -> str:
    """ŷ if the network of a run returns what is predicted, z if it is computed from its scores.

    ŷ is a probability, or a value in the target's unit; a standardized output is not yet one.
    """
    is_score = output_of(run.config["network"]["loss"]) in ("logit", "score")
    return "z" if is_score or run.preprocessing.task == "regression" else "ŷ"


def _pixels_as_numbers(leaf):
    """Images in bytes as float32: they are no tokens."""
    return leaf.astype(np.float32) if leaf.dtype == np.uint8 else leaf


def explain_row(run: Run, data=None, row: int = 0, *, box: int | None = None) -> Any:
    """Explain one row: prediction, attribution, largest gradient, anomalies.

    Args, Raises: see `open_row`.

    Args:
        box: of pictures with boxes, the number of the box to explain.

    Returns:
        RowStory; for kinds that predict more than one thing per row, a story of their own.
    """
    kind = KINDS[run.config["kind"]]
    if box is not None and not kind.explains_boxes:
        raise OptionError(
            f"box {box} of {kind.title}",
            expected="a run of pictures with boxes",
            fix="omit it (--box)",
        )
    own = kind.explain_example(run, data, row, **({} if box is None else {"box": box}))
    if own is not None:
        return own
    frame, x, y, source = open_row(run, data, row)
    explanation = explanation_of(run, x, y)
    outputs = run.outputs(x)
    gradient = None if y is None else _largest(explanation)
    attribution = None if _uses_saliency(run) else _attribution(run, x, frame)
    step = None
    if gradient is not None:
        step = step_of_row(run, explanation, gradient.path, gradient.index)
    return RowStory(
        run=run,
        row=row,
        source=source,
        shown=kind.explained_values(run.preprocessing, x) or _shown(frame),
        prediction=_predicted(run, outputs),
        truth=None if y is None else _truth(run, y),
        explanation=explanation,
        attribution=attribution,
        gradient=gradient,
        arithmetic=arithmetic_of_row(run, x, y, frame, explanation, attribution),
        step=step,
        more=views_of_row(run, explanation),
        unusual=_unusual(run, x, y, outputs, explanation),
        saliency=_saliency(run, x, outputs) if _uses_saliency(run) else None,
        neighbors=nearest_neighbors_of(run, x),
    )


def _uses_saliency(run) -> bool:
    """Whether Grad-CAM stands instead of an attribution."""
    return KINDS[run.config["kind"]].shows_saliency(run.config["network"])


def _saliency(run, x, outputs):
    return grad_cam(
        run.net,
        x[0].astype(np.float32),
        target=int(np.argmax(outputs[0])),
        output_names=_output_names(run),
    )


def _output_names(run) -> list:
    """The outputs of a classifier of several classes: the score z_2 is not the class itself."""
    symbol = symbol_of_output(run)
    return [f"{symbol}_{k + 1} ({c})" for k, c in enumerate(run.preprocessing.classes)]


def _shown(frame) -> dict:
    row = frame.row(0, named=True) if frame.height == 1 else {}
    return {k: v for k, v in row.items() if isinstance(v, int | float | str | bool) or v is None}


def _predicted(run, outputs) -> str:
    target = run.config["target"]
    if run.preprocessing.task == "language":
        last = outputs[0][-1]
        names, best = class_names(run.preprocessing), int(np.argmax(last))
        return f"{target} = {names[best]} (probability {last[best]:.3f})"
    if run.preprocessing.task in ("binary", "multiclass"):
        best = int(run.preprocessing.decide(outputs)[0])
        return f"{target} = {run.preprocessing.classes[best]} (probability {outputs[0][best]:.3f})"
    values = np.ravel(outputs)[:6]
    more = ", ..." if np.size(outputs) > 6 else ""
    return f"{target} = {', '.join(number(v) for v in values)}{more}"


def _truth(run, y) -> str:
    target = run.config["target"]
    if run.preprocessing.task == "language":
        return f"{target} = {class_names(run.preprocessing)[int(y[0][-1])]}"
    if run.preprocessing.task in ("binary", "multiclass"):
        return f"{target} = {run.preprocessing.classes[int(y[0])]}"
    values = np.ravel(run.preprocessing.truth(y))[:6]
    return f"{target} = {', '.join(number(v) for v in values)}{', ...' if np.size(y) > 6 else ''}"


def _attribution(run, x, frame):
    kind, preprocessing = KINDS[run.config["kind"]], run.preprocessing
    if not kind.attributes:
        return None
    names = kind.attribution_names(preprocessing, x, frame)
    x = map_leaves(_pixels_as_numbers, x)
    classes = _output_names(run) if preprocessing.task == "multiclass" else None
    found = attribute(run.net, x, names=names, output_names=classes).row(0)
    if isinstance(found, Attribution):
        return dataclasses.replace(found, symbol=symbol_of_output(run))
    return found


def _largest(explanation):
    """The story of the weight with the largest gradient in the first layer that has one."""
    for path, gradient in explanation.trace.engine_gradients.items():
        if gradient.ndim > 1 and gradient.any():
            index = np.unravel_index(np.abs(gradient).argmax(), gradient.shape)
            return explanation.gradient(path, tuple(int(i) for i in index), top=PATHS)
    return None


def _unusual(run, x, y, outputs, explanation) -> list:
    notes = []
    task = run.preprocessing.task
    if task in ("binary", "multiclass") and y is not None:
        probability = float(outputs[0][int(y[0])])
        if int(run.preprocessing.decide(outputs)[0]) != int(y[0]):
            notes.append(f"wrong prediction: probability of the true class {probability:.3f}")
    notes += KINDS[run.config["kind"]].unusual(run.preprocessing, x)
    if y is not None:
        notes += explanation.flow().notes()
    return notes


def _essential(nodes) -> list:
    """The nodes of a path; of a long path its ends, and how many are between them."""
    if len(nodes) <= LONG:
        return nodes
    half = LONG // 2
    return [*nodes[:half], f"({len(nodes) - 2 * half} between)", *nodes[-half:]]


def _place(story) -> str:
    return f"{story.path}[{', '.join(map(str, story.index))}]"


def row_drawing(story: RowStory, gradient=None):
    """A drawing of the run's network that highlights the strongest path of a gradient."""
    gradient = story.gradient if gradient is None else gradient
    inputs = KINDS[story.run.config["kind"]].input_names(story.run.preprocessing)
    return lit_drawing(story.explanation, story.run.net, gradient, input_names=inputs)


def parse_place(text: str, what: str) -> tuple:
    """(path, index) of "0:1" or "0.weight:2,1".

    Raises:
        OptionError: it is neither.
    """
    path, colon, index = text.rpartition(":")
    try:
        numbers = tuple(int(part) for part in index.split(",") if part.strip())
    except ValueError:
        colon = ""
    if not colon:
        raise OptionError(
            f"{what} {text!r}",
            expected="a layer, a colon and indices from 0, for example 0:1 or 0:2,1",
            fix="`cutaway summary RUN` lists the layers",
        )
    return path, numbers


def weight_path(run: Run, path: str) -> str:
    """The path of a parameter; for the path of a layer, that of its weight."""
    names = run.net.named_parameters()
    return path if path in names or f"{path}.weight" not in names else f"{path}.weight"
