"""bench: what it counts and says is so; how fast it was is not tested."""

import numpy as np
import polars as pl

import cutaway as ct
from cutaway.ops import correlation
from cutaway.runs import prepare
from cutaway.runs.bench import bench, convolution_algorithms


def test_bench_counts_parameters_and_rows_and_tells_the_plan():
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"x": rng.normal(size=60), "y": rng.integers(0, 2, 60)})
    found = bench(prepare(frame, "y", layers=(4,), batch_size=8), seconds=0.01)
    assert found["parameters"] == 1 * 4 + 4 + 4 + 1
    assert found["batch_size"] == 8
    assert found["rows_per_second"] == 8 * found["steps_per_second"] > 0
    assert found["plan"] is None and found["convolutions"] == []


def test_each_convolution_is_named_with_its_way():
    net = ct.Sequential(
        ct.Conv2d(1, 4, 3),
        ct.Conv2d(4, 4, 3, groups=4),
        ct.Conv2d(4, 8, 1),
        ct.Conv2d(8, 8, 3, padding="same"),
    )
    ways = [way for _, _, way in convolution_algorithms(net, np.zeros((2, 9, 9, 1), np.float32))]
    assert ways == [
        correlation.ONE_CHANNEL,
        correlation.DEPTHWISE,
        correlation.POINTWISE,
        correlation.DIRECT,
    ]
    series = ct.Sequential(ct.Conv1d(16, 8, 2, dilation=4, padding="causal"))
    found = convolution_algorithms(series, np.zeros((2, 9, 16), np.float32))
    assert [(path, way) for path, _, way in found] == [("0", correlation.SHORT)]
