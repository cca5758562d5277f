"""What every service shares: the pipeline, its contracts, and the adapters to queue, store and catalog."""
