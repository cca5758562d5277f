"""Whose adapter answered: a model built so that every token of an answer tells."""
