"""No packet reaches an address that is not public, in any spelling, by any name, redirect or change of a name.

The fetcher runs in a network namespace in which every address accepts connections: `inside_a_namespace.py`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest

PUBLIC, PUBLIC_V6 = "93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"
INSIDE = [
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.8.9.1"),
    *("168.63.129.16", "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1"),
    *("192.88.99.1", "192.168.0.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250"),
    *("240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:a9fe:a9fe", "::ffff:93.184.216.34", "64:ff9b::7f00:1"),
    *("64:ff9b::169.254.169.254", "64:ff9b:1::1", "100::1", "2001::1", "2001:2::1", "2001:db8::1", "2002:7f00:1::1"),
    *("2002:a9fe:a9fe::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1"),
]
SPELLINGS = [
    *("0x7f.1", "0x7f000001", "0x7f.0x0.0x0.0x1", "2130706433", "127.1", "127.0.1", "0177.0.0.1", "017700000001"),
    *("127.0.0.1.", "127。0。0。1", "127.0.0.01", "１２７.0.0.1", "%31%32%37.0.0.1", "0", "00", "0x0", "2852039166"),
    *("0xa9fea9fe", "169.254.43518", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[0000::1]", "[::1%25lo]"),
    *("[fe80::1%25lo]", "localhost", "LocalHost", "localhost.", "user@127.0.0.1", "93.184.216.34@127.0.0.1"),
    *("93.184.216.34:5432", "93.184.216.34:22", "93.184.216.34:8080", "[::1", "127.0.0.1\\@93.184.216.34", ""),
]
LOCATIONS = [
    *("http://127.0.0.1/", "http://169.254.169.254/latest/meta-data/", "//[::1]/", "https://10.0.0.1/", "//0x7f.1/"),
    *(
        "http://2130706433/",
        "http://localhost/",
        "http://93.184.216.34:8080/",
        "file:///etc/passwd",
        "gopher://10.0.0.1/",
    ),
]


def written(address: str) -> str:
    return f"[{address}]" if ":" in address else address


CASES: dict[str, dict[str, Any]] = {
    **{f"address {one}": {"url": f"http://{written(one)}/"} for one in INSIDE},
    **{f"name of {one}": {"url": "https://shop.example/", "addresses": [[one]]} for one in INSIDE},
    **{f"spelling {one}": {"url": f"http://{one}/"} for one in SPELLINGS},
    "one of two": {"url": "http://shop.example/", "addresses": [[PUBLIC, "10.0.0.1"]]},
    "one of two, in the other order": {"url": "http://shop.example/", "addresses": [["::1", PUBLIC]]},
}
REDIRECTS: dict[str, dict[str, Any]] = {
    **{f"to {one}": {"url": f"http://{PUBLIC}/away", "location": one} for one in LOCATIONS},
    "to a name inside": {
        "url": "http://shop.example/away",
        "location": "http://inside.example/",
        "addresses": [[PUBLIC], ["10.0.0.1"]],
    },
    "to the same name, which has changed": {
        "url": "http://shop.example/away",
        "location": "http://shop.example/",
        "addresses": [[PUBLIC], ["127.0.0.1"]],
    },
}
ALLOWED: dict[str, dict[str, Any]] = {
    "an address": {"url": f"http://{PUBLIC}/"},
    "an IPv6 address": {"url": f"http://[{PUBLIC_V6}]/"},
    "a name": {"url": "http://shop.example/", "addresses": [[PUBLIC]]},
    "a name with both": {"url": "http://shop.example:443/", "addresses": [[PUBLIC_V6, PUBLIC]]},
    "a name that changes": {"url": "http://shop.example/", "addresses": [[PUBLIC], ["127.0.0.1"], ["127.0.0.1"]]},
    "a redirect": {"url": f"http://{PUBLIC}/away", "location": f"http://[{PUBLIC_V6}]/"},
}


@pytest.fixture(scope="module")
def outcomes() -> Mapping[str, Any]:
    """How each case ended in the namespace."""
    namespace = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--net"]
    if not shutil.which("unshare") or not shutil.which("ip"):
        pytest.skip("needs unshare and ip: apt-get install util-linux iproute2")
    set_up = "ip link set lo up && ip -6 route add local ::/0 dev lo"
    if subprocess.run([*namespace, "sh", "-c", set_up], capture_output=True, check=False).returncode:
        pytest.skip("needs the right to make a network namespace, with IPv6")
    cases = {**CASES, **REDIRECTS, **ALLOWED}
    done = subprocess.run(
        [*namespace, sys.executable, "-m", "tests.integration.fetching.inside_a_namespace"],
        input=json.dumps(list(cases.values())),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(zip(cases, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("case", CASES)
def test_what_leads_inside_is_refused_without_a_packet(case: str, outcomes: Mapping[str, Any]) -> None:
    outcome = outcomes[case]

    assert outcome["ended"].startswith("FetchRefused: ")
    assert outcome["accepted"] == []
    assert outcome["packets"] == 0


def test_there_are_at_least_forty_such_forms() -> None:
    assert len(CASES) >= 40


@pytest.mark.parametrize("case", REDIRECTS)
def test_a_redirect_inside_is_refused_and_only_the_first_address_connected_to(
    case: str, outcomes: Mapping[str, Any]
) -> None:
    assert outcomes[case]["ended"].startswith("FetchRefused: ")
    assert outcomes[case]["accepted"] == [PUBLIC]


@pytest.mark.parametrize("case", ALLOWED)
def test_what_is_public_is_fetched_and_nothing_else_connected_to(case: str, outcomes: Mapping[str, Any]) -> None:
    outcome = outcomes[case]

    assert outcome["ended"] == "ok"
    assert set(outcome["accepted"]) <= {PUBLIC, PUBLIC_V6}
    assert outcome["packets"] > 0


def test_a_name_is_resolved_once_for_each_connection(outcomes: Mapping[str, Any]) -> None:
    assert outcomes["a name that changes"]["resolved"] == ["shop.example"]
    assert outcomes["a name that changes"]["accepted"] == [PUBLIC]
    assert outcomes["to the same name, which has changed"]["resolved"] == ["shop.example"] * 2
