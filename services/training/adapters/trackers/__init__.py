"""Where the curve of a run is told besides: TensorBoard, MLflow, W&B. Only figures and the recipe are told, never a text, and
no tracker holds a run up or makes it fail."""
