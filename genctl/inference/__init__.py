"""From a model file to samples, sheets, codes and ONNX."""
