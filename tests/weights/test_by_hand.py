"""Weights files that somebody wrote by hand."""

import numpy as np
import pytest

from cutaway.errors import DataError
from cutaway.weights import read_written_layers

FIRST = [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]
FORMS = {
    "commas": "# 2-3-1\n0.1, 0.2, 0.3\n0.4, 0.5, 0.6\nb, 0, 0, 1\n\n1\n-1\n0.5\n",
    "a German Excel": "0,1;0,2;0,3\n0,4;0,5;0,6\nb;0;0;1\n;;;\n1;;;\n-1;;;\n0,5;;;\n",
    "tabs and bias:": "0.1\t0.2\t0.3\n0.4\t0.5\t0.6\nbias:\t0\t0\t1\n\n1\n−1\n0.5",
    "spaces": "0.1 0.2  0.3\n0.4 0.5 0.6\nb 0 0 1\n\n\n1\n-1\n.5\n",
    "carriage returns": "0.1,0.2,0.3\r\n0.4,0.5,0.6\r\nb,0,0,1\r\n\r\n1\r\n-1\r\n5e-1\r\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_the_same_weights_are_read_in_every_form(form, tmp_path):
    path = tmp_path / "weights.csv"
    path.write_text(FORMS[form], encoding="utf-16" if form == "spaces" else "utf-8")
    first, second = read_written_layers(path)
    np.testing.assert_array_equal(first.weight, FIRST)
    np.testing.assert_array_equal(first.bias, [0, 0, 1])
    np.testing.assert_array_equal(second.weight, [[1], [-1], [0.5]])
    assert second.bias is None and first.activation is None


@pytest.mark.parametrize("begin", ["", "layers:\n"])
def test_yaml_is_a_list_of_layers(begin, tmp_path):
    path = tmp_path / "weights.yaml"
    path.write_text(
        f"{begin}- weight: {FIRST}\n  bias: [0, 0, 1]\n  activation: tanh\n"
        "- weight:\n  - [1]\n  - [-1]\n  - [0.5]\n"
    )
    first, second = read_written_layers(path)
    np.testing.assert_array_equal(first.weight, FIRST)
    np.testing.assert_array_equal(second.weight, [[1], [-1], [0.5]])
    assert (first.activation, second.activation) == ("tanh", None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no weights"),
        ("# nothing\n", "holds no weights"),
        ("1,2\n3\n", "line 2: 1 weight, the row on line 1 has 2"),
        ("1,2\n3,x\n", "line 2: 'x' is not a finite number"),
        ("1,2\n3,\n", "line 2: 1 weight"),
        ("1,2\n3,inf\n", "'inf' is not a finite number"),
        ("1,2\n3,4\nb,1\n", "lines 1 to 3: 1 bias value for 2 neurons"),
        ("b,1\n", "biases without weights"),
    ],
)
def test_a_damaged_csv_is_an_error_that_names_file_and_line(text, said, tmp_path):
    path = tmp_path / "weights.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=r"weights\.csv") as raised:
        read_written_layers(path)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no list of layers"),
        ("a: 1", "no list of layers"),
        ("[[[", "not valid YAML"),
        ("- 3", "layer 1: 3"),
        ("- weights: [[1]]", "layer 1: weights"),
        ("- weight: [[1, 2], [3]]", "weight is [[1, 2], [3]]"),
        ("- weight: [[1]]\n  bias: [[1]]", "bias is [[1]]"),
        ("- weight: [[1]]\n  bias: [1, 2]", "2 bias values for 1 neuron"),
        ("- weight: [[.nan]]", "weight is [[nan]]"),
        ("- weight: [[1]]\n  activation: 3", "activation is 3"),
        ("!!python/object/apply:os.system ['true']", "not valid YAML"),
    ],
)
def test_a_damaged_yaml_is_an_error_that_names_file_and_layer(text, said, tmp_path):
    path = tmp_path / "weights.yaml"
    path.write_text(text)
    with pytest.raises(DataError, match=r"weights\.yaml") as raised:
        read_written_layers(path)
    assert said in str(raised.value)
