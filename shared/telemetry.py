"""Structured logs: events named `stage.action` with fields. No document text is ever logged."""

import logging
import sys

import structlog


def configure_logs(level: str, as_json: bool) -> None:
    """Log lines to stderr: JSON for machines, aligned text for people. Control characters are always escaped."""
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def log() -> structlog.typing.FilteringBoundLogger:
    """The logger, with whatever the runner bound."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return logger
