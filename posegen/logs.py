"""Logs: how a line looks, which ids it carries, and what must never be in it.

`configure_logging` is called once at the start of each process. Everybody else asks `structlog.get_logger()` for a
logger; lines of libraries that use `logging` come out in the same form. The ids that structlog's `bound_contextvars`
binds are on every line of its block; a thread of a pool starts without them.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor

from posegen.redaction import redacted
from posegen.settings import Settings

# The least level of libraries that log too much: at debug the first log signed headers, request bodies and response
# headers, at info httpx2 logs whole URLs, alembic every start, and the pool three lines for each transaction.
_LEAST_LEVELS = {
    "boto3": logging.INFO,
    "botocore": logging.INFO,
    "s3transfer": logging.INFO,
    "urllib3": logging.INFO,
    "httpcore2": logging.INFO,
    "httpx2": logging.WARNING,
    "alembic": logging.WARNING,
    "psycopg.pool": logging.WARNING,
}


def configure_logging(settings: Settings) -> None:
    """Sends the lines of this process to standard error, as the settings ask: as JSON or for a console.

    May be called again; the last call holds. Handlers of others (pytest's, Dagster's) stay as they are.
    """
    level = logging.getLevelNamesMapping()[settings.posegen_log_level.upper()]
    facts: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *facts,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.processors.StackInfoRenderer(),
            _without_secrets,  # here already: handlers of others see the fields too
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    handler = _StandardError()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*facts, _without_secrets],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _traceback_without_secrets,
                _renderer(settings),
            ],
        )
    )
    root = logging.getLogger()
    for other in [one for one in root.handlers if isinstance(one, _StandardError)]:
        root.removeHandler(other)
    root.addHandler(handler)
    root.setLevel(level)
    for name, least in _LEAST_LEVELS.items():
        logging.getLogger(name).setLevel(max(level, least))


class _StandardError(logging.StreamHandler[TextIO]):
    """Looks `sys.stderr` up for every line: code that captures output replaces it."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def _without_secrets(_logger: Any, _method: str, event: EventDict) -> EventDict:
    machinery = {name: event.pop(name) for name in list(event) if name == "exc_info" or name.startswith("_")}
    return {**redacted(event, with_prompts=event["level"] == "debug"), **machinery}


def _traceback_without_secrets(_logger: Any, _method: str, event: EventDict) -> EventDict:
    if "exception" in event:
        event.update(redacted({"exception": event["exception"]}, with_prompts=event["level"] == "debug"))
    return event


def _renderer(settings: Settings) -> Processor:
    if settings.posegen_log_format == "json":
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), sort_keys=False)
