"""Weights of TensorFlow Lite models."""

import base64
import hashlib
import random
import tarfile
import zlib

import numpy as np
import pytest

from cutaway.errors import CutawayError, RunError
from cutaway.models.mediapipe import short_names
from cutaway.weights import fetch, read_weights
from cutaway.weights.published import Archived
from cutaway.weights.tflite import read_tflite

# a convolution with a kernel of 16 bits, 0, 0.5, ... 3.5 in theirs order (out 2, height 1, width 2,
# in 2), and a depthwise one; written by the packages tflite 2.18.0 and flatbuffers 25.12.19
MODEL = zlib.decompress(
    base64.b64decode("""
eNp9UrFOw0AMfb2GUkFUMnRAgoGhexEwIFFBoIgpIwMbBPVEI0QCbUpRJz6CgZE/ATEzMPUbEDMrHHbilDQCKj3Z53vv
nZ16EcDhgbcO1FCHAxtVqlh0Ap4U4FHkSlmwSqgnDODNGMORjx+Ul9O8bJPLfFqmDKik9UpJdK+fxrDnvXjGhJbcjcmH
NQ6BngdrZoXH9zMTvznp1qIMyDQlgSUaSFSisZN5Uk1VdCXhZNqkN0o8gkN4ofMD4UjmZ++7L2OWJbcKbyqJ0SBGi+ap
F3hK8pHuRdzVCXFWcjNauV4y/hIh1HEzHkbNjr6Mu8Ogr7e4EsVd3UPD/N8Pn32CV+Cp3BtKvsf5cUdfDfwwDkYaSc2Z
fDdb/n9VmMeW/qJQN08Dv5/qeKMWJrqG8Dn89X4t59OOwuu1ffZJtzLbp9/mzLx4P4IL/0xLfsP7TdjI6Z5lb6v4+Y2n
aq4L3Lrv07wdqj3y9vE8FfFy0rtNWuBtuNjFHtoWrOTuG7UrWuo=
""")
)


def test_kernels_biases_and_names_are_those_that_flatbuffers_wrote(tmp_path):
    first, second = read_tflite(MODEL, "model")
    assert (first.name, first.is_depthwise, first.input) == ("net/one/Conv2D", False, 0)
    theirs = np.arange(8).reshape(2, 1, 2, 2) / 2
    np.testing.assert_array_equal(first.kernel, theirs.transpose(1, 2, 3, 0))
    assert first.bias.tolist() == [0.5, -1.0]
    assert (second.is_depthwise, second.input) == (True, 4)
    assert second.kernel.tolist() == [[[[3.0, 4.0]]]]
    (tmp_path / "model.tflite").write_bytes(MODEL)
    weights = read_weights(tmp_path / "model.tflite")
    assert sorted(weights) == [
        "net/one/Conv2D.bias",
        "net/one/Conv2D.weight",
        "net/two/depthwise.bias",  # the first of the names that were joined
        "net/two/depthwise.weight",
    ]


def test_a_damaged_model_is_an_error_that_names_it():
    with pytest.raises(RunError, match="model is no TensorFlow Lite model"):
        read_tflite(b"no model at all", "model")
    rng = random.Random(0)
    for _ in range(2000):
        content = bytearray(MODEL)
        for _ in range(rng.randint(1, 4)):
            content[rng.randrange(8, len(content))] = rng.randrange(256)
        content = content[: rng.choice([len(content), rng.randrange(8, len(content))])]
        try:
            read_tflite(bytes(content), "model")
        except CutawayError as error:
            assert "model" in str(error)


def test_part_of_a_member_of_an_archive_is_fetched_and_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    packed = tmp_path / "packed.data"
    packed.write_bytes(b"labels" + MODEL + b"more")
    archive = tmp_path / "package.tgz"
    with tarfile.open(archive, "w:gz") as made:
        made.add(packed, "package/packed.data")
    monkeypatch.setattr("cutaway.weights.download._download", lambda url: archive)
    digest = hashlib.sha256(MODEL).hexdigest()
    entry = Archived("-", "package/packed.data", 6, len(MODEL), digest, "net.tflite", "a net")
    path = fetch("net", {"net": entry})
    assert path.read_bytes() == MODEL and path.name == "net.tflite"
    assert not archive.exists()  # which is larger, and no longer needed
    assert fetch("net", {"net": entry}) == path
    path.write_bytes(b"changed")
    with pytest.raises(RunError, match="is not the published file"):
        fetch("net", {"net": entry})
    assert not path.exists()


def test_an_archive_without_the_member_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    archive = tmp_path / "package.tgz"
    with tarfile.open(archive, "w:gz"):
        pass
    monkeypatch.setattr("cutaway.weights.download._download", lambda url: archive)
    entry = Archived("-", "package/packed.data", 0, 9, "00", "net.tflite", "a net")
    with pytest.raises(RunError, match=r"has no package/packed\.data"):
        fetch("net", {"net": entry})


def test_tensorflows_names_of_the_ssd_become_short_ones():
    body = "FeatureExtractor/MobilenetV2"
    names = {
        f"{body}/Conv/Conv2D": "stem",
        f"{body}/Conv_1/Conv2D": "last",
        f"{body}/expanded_conv/depthwise/BatchNorm/FusedBatchNormV3": "block0.depthwise",
        f"{body}/expanded_conv_16/project/Conv2D": "block16.project",
        f"{body}/layer_19_1_Conv2d_2_1x1_256/Conv2D": "extra0.reduce",
        f"{body}/layer_19_2_Conv2d_5_3x3_s2_128/Conv2D": "extra3.conv",
        "BoxPredictor_0/BoxEncodingPredictor/Conv2D": "head0.box",
        "BoxPredictor_5/ClassPredictor/Conv2D": "head5.class",
    }
    weights = {f"{name}.weight": np.zeros((3, 3, 1, 2)) for name in names}
    found = short_names(weights)
    assert list(found) == [f"{name}.weight" for name in names.values()]
    assert found["block0.depthwise.weight"].shape == (3, 3, 2, 1)
