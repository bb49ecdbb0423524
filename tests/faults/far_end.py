"""The far end of the wire: a rendering service on HTTP that counts its calls and misbehaves when told to.

`FarEnd` is the service, `HostedBackend` what a worker reaches it with. One POST of a recipe is answered by one PNG.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from posegen.backends.protocol import Capabilities, Recipe, Rendering
from posegen.errors import BackendRejected, BackendUnavailable, ImageInvalid
from posegen.images.png import encode_png
from posegen.images.validation import open_image
from tests.backends import painted, standing_keypoints

HOST = "127.0.0.1"
RECIPE_HEADER = "X-Recipe"
CHECKED_HEADER = "X-Checked"
PATIENCE = 60.0
# So far from its own seed is the picture of another request.
FOREIGN = 50

ANSWERS = ("picture", "429", "500", "hang", "truncated", "wrong size", "another picture", "reset")
"""What the service can answer; `hang` lasts until `release`."""


@dataclass(frozen=True)
class Call:
    """One call as the service saw it. `seed`: of the recipe, which names the pose; times: seconds since the epoch.

    `checked`: when its worker last made sure that it might call, 0 when it did not say. Between that and `began` it may
    have been stopped for as long as you like.
    """

    seed: int
    recipe_hash: str
    began: float
    answer: str
    checked: float = 0.0


@dataclass
class _Order:
    """What a coming call is to be answered. `seeds`: only one of these, or any."""

    answer: str
    left: int
    seeds: frozenset[int] | None


@dataclass
class FarEnd:
    """The service. `seconds`: how long a picture takes."""

    seconds: float = 0.03
    _calls: list[Call] = field(default_factory=list)
    _orders: list[_Order] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _released: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        far_end = self

        class Handler(_Handler):
            service = far_end

        self._server = _Server((HOST, 0), Handler)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.05], name="far end", daemon=True)
        self._thread.start()

    def __enter__(self) -> FarEnd:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(PATIENCE)

    def answer_next(self, answer: str, *, calls: int = 1, seeds: set[int] | None = None) -> None:
        """Answer the next calls (with one of these seeds) in this way."""
        assert answer in ANSWERS, answer
        with self._lock:
            self._released.clear()
            self._orders.append(_Order(answer, calls, None if seeds is None else frozenset(seeds)))

    def release(self) -> None:
        """Let the calls that hang have their pictures, and answer all others with one, too."""
        with self._lock:
            self._orders.clear()
        self._released.set()

    def calls(self) -> list[Call]:
        """Every call so far, in the order of their arrival."""
        with self._lock:
            return list(self._calls)

    def counts(self) -> Counter[int]:
        """How often each seed was asked for."""
        return Counter(call.seed for call in self.calls())

    def take(self, recipe: dict[str, Any], digest: str, checked: float) -> str:
        """Note a call and decide what it is answered."""
        with self._lock:
            answer = self._next_answer(recipe["seed"])
            self._calls.append(Call(recipe["seed"], digest, time.time(), answer, checked))
            return answer

    def wait_for_release(self) -> None:
        """What a hanging call does."""
        self._released.wait(PATIENCE)

    def _next_answer(self, seed: int) -> str:
        for order in self._orders:
            if order.left > 0 and (order.seeds is None or seed in order.seeds):
                order.left -= 1
                return order.answer
        return "picture"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """A worker that was killed hangs up: that is what all this is about."""


class _Handler(BaseHTTPRequestHandler):
    service: FarEnd
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer one recipe."""
        recipe = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        digest = Recipe.from_json(recipe).digest()
        answer = self.service.take(recipe, digest, float(self.headers.get(CHECKED_HEADER, 0)))
        if answer == "hang":
            self.service.wait_for_release()
        time.sleep(self.service.seconds)
        if answer in ("429", "500"):
            self._refuse(int(answer))
        elif answer == "reset":
            self.close_connection = True
        else:
            self._send_picture(recipe, digest, answer)

    def _refuse(self, status: int) -> None:
        self.send_response(status)
        if status == http.client.TOO_MANY_REQUESTS:
            self.send_header("Retry-After", "1")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send_picture(self, recipe: dict[str, Any], digest: str, answer: str) -> None:
        side = recipe["width"] // 2 if answer == "wrong size" else recipe["width"]
        seed = recipe["seed"] + FOREIGN if answer == "another picture" else recipe["seed"]
        data = encode_png(painted(seed, side, side)).data
        if answer == "truncated":
            data = data[: len(data) // 2]
        self.send_response(200)
        self.send_header(RECIPE_HEADER, "0" * 64 if answer == "another picture" else digest)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the calls are counted."""


def belongs_to(recipe: Recipe, digest: str | None) -> bool:
    """Whether an answer is the picture of this recipe."""
    return digest == recipe.digest()


@dataclass(frozen=True)
class HostedBackend:
    """What a worker knows of the service.

    `seconds`: how long it waits for an answer; `checked`: answers when this worker last made sure that it may call.
    """

    port: int
    seconds: float = 60.0
    checked: Callable[[], float] = lambda: 0.0

    name = "mannequin"
    version = "hosted-1"
    capabilities = Capabilities(
        largest_side=1024,
        pose_control=True,
        free_prompt=False,
        ground_truth=True,
        costs_money=True,
        photographic=False,
    )

    def render(self, recipe: Recipe) -> Rendering:
        """One call. Raises `BackendUnavailable`, `BackendRejected` or `ImageInvalid`."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=self.seconds)
        try:
            headers = {"Content-Type": "application/json", CHECKED_HEADER: repr(self.checked())}
            connection.request("POST", "/", json.dumps(recipe.to_json()), headers)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as failed:
            raise BackendUnavailable(f"The service did not respond: {type(failed).__name__} {failed}") from failed
        finally:
            with suppress(OSError):
                connection.close()
        if answer.status == http.client.TOO_MANY_REQUESTS or answer.status >= http.client.INTERNAL_SERVER_ERROR:
            asked = answer.headers["Retry-After"]
            raise BackendUnavailable(
                f"The service said {answer.status}.", retry_after=None if asked is None else float(asked)
            )
        if answer.status != http.client.OK:
            raise BackendRejected(f"The service said {answer.status}.")
        if not belongs_to(recipe, answer.headers[RECIPE_HEADER]):
            raise ImageInvalid(f"The service sent the picture of another recipe, {answer.headers[RECIPE_HEADER]}.")
        return Rendering(open_image(body), keypoints=standing_keypoints())
