"""What a detector is compared with: the other detectors on its backbone, and the mean boxes."""

import dataclasses
import tempfile
from pathlib import Path

import numpy as np

from cutaway.data import stratified_split
from cutaway.data.decode import read_header
from cutaway.metrics import DetectionScores
from cutaway.runs.kinds.contract import NETWORK, Rivals
from cutaway.runs.object_training import ObjectExperiment, prepare_objects

RIVALS = ("yolo", "ssd", "faster-rcnn")
MEAN = "mean boxes"
METHOD = (
    "Each detector has the same backbone and options and uses part of its training pictures for "
    f"validation, to choose the epoch. '{MEAN}' finds in every picture the mean box of each class "
    "of its training pictures."
)


def object_rivals(experiment: ObjectExperiment) -> Rivals:
    """The Rivals of a detector."""

    def trained(model: str):
        given = experiment.options
        proposals = given.proposals if model == given.model else None
        options = dataclasses.replace(given, model=model, proposals=proposals)
        return lambda rows, seed: _trained(experiment, options, rows, seed)

    own = experiment.options.model
    models = {NETWORK: trained(own)} | {m: trained(m) for m in RIVALS if m != own}
    models[MEAN] = lambda rows, seed: mean_boxes_score(experiment, rows)
    sets = experiment.sets
    return Rivals(
        pool=np.sort(np.concatenate([sets["train"], sets["validation"]])),
        test=sets.get("test", np.zeros(0, int)),
        score="AP50",
        models=models,
        method=METHOD,
    )


def _trained(experiment: ObjectExperiment, options, rows, seed: int) -> float:
    """AP50 on the test pictures of a detector that is trained on other rows."""
    training, validation = stratified_split(
        np.zeros(len(rows)), options.validation, seed=seed, stratify=False
    )
    sets = {
        "train": rows[training],
        "validation": rows[validation],
        "test": experiment.sets["test"],
    }
    options = dataclasses.replace(options, seed=seed)
    part = prepare_objects(experiment.source, options, sets=sets)
    with tempfile.TemporaryDirectory() as folder:
        run = part.train(Path(folder, "run"), progress=False)
    if run.metrics["stopped"] == "interrupted":
        raise KeyboardInterrupt
    return float(run.metrics["test"]["ap50"] or 0.0)


def mean_boxes_score(experiment: ObjectExperiment, rows) -> float:
    """AP50 on the test pictures of the mean box of each class, as fractions of the picture."""
    names = experiment.preprocessing.names
    found: list[list[np.ndarray]] = [[] for _ in names]
    for row in rows:
        truth, sides = _truth_of(experiment, row)
        for box, kind in zip(
            truth.boxes[~truth.ignored], truth.classes[~truth.ignored], strict=True
        ):
            found[kind].append(box / sides)
    classes = np.array([k for k, own in enumerate(found) if own])
    boxes = np.array([np.mean(found[k], axis=0) for k in classes])
    scores = np.array([len(found[k]) for k in classes]) / sum(map(len, found))
    measured = DetectionScores(names)
    for row in experiment.sets["test"]:
        truth, sides = _truth_of(experiment, row)
        one = {"boxes": boxes * sides, "classes": classes, "scores": scores}
        measured.collect(truth._asdict(), one)
    return float(np.nan_to_num(measured.result()["ap50"]))


def _truth_of(experiment: ObjectExperiment, row):
    """(Truth of a picture, its width and height, twice)."""
    own = experiment.frame.row(int(row), named=True)
    height, width = read_header(own["input"]).size
    return own["target"], np.array([width, height, width, height], float)
