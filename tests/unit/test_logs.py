"""The lines that a process logs: their form, the ids they carry, and what is kept out of them."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
import structlog
from structlog.contextvars import bound_contextvars

from posegen.logs import configure_logging
from posegen.settings import Settings

CANARY = "hunter2hunter2"

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    for name in ("botocore", "boto3", "s3transfer", "urllib3", "httpcore2", "httpx2"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def logging_as(level: str = "info", form: str = "json") -> None:
    configure_logging(Settings(posegen_log_level=level, posegen_log_format=form))  # type: ignore[arg-type]


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Lines:
    """What was logged as JSON since the last call."""
    return lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]


class ManualClock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


# --- form --------------------------------------------------------------------------------------------------------


def test_a_line_is_one_json_object_with_time_level_and_logger(lines: Lines) -> None:
    logging_as()

    structlog.get_logger("posegen.studio").info("pose stored", bytes=12)

    (line,) = lines()
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "pose stored", "level": "info", "logger": "posegen.studio", "bytes": 12}


def test_a_library_logs_in_the_same_form(lines: Lines) -> None:
    logging_as()

    structlog.get_logger("ours").info("said 5")
    logging.getLogger("theirs").info("said %d", 5)

    ours, theirs = lines()
    assert ours.keys() == theirs.keys()
    assert (theirs["event"], theirs["logger"], theirs["level"]) == ("said 5", "theirs", "info")


def test_a_console_line_can_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    logging_as(form="console")

    structlog.get_logger("posegen.studio").info("pose stored", bytes=12)

    line = capsys.readouterr().err
    assert "pose stored" in line
    assert "bytes=12" in line
    assert "{" not in line


@pytest.mark.parametrize("form", ["json", "console"])
def test_nothing_is_logged_to_standard_output(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    logging_as(form=form)

    structlog.get_logger().warning("careful")
    logging.getLogger("theirs").warning("careful")

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("careful") == 2


def test_a_line_goes_to_whatever_standard_error_is_by_then() -> None:
    logging_as()

    with contextlib.redirect_stderr(io.StringIO()) as redirected:
        structlog.get_logger().info("captured")

    assert "captured" in redirected.getvalue()


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_only_lines_of_the_level_and_above_come_out(level: str, expected: list[str], lines: Lines) -> None:
    logging_as(level)

    for name in ("debug", "info", "warning", "error"):
        getattr(structlog.get_logger("ours"), name)("line")
        getattr(logging.getLogger("theirs"), name)("line")

    assert [line["level"] for line in lines()] == [name for name in expected for _ in range(2)]


def test_libraries_that_print_credentials_at_debug_stay_at_info(lines: Lines) -> None:
    logging_as("debug")

    logging.getLogger("botocore.auth").debug("CanonicalRequest: ...")
    logging.getLogger("botocore.auth").info("found credentials")

    assert [line["event"] for line in lines()] == ["found credentials"]


def test_the_last_configuration_holds_and_no_line_comes_twice(lines: Lines, capsys: pytest.CaptureFixture[str]) -> None:
    logging_as("debug", "console")
    logging_as("info", "json")

    structlog.get_logger().info("once")
    structlog.get_logger().debug("never")

    assert [line["event"] for line in lines()] == ["once"]


def test_the_handlers_of_others_stay() -> None:
    other = logging.NullHandler()
    logging.getLogger().addHandler(other)

    logging_as()

    assert other in logging.getLogger().handlers


# --- ids ---------------------------------------------------------------------------------------------------------


def test_every_line_in_the_block_carries_the_ids(lines: Lines) -> None:
    logging_as()
    generation = UUID("0b7e3f0e-63a5-4d27-9f0c-1d2f6a8f5b11")

    with bound_contextvars(generation=generation, attempt=1):
        with bound_contextvars(pose=3):
            structlog.get_logger().info("inner")
        logging.getLogger("theirs").info("outer")
    structlog.get_logger().info("after")

    inner, outer, after = lines()
    assert (inner["generation"], inner["attempt"], inner["pose"]) == (str(generation), 1, 3)
    assert (outer["generation"], outer["attempt"]) == (str(generation), 1)
    assert "pose" not in outer
    assert "generation" not in after


def test_the_ids_of_one_thread_are_not_those_of_another(lines: Lines) -> None:
    logging_as()
    both_bound = threading.Barrier(2)

    def work(number: int) -> None:
        with bound_contextvars(pose=number):
            both_bound.wait(timeout=180)
            structlog.get_logger().info("line", number=number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert all(line["pose"] == line["number"] for line in lines())


# --- what is kept out --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_no_secret_comes_out_at_any_level_in_any_form(
    form: str, level: str, capsys: pytest.CaptureFixture[str]
) -> None:
    logging_as("debug", form)
    url = f"postgresql://app:{CANARY}@db/posegen"
    log = getattr(structlog.get_logger(), level)

    log(f"connecting to {url}")
    log("connecting to %s", url)
    log("connecting", url=url, password=CANARY, nested={"secret_access_key": CANARY, "urls": [url]})
    getattr(logging.getLogger("theirs"), level)("connecting to %s with password=%s", url, CANARY)

    logged = capsys.readouterr().err
    assert logged.count("connecting") == 4
    assert CANARY not in logged


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_secret_comes_out_in_a_traceback(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither in the message of the exception nor among the local variables, which some tracebacks show."""
    logging_as("debug", form)
    hidden_in_a_variable = f"{CANARY} in a variable"

    def failing() -> None:
        raise ConnectionError(f"cannot reach postgresql://app:{CANARY}@db/posegen")

    try:
        assert hidden_in_a_variable
        failing()
    except ConnectionError:
        structlog.get_logger().exception("failed")
        logging.getLogger("theirs").exception("failed")

    logged = capsys.readouterr().err
    assert logged.count("ConnectionError: cannot reach postgresql://app:***@db/posegen") == 2
    assert logged.count("Traceback") == 2
    assert CANARY not in logged


def test_handlers_of_others_see_no_secret_in_our_lines_either(caplog: pytest.LogCaptureFixture) -> None:
    logging_as()

    structlog.get_logger().info("connecting", password=CANARY, prompt=CANARY, url=f"s3://a:{CANARY}@b")

    assert "connecting" in caplog.text
    assert CANARY not in caplog.text


@pytest.mark.parametrize("level", ["info", "warning", "error"])
def test_no_prompt_comes_out_at_info_and_above(level: str, capsys: pytest.CaptureFixture[str]) -> None:
    logging_as("debug")

    with bound_contextvars(prompt="a red dress"):
        getattr(structlog.get_logger(), level)("rendering", prompt_used="a red dress", recipe={"prompt": "a red dress"})

    assert "red dress" not in capsys.readouterr().err


def test_a_prompt_may_be_seen_at_debug(lines: Lines) -> None:
    logging_as("debug")

    structlog.get_logger().debug("rendering", prompt="a red dress")

    assert lines()[0]["prompt"] == "a red dress"
