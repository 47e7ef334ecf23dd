"""Two inputs, two outputs: a table and a text about each student; passed or not, and the grade.

    python examples/two_inputs.py ../shared/data/student_performance/student-mat.csv

The numbers of the UCI table of student performance, with the grade of the first period, are one
input; the answers in words are the other, as one text per student. One network predicts the class
(at least 10 of 20 points) and the final grade; its loss has a term for each. It is diagnosed,
trained, resumed, evaluated, explained, saved and exported, all with dicts of arrays.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

import cutaway as ct
from cutaway import losses, ops
from cutaway.data import Tokenizer
from cutaway.export import export_onnx
from cutaway.train import Checkpoints

PASSED = 10  # points


def read(path) -> tuple:
    """(inputs, targets, names): names of the columns of the table, and the tokens of each text."""
    frame = pl.read_csv(path, separator=";").with_columns(pl.col("G1").cast(pl.Int64))
    grade = frame["G3"].cast(pl.Float32).to_numpy()
    columns = frame.drop("G2", "G3")
    numbers = columns.select(pl.selectors.numeric())
    table = numbers.to_numpy().astype(np.float32)
    table = (table - table.mean(axis=0)) / table.std(axis=0)
    words = columns.drop(numbers.columns)
    texts = [" ".join(f"{k}_{v}" for k, v in row.items()) for row in words.iter_rows(named=True)]
    tokenizer = Tokenizer.train(texts)
    text = tokenizer.encode(texts).ids
    tokens = [[tokenizer.token(k) for k in row] for row in text.tolist()]
    x = {"table": table, "text": text}
    y = {"class": (grade >= PASSED).astype(np.int32), "value": grade[:, None]}
    return x, y, {"table": numbers.columns, "text": tokens, "size": tokenizer.size}


class Student(ct.Module):
    """A table and the tokens of a text, (rows, columns) and (rows, tokens), to class and value."""

    def __init__(self, columns: int, tokens: int, features: int = 16):
        self.table = ct.Linear(columns, features)
        self.words = ct.Embedding(tokens, features)
        self.hidden = ct.Linear(2 * features, features)
        self.passes, self.grade = ct.Linear(features, 2), ct.Linear(features, 1)

    def forward(self, table, text):
        words = self.words(text).mean(axis=1)
        both = ops.concatenate([self.table(table).relu(), words], axis=-1)
        hidden = self.hidden(both).relu()
        return {"class": self.passes(hidden), "value": self.grade(hidden)}


def loss(prediction, target) -> dict:
    """A term for each output; their sum is minimized."""
    cross_entropy = losses.sparse_categorical_cross_entropy_with_logits
    return {
        "class": cross_entropy(prediction["class"], target["class"]),
        "value": losses.mean_squared_error(prediction["value"], target["value"]) / 20,
    }


def accuracy(prediction, target):
    return (prediction["class"].argmax(axis=-1) == target["class"]).mean()


def error(prediction, target):
    """Mean absolute error of the grade, in points."""
    return abs(prediction["value"] - target["value"]).mean()


def trainer_of(net) -> ct.Trainer:
    return ct.Trainer(net, loss=loss, optimizer=ct.Adam(net, lr=3e-3), metrics=[accuracy, error])


def main(path, epochs: int = 30) -> dict:
    x, y, names = read(path)
    order = np.random.default_rng(0).permutation(len(x["table"]))
    train, test = order[:300], order[300:]

    def rows(tree, chosen):
        return {name: array[chosen] for name, array in tree.items()}

    def student():
        ct.seed(0)
        return Student(len(names["table"]), names["size"])

    net = student()
    print(net.summary(x=x))
    trainer = trainer_of(net)
    data = rows(x, train), rows(y, train)
    print(f"\n{ct.diagnose(trainer_of(student()), *data, epochs=epochs)}")

    with tempfile.TemporaryDirectory() as folder:
        # broken off after half of the epochs, then resumed by another trainer
        trainer_of(student()).fit(
            *data, epochs=epochs // 2, seed=0, callbacks=[Checkpoints(folder)], progress=False
        )
        again = Checkpoints(folder, resume=True)
        trainer.fit(*data, epochs=epochs, seed=0, callbacks=[again], progress=False)
    scores = trainer.evaluate(rows(x, test), rows(y, test))
    baseline = max(y["class"][test].mean(), 1 - y["class"][test].mean())
    print(f"\ntest: accuracy {scores['accuracy']:.2f} (majority class {baseline:.2f}), ", end="")
    print(f"error {scores['error']:.1f} points")
    predicted = trainer.predict(rows(x, test))

    one, truth = rows(x, test[0]), rows(y, test[0])
    why = ct.explain(net, one, truth, loss=loss, names={"table": names["table"]})
    print(f"\n{why.gradient('table.weight', (0, 0), top=2)}")
    print(f"\n{why.gradient('words.weight', (int(one['text'][0]), 0), top=2)}")
    labels = {"table": names["table"], "text": names["text"][test[0]]}
    attribution = why.attribution(output="value", names=labels)
    print(f"\n{attribution}")

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "student.safetensors"
        ct.weights.save_weights(net, file)
        loaded = student()
        ct.weights.load_weights(loaded, file)
        file = Path(folder) / "student.onnx"
        export_onnx(loaded, file, x)
        exported = run_onnx(file, rows(x, test))
    difference = max(float(abs(exported[k] - predicted[k]).max()) for k in predicted)
    print(f"\nONNX: outputs differ by at most {difference:.1e}")
    return {"scores": scores, "why": why, "attribution": attribution, "difference": difference}


def run_onnx(file, x) -> dict:
    """{name of an output: what onnxruntime computes}."""
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, x), strict=True))


if __name__ == "__main__":
    main(sys.argv[1])
