"""Log lines are for a person or for a machine, and hold no secret for either."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
from aiohttp.http_exceptions import BadHttpMessage

from server import logs


@pytest.fixture(autouse=True)
def _own_root_logger() -> Iterator[None]:
    """Give the root logger back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level


def test_json_lines_are_one_object_each() -> None:
    """A record with a traceback is still one line that parses."""
    stream = io.StringIO()
    logs.set_up("info", "json", stream)

    try:
        int("broken\nin two lines")
    except ValueError:
        logging.getLogger("plait.test").exception("it failed")

    (line,) = stream.getvalue().splitlines()
    entry = json.loads(line)
    assert entry["level"] == "error"
    assert entry["logger"] == "plait.test"
    assert entry["message"] == "it failed"
    assert "ValueError" in entry["traceback"]


@pytest.mark.parametrize("form", ["json", "text"])
def test_tokens_in_urls_are_not_logged(form: str) -> None:
    """A token in a query never reaches the log, in either form."""
    stream = io.StringIO()
    logs.set_up("info", form, stream)

    logging.getLogger("plait.test").info("GET /ws/notes?token=very-secret&x=1")

    assert "very-secret" not in stream.getvalue()
    assert "/ws/notes" in stream.getvalue()


def test_auto_means_json_where_nobody_looks() -> None:
    """A stream that is no terminal gets JSON."""
    stream = io.StringIO()
    logs.set_up("warning", "auto", stream)

    logging.getLogger("plait.test").info("too little")
    logging.getLogger("plait.test").warning("enough")

    assert json.loads(stream.getvalue())["message"] == "enough"


@pytest.mark.parametrize("level", ["info", "debug"])
def test_headers_of_malformed_requests_are_not_logged(level: str) -> None:
    """A header that cannot be read is quoted by aiohttp's error; only its kind is kept."""
    stream = io.StringIO()
    logs.set_up(level, "json", stream)
    error = BadHttpMessage("bad header: b'Authorization: Bearer very-secret'")

    logging.getLogger("aiohttp.server").error("Error handling request", exc_info=error)

    assert "very-secret" not in stream.getvalue()
    assert ("BadHttpMessage" in stream.getvalue()) == (level == "debug")
