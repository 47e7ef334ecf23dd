"""Export of networks to ONNX."""

from cutaway.export.onnx import export_onnx

__all__ = ["export_onnx"]
