"""Moving 10,000 objects from the local store into a bucket while new ones are written, with two kills on the way.

`./uvw run python -m benchmarks.moving` writes the table to `benchmarks/moving.md`. A real PostgreSQL and a real S3
server (SeaweedFS) run on this machine.
"""

from __future__ import annotations

import hashlib
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from datetime import timedelta
from pathlib import Path

from rich.progress import track

from benchmarks.running_platform import machine
from posegen.database.connection import Database
from posegen.objects import moves
from posegen.objects import rows as objects
from posegen.objects.moving import Move, move_objects
from posegen.settings import PROJECT_ROOT
from posegen.storage.configuration import BucketConfig
from posegen.storage.local import LocalStore
from posegen.storage.s3 import BucketStore
from posegen.upkeep.comparison import Walk, differences
from posegen.upkeep.preparing import prepare_database
from tests.s3_server import CREDENTIALS, running_s3
from tests.servers import fresh_database, running_postgres

OBJECTS = 10_000
KILLS = 2
_MB = 1e6


def main() -> None:
    """Measure and write the table."""
    if len(sys.argv) > 1:
        _move_in_a_process_of_its_own(*sys.argv[1:])
        return
    with (
        tempfile.TemporaryDirectory() as folder,
        running_postgres(Path(folder) / "pg") as urls,
        fresh_database(urls) as url,
        running_s3(Path(folder) / "s3") as server,
        Database(url) as database,
    ):
        prepare_database(database, base_urls={"local": "/media", "s3": None})
        root = Path(folder) / "store"
        store = LocalStore(root, base_url="/media")
        size = sum(_put(database, store, number) for number in track(range(OBJECTS), "Filling the local store"))
        table = _measure(database, url, root, server.new_bucket(), size)
    Path("benchmarks/moving.md").write_text(table, encoding="utf-8")
    print(table)


def _measure(database: Database, url: str, root: Path, place: BucketConfig, size: int) -> str:
    bucket = BucketStore(place)
    written, stop = [0], threading.Event()

    def keep_writing() -> None:
        while not stop.is_set():
            written[0] += 1
            _put(database, bucket, OBJECTS + written[0])
            stop.wait(0.05)

    writer = threading.Thread(target=keep_writing)
    writer.start()
    began, cpu_before = time.monotonic(), _children_cpu()
    for kill in range(KILLS):
        _run(url, root, place, kill_at=OBJECTS * (KILLS - kill) // (KILLS + 1), database=database)
    _run(url, root, place, kill_at=None, database=database)
    elapsed, cpu = time.monotonic() - began, _children_cpu() - cpu_before
    stop.set()
    writer.join()
    with database.transaction() as connection:
        left, _ = moves.still_to_move(connection, "local")
        there, _ = moves.still_to_move(connection, "s3")
        rows = connection.execute("select key, sha256 from objects").fetchall()
    for row in track(rows, "Reading everything back"):
        bucket.get(row["key"], sha256=row["sha256"])
    wrong = list(differences(database, bucket, grace=timedelta(0), walk=Walk()))
    return f"""# Moving objects

`./uvw run python -m benchmarks.moving`: {OBJECTS:,} objects of 2 kB to 400 kB, {size / _MB:,.0f} MB, from the local
store into a bucket, while new objects were written into it; the mover was killed {KILLS} times (kill -9) and started
again.
{machine()}.

| | |
|---|---:|
| objects moved | {OBJECTS:,} |
| left behind | {left} |
| written meanwhile | {written[0]:,} |
| read back and equal to their SHA-256 | {len(rows):,} of {there:,} |
| missing, differing or without a row | {len(wrong)} |
| objects a second | {OBJECTS / elapsed:,.0f} |
| MB a second | {size / _MB / elapsed:,.1f} |
| CPU ms an object, of the mover | {1000 * cpu / OBJECTS:.2f} |
"""


def _run(url: str, root: Path, place: BucketConfig, *, kill_at: int | None, database: Database) -> None:
    """Start a mover; kill it as soon as fewer than `kill_at` objects are left."""
    mover = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.moving", url, str(root), place.endpoint, place.bucket, place.region],
        env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT)},
    )
    while mover.poll() is None:
        with database.transaction() as connection:
            left, _ = moves.still_to_move(connection, "local")
        if kill_at is not None and left < kill_at:
            mover.send_signal(signal.SIGKILL)
        time.sleep(0.05)
    mover.wait()


def _move_in_a_process_of_its_own(url: str, root: str, endpoint: str, bucket: str, region: str) -> None:
    place = BucketConfig(name="s3", endpoint=endpoint, bucket=bucket, region=region, credentials=CREDENTIALS)
    with Database(url) as database:
        move_objects(database, Move(LocalStore(Path(root), base_url="/media"), BucketStore(place)))


def _put(database: Database, store: LocalStore | BucketStore, number: int) -> int:
    chance = random.Random(number)
    data = chance.randbytes(int(2000 * 200 ** chance.random()))
    sha256 = hashlib.sha256(data).hexdigest()
    stored = store.put(f"poses/g{number % 100}/p{number}-{sha256[:12]}.png", data, content_type="image/png")
    with database.transaction() as connection:
        objects.register(connection, store.name, stored, generation_id=None)
    return len(data)


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
