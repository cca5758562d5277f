"""The pure part of training: what a recipe, a dataset and a machine imply, with no effects of its own."""
