"""Export of a run's network, with a description of its inputs and outputs.

Only the network goes into the file, not the preprocessing (scaling, tokens, spectrograms). So the
metadata describes it, as sentences and as the run's own preprocessing in JSON.
"""

import dataclasses
import json
from pathlib import Path

from cutaway.export import export_onnx
from cutaway.models import Detector
from cutaway.runs.detector_onnx import export_detector_onnx
from cutaway.runs.kinds import KINDS
from cutaway.runs.kinds.contract import NetworkInput
from cutaway.weights import save_weights


@dataclasses.dataclass(frozen=True)
class Interface:
    """The inputs and outputs of a run's network.

    Attributes:
        network_inputs: a NetworkInput for each: name, shape, dtype, sentences.
        outputs: sentences that describe them.
    """

    network_inputs: list[NetworkInput]
    outputs: list[str]

    @property
    def inputs(self) -> list[str]:
        """Sentences that describe all inputs."""
        return [sentence for one in self.network_inputs for sentence in one.sentences]


def interface(run) -> Interface:
    """The Interface of an opened Run."""
    kind, rows = KINDS[run.config["kind"]], run.preprocessing
    outputs = kind.describe_outputs(rows, run.config["network"]["loss"])
    return Interface(kind.network_inputs(rows), [*outputs, *rows.decision_notes()])


def export_run_onnx(run, path, *, suppressed: bool = True) -> dict:
    """Write the run's network to `path` as ONNX, with its Interface in the metadata.

    Args:
        suppressed: of detectors, see detector_onnx.export_detector_onnx.

    Returns:
        as export.export_onnx.
    """
    about = interface(run)
    metadata = {
        "task": run.config["task"],
        "target": run.config["target"],
        "inputs": "\n".join(about.inputs),
        "outputs": "\n".join(about.outputs),
        "preprocessing": json.dumps(run.preprocessing.to_json(), ensure_ascii=False),
    }
    if "source" in run.config["network"]:
        metadata["source"] = run.config["network"]["source"]
    if run.preprocessing.task in ("binary", "multiclass"):
        metadata["classes"] = json.dumps([str(name) for name in run.preprocessing.classes])
    given = {one.name: (one.shape, one.dtype) for one in about.network_inputs}
    if isinstance(run.net, Detector):
        return export_detector_onnx(run.net, path, given, metadata=metadata, suppressed=suppressed)
    also = None
    if all(one.other_shape is not None for one in about.network_inputs):
        also = {one.name: (one.other_shape, one.dtype) for one in about.network_inputs}
    return export_onnx(run.net, path, given, metadata=metadata, also=also)


def export_run_weights(run, path) -> dict:
    """Write the run's weights to `path` as safetensors; returns {"tensors", "parameters"}."""
    save_weights(run.net, Path(path))
    parameters = sum(parameter.size for parameter in run.net.parameters())
    return {"tensors": len(run.net.state_dict()), "parameters": parameters}
