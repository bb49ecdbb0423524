"""A folder that is no longer served: how its platform ends, and what a request is told afterwards."""

from __future__ import annotations

import json
import signal

from posegen.running_platform import RunningPlatform, find_platform
from tests.homes import is_alive, names_in_the_checkout


def test_a_second_platform_is_refused_and_ctrl_c_ends_the_first(platform, in_the_checkout):
    postmaster, first = platform.postmaster(), platform.process.pid
    assert find_platform(platform.folder) == RunningPlatform(first, platform.url, platform.api_url)
    refused = " ".join(platform.posegen("up", code=1).stderr.split())
    assert "`posegen up` already runs" in refused
    assert f"as process {first}" in refused

    platform.stop(signal.SIGINT)

    assert platform.processes() == []
    assert not is_alive(postmaster)
    assert names_in_the_checkout() == in_the_checkout, "something was written beside the data folder"


def test_with_nobody_to_make_the_pictures_a_request_waits_and_says_so(home):
    if home.is_up:
        home.stop(signal.SIGTERM)

    asked = home.posegen("submit", "star-jump", "--wait", code=1)

    assert "`posegen up`" in asked.stderr
    assert "submitted" in asked.stdout
    found = json.loads(home.posegen("doctor", "--json", code=1).stdout)
    assert [finding["fix"] for finding in found if finding["part"] == "platform"] == ["posegen up"]


def test_the_database_alone_can_be_kept_running_for_other_programs(home):
    if home.is_up:
        home.stop(signal.SIGTERM)

    with home.start("db", "serve") as serving:
        assert b"PostgreSQL is up" in serving.stdout.readline()
        home.read_variables()
        postmaster = home.postmaster()
        assert home.value("select count(*) from library_poses where built_in") == 64
        serving.send_signal(signal.SIGTERM)
        assert serving.wait(180) == 0

    assert not is_alive(postmaster)
