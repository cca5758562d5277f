"""Serving: deployments wished for, reconciled with the engines that run."""
