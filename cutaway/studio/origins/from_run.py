"""A Subject of a trained run: its network, with the data that it was trained on."""

import dataclasses
from pathlib import Path

import numpy as np

from cutaway.doctor.sources import experiment_of_run, options_of_run
from cutaway.errors import CutawayError
from cutaway.runs import KINDS, Run
from cutaway.runs.experiment import Experiment
from cutaway.runs.finished_run import trainer_for
from cutaway.runs.from_path import make_options
from cutaway.runs.run_folder import as_json
from cutaway.studio.origins.from_data import class_names_of, subject_of_experiment
from cutaway.studio.subject import Subject

CALIBRATED = ("interval", "threshold")  # of a preprocessing, chosen after the training


@dataclasses.dataclass(kw_only=True, repr=False, eq=False)
class RunSubject(Subject):
    """The network of a run without its data."""

    run: Run

    def predictions(self, raw):
        return self.run.to_predictions(raw)


def subject_of_run(run, data=None, *, trust: bool = False) -> Subject:
    """A run with its data, read again and split as before, and a new optimizer.

    The folder of the run is not changed: the studio trains a network of its own with the run's
    weights. If the data cannot be read, or are no longer as they were, the network can be looked
    at, but not trained; the first of `notes` says why.

    Args:
        run: its folder, or the Run.
        data: where its data are now; None: where the run found them.
        trust: whether data may be read that the config of another user's run names.

    Raises:
        RunError: see Run.open.
        DataError, OptionError: `data` was given and cannot be read.
    """
    opened = Run.open(run.path if isinstance(run, Run) else run)
    opened.trusted = trust or (isinstance(run, Run) and run.trusted)
    try:
        experiment = experiment_of_run(opened, data, schedule="constant")
    except CutawayError as error:
        if data is not None:
            raise
        return _network_alone(opened, error.came)
    if not _is_as_it_was(opened, experiment):
        return _network_alone(
            opened,
            f"{experiment.source} is not as it was when this run was trained, or is read "
            "differently by this version of Cutaway",
        )
    experiment.load_weights(opened)
    experiment.preprocessing = opened.preprocessing  # with what was chosen after the training
    subject = subject_of_experiment(experiment)
    subject.title = _title(opened)
    return subject


def _is_as_it_was(run: Run, experiment: Experiment) -> bool:
    """Whether data are encoded as they were for the training of a run."""
    if as_json(experiment.spec) != as_json(run.config["network"]):
        return False
    known, now = (
        {name: value for name, value in one.to_json().items() if name not in CALIBRATED}
        for one in (run.preprocessing, experiment.preprocessing)
    )
    return as_json(known) == as_json(now)


def _network_alone(run: Run, why: str) -> Subject:
    """The Subject of a run without data."""
    kind, rows = KINDS[run.config["kind"]], run.preprocessing
    inputs = kind.network_inputs(rows)
    program = trainer_for(
        run.net,
        run.config["network"],
        rows,
        _optimizer(run),
        precision=run.precision,
    ).program
    nothing = np.zeros(0, int)
    return RunSubject(
        title=_title(run),
        kind=kind.name,
        task=rows.task,
        target=run.config["target"],
        examples=rows.examples,
        program=program,
        x=None,
        y=None,
        training=nothing,
        validation=nothing,
        batch_size=run.config["batch_size"],
        seed=run.config["options"]["seed"],
        classes=class_names_of(rows),
        input_shape=inputs[0].shape if len(inputs) == 1 else None,
        notes=[f"The network can be looked at, but not trained: {why}."],
        run=run,
    )


def _title(run: Run) -> str:
    return f"{Path(run.path).name}: {Path(run.config['data']).name} → {run.config['target']}"


def _optimizer(run: Run):
    """A new optimizer for the network of a run, by the run's options."""
    given = {**options_of_run(run), "schedule": "constant"}
    kind = KINDS[run.config["kind"]]
    chosen = kind.transfer_options if "from_" in given else kind.options
    assert chosen is not None  # a run with a pretrained backbone is of a kind that has some
    return make_options(chosen, kind, given).make_optimizer(run.net, run.config["batch_size"])
