"""BMI: multiclass classification of 500 people by height and weight.

    python examples/bmi.py [../shared/data/bmi_500/500_Person_Gender_Height_Weight_Index.csv]

Without the file, people are sampled at random and labeled by the formula weight / height².
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
    print(f"validation accuracy {scores['accuracy']:.3f}; ", end="")
    print(f"majority-class baseline {scores['baseline_accuracy']:.3f}")
    return run


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
