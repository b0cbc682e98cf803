"""A trained model in forms that need no genctl: ONNX files, and a page to draw on."""
