"""The training service: a dataset becomes an adapter on a base model, and the adapter is measured against the base."""
