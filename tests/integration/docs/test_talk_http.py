"""Every `curl` of `docs/how-to/talk-http.md` and of the README runs against a real API; a worker makes the pictures."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from posegen.accounts import service as accounts
from posegen.cli.requests import LOCAL_USER
from posegen.generations.asking import claims
from posegen.generations.making import outcomes
from posegen.generations.making.exports import derive_exports
from posegen.generations.making.outcomes import GENERATIONS
from posegen.generations.making.poses import make_poses
from posegen.images.validation import open_image
from posegen.work.keeper import LeaseKeeper
from tests.api_process import api_process
from tests.builders import execute, started, take_in, value
from tests.concurrency import until
from tests.documents import page

PAGE = page("docs/how-to/talk-http.md")
BLOCKS = {block.note: block.text for block in PAGE.blocks() if block.language == "sh"}
README = {block.note: block.text for block in page("README.md").blocks() if block.note == "curl"}

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl: apt-get install curl")


@pytest.fixture(autouse=True)
def _local_user(database):
    execute(database, "update stores set base_url = '/media'")
    accounts.user_with_credits(database, LOCAL_USER, "local", credits=100_000, reason="a test")


@pytest.fixture
def worker(studio):
    """Makes the first generation that is asked for."""
    thread = threading.Thread(target=work, args=[studio])
    thread.start()
    yield thread
    thread.join(180)


def work(studio):
    database = studio.database
    until(lambda: value(database, "select count(*) from generations") == 1, seconds=120)
    take_in(database)
    (claim,) = claims.claim_next(database, most_running=10)
    lease = started(database, claim)
    with LeaseKeeper(database, GENERATIONS.queue, [lease], lease_seconds=60) as keeper:
        make_poses(studio, lease, keeper)
        derive_exports(studio, claim.id, lease, keeper)
        outcomes.finish_generation(database, lease)


def test_every_command_of_the_page_works(database, tmp_path, worker):
    assert "" not in BLOCKS, "each block has the name under which it is tested"
    with api_process(database, tmp_path) as port:
        said = run_all(BLOCKS, database, tmp_path, port)

    assert json.loads(said["key"])["user_id"] == str(LOCAL_USER)
    price = json.loads(said["price"])
    assert price == {**json.loads(json_after("price").replace("[…]", "[]")), "each": price["each"]}
    generation = said["submit"].strip()
    assert re.fullmatch(rf"http://127\.0\.0\.1:{port}/v1/generations/[0-9a-f-]+", generation)
    assert said["repeat"] == f"200 {generation}"
    events = re.findall(r"^event: (\w+)$", said["follow"], re.M)
    assert (events[0], events.count("pose_completed"), events[-1]) == ("state", 2, "completed")
    assert json.loads(said["ticket"])["secret"]
    assert json.loads(said["state"])["status"] == "completed"
    open_image((tmp_path / "picture.png").read_bytes())
    open_image((tmp_path / "picture.jpg").read_bytes())
    assert value(database, "select sum(download_count) from generated_poses") == 3
    with zipfile.ZipFile(tmp_path / "pictures.zip") as archive:
        assert archive.testzip() is None
    assert '"generations":2' in said["group"]
    assert json.loads(said["refused"]) | {"request_id": "…"} == json.loads(json_after("refused"))


def test_the_example_of_the_readme_works(database, tmp_path, worker):
    with api_process(database, tmp_path) as port:
        said = run_all(README, database, tmp_path, port)["curl"]

    submitted, poses = json.JSONDecoder().raw_decode(said)
    (pose,) = json.loads(said[poses:])["data"]
    assert submitted["status"] == "completed"
    assert pose["image_url"].startswith(f"http://127.0.0.1:{port}/media/poses/")
    assert set(pose["exports"]) == {"tiktok"}


def run_all(blocks, database, folder, port):
    """What each block prints, by its name; all run in one shell."""
    script = "set -eu\n" + "".join(f"echo; echo '@@ {name}'\n{text}" for name, text in blocks.items())
    bin_folder = Path(sys.executable).parent
    environment = {
        **os.environ,
        "DATABASE_URL": database.url,
        "POSEGEN_HOME": str(folder),
        "PATH": f"{bin_folder}:{os.environ['PATH']}",
    }
    ended = subprocess.run(
        ["/bin/sh", "-c", script.replace("127.0.0.1:8080", f"127.0.0.1:{port}")],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    parts = re.split(r"^@@ (.+)\n", ended.stdout, flags=re.M)[1:]
    return {name: text.removesuffix("\n") for name, text in zip(parts[::2], parts[1::2], strict=True)}


def json_after(name):
    """The JSON that the page shows behind a block."""
    blocks = PAGE.blocks()
    return blocks[[block.note for block in blocks].index(name) + 1].text
