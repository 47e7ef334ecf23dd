"""How many samples one output of dilated convolutions sees."""

from cutaway.course.exercise import Blank, ExerciseKind, Mistake


class ReceptiveField(ExerciseKind):
    """1 + Σ (k - 1) d over the layers of a stack of causal convolutions."""

    name = "receptive-field"
    title = "The receptive field of dilated convolutions"

    def make(self, rng):
        kernel = int(rng.integers(2, 4))
        dilations = [2**k for k in range(int(rng.integers(3, 7)))]
        field = 1 + sum((kernel - 1) * d for d in dilations)
        rate = int(rng.choice([8000, 16_000, 44_100]))
        milliseconds = 1000 * field / rate
        without = 1 + (kernel - 1) * len(dilations)
        shown = ", ".join(map(str, dilations))
        sums = " + ".join(f"{kernel - 1} · {d}" for d in dilations)
        return {
            "question": (
                f"{len(dilations)} causal convolutions with kernels of {kernel} taps follow each "
                f"other; their dilations are {shown}. The sound has {rate:,} samples per second."
            ),
            "blanks": [
                Blank(
                    "receptive field, in samples",
                    float(field),
                    mistakes=[
                        Mistake(field - 1, "the sample itself is seen as well: + 1"),
                        Mistake(1 + kernel * sum(dilations), "k taps reach k - 1 steps back"),
                        Mistake(without, "the dilations are left out"),
                        Mistake(2 ** len(dilations) * kernel, "the reaches are added"),
                    ],
                ),
                Blank(
                    "the same in milliseconds",
                    milliseconds,
                    factors=[
                        ("receptive field", float(field)),
                        ("1000 / rate", 1000 / rate),
                    ],
                ),
            ],
            "solution": (
                f"1 + Σ (k - 1) d = 1 + {sums} = {field} samples\n\n"
                f"{field} / {rate} · 1000 = {milliseconds:.4g} milliseconds"
            ),
        }
