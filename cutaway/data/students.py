"""The bundled students table.

The first seven rows are those of introductory textbooks: hours of study, play and sleep per day,
and whether the student passed. The others are generated, not observed: 193 students from seed 7,
in half hours, who pass with probability σ(1.6 (study - 3.5) - 0.5 (play - 3) + 0.6 (sleep - 7)).
So no model can predict all of them: the rule itself has an accuracy of 0.845.
"""

from importlib import resources
from pathlib import Path

import numpy as np

TEXTBOOK = (
    (2, 4, 9, 1),
    (1, 2, 8, 0),
    (5, 1, 9, 1),
    (2, 2, 5, 0),
    (7, 3, 7, 1),
    (2, 5, 8, 0),
    (4, 3, 7, 1),
)


def students_path() -> Path:
    """Path of students.csv: study, play, sleep (hours per day), passed (0 or 1); 200 rows."""
    return Path(str(resources.files("cutaway.data") / "students.csv"))


def students_csv() -> str:
    """The text of students.csv, generated."""
    rng = np.random.default_rng(7)
    rows = list(TEXTBOOK)
    while len(rows) < 200:
        study = np.clip(rng.normal(3.5, 1.8), 0, 9)
        play = np.clip(rng.normal(3, 1.5), 0, 8)
        sleep = np.clip(rng.normal(7, 1.2), 4, 10)
        study, play, sleep = (round(2 * v) / 2 for v in (study, play, sleep))
        z = 1.6 * (study - 3.5) - 0.5 * (play - 3) + 0.6 * (sleep - 7)
        rows.append((study, play, sleep, int(rng.random() < 1 / (1 + np.exp(-z)))))
    lines = [f"{a:g},{b:g},{c:g},{d}" for a, b, c, d in rows]
    return "\n".join(["study,play,sleep,passed", *lines]) + "\n"
