"""One step of an LSTM's cell."""

import math

from cutaway.course.exercise_kind import Blank, ExerciseKind, Mistake
from cutaway.story.text import bracketed, number


class LstmStepExercise(ExerciseKind):
    """c_t = f c_(t-1) + i g, h_t = o tanh(c_t)."""

    name = "lstm-step"
    title = "One step of an LSTM"

    def make(self, rng):
        i, f, o = (float(rng.integers(1, 10)) / 10 for _ in range(3))
        g = float(rng.integers(2, 10)) / 10 * float(rng.choice([-1, 1]))
        before = float(rng.integers(3, 15)) / 10
        cell = f * before + i * g
        hidden = o * math.tanh(cell)
        return {
            "question": (
                "At one step of an LSTM the gates and the candidate are known, and the cell of the "
                "step before.\n\n"
                f"i = {number(i)}, f = {number(f)}, o = {number(o)}, g = {number(g)}, "
                f"c_(t-1) = {number(before)}"
            ),
            "blanks": [
                Blank(
                    "c_t",
                    cell,
                    terms=[("f c_(t-1)", f * before), ("i g", i * g)],
                    mistakes=[
                        Mistake(i * before + f * g, "f keeps the old cell, i lets the new one in"),
                        Mistake(before + i * g, "the forget gate is left out"),
                        Mistake(f * before + g, "the input gate is left out"),
                    ],
                ),
                Blank(
                    "h_t",
                    hidden,
                    factors=[("o", o), ("tanh(c_t)", math.tanh(cell))],
                    mistakes=[Mistake(o * cell, "tanh of the cell is missing")],
                ),
            ],
            "solution": (
                f"c_t = f c_(t-1) + i g = {number(f)} · {number(before)} + {number(i)} · "
                f"{bracketed(g)} = {number(cell)}\n"
                f"h_t = o tanh(c_t) = {number(o)} · {bracketed(math.tanh(cell))} = "
                f"{number(hidden)}"
            ),
        }
