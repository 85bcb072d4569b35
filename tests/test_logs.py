"""Lines of log: readable by machines, silent about people."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from app.logs import configure_logs, traceback_of
from app.settings import Settings


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_json_away_from_a_terminal() -> None:
    stream = io.StringIO()
    configure_logs(Settings(), stream)
    structlog.get_logger().info("request", status=200)
    [line] = lines(stream)
    assert (line["event"], line["level"], line["status"]) == ("request", "info", 200)
    assert str(line["timestamp"]).endswith("Z")


def test_a_line_is_for_people_when_they_ask() -> None:
    stream = io.StringIO()
    configure_logs(Settings(log_format="console"), stream)
    structlog.get_logger().info("request", status=200)
    assert "status=200" in stream.getvalue()
    assert "{" not in stream.getvalue()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_lines_for_people_but_never_in_production() -> None:
    for settings, is_json in ((Settings(), False), (Settings(env="production"), True)):
        stream = Terminal()
        configure_logs(settings, stream)
        structlog.get_logger().warning("something")
        assert stream.getvalue().startswith("{") is is_json


def test_the_level_is_the_setting_s() -> None:
    stream = io.StringIO()
    configure_logs(Settings(log_level="error"), stream)
    structlog.get_logger().warning("quiet")
    structlog.get_logger().error("loud")
    assert [line["event"] for line in lines(stream)] == ["loud"]


def test_libraries_speak_the_same_way_from_warning_on() -> None:
    stream = io.StringIO()
    configure_logs(Settings(), stream)
    logging.getLogger("library").info("chatter")
    try:
        int("ada@example.org")
    except ValueError:
        logging.getLogger("library").exception("broken")
    [line] = lines(stream)
    assert (line["event"], line["logger"]) == ("broken", "library")
    assert "[address]" in str(line["traceback"])


def test_a_traceback_tells_its_causes() -> None:
    def broken() -> None:
        try:
            dict[str, str]()["inner"]
        except KeyError as error:
            raise ValueError("outer") from error

    with pytest.raises(ValueError, match="outer") as caught:
        broken()
    text = traceback_of(caught.value)
    assert text.index("ValueError: outer") < text.index("which came from") < text.index("KeyError: 'inner'")
