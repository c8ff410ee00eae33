"""What a log line may say."""

import io
import json
import logging

import pytest

from meanwhile.observability import logger


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Return what is written to the log."""
    stream = io.StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", stream)
    return stream


def test_a_line_is_json_with_the_names_that_were_given(written: io.StringIO) -> None:
    """Logs Insights finds a response by its id, whichever module spoke."""
    logging.getLogger("meanwhile.somewhere.deep").warning("left", extra={"response_id": "resp_1"})

    line = json.loads(written.getvalue())
    assert (line["level"], line["message"], line["response_id"]) == ("WARNING", "left", "resp_1")


def test_an_exception_is_logged_without_its_words(written: io.StringIO) -> None:
    """Libraries put what they were given into their messages; its type and place are enough to find it."""
    try:
        raise ValueError("what the user said") from KeyError("what the user said")
    except ValueError:
        logging.getLogger("meanwhile.somewhere").exception("failed", stack_info=True)

    line = json.loads(written.getvalue())
    assert line["error"] == "ValueError"
    assert "test_observability.py:" in line["where"]
    assert "user said" not in written.getvalue()
