"""Intersection over union of two boxes."""

from cutaway.course.exercise_kind import Blank, ExerciseKind, Mistake
from cutaway.story.text import number


class IntersectionOverUnionExercise(ExerciseKind):
    """Area of the intersection divided by the area of the union."""

    name = "iou"
    title = "Intersection over union"

    def make(self, rng):
        left, top = (int(n) for n in rng.integers(0, 20, 2))
        width, height, other_width, other_height = (int(n) for n in rng.integers(8, 25, 4))
        x, y = left + int(rng.integers(2, width - 2)), top + int(rng.integers(2, height - 2))
        right, bottom = left + width, top + height
        shared_width = min(right, x + other_width) - x
        shared_height = min(bottom, y + other_height) - y
        shared = shared_width * shared_height
        areas = width * height, other_width * other_height
        union = sum(areas) - shared
        return {
            "question": (
                "Boxes are given as left, top, right, bottom, in pixels.\n\n"
                f"A = ({left}, {top}, {right}, {bottom})\n"
                f"B = ({x}, {y}, {x + other_width}, {y + other_height})"
            ),
            "blanks": [
                Blank(
                    "area of the intersection",
                    float(shared),
                    factors=[
                        ("its width", float(shared_width)),
                        ("its height", float(shared_height)),
                    ],
                ),
                Blank(
                    "area of the union",
                    float(union),
                    terms=[
                        ("area of A", float(areas[0])),
                        ("area of B", float(areas[1])),
                        ("-intersection", float(-shared)),
                    ],
                ),
                Blank(
                    "IoU",
                    shared / union,
                    mistakes=[
                        Mistake(shared / sum(areas), "the intersection is counted twice below"),
                        Mistake(shared / areas[0], "that is divided by A, not by the union"),
                        Mistake(shared / areas[1], "that is divided by B, not by the union"),
                        Mistake(union / shared, "it is upside down"),
                    ],
                ),
            ],
            "solution": (
                f"intersection = {shared_width} · {shared_height} = {shared}\n"
                f"union = {areas[0]} + {areas[1]} - {shared} = {union}\n"
                f"IoU = {shared} / {union} = {number(shared / union)}"
            ),
        }
