"""Exercises: numbers that are left out, and what is said of the ones that are typed."""

import dataclasses
import math
import zlib
from typing import Any

import numpy as np

TOLERANCE = 0.006  # relative: three digits are enough
CLOSE = 0.03


@dataclasses.dataclass(frozen=True)
class Mistake:
    """A wrong number that is often given.

    Attributes:
        value: the number.
        says: what went wrong, a sentence without its full stop.
    """

    value: float
    says: str


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What is said of an answer.

    Attributes:
        is_right: whether it is the number.
        says: a sentence.
    """

    is_right: bool
    says: str


@dataclasses.dataclass(frozen=True)
class Blank:
    """A number that is left out.

    Attributes:
        asks: what it is: "∂L/∂w_11^(1)".
        value: the number.
        factors: (name, number) of what it is the product of; [] if it is none.
        terms: (name, number) of what it is the sum of; [] if it is none.
        mistakes: wrong numbers and their reasons, the likeliest first.
    """

    asks: str
    value: float
    factors: list[tuple[str, float]] = dataclasses.field(default_factory=list)
    terms: list[tuple[str, float]] = dataclasses.field(default_factory=list)
    mistakes: list[Mistake] = dataclasses.field(default_factory=list)

    def check(self, answer: float) -> Verdict:
        """What is said of an answer: right, nearly, or which factor or term is wrong."""
        if agree(answer, self.value, TOLERANCE):
            return Verdict(True, "Right.")
        for mistake in self.all_mistakes():
            if agree(answer, mistake.value, TOLERANCE):
                return Verdict(False, f"Not yet: {mistake.says}.")
        if agree(answer, self.value, CLOSE):
            return Verdict(False, "Close: carry more digits and round at the end.")
        return Verdict(False, f"Not yet. {self.hint()}")

    def hint(self) -> str:
        """What the number is made of, without numbers."""
        if self.factors:
            return f"It is the product {' · '.join(name for name, _ in self.factors)}."
        if self.terms:
            total = " + ".join(name for name, _ in self.terms).replace("+ -", "- ")
            return f"It is the sum {total}."
        return "Compute it in smaller steps, and compare with the solution."

    def all_mistakes(self) -> list[Mistake]:
        """The own ones, then those of any product or sum; none is as good as the right value."""
        found = [*self.mistakes, *_of_products(self.value, self.factors)]
        found += [
            Mistake(self.value - number, f"{name} is missing in the sum")
            for name, number in self.terms
        ]
        found += [
            Mistake(self.value - 2 * number, f"{name} has the wrong sign")
            for name, number in self.terms
        ]
        found.append(Mistake(-self.value, "the number is right, its sign is not"))
        return [m for m in found if not agree(m.value, self.value, 2 * TOLERANCE)]


def _of_products(value: float, factors: list[tuple[str, float]]) -> list[Mistake]:
    found = []
    for name, number in factors:
        if number:
            found.append(Mistake(value / number, f"the factor {name} is missing"))
            found.append(Mistake(value / number**2, f"it is divided by {name}, not multiplied"))
            found.append(Mistake(value * number, f"the factor {name} is there twice"))
    if len(factors) > 1:
        total = sum(number for _, number in factors)
        found.append(Mistake(total, "the factors are added; they have to be multiplied"))
    return found


@dataclasses.dataclass(frozen=True)
class Exercise:
    """An exercise with its numbers.

    Attributes:
        name, seed: `cutaway exercise NAME --seed SEED` draws it again.
        title: a heading.
        question: text, in paragraphs; formulas as stories write them.
        blanks: the numbers that are asked for.
        solution: the way to them, as a story or as text.
        picture: what is drawn beside the question: has `svg()`; None: nothing.
    """

    name: str
    seed: int
    title: str
    question: str
    blanks: list[Blank]
    solution: Any
    picture: Any = None


class ExerciseKind:
    """A kind of exercise, drawn anew by each seed. A subclass has `name`, `title` and `make`.

    Attributes:
        name: on the command line, such as "chain-rule".
        title: a heading.
    """

    name = ""
    title = ""

    def make(self, rng: np.random.Generator) -> dict[str, Any]:
        """The fields of an Exercise that are drawn: question, blanks, solution and picture."""
        raise NotImplementedError

    def draw(self, seed: int) -> Exercise:
        """The exercise of a seed."""
        rng = np.random.default_rng([seed, zlib.crc32(self.name.encode())])
        return Exercise(self.name, seed, self.title, **self.make(rng))


def tenths(rng: np.random.Generator, *shape: int, most: int = 9) -> np.ndarray:
    """Numbers of one decimal from -most/10 to most/10, none of them 0."""
    size = rng.integers(1, most + 1, shape)
    return size * rng.choice([-1, 1], shape) / 10


def agree(a: float, b: float, tolerance: float) -> bool:
    """Whether two numbers are equal up to a relative tolerance; near 0 up to 1e-12.

    Example:
        >>> from cutaway.course.exercise_kind import agree
        >>> agree(0.2353, 0.235004, 0.006), agree(0.0, 1e-9, 0.006)
        (True, False)
    """
    return math.isclose(a, b, rel_tol=tolerance, abs_tol=1e-12)
