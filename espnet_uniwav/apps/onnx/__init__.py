"""Models as ONNX graphs, for programs without PyTorch."""

from espnet_uniwav.apps.onnx.export import export_onnx

__all__ = ["export_onnx"]
