"""Pictures from outside are decoded in a process that is used again, kept in bounds, and replaced when it has died."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from posegen.errors import DecoderUnavailable, ImageInvalid
from posegen.images.decoding import pool as pool_module
from posegen.images.decoding import process as process_module
from posegen.images.decoding.pool import DecoderPool
from posegen.images.decoding.process import Allowance, DecoderProcess
from posegen.images.file_bytes import Header
from posegen.images.validation import Limits, open_image
from tests.concurrency import at_once, until
from tests.hostile_images import END, LARGE, chunk, encoded, header, png, png_of_rows, small_picture

SMALL = encoded("PNG")
LARGE_PNG = png_of_rows(*LARGE, 8, 2, bytes(3 * LARGE[0]))


@pytest.fixture
def pool() -> Iterator[DecoderPool]:
    with DecoderPool() as opened:
        yield opened


def pid_of(pool: DecoderPool) -> int:
    (pid,) = pool.pids()
    return pid


def status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def is_alive(pid: int) -> bool:
    try:
        return not status(pid)["State"].startswith("Z")
    except (FileNotFoundError, ProcessLookupError):
        return False


# --- one that works ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_comes_out_as_it_would_here(pool, kind):
    data = encoded(kind)

    assert np.array_equal(pool.decode(data), open_image(data))


def test_the_pixels_belong_to_the_caller(pool):
    pixels = pool.decode(SMALL)
    pixels[:] = 0

    assert np.array_equal(pool.decode(SMALL), small_picture())


def test_nothing_is_started_for_what_the_first_look_refuses(pool):
    for data, suffix in ((b"no picture", ".png"), (SMALL, ".jpg"), (SMALL + b"x", ".png")):
        with pytest.raises(ImageInvalid):
            pool.decode(data, suffix)

    assert pool.pids() == []


def test_one_process_serves_many_pictures_good_and_bad(pool):
    pool.decode(SMALL)
    pid = pid_of(pool)
    broken = png(header(96, 93), chunk(b"IDAT", zlib.compress(bytes(300))), END)
    for _ in range(5):
        with pytest.raises(ImageInvalid, match="truncated or damaged"):
            pool.decode(broken)
        pool.decode(SMALL)

    assert pid_of(pool) == pid


def test_limits_are_the_pools(pool):
    with (
        DecoderPool(limits=Limits(max_bytes=100, max_pixels=1000)) as strict,
        pytest.raises(ImageInvalid, match="at most 100"),
    ):
        strict.decode(SMALL)


def test_many_threads_share_few_processes():
    files = [
        encoded(kind, pixels=np.full((50 + number, 60, 3), number, np.uint8))
        for number, kind in enumerate(["PNG"] * 12)
    ]
    with DecoderPool(2) as pool:
        pictures = at_once([lambda data=data: pool.decode(data) for data in files])
        assert 1 <= len(pool.pids()) <= 2

    assert [(picture.shape[0], picture[0, 0, 0]) for picture in pictures] == [(50 + n, n) for n in range(12)]


def test_a_process_makes_room_for_a_fresh_one_after_many_pictures(pool, monkeypatch):
    monkeypatch.setattr(pool_module, "_MOST_JOBS", 2)
    pool.decode(SMALL)
    first = pid_of(pool)
    pool.decode(SMALL)

    assert pool.pids() == []
    assert not is_alive(first)
    pool.decode(SMALL)
    assert pid_of(pool) != first


# --- one that is confined ---------------------------------------------------------------------------------------------


def test_it_has_no_secrets_no_files_and_no_rights(pool, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://secret")
    pool.decode(SMALL)
    place = Path(f"/proc/{pid_of(pool)}")

    assert b"secret" not in (place / "environ").read_bytes()
    targets = {int(entry.name): str(entry.readlink()) for entry in (place / "fd").iterdir()}
    assert sorted(targets) == [0, 1, 2]
    assert targets[0].startswith("socket:")
    assert targets[1] == targets[2] == os.devnull
    assert str((place / "cwd").readlink()) == "/"
    found = status(pid_of(pool))
    assert (found["NoNewPrivs"], found["Seccomp"]) == ("1", "2")


def test_signals_that_are_meant_for_us_do_not_stop_it(pool):
    pool.decode(SMALL)
    pid = pid_of(pool)
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(pid, number)
    pool.decode(SMALL)

    assert pid_of(pool) == pid


# --- one that does not live through it --------------------------------------------------------------------------------


def test_a_picture_that_takes_too_much_computing_is_refused_and_the_process_replaced():
    with DecoderPool(allowance=Allowance(cpu_seconds=0.05)) as pool:
        pool.decode(SMALL)
        first = pid_of(pool)

        with pytest.raises(ImageInvalid, match=r"PNG of 4,096x4,096 pixels takes more than 0.05 s of computing"):
            pool.decode(LARGE_PNG)

        assert pool.pids() == []
        assert not is_alive(first)
        assert np.array_equal(pool.decode(SMALL), small_picture())


def test_a_process_that_does_not_answer_in_time_is_killed():
    with DecoderPool(allowance=Allowance(wall_seconds=3)) as pool:
        pool.decode(SMALL)
        first = pid_of(pool)
        os.kill(first, signal.SIGSTOP)

        with pytest.raises(ImageInvalid, match="was not decoded in 3 s"):
            pool.decode(SMALL)

        assert not is_alive(first)
        assert np.array_equal(pool.decode(SMALL), small_picture())


def test_a_picture_that_takes_too_much_memory_is_refused_and_nobody_is_killed():
    with DecoderPool(allowance=Allowance(memory_bytes=70_000_000)) as pool:
        pool.decode(SMALL)
        pid = pid_of(pool)
        for _ in range(3):
            with pytest.raises(ImageInvalid, match="PNG of 4,096x4,096 pixels takes more memory than there is"):
                pool.decode(LARGE_PNG)
        pool.decode(encoded("PNG", pixels=np.zeros((2000, 2000, 3), np.uint8)))

        assert pid_of(pool) == pid
        assert int(status(pid)["VmHWM"].split()[0]) < 100_000


def test_a_picture_that_was_refused_for_its_memory_leaves_none_of_it_taken():
    webp = encoded("WEBP", pixels=np.full((4000, 4000, 3), 90, np.uint8), quality=1, method=0)
    with DecoderPool(allowance=Allowance(memory_bytes=160_000_000)) as pool:
        with pytest.raises(ImageInvalid, match="more memory than there is"):
            pool.decode(webp)

        assert int(status(pid_of(pool))["VmRSS"].split()[0]) < 60_000


def test_a_process_that_was_killed_while_it_waited_is_replaced(pool):
    pool.decode(SMALL)
    os.kill(pid_of(pool), signal.SIGKILL)

    assert np.array_equal(pool.decode(SMALL), small_picture())


def test_a_picture_whose_process_was_killed_from_outside_gets_another_and_no_third(monkeypatch):
    monkeypatch.setattr(process_module, "_MODULE", "tests.lying_decoder")
    started = []

    class Counted(DecoderProcess):
        def __init__(self, allowance: Allowance) -> None:
            super().__init__(allowance)
            started.append(self.pid)
            if len(started) == succeeds_at:
                self.decode = lambda *_: small_picture()  # type: ignore[method-assign]

    monkeypatch.setattr(pool_module, "DecoderProcess", Counted)
    with DecoderPool() as pool:
        succeeds_at = 2
        assert np.array_equal(pool.decode(SMALL), small_picture())
        assert len(started) == 2

    with DecoderPool() as pool:
        succeeds_at = 99
        with pytest.raises(DecoderUnavailable, match="was killed"):
            pool.decode(SMALL)
        assert len(started) == 4
        assert pool.pids() == []


def test_a_process_that_does_not_come_up_is_told_with_its_exit_code(pool, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(DecoderUnavailable, match=r"did not start \(exit code 1\)"):
        pool.decode(SMALL)


# --- one that was taken over ------------------------------------------------------------------------------------------


@pytest.fixture
def liar(monkeypatch) -> Iterator[DecoderProcess]:
    monkeypatch.setattr(process_module, "_MODULE", "tests.lying_decoder")
    process = DecoderProcess(Allowance(wall_seconds=3))
    yield process
    process.close()


@pytest.mark.parametrize(
    "lie",
    [b"another kind of answer", b"pixels of another size", b"more pixels than it says", b"an endless sentence"],
)
def test_an_answer_that_cannot_be_is_not_believed_and_ends_the_process(liar, lie):
    with pytest.raises(ImageInvalid, match="a PNG of 32x32 pixels cannot become"):
        liar.decode(lie, Header("PNG", 32, 32))

    assert not liar.is_alive
    assert not is_alive(liar.pid)


def test_a_sentence_is_shown_without_what_could_do_harm(liar):
    with pytest.raises(ImageInvalid, match=r"^\[31mred$"):
        liar.decode(b"letters that cannot be shown", Header("PNG", 32, 32))


def test_silence_ends_it(liar):
    with pytest.raises(ImageInvalid, match="not decoded in 3 s"):
        liar.decode(b"silence", Header("PNG", 32, 32))

    assert not is_alive(liar.pid)


@pytest.mark.parametrize("what", [b"drops of a sentence", b"drops of pixels"])
def test_drops_that_keep_coming_end_it_too(liar, what):
    with pytest.raises(ImageInvalid, match="not decoded in 3 s"):
        liar.decode(what, Header("PNG", 32, 32))

    assert not is_alive(liar.pid)


@pytest.mark.parametrize(
    ("death", "raised", "words"),
    [
        (b"signal SIGPROF", ImageInvalid, "takes more than 4 s of computing"),
        (b"signal SIGSEGV", ImageInvalid, r"PNG of 32x32 pixels breaks the decoder \(exit code -11\)"),
        (b"signal SIGKILL", DecoderUnavailable, "was killed"),
    ],
)
def test_how_it_ended_says_whose_fault_it_was(liar, death, raised, words):
    with pytest.raises(raised, match=words):
        liar.decode(death, Header("PNG", 32, 32))

    assert not liar.is_alive


# --- nobody is left behind --------------------------------------------------------------------------------------------


def test_closing_ends_the_process(pool):
    pool.decode(SMALL)
    pid = pid_of(pool)
    pool.close()

    assert not is_alive(pid)


_PARENT = """
import os, sys, time
from posegen.images.decoding.pool import DecoderPool
from tests.hostile_images import encoded
pool = DecoderPool()
pool.decode(encoded("PNG"))
ours = pool.pids()[0]
"""


def script(body: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _PARENT + body], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_us_however_we_end(number):
    with script("print(ours, flush=True); time.sleep(600)") as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_alive(pid)
        parent.send_signal(number)

    until(lambda: not is_alive(pid))


def test_it_ends_with_us_also_when_a_fork_of_ours_lives_on():
    """The fork holds our end of the channel open, so that the process sees no end of it."""
    body = "child = os.fork()\nprint(ours, child, flush=True) if child else None\ntime.sleep(600)"
    with script(body) as parent:
        assert parent.stdout is not None
        pid, child = map(int, parent.stdout.readline().split())
        parent.kill()
        parent.wait()
        try:
            assert is_alive(child)
            until(lambda: not is_alive(pid))
            assert is_alive(child)
        finally:
            os.kill(child, signal.SIGKILL)


def test_after_a_fork_each_side_has_its_own():
    body = """
reader, writer = os.pipe()
if not os.fork():
    pool.decode(encoded("PNG"))
    theirs = pool.pids()
    pool.decode(encoded("JPEG"))
    assert theirs == pool.pids()
    pool.close()
    os.write(writer, str(theirs).encode())
    os._exit(0)
os.wait()
pool.decode(encoded("PNG"))
print(os.read(reader, 100).decode(), pool.pids(), [ours], flush=True)
pool.close()
"""
    with script(body) as parent:
        assert parent.stdout is not None
        words = parent.stdout.readline()
    theirs, still_ours, ours = (int(pid) for pid in re.findall(r"\d+", words))

    assert still_ours == ours != theirs
    assert not is_alive(ours)
    assert not is_alive(theirs)


def test_a_fork_is_not_held_up_by_what_the_other_side_was_at():
    """Of the thread that has the only decoder, nothing but its claim gets into the fork."""
    body = """
import signal, threading
os.kill(ours, signal.SIGSTOP)
busy = threading.Thread(target=pool.decode, args=(encoded("PNG"),))
busy.start()
while pool.pids():
    time.sleep(0.01)
child = os.fork()
if not child:
    signal.alarm(30)
    pool.decode(encoded("PNG"))
    os._exit(7)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
os.kill(ours, signal.SIGCONT)
busy.join()
pool.close()
print(code, flush=True)
"""
    with script(body) as parent:
        assert parent.stdout is not None
        assert int(parent.stdout.readline()) == 7
