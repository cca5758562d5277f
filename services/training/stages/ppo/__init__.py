"""Proximal policy optimization with a KL penalty, as arithmetic on tensors: nothing here knows a model."""
