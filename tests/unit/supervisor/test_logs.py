from __future__ import annotations

from pathlib import Path

from posegen.supervisor.logs import LogFile


def write(log: LogFile, text: str) -> None:
    with log.open() as file:
        file.write(text.encode())


def test_lines_are_told_once_and_only_when_they_are_whole(tmp_path: Path):
    log = LogFile(tmp_path / "x.log")
    write(log, "one\ntw")
    assert log.new_lines() == ["one"]

    write(log, "o\nthree\n")
    assert log.new_lines() == ["two", "three"]
    assert log.new_lines() == []


def test_what_an_earlier_process_has_printed_is_not_told_again(tmp_path: Path):
    write(LogFile(tmp_path / "x.log"), "long ago\n")

    assert LogFile(tmp_path / "x.log").new_lines() == []


def test_the_end_of_the_log_is_that_of_the_latest_process(tmp_path: Path):
    log = LogFile(tmp_path / "x.log")
    write(log, "the first one failed\n")
    write(log, "one\ntwo\nthree\n")

    assert log.end(lines=2) == "two\nthree"
    assert "first" not in log.end()


def test_a_large_log_is_set_aside_under_the_feet_of_its_writer(tmp_path: Path):
    log = LogFile(tmp_path / "x.log", largest=100)
    with log.open() as writer:
        writer.write(b"x" * 101 + b"\n")
        writer.flush()
        log.new_lines()
        log.keep_small()
        writer.write(b"afterwards\n")
        writer.flush()

    assert log.path.read_text() == "afterwards\n"
    assert (tmp_path / "x.log.1").read_bytes() == b"x" * 101 + b"\n"
    assert log.new_lines() == ["afterwards"]
