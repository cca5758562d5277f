"""The gateway: the REST API, and the OpenAI-compatible door to the engines."""
