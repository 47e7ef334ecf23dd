"""The first message to a page: what it shows, and what can be chosen."""

import dataclasses
from typing import Any

from cutaway.optim import OPTIMIZERS
from cutaway.optim.hyperparameters import hyperparameters_of
from cutaway.studio.structure import ACTIVATIONS, INITIALIZERS, MOST_UNITS

PROTOCOL = 1


def greeting(session) -> dict[str, Any]:
    """The message `hello` of a Session."""
    from cutaway import __version__

    subject = session.subject
    inputs = None
    if subject.inputs is not None:
        inputs = [dataclasses.asdict(column) for column in subject.inputs]
    return {
        "type": "hello",
        "protocol": PROTOCOL,
        "version": __version__,
        "subject": {
            "title": subject.title,
            "kind": subject.kind,
            "task": subject.task,
            "target": subject.target,
            "classes": subject.classes,
            "examples": subject.examples,
            "training": len(subject.training),
            "validation": len(subject.validation),
            "inputs": inputs,
            "can_train": subject.can_train,
            "notes": subject.notes,
        },
        "options": {
            "activations": list(ACTIVATIONS),
            "optimizers": [
                {"name": kind.__name__, "numbers": ["lr", *hyperparameters_of(kind)]}
                for kind in OPTIMIZERS.values()
            ],
            "initializers": list(INITIALIZERS),
            "most_units": MOST_UNITS,
        },
        "state": session.state(),
        "lanes": [lane.description(session.look) for lane in session.lanes],
        "memory": [
            {"lane": lane.number, "entries": lane.memory.entries()} for lane in session.lanes
        ],
        "findings": session.doctor.findings(),
        "lesson": session.lesson,
    }
