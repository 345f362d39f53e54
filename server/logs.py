"""The log on stderr: text for a person, one JSON object a line for a machine."""

from __future__ import annotations

import json
import logging
import sys
from contextvars import ContextVar
from typing import Any, TextIO

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from server.redact import redact

REQUEST: ContextVar[str] = ContextVar("request id", default="")
"""The id of the request that is worked on; empty where it is none."""


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and what else there is.

    That is the request's id, facts (`fields` of the record), a traceback.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON."""
        entry: dict[str, Any] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03}",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        if request := REQUEST.get():
            entry["request"] = request
        entry |= getattr(record, "fields", {})
        if record.exc_info:
            entry["traceback"] = redact(self.formatException(record.exc_info))
        return json.dumps(entry, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """Time, level, message."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        """The record as text, without secrets."""
        text = super().format(record)
        if request := REQUEST.get():
            text = f"{text} [{request}]"
        return redact(text)


class MalformedRequests(logging.Filter):
    """Words what aiohttp says of bytes that are no HTTP: its own text quotes headers, so tokens."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep the kind of the error alone, as something that only clients do."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError | web.RequestPayloadError):
            record.levelno, record.levelname = logging.DEBUG, "DEBUG"
            record.msg = f"{record.getMessage()}: {type(error).__name__}"
            record.args, record.exc_info, record.exc_text = None, None, None
            return logging.getLogger().isEnabledFor(logging.DEBUG)
        return True


def set_up(level: str, form: str, stream: TextIO = sys.stderr) -> None:
    """Send every logger to `stream`; `form` is auto, text or json."""
    handler = logging.StreamHandler(stream)
    text = form == "text" or (form == "auto" and stream.isatty())
    handler.setFormatter(TextFormatter() if text else JsonFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    logging.getLogger("aiohttp.server").filters = [MalformedRequests()]
