"""What lessons say of their recorded studios is so, in a training of the same length."""

import numpy as np
import pytest

from cutaway.course.lesson_source import read_course_lesson, studio_command
from cutaway.studio.choosing import choose_subject
from cutaway.train import Trainer
from tests.course.test_lessons import PATHS

LN_2 = float(np.log(2))
DEEP = {"layers": (6,) * 6, "optimizer": "sgd"}


def last_losses(what: str, epochs: int, **options):
    """(training, validation, lowest validation loss) of a training like a recorded one."""
    return trained(what, epochs, **options)[0]


def trained(what: str, epochs: int, **options):
    """(last losses, network)."""
    students = what == "students"
    subject = choose_subject(None if students else what, "passed" if students else None,
                             options=options)  # fmt: skip
    x, y = subject.x, np.asarray(subject.y, np.float32).reshape(-1, 1)
    parts = [(x[rows], y[rows]) for rows in (subject.training, subject.validation)]
    history = Trainer(subject.program).fit(
        *parts[0],
        validation=parts[1],
        epochs=epochs,
        batch_size=subject.batch_size,
        progress=False,
    )
    losses = history["loss"][-1], history["val_loss"][-1], min(history["val_loss"])
    return losses, subject.program.net


@pytest.mark.slow
def test_what_lessons_say_of_their_recordings_is_so():
    deep, *_ = last_losses("circle", 45, activation="sigmoid", lr=0.5, **DEEP)
    assert abs(deep - LN_2) < 0.03
    mended, *_ = last_losses("circle", 45, activation="relu", init="he_normal", lr=0.1, **DEEP)
    assert mended < 0.1
    (zeros, *_), net = trained("circle", 45, init="zeros")
    assert (
        abs(zeros - LN_2) < 0.03 and not net[0].weight.data.any() and not net[2].weight.data.any()
    )
    training, validation, lowest = last_losses("students", 120, layers=(64, 64))
    assert training < lowest < 0.98 * validation
    slow, *_ = last_losses("circle", 45, optimizer="sgd", lr=0.01)
    adam, *_ = last_losses("circle", 45, optimizer="adam", lr=0.01)
    faster, *_ = last_losses("circle", 45, optimizer="sgd", lr=0.1)
    assert slow > 0.2 and faster < 0.1 and adam < 0.1
    wild, *_ = last_losses("circle", 45, optimizer="sgd", lr=30.0)
    assert wild > 2 * LN_2
    solved, *_ = last_losses("xor", 120, optimizer="sgd", lr=0.1, layers=(4,))
    assert solved < 0.5 * LN_2


def test_a_recording_with_options_is_a_command_with_them():
    lessons = [read_course_lesson(path) for path in PATHS]
    commands = [studio_command(p) for x in lessons for p in x.parts if p.kind == "studio"]
    assert len(commands) >= 15
    assert (
        "cutaway studio circle --layers 6,6,6,6,6,6 --activation sigmoid --optimizer sgd --lr 0.5"
        in commands
    )
    assert "cutaway studio students" not in "\n".join(commands)
