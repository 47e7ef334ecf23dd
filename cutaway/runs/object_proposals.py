"""Regions for Fast R-CNN from the run of another detector, whose first stage proposes them."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from cutaway.engine import as_array, no_grad
from cutaway.errors import OptionError
from cutaway.metrics.detection_errors import iou_matrix
from cutaway.models import FastRcnn
from cutaway.nn import jit
from cutaway.runs.finished_run import Run
from cutaway.runs.objects import TOGETHER, ObjectRows

PROPOSING = ("faster-rcnn", "mask-rcnn")  # models with a region proposal network
NETWORK = "network."  # where a Fast R-CNN holds the network that proposes


class Proposer(NamedTuple):
    """A trained region proposal network.

    Attributes:
        run: whose it is.
        spec: of the Faster R-CNN it is part of.
        weights: {path in that network: array}.
    """

    run: Run
    spec: dict
    weights: dict[str, np.ndarray]

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the pictures in which it proposes."""
        height, width = self.spec["size"]
        return height, width

    def load_into(self, net) -> None:
        """Give a Fast R-CNN of object_networks these weights."""
        assert net.network is not None
        own = net.network.state_dict()
        net.network.load_state_dict({path: self.weights[path] for path in own})


def open_proposer(path) -> Proposer:
    """The region proposal network of a run.

    Args:
        path: folder of the run of a Faster R-CNN or a Mask R-CNN; of a Fast R-CNN that has the
            proposals of such a run, it is the same network.

    Raises:
        RunError: no run, or a damaged one.
        OptionError: its network has no region proposal network.
    """
    run = Run.open(path)
    spec, weights = run.config["network"], run.net.state_dict()
    if "network" in spec:
        inner = {p.removeprefix(NETWORK): w for p, w in weights.items() if p.startswith(NETWORK)}
        return Proposer(run, spec["network"], inner)
    if run.config["kind"] != "objects" or spec["model"] not in PROPOSING:
        raise OptionError(
            f"the network of the run {path} is {spec['model']}, which proposes no regions",
            expected="the folder of a run of --model faster-rcnn or mask-rcnn",
            fix="train one first: cutaway train DATA --kind objects --model faster-rcnn",
        )
    return Proposer(run, spec, weights)


def expect_size(proposer: Proposer, size: tuple[int, int]) -> None:
    """The pictures have the size in which a run proposes.

    Raises:
        OptionError: they do not.
    """
    if proposer.size != size:
        own, given = (" x ".join(map(str, one)) for one in (proposer.size, size))
        raise OptionError(
            f"the run {proposer.run.path} proposes regions in pictures of {own} pixels, here they "
            f"are {given}",
            expected="pictures of one size in both",
            fix="omit --size, or train that run with the same one",
        )


def note_of_validation(proposer: Proposer, frame, sets: dict) -> list[str]:
    """[a sentence] if the network that proposes was trained on pictures that are scored here."""
    scored = np.concatenate([sets[name] for name in sets if name != "train"])
    name = Path(proposer.run.path).name
    notes = proposer.run.notes_of_seen(frame[np.sort(scored)])
    return [f"the regions are those of {name}: of its validation pictures here, {n}" for n in notes]


@no_grad()
def best_proposal_iou(net: FastRcnn, rows: ObjectRows, frame) -> tuple[np.ndarray, np.ndarray]:
    """(the largest IoU of each box (n,) of a frame with a region of its picture, classes (n,)).

    Args:
        net: whose source of regions is a network.
        rows: the preprocessing.
        frame: of pictures.
    """
    propose = jit(lambda x: net.with_proposals(x)[1], net, donate=False)
    every, best, labels = frame.to_dicts(), [np.zeros(0)], [np.zeros(0, int)]
    for start in range(0, len(every), TOGETHER):
        part = every[start : start + TOGETHER]
        x = [rows.framed(rows.input_of(row)) for row in part]
        found = propose(np.stack(x + [x[-1]] * (TOGETHER - len(x))))
        regions = np.asarray(as_array(found["boxes"]), float)
        for k, row in enumerate(part):
            truth = rows.framed_truth(row)
            kept = ~truth["ignored"]
            overlaps = iou_matrix(truth["boxes"][kept], regions[k])
            best.append(overlaps.max(axis=1, initial=0))
            labels.append(truth["classes"][kept])
    return np.concatenate(best), np.concatenate(labels)
