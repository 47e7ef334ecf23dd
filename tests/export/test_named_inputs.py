"""Files of networks with several inputs and outputs, with the names of their trees."""

import numpy as np
import pytest

import cutaway as ct
from cutaway.errors import OptionError
from cutaway.export import export_onnx

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(4, 3))  # float64: written as float32
TEXT = RNG.integers(0, 7, (4, 5))


class TableAndText(ct.Module):
    def __init__(self, outputs):
        ct.seed(0)
        self.table, self.words = ct.Linear(3, 4), ct.Embedding(7, 4)
        self.classes, self.number = ct.Linear(4, 2), ct.Linear(4, 1)
        self.outputs = outputs

    def forward(self, table, text):
        hidden = (self.table(table) + self.words(text).mean(axis=1)).tanh()
        return self.outputs(self.classes(hidden), self.number(hidden))


def as_dict(classes, number):
    return {"class": classes, "value": number}


def as_tuple(classes, number):
    return classes, number


def nested(classes, number):
    return {"heads": (classes, number), "table": number * 2}


FORMS = {
    "dicts": ({"text": TEXT, "table": TABLE}, as_dict, ["table", "text"], ["class", "value"]),
    "tuples": ((TABLE, TEXT), as_tuple, ["input_0", "input_1"], ["output_0", "output_1"]),
    "nested, and one named like an input": (
        {"table": TABLE, "text": TEXT},
        nested,
        ["table", "text"],
        ["heads.0", "heads.1", "output_table"],
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_inputs_and_outputs_have_the_names_of_the_trees_and_the_values_of_the_network(
    form, tmp_path
):
    x, outputs, names, named = FORMS[form]
    net, file = TableAndText(outputs), tmp_path / "net.onnx"
    about = export_onnx(net, file, x)
    assert (list(about["inputs"]), list(about["outputs"])) == (names, named)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    found = dict(zip(named, session.run(
        named, dict(zip(names, (TABLE.astype(np.float32), TEXT), strict=True))), strict=True
    ))  # fmt: skip
    expected = net(TABLE.astype(np.float32), TEXT)
    values = [leaf.numpy() for leaf in ct.nn.trees.leaves(expected)]
    for name, value in zip(named, values, strict=True):
        np.testing.assert_allclose(found[name], value, rtol=1e-4, atol=1e-5)
    assert about["inputs"][names[0]] == {"shape": ["batch", 3], "type": "float32"}


def test_an_array_alone_is_the_input_called_input(tmp_path):
    about = export_onnx(ct.Linear(3, 2), tmp_path / "net.onnx", TABLE[:1])
    assert (list(about["inputs"]), list(about["outputs"])) == (["input"], ["output"])


def test_wrong_inputs_and_names_are_refused_in_words(tmp_path):
    net, file = TableAndText(as_dict), tmp_path / "net.onnx"
    with pytest.raises(OptionError, match=r"examples with the batch as first axis"):
        export_onnx(net, file, {"table": "float32", "text": TEXT})
    with pytest.raises(OptionError, match="1 names of outputs were given: class"):
        export_onnx(net, file, {"table": TABLE, "text": TEXT}, outputs=["class"])
    assert not file.exists()
