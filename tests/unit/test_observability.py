"""What a log line may say."""

import io
import json
import logging
import subprocess
import sys

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


def test_the_app_logs_as_json_wherever_it_runs() -> None:
    """Under uvicorn no handler of ours is decorated, and its lines must not be lost for that."""
    script = (
        "import logging, meanwhile.web.app\n"
        "logging.getLogger('meanwhile.web').info('said', extra={'response_id': 'resp_1'})"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # noqa: S603

    assert json.loads(done.stdout)["response_id"] == "resp_1"
