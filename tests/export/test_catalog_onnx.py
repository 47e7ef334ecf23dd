"""Every network of the catalog, in its small size, gives the same numbers through ONNX."""

import jax
import numpy as np
import pytest

from cutaway.engine import Tensor, no_grad
from cutaway.export import export_onnx
from cutaway.nn.trees import call
from tests.models.test_catalog import CASES

pytestmark = pytest.mark.usefixtures("compile_quickly")

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


# slow: all but one of a kind; tests/export/test_onnx.py has every layer
ONE_OF_A_KIND = {"resnet18", "BERT tiny, classifier"}


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(c, id=c.name, marks=[] if c.name in ONE_OF_A_KIND else pytest.mark.slow)
        for c in CASES
    ],
)
def test_onnxruntime_computes_what_the_network_computes(case, tmp_path):
    net = case.build().eval()
    batch, _ = case.batch(np.random.default_rng(0))
    with no_grad():
        results = call(net, batch)
    expected = jax.tree.leaves(results, is_leaf=lambda x: isinstance(x, Tensor))
    if not isinstance(batch, dict):
        batch = {f"x{i}": x for i, x in enumerate(batch if isinstance(batch, tuple) else (batch,))}
        rows = {name: (np.shape(x)[1:], np.asarray(x).dtype) for name, x in batch.items()}
    else:
        rows = batch
    names, arrays = list(batch), [np.asarray(x) for x in batch.values()]
    path = tmp_path / "net.onnx"
    about = export_onnx(net, path, rows)
    assert about["rows"] is None
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    # another number of rows than any it was traced with
    for got, ours in zip(
        session.run(None, dict(zip(names, arrays, strict=True))), expected, strict=True
    ):
        np.testing.assert_allclose(got, ours.numpy(), rtol=1e-4, atol=1e-5)
