"""`python -m services.gateway`: serve the API until told to stop."""

import uvicorn

from services.gateway.app import create_app
from services.gateway.parts import open_parts
from services.gateway.settings import GatewaySettings
from shared.presence import Presence, no_gpus
from shared.queue import open_redis
from shared.telemetry import configure_logs, log
from shared.tracing import configure_traces


def main() -> None:
    settings = GatewaySettings()
    configure_logs(settings.log_level, settings.log_json)
    configure_traces("gateway", settings.otlp_endpoint)
    app = create_app(open_parts(settings))
    log().info("gateway.start", host=settings.host, port=settings.port)
    presence = Presence(open_redis(settings), "gateway", settings.heartbeat_seconds, look=no_gpus)
    with presence.shown():
        # Requests are logged by the application: uvicorn's own line holds query strings, and those hold users' text.
        uvicorn.run(
            app, host=settings.host, port=settings.port, access_log=False, server_header=False, log_config=None,
            timeout_graceful_shutdown=10,
        )  # fmt: skip
    log().info("gateway.stop")


if __name__ == "__main__":
    main()
