"""The recipes of `docs/how-to/put-a-proxy-in-front.md`, in the proxies that they are for, in front of a real API."""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from websockets.sync.client import connect

from posegen.access import service as access
from posegen.access.callers import Caller, Kind
from posegen.images.validation import open_image
from posegen.storage.keys import PUBLIC_FOLDERS
from posegen.supervisor.ports import choose_port
from tests import programs
from tests.api_process import api_process
from tests.builders import a_user, execute, finished, take_in
from tests.concurrency import until
from tests.documents import page

PAGE = page("docs/how-to/put-a-proxy-in-front.md")
RECIPES = {block.language: block.text for block in PAGE.blocks() if block.language in {"caddyfile", "nginx"}}
HOST = "poses.example.com"
NGINX = """
daemon off;
{user}
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
    types {{ image/png png; image/jpeg jpg; image/webp webp; }}
    access_log off;
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder}/proxied;
    fastcgi_temp_path {folder}/unused;
    uwsgi_temp_path {folder}/unused;
    scgi_temp_path {folder}/unused;
    {recipe}
}}
"""


@dataclass(frozen=True)
class Front:
    """A proxy that runs. `port`: of TLS; `key`: of a service; `user`: has credits."""

    port: int
    key: str
    user: str
    trusts: ssl.SSLContext

    @property
    def url(self):
        return f"https://{HOST}:{self.port}"

    def client(self):
        """A client that reaches the name at loopback."""
        return httpx2.Client(
            base_url=f"https://127.0.0.1:{self.port}", verify=self.trusts, trust_env=False, timeout=60,
            headers={"host": f"{HOST}:{self.port}", "authorization": f"Bearer {self.key}"},
            event_hooks={"request": [named]},
        )  # fmt: skip


def named(request):
    """TLS asks for the name, not for the address."""
    request.extensions["sni_hostname"] = HOST


@pytest.fixture(params=["caddyfile", "nginx"])
def front(request, database, tmp_path):
    if request.param == "nginx":
        programs.need("the recipe for nginx")
    port = choose_port("127.0.0.1", 0)
    execute(database, "update stores set base_url = '/media'")
    caller = Caller.operator("tests")
    made = access.create_key(database, caller, kind=Kind.SERVICE, name="of a test", now=datetime.now(UTC))
    with api_process(database, tmp_path, {"POSEGEN_API_URL": f"https://{HOST}:{port}"}) as api_port:
        recipe = (
            RECIPES[request.param]
            .replace("127.0.0.1:8080", f"127.0.0.1:{api_port}")
            .replace("/var/lib/posegen/storage", str(tmp_path / "storage"))
        )
        start = caddy if request.param == "caddyfile" else nginx
        with start(recipe, port, tmp_path) as certificate:
            trusts = ssl.create_default_context(cafile=certificate)
            yield Front(port, made.secret, str(a_user(database)), trusts)


@contextmanager
def caddy(recipe, port, folder):
    """Caddy with a certificate of its own authority."""
    options = "{\n\tadmin off\n\tskip_install_trust\n\tauto_https disable_redirects\n}\n"
    recipe = recipe.replace(f"{HOST} {{", f"https://{HOST}:{port} {{\n\ttls internal", 1)
    (folder / "Caddyfile").write_text(options + recipe)
    command = [Path(sys.executable).parent / "caddy", "run", "--config", folder / "Caddyfile", "--adapter", "caddyfile"]
    environment = {**os.environ, "XDG_DATA_HOME": str(folder / "data"), "XDG_CONFIG_HOME": str(folder / "config")}
    certificate = folder / "data" / "caddy" / "pki" / "authorities" / "local" / "root.crt"
    with running(command, folder, port, environment):
        yield certificate


@contextmanager
def nginx(recipe, port, folder):
    """nginx with a certificate that openssl has made."""
    certificate, key = folder / "proxy.pem", folder / "proxy.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    recipe = (
        recipe.replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl")
        .replace(f"/etc/ssl/{HOST}.pem", str(certificate))
        .replace(f"/etc/ssl/{HOST}.key", str(key))
    )
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(NGINX.format(user=user, folder=folder, recipe=recipe))
    with running(["nginx", "-c", folder / "nginx.conf", "-p", folder], folder, port, os.environ):
        yield certificate


@contextmanager
def running(command, folder, port, environment):
    with (folder / "proxy.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        until(lambda: is_open(port) or process.poll() is not None)
        assert process.poll() is None, (folder / "proxy.log").read_text()
        yield
    finally:
        process.terminate()
        process.wait(60)


def is_open(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_requests_streams_and_pictures_pass_the_proxy(front, database, studio, tmp_path):
    generation = finished(studio, front.user, poses=["star-jump"], formats=["tiktok"])
    with front.client() as client:
        assert client.get("/v1/ready").json() == {"status": "ok"}
        submitted = client.post("/v1/generations", json={"user_id": front.user, "poses": ["star-jump"]})
        assert submitted.headers["location"].startswith(f"{front.url}/v1/generations/")
        follow(client, database, urlsplit(submitted.headers["location"]).path)
        over_websocket(front, str(generation))
        pictures(client, tmp_path, f"/v1/generations/{generation}?expand=poses")
        for size in (1_100_000, 12_000_000):
            refused = client.post("/v1/generations", content=b" " * size, headers={"content-type": "application/json"})
            assert refused.status_code == 413
            assert size > 11_000_000 or refused.json()["code"] == "body_too_large"


def follow(client, database, path):
    """Events come through while the stream is open: intake begins when the state has arrived."""
    with client.stream("GET", f"{path}/events", headers={"accept": "text/event-stream"}) as stream:
        lines = stream.iter_lines()
        assert next(line for line in lines if line.startswith("event: ")) == "event: state"
        take_in(database)
        assert next(line for line in lines if line.startswith("event: ")) == "event: queued"


def over_websocket(front, generation):
    raw = socket.create_connection(("127.0.0.1", front.port))
    with connect(
        f"wss://{HOST}:{front.port}/v1/ws", sock=raw, ssl=front.trusts,
        additional_headers={"authorization": f"Bearer {front.key}"},
    ) as websocket:  # fmt: skip
        websocket.send(json.dumps({"type": "follow", "generations": [{"id": generation}]}))
        assert json.loads(websocket.recv(timeout=60))["event"] == "state"


def pictures(client, home, path):
    """Public ones come from disk, without the API; nothing else does."""
    (pose,) = client.get(path).json()["poses"]
    for url in [pose["image_url"], pose["thumbnail_url"], *pose["exports"].values()]:
        shown = client.get(urlsplit(url).path)
        assert (shown.status_code, "x-request-id" in shown.headers) == (200, False), url
        assert shown.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert shown.headers["content-security-policy"] == "default-src 'none'; sandbox"
        open_image(shown.content)
    picture = home / "storage" / urlsplit(pose["image_url"]).path.removeprefix("/media/")
    for folder in ("private", "uploads"):
        hidden = home / "storage" / folder / picture.name
        hidden.parent.mkdir(parents=True, exist_ok=True)
        hidden.write_bytes(picture.read_bytes())
        assert client.get(f"/media/{folder}/{picture.name}").status_code == 404
    gone = client.get(urlsplit(pose["image_url"]).path.replace(".png", "0.png"))
    assert gone.status_code == 404
    assert "immutable" not in gone.headers.get("cache-control", "")


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_folders_from_disk_are_the_public_ones(recipe):
    (folders,) = re.findall(r"/media/\(\(\?:([a-z|]+)\)", RECIPES[recipe])

    assert set(folders.split("|")) == PUBLIC_FOLDERS
