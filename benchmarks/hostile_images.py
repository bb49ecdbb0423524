"""Hostile images: what each of the corpus costs, and fuzzing of the header and chunk walk and of the whole path.

`./uvw run python -m benchmarks.hostile_images` writes the table to `benchmarks/hostile_images.md`: the corpus of
`tests/hostile_images.py`, a million damaged pictures through the walk, and 20,000 that pass it through the decoder
process. Anything but pixels or a refusal ends the run, with that picture in a file. `--start` makes others.
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import PIL
from rich.progress import track

from posegen.errors import ImageInvalid
from posegen.images.decoding.pool import DecoderPool
from posegen.images.validation import FROM_OUTSIDE, examine
from tests.hostile_images import Hostile, corpus
from tests.mutations import mutants, seeds

TABLE = Path(__file__).with_suffix(".md")
ESCAPED = Path("escaped.bin")
TICKS = os.sysconf("SC_CLK_TCK")
SHOWN = 10
PORTION = 1000
ROUNDS = 3
ENDED = "ended the decoder"


@dataclass(frozen=True)
class Cost:
    """What became of one picture of the corpus. Seconds on the clock, and of CPU in both processes together."""

    name: str
    outcome: str
    wall: float
    cpu: float


@dataclass(frozen=True)
class Fuzzed:
    """What became of many damaged pictures."""

    outcomes: Counter[str]
    seconds: float

    @property
    def count(self) -> int:
        """How many there were."""
        return self.outcomes.total()


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--walk", type=int, default=1_000_000, help="damaged pictures for the header and chunk walk")
    parser.add_argument("--whole", type=int, default=20_000, help="damaged pictures for the whole path")
    parser.add_argument("--start", type=int, default=1, help="which ones")
    options = parser.parse_args()
    costs, memory = through_the_corpus()
    walked = through_the_walk(options.start, options.walk)
    decoded = through_the_decoder(options.start, options.whole)
    table = _table(costs, memory, walked, decoded)
    TABLE.write_text(table)
    print(table)


def through_the_corpus() -> tuple[list[Cost], float]:
    """What each picture costs, and the most memory that the decoder has taken, in bytes."""
    costs = []
    with DecoderPool() as pool:
        _start(pool)
        (pid,) = pool.pids()
        for hostile in track(corpus(), "Corpus"):
            costs.append(_cost(pool, pid, hostile))
            assert pool.pids() == [pid], f"{hostile.name}: the decoder did not live through it"
        return costs, _most_memory(pid)


def through_the_walk(start: int, count: int) -> Fuzzed:
    """Damaged pictures, looked at without a decoder."""
    outcomes: Counter[str] = Counter()
    began = time.process_time()
    for data in track(_damaged(start, count), "Walk", total=count):
        outcomes["passed" if _passes(data) else "refused"] += 1
    return Fuzzed(outcomes, time.process_time() - began)


def through_the_decoder(start: int, count: int) -> Fuzzed:
    """Damaged pictures that pass the walk, all the way."""
    outcomes: Counter[str] = Counter()
    damaged = _damaged(start + count, sys.maxsize)
    with DecoderPool() as pool:
        _start(pool)
        began = time.perf_counter()
        for data in track(itertools.islice(filter(_passes, damaged), count), "Whole path", total=count):
            outcomes[_decode(pool, data)] += 1
        return Fuzzed(outcomes, time.perf_counter() - began)


def _damaged(start: int, count: int) -> Iterator[bytes]:
    from_seeds = seeds()
    for portion in range(0, count, PORTION):
        yield from mutants(start + portion, min(PORTION, count - portion), from_seeds)


def _passes(data: bytes) -> bool:
    with _kept_if_it_escapes(data):
        try:
            examine(data, FROM_OUTSIDE)
        except ImageInvalid:
            return False
        return True


def _decode(pool: DecoderPool, data: bytes) -> str:
    with _kept_if_it_escapes(data):
        try:
            assert pool.decode(data).ndim == 3
        except ImageInvalid as refused:
            return _kind(str(refused))
        return "passed"


@contextmanager
def _kept_if_it_escapes(data: bytes) -> Iterator[None]:
    try:
        yield
    except BaseException:
        ESCAPED.write_bytes(data)
        raise


def _kind(refusal: str) -> str:
    """A refusal without its numbers and names, for counting."""
    if re.search(r"of computing|was not decoded in|breaks the decoder|cannot be made of", refusal):
        return f"{ENDED}: {refusal}"
    return "refused"


def _start(pool: DecoderPool) -> None:
    pool.decode(seeds()[0])


def _cost(pool: DecoderPool, pid: int, hostile: Hostile) -> Cost:
    data = hostile.make()
    return min((_once(pool, pid, hostile, data) for _ in range(ROUNDS)), key=lambda each: each.wall)


def _once(pool: DecoderPool, pid: int, hostile: Hostile, data: bytes) -> Cost:
    cpu, wall = _cpu(pid) + time.process_time(), time.perf_counter()
    try:
        pixels = pool.decode(data, hostile.suffix)
        outcome = f"{pixels.shape[1]}x{pixels.shape[0]}"
    except ImageInvalid as refused:
        outcome = str(refused)
    return Cost(hostile.name, outcome, time.perf_counter() - wall, _cpu(pid) + time.process_time() - cpu)


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _most_memory(pid: int) -> float:
    (kilobytes,) = re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return float(kilobytes) * 1024


def _table(costs: list[Cost], memory: float, walked: Fuzzed, decoded: Fuzzed) -> str:
    plain = sum(re.fullmatch(r"\d+x\d+", each.outcome) is not None for each in costs)
    slowest = sorted(costs, key=lambda each: each.cpu, reverse=True)
    return "\n".join(
        [
            f"Python {platform.python_version()}, Pillow {PIL.__version__}, {os.cpu_count()} cores.",
            "",
            f"**{len(costs)} hostile and odd pictures: {len(costs) - plain} refused, {plain} made plain; at most "
            f"{max(each.wall for each in costs):.2f} s each and {memory / 1e6:.0f} MB in the decoder process.**",
            "",
            "| the slowest | s | CPU s | what became of it |",
            "|---|---:|---:|---|",
            *(f"| {each.name} | {each.wall:.2f} | {each.cpu:.2f} | {each.outcome} |" for each in slowest[:SHOWN]),
            "",
            "| fuzzing | pictures | passed | refused | ended a decoder | each |",
            "|---|---:|---:|---:|---:|---:|",
            _row("header and chunk walk", walked, f"{walked.seconds / walked.count * 1e6:.0f} µs of CPU"),
            _row("whole path, of those that pass the walk", decoded, f"{decoded.seconds / decoded.count * 1e3:.1f} ms"),
            "",
            "Nothing escaped: anything but pixels or a refusal would have ended the run.",
            *(f"- {count} {outcome}" for outcome, count in decoded.outcomes.items() if outcome.startswith(ENDED)),
            "",
        ]
    )


def _row(name: str, fuzzed: Fuzzed, each: str) -> str:
    ended = sum(count for outcome, count in fuzzed.outcomes.items() if outcome.startswith(ENDED))
    passed, refused = fuzzed.outcomes["passed"], fuzzed.outcomes["refused"]
    return f"| {name} | {fuzzed.count:,} | {passed:,} | {refused:,} | {ended} | {each} |"


if __name__ == "__main__":
    main()
