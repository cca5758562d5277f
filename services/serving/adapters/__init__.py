"""What serving does to the world: processes, engines' HTTP API, adapter files."""
