"""BMI: height and weight to the class of build, on 500 people; more than two classes.

    python examples/bmi.py [../shared/data/bmi_500/500_Person_Gender_Height_Weight_Index.csv]

Without the file, people are drawn at random and their class follows from the formula
weight / height², so that the example runs anywhere.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

import cutaway as ct

BOUNDS = (16, 18.5, 25, 30, 40)  # kg/m²: extremely weak | weak | normal | overweight | obese | ...


def drawn(rows: int = 500) -> dict:
    """People with heights of 140-199 cm and weights of 50-160 kg, as in the real table."""
    rng = np.random.default_rng(0)
    height = rng.integers(140, 200, rows)
    weight = rng.integers(50, 161, rows)
    return {
        "Height": height,
        "Weight": weight,
        "Index": np.digitize(weight / (height / 100) ** 2, BOUNDS),
    }


def main(data=None, epochs: int = 200):
    with tempfile.TemporaryDirectory() as folder:
        options = ct.TableOptions(epochs=epochs)
        run = ct.train_table(data or drawn(), "Index", options=options, out=Path(folder) / "bmi")
    scores = run.metrics["validation"]
    print(f"{scores['accuracy']:.1%} right; ", end="")
    print(f"always guessing the commonest is right for {scores['baseline_accuracy']:.1%}")
    return run


if __name__ == "__main__":
    main(*sys.argv[1:2])
