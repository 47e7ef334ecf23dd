"""Labeled time series in .ts files. The expected values are read from the texts by hand."""

import numpy as np
import pytest

from cutaway.data import read_ucr, read_ucr_pair
from cutaway.data.ts_file import is_ts_file
from cutaway.errors import DataError

HEADER = """#Recordings of a watch
%another comment
@problemName Motions
@timeStamps false
@missing false
@univariate false
@dimensions 2
@equalLength true
@seriesLength 3
@classLabel true Walking Running
@data
"""
BODY = "1,2,3:-4,5e-1,6:Walking\n7,8,9:10,11,12:Running\n\n0,0,0:1,1,1:Running\n"


def write(path, text):
    path.write_text(text)
    return path


def test_channels_are_the_last_axis_and_labels_the_classes(tmp_path):
    read = read_ucr(write(tmp_path / "motions.ts", HEADER + BODY))
    assert read.x.shape == (3, 3, 2) and read.x.dtype == np.float32
    assert read.x[0].tolist() == [[1, -4], [2, 0.5], [3, 6]]
    assert (read.classes, read.y.tolist()) == (["Running", "Walking"], [1, 0, 0])


def test_the_test_file_has_the_classes_of_the_training_file(tmp_path):
    write(tmp_path / "M_TRAIN.arff", "@relation m")  # the archive has it beside
    write(tmp_path / "M_TEST.arff", "@relation m")
    write(tmp_path / "M_TRAIN.ts", HEADER + BODY)
    write(tmp_path / "M_TEST.ts", HEADER + "1,1,1:2,2,2:Walking\n")
    first, test = read_ucr_pair(tmp_path)
    assert len(first.x) == 3 and test.y.tolist() == [1]


def test_one_channel_and_numeric_labels_are_read_too(tmp_path):
    header = "@problemName x\n@classLabel true 1.0 2.0\n@DATA\n"
    read = read_ucr(write(tmp_path / "x.ts", header + "1,2:1.0\n3,4:2.0\n"))
    assert read.x[:, :, 0].tolist() == [[1, 2], [3, 4]] and read.classes == ["1", "2"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("@classLabel true a b\n1:a\n", "has no line @data"),
        (HEADER, "has no series"),
        (HEADER + "1,2,3\n", "line 12 has no label"),
        (HEADER + BODY + "1,2,3:Walking\n", "line 16 has 1 channels"),
        (HEADER + BODY + "1,2,3:1,2:Walking\n", "line 16 has 2 values in channel 2"),
        (HEADER + BODY + "1,2,3:1,?,3:Walking\n", "line 16 has 1 missing values"),
        (HEADER + BODY + "1,2,3:1,x,3:Walking\n", "line 16: could not convert"),
        (HEADER + "1,2,3:1,2,3:Walking\n", "only one class, 'Walking'"),
        (HEADER.replace("@timeStamps false", "@timeStamps true") + BODY, "time stamp beside"),
        (HEADER.replace("@classLabel true", "@classLabel false") + BODY, "no class labels"),
        (HEADER.replace("@classLabel", "@targetLabel") + BODY, "no class labels"),
        ("", "has no line @data"),
        ("@\n@data\n1:a\n2:b\n", "@ without a name"),
    ],
)
def test_files_that_cannot_be_read_are_named(tmp_path, text, message):
    with pytest.raises(DataError, match=message) as raised:
        read_ucr(write(tmp_path / "x.ts", text))
    assert "x.ts" in str(raised.value)


def test_a_program_or_a_film_is_no_ts_file():
    assert is_ts_file(HEADER.encode())
    assert not is_ts_file(b"import { x } from 'y';\n")
    assert not is_ts_file(b"\x47\x40\x00" * 100)
