"""A Subject of data of any kind: read, encoded and split as by `cutaway train`."""

import dataclasses
import functools
from pathlib import Path

import numpy as np

from cutaway.nn.trees import is_array, take_rows
from cutaway.runs import KINDS, prepare
from cutaway.runs.dense import DenseExperiment
from cutaway.runs.experiment import IN_MEMORY, Experiment
from cutaway.runs.language import LanguageRows
from cutaway.runs.row_arithmetic import class_names
from cutaway.studio.subject import InputColumn, Subject, as_picture, columns_of


def subject_of_data(data=None, target: str | None = None, **options) -> Subject:
    """Read, encode and split data of any kind, with the network that `cutaway train` has for them.

    The learning rate stays constant unless `schedule` is given: nobody says how many epochs there
    will be.

    Args:
        data, target: see runs.prepare.
        options: `kind`, and options of that kind, as for runs.prepare.

    Raises:
        DataError, OptionError: see runs.prepare.

    Example:
        >>> from cutaway.studio.origins.from_data import subject_of_data
        >>> subject = subject_of_data()
        >>> subject.title, subject.classes, subject.row_title(3)
        ('students.csv → passed', ['0', '1'], 'row 3 of students.csv')
    """
    return subject_of_experiment(prepare(data, target, **{"schedule": "constant", **options}))


@dataclasses.dataclass(kw_only=True, repr=False, eq=False)
class DataSubject(Subject):
    """A Subject of an Experiment.

    Attributes:
        experiment: the data, read, and the network.
    """

    experiment: Experiment

    def row_title(self, row):
        experiment = self.experiment
        file = _file_of(experiment, row)
        if file is not None:
            return _below(file, Path(experiment.source))
        number = f"{self._counted} {self._number(row)}"
        return number if experiment.source == IN_MEMORY else f"{number} of {self._source}"

    @property
    def _source(self) -> str:
        return Path(self.experiment.source).name

    @functools.cached_property
    def _counted(self) -> str:
        """What is counted: rows where `cutaway explain` counts the same ones, else their set."""
        return "row" if explain_counts(self.experiment) else "training row"

    def _number(self, row: int) -> int:
        if KINDS[self.kind].windows:
            return row
        return int(self.experiment.row_numbers[row]) - 1

    def picture(self, row):
        x = take_rows(self.experiment.inputs_of([row]), 0)
        y = take_rows(self.experiment.y, row)
        return as_picture(KINDS[self.kind].picture(self.experiment.preprocessing, x, y))

    def tokens(self, row):
        experiment = self.experiment
        if isinstance(experiment, DenseExperiment):
            return None
        x = take_rows(experiment.inputs_of([row]), 0)
        frame = experiment.frame[int(row) : int(row) + 1]
        return KINDS[self.kind].step_names(experiment.preprocessing, x, frame)

    def predictions(self, raw):
        return self.experiment.preprocessing.to_predictions(raw, self.program.loss)


class LanguageSubject(DataSubject):
    """A Subject of running text, whose validation windows are counted by themselves."""

    def row_title(self, row):
        first = int(self.validation[0])
        if row < first:
            return super().row_title(row)
        return f"validation window {row - first} of {self._source}"


def subject_of_experiment(experiment: Experiment) -> DataSubject:
    """The Subject of data that were prepared; the experiment's network is what is trained.

    Of an ensemble the first one, on the rows that it has.
    """
    experiment = experiment.opened()
    rows = experiment.preprocessing
    y = experiment.targets()
    inputs, _ = experiment.fit_inputs(y)
    training = np.asarray(experiment.training)
    validation = np.asarray(experiment.validation)
    if not experiment.has_validation:
        validation = validation[:0]
    kind = LanguageSubject if isinstance(rows, LanguageRows) else DataSubject
    return kind(
        title=f"{Path(experiment.source).name} → {experiment.target}",
        kind=experiment.kind,
        task=rows.task,
        target=experiment.target,
        examples=rows.examples,
        program=experiment.make_trainer().program,
        x=experiment.x,
        y=y,
        training=training,
        validation=validation,
        batch_size=experiment.batch_size,
        seed=experiment.options.seed,
        stream=inputs[0] if len(inputs) == 1 else None,
        classes=class_names_of(rows),
        inputs=_inputs(experiment, training),
        threshold=getattr(rows, "threshold", 0.5),
        is_split_meant=experiment.is_split_meant,
        notes=[*([experiment.why] if experiment.why else []), *experiment.notes],
        experiment=experiment,
    )


def explain_counts(experiment: Experiment) -> bool:
    """Whether the rows of an experiment are those that `cutaway explain` counts.

    Of examples without a table it counts those of the test set, if the data have one, and of lists
    that split them it knows nothing.
    """
    kind = KINDS[experiment.kind]
    if kind.takes_target or kind.windows:
        return True
    options = experiment.options
    return options.split is None and (experiment.test is None or options.test > 0)


def _file_of(experiment: Experiment, row: int) -> str | None:
    """The file of a row of the arrays, if it is one."""
    frame = experiment.frame
    if isinstance(experiment, DenseExperiment):
        return frame["input"][int(experiment.row_numbers[row]) - 1]
    return frame["path"][int(row)] if "path" in frame.columns else None


def _below(file: str, source: Path) -> str:
    """The path of a file below the folder that was named."""
    path = Path(file)
    return path.relative_to(source).as_posix() if path.is_relative_to(source) else path.name


def class_names_of(rows) -> list[str] | None:
    """Names of what the outputs of a network stand for: classes, or the tokens of a text.

    Args:
        rows: the preprocessing.
    """
    if rows.classes is None and not isinstance(rows, LanguageRows):
        return None
    return class_names(rows)


def _inputs(experiment: Experiment, training) -> list[InputColumn] | None:
    x = experiment.x
    if not is_array(x) or x.ndim != 2 or x.dtype.kind != "f":
        return None
    described = KINDS[experiment.kind].input_columns(experiment.preprocessing)
    if described is None:  # of a frozen backbone
        described = [(f"feature {k + 1}", 1.0, 0.0, "", False) for k in range(x.shape[1])]
    return columns_of(x, training, described)
