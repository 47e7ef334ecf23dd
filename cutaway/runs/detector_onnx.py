"""export_detector_onnx: a detector as an ONNX file, its boxes suppressed or not."""

import tempfile
from pathlib import Path

import numpy as np

from cutaway import ops
from cutaway.errors import OptionError
from cutaway.export import export_onnx
from cutaway.files import write_atomically
from cutaway.models import Detector, SingleStage
from cutaway.nn import Module

NAMES = ("boxes", "scores", "classes", "picture")


class Candidates(Module):
    """The candidates of a detector, clipped to the picture: {"boxes", "scores"}."""

    def __init__(self, net: SingleStage):
        self.net = net

    def forward(self, x):
        height, width = x.shape[1:3]
        found = self.net.candidates(self.net.raw(x), (height, width))
        most = np.array([width, height, width, height], np.float32)
        boxes = ops.minimum(ops.maximum(found["boxes"], 0.0), most)
        return {"boxes": boxes, "scores": found["scores"]}


def export_detector_onnx(
    net: Detector, path, inputs, *, metadata=None, suppressed: bool = True
) -> dict:
    """Write a detector as ONNX, from pictures to boxes.

    Args:
        net: a SingleStage, such as YoloDetector or SSDDetector.
        path: of the file.
        inputs: see export_onnx; one picture.
        metadata: see export_onnx.
        suppressed: whether boxes that a better one of the same class covers are left out, by
            NonMaxSuppression within the file. Its outputs are then those of all pictures of a
            batch one below the other: boxes (M, 4) x1 y1 x2 y2 in pixels, scores (M,), classes
            (M,) and picture (M,), the number of each one's picture; M is 0 where nothing is
            found. At most `limit` of DetectionOptions for each class of a picture, while the
            network itself keeps the best `limit` of all classes. Otherwise the outputs are boxes
            (batch, N, 4) and scores (batch, N, classes).

    Returns:
        see export_onnx.

    Raises:
        OptionError: a detector that reads regions of its maps: those of the R-CNN family.
    """
    if not isinstance(net, SingleStage):
        raise OptionError(
            f"{type(net).__name__} reads regions of its maps, which cannot be exported",
            expected="a detector of one stage: YOLO or SSD",
            fix="train with --model yolo or --model ssd, or export its weights (--safetensors)",
        )
    if not suppressed:
        return export_onnx(Candidates(net), path, inputs, metadata=metadata)
    with tempfile.TemporaryDirectory() as folder:
        about = export_onnx(Candidates(net), Path(folder) / "net.onnx", inputs, metadata=metadata)
        content, added = _with_suppression((Path(folder) / "net.onnx").read_bytes(), net)
    write_atomically(path, content)
    shapes = {"boxes": [4], "scores": [], "classes": [], "picture": []}
    types = {"boxes": "float32", "scores": "float32", "classes": "int64", "picture": "int64"}
    outputs = {n: {"shape": ["found", *shapes[n]], "type": types[n]} for n in NAMES}
    return {**about, "nodes": about["nodes"] + added, "outputs": outputs}


def _with_suppression(content: bytes, net: SingleStage) -> tuple[bytes, int]:
    """(the model with NonMaxSuppression behind its outputs, number of nodes added)."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load_from_string(content)
    graph, options = model.graph, net.detection
    constants = {
        "most": np.array([options.limit], np.int64),
        "iou": np.array([options.threshold], np.float32),
        "least": np.array([options.score], np.float32),
        "first": np.array(0, np.int64),
        "second": np.array(1, np.int64),
        "box_columns": np.array([0, 2], np.int64),
        "score_columns": np.array([0, 2, 1], np.int64),
    }
    own = {name: f"suppression_{name}" for name in constants}
    graph.initializer.extend(
        numpy_helper.from_array(value, own[name]) for name, value in constants.items()
    )
    renamed = {"boxes": "all_boxes", "scores": "all_scores"}
    for node in graph.node:
        for names in (node.input, node.output):
            for k, name in enumerate(names):
                names[k] = renamed.get(name, name)
    nodes = [
        helper.make_node("Transpose", ["all_scores"], ["scores_by_class"], perm=[0, 2, 1]),
        helper.make_node(
            "NonMaxSuppression",
            ["all_boxes", "scores_by_class", own["most"], own["iou"], own["least"]],
            ["selected"],
        ),
        helper.make_node("Gather", ["selected", own["first"]], ["picture"], axis=1),
        helper.make_node("Gather", ["selected", own["second"]], ["classes"], axis=1),
        helper.make_node("Gather", ["selected", own["box_columns"]], ["box_at"], axis=1),
        helper.make_node("Gather", ["selected", own["score_columns"]], ["score_at"], axis=1),
        helper.make_node("GatherND", ["all_boxes", "box_at"], ["boxes"]),
        helper.make_node("GatherND", ["all_scores", "score_at"], ["scores"]),
    ]
    graph.node.extend(nodes)
    del graph.output[:]
    for name in NAMES:
        kind = TensorProto.FLOAT if name in ("boxes", "scores") else TensorProto.INT64
        shape = ["found", 4] if name == "boxes" else ["found"]
        graph.output.append(helper.make_tensor_value_info(name, kind, shape))
    onnx.checker.check_model(model)
    return model.SerializeToString(), len(nodes)
