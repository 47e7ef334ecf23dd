"""DataKind: all that others ask of a kind of data. Each kind is one file beside this one.

Kinds are found by being there, also by `cutaway train --help`; so their files are quick to import,
and what needs arrays or networks is imported inside the methods.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, NamedTuple

from cutaway.errors import DataError
from cutaway.runs.kinds.data_source import DataSource
from cutaway.runs.options.every_kind import TrainingOptions
from cutaway.runs.preprocessing import Preprocessing

# when a kind is asked whether it recognizes some data: by names, folders and first bytes; by what
# stands in a table or in lines; and last those that take any table, any text
AT_FIRST, BY_CONTENTS, AT_LAST = 1, 2, 3
NETWORK = "network"  # its name among the models that it is compared with
CERTAIN = math.inf  # strength of a Sign that no other can outdo


@dataclasses.dataclass(frozen=True)
class Sign:
    """That a kind recognizes some data.

    Attributes:
        reason: in words, after "Detected as labeled images: ".
        strength: of the kinds that are asked together, that with the strongest sign is chosen;
            for folders the number of files.
        problem: raised if the kind is chosen: data of this kind that cannot be used.
    """

    reason: str
    strength: float = 1.0
    problem: DataError | None = None


@dataclasses.dataclass(frozen=True)
class NetworkInput:
    """One input of the network of a run.

    Attributes:
        name, shape, dtype: the shape is that of one row.
        sentences: how a row is made of the data.
        other_shape: another shape that the network takes too, if its sizes may be free.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    sentences: list[str]
    other_shape: tuple[int, ...] | None = None


class ColumnScale(NamedTuple):
    """One number of an input, in the unit of the data: value = encoded * scale + shift.

    Attributes:
        name: as in `input_names`; of a column whose logarithm is taken, that of the logarithm.
        unit: what the value counts, if its column is not a number: "days since 1970-01-01".
        is_clipped: whether the encoded number was smoothly clipped (data.robust_scaling), which is
            undone first. Its scale may be 0: then every value is encoded as 0.
    """

    name: str
    scale: float = 1.0
    shift: float = 0.0
    unit: str = ""
    is_clipped: bool = False


@dataclasses.dataclass(frozen=True)
class Rivals:
    """Models that `cutaway compare` trains on rows of the data, each by itself.

    Attributes:
        pool: rows from which training sets are drawn.
        test: rows of the test set, or its inputs.
        score: what is measured, in words.
        models: {name: function (training rows, seed) -> score on the test set}, the first named
            NETWORK.
        method: how they are trained, in sentences; "" for a network beside scikit-learn's models.
        labels: of the rows of the pool, for training sets with all classes in proportion; None: the
            sets are drawn without regard to what is in them.
    """

    pool: Any
    test: Any
    score: str
    models: dict[str, Callable[[Any, int], float]]
    method: str = ""
    labels: Any = None


class DataKind:
    """A kind of data. A subclass declares its facts and has the methods that raise here.

    Attributes:
        name: in configs and for --kind.
        title: in sentences: "labeled images".
        takes: what DATA of `cutaway train` may be, in words; "": told with another kind.
        place: among all kinds, where they are listed.
        asked: AT_FIRST, BY_CONTENTS or AT_LAST.
        options: class of its training options.
        network: the network by default, in words.
        transfer_options: class of the options for a pretrained backbone; None: there is none.
        takes_target: whether the user names the column to predict.
        target_option: the option that a named target is given to instead.
        new: what stands for new data and for more labeled data in suggested commands.
        windows: whether the examples are windows of one long sequence, and so not independent.
        lists_columns: whether the data are described column by column, all of them shown.
        attributes: whether `explain` attributes a prediction to the inputs.
        explains_boxes: whether `explain_example` takes `box`, the number of one of several things
            that are predicted for a row.
    """

    name: str
    title: str
    takes: str = ""
    place: int = 100
    asked: int = AT_FIRST
    options: type[TrainingOptions]
    network: str = ""
    transfer_options: type[TrainingOptions] | None = None
    takes_target: bool = False
    target_option: str | None = None
    new: tuple[str, str] = ("NEW", "MORE")
    windows: bool = False
    lists_columns: bool = False
    attributes: bool = True
    explains_boxes: bool = False

    def recognize(self, source: DataSource) -> Sign | None:
        """A Sign if these data are of this kind, otherwise None."""
        raise NotImplementedError

    def preprocessing(self) -> type[Preprocessing]:
        """Class of the preprocessing that is saved with a run."""
        raise NotImplementedError

    def prepare(self, data, target: str | None, options, *, why: str) -> Any:
        """Read, split and encode the data, and build a network for them.

        Args:
            data: path or frame.
            target: the column to predict, if `takes_target`.
            options: of the class `options`.
            why: why the data were detected as this kind, and why this network was chosen.

        Returns:
            runs.Experiment.
        """
        raise NotImplementedError

    def prepare_transfer(self, data, target: str | None, options, *, why: str) -> Any:
        """As `prepare`, with a pretrained backbone; options of the class `transfer_options`."""
        raise NotImplementedError

    def networks(self) -> dict[str, Callable[[dict], Any]]:
        """{model: function of a spec that builds the network}, by the spec's "model"."""
        raise NotImplementedError

    def network_inputs(self, rows: Any) -> list[NetworkInput]:
        """The inputs of the network, with how to make them.

        Args:
            rows: the preprocessing of a run.
        """
        raise NotImplementedError

    def describe_outputs(self, rows: Any, loss: str) -> list[str]:
        """Sentences about the outputs of the network, for the loss of that name."""
        from cutaway.runs.outputs import describe_outputs

        return describe_outputs(rows, loss)

    def input_names(self, rows: Any) -> list[str] | None:
        """Names of the numbers of an input, for explanations, drawings and reports."""
        return None

    def input_columns(self, rows: Any) -> list[ColumnScale] | None:
        """The numbers of an input that is one row of numbers; None: it is something else."""
        return None

    def picture(self, rows: Any, x, y) -> Any:
        """An encoded example as people see it, (height, width, 1 or 3) uint8; None: no picture.

        Args:
            rows: the preprocessing.
            x: the encoded input, without an axis of rows.
            y: its target, likewise.
        """
        return None

    def step_names(self, rows: Any, x, frame) -> list[str] | None:
        """Names of the steps of a sequence: the words of a text, the times of a series.

        Padding has none. None: the examples are no sequences.

        Args:
            rows, x: see `picture`.
            frame: the row of the data.
        """
        return None

    def attribution_names(self, rows: Any, x, frame) -> list | None:
        """Names for `explain.attribute` of one row.

        Args:
            rows: the preprocessing.
            x: the encoded row (1, ...).
            frame: the row of the data.
        """
        return None

    def encoding(self, rows: Any, x, frame, spec: dict) -> dict[str, list[str]]:
        """{column or part of a row: lines: how its values became the inputs of the network}.

        Args:
            rows, x, frame: see `attribution_names`.
            spec: of the network.
        """
        return {}

    def explained_windows(self, rows: Any, arrays) -> Any:
        """The examples that `explain` counts as rows, of what `transform` made of the data.

        Args:
            rows: the preprocessing.
            arrays: a TableArrays.
        """
        return arrays

    def explained_values(self, rows: Any, x) -> dict:
        """{name: value} that `explain` shows of an encoded row; {}: the cells of its frame."""
        return {}

    def explained_loss(self, loss: Callable) -> Callable:
        """The loss of one prediction, of a network that was trained with `loss`."""
        return loss

    def unusual(self, rows: Any, x) -> list[str]:
        """Sentences about what is unusual in an encoded row (1, ...)."""
        return []

    def explain_example(self, run: Any, data, row: int) -> Any:
        """The Story of one example, for `explain`; None: that of a prediction per row.

        It has `row`, `source`, `prediction`, `truth`, `gradient`, `stories()` and `drawing()`, as
        runs.explain.RowStory.

        Args:
            run: the Run.
            data: path or frame; None: the training data.
            row: index, from 0.
        """
        return None

    def options_of_one_network(self) -> dict:
        """Options with which one network is trained whose hyperparameters are all options."""
        return {}

    def own_options(self, run: Any) -> dict:
        """{option: value} of a run in place of what it was trained from and now holds itself."""
        return {}

    def shows_saliency(self, spec: dict) -> bool:
        """Whether Grad-CAM takes the place of the attribution, for a network of this spec."""
        return False

    def baselines(self, experiment: Any) -> dict[str, Callable]:
        """{name: function (task, seed) that makes a scikit-learn model}, for `cutaway compare`."""
        return {}

    def rivals(self, experiment: Any) -> Rivals | None:
        """What `cutaway compare` trains where `baselines` cannot be; None: there is nothing."""
        return None

    @property
    def is_compared(self) -> bool:
        """Whether it has baselines or rivals."""
        own = type(self)
        return own.baselines is not DataKind.baselines or own.rivals is not DataKind.rivals

    def use(self, run) -> tuple[str, str]:
        """(command, what for): what to do with a trained run, in its folder `run`."""
        return f"cutaway predict {run} {self.new[0]}", "predict new data"
