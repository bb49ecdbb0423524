"""fal's far end: the queue, the files, and the list of ended requests, all on one port.

Pages, read 2026-11:

- submit: https://fal.ai/docs/inference-api/queue/submit
- status: https://fal.ai/docs/inference-api/queue/status
- result: https://fal.ai/docs/inference-api/queue/result
- cancel: https://fal.ai/docs/inference-api/queue/cancel
- platform headers: https://fal.ai/docs/documentation/model-apis/common-parameters
- errors of models: https://fal.ai/docs/documentation/model-apis/errors
- errors of requests: https://fal.ai/docs/documentation/model-apis/request-errors
- list: https://fal.ai/docs/platform-apis/v1/models/requests/by-endpoint

The maker has three hosts for it (queue.fal.run, v3.fal.media, api.fal.ai).

Assumed, because no page says it: how a cancelled request ends (499, `client_cancelled`), the response to a result that
is asked for too early or too late, and that a runner's signal to stop is ignored unless `stops_when_cancelled`.
"""

from __future__ import annotations

import base64
import datetime
import json
import random
from typing import Any

from tests.wires.exchange import Refused, Reply, Request
from tests.wires.fal_errors import entry, failure, platform_error, request_error
from tests.wires.fal_models import MODELS, order_of, price_of
from tests.wires.faults import METADATA_SERVICE, Fault, reported_seed
from tests.wires.fields import Problem, problems
from tests.wires.pictures import Order
from tests.wires.wire import Call, Wire, isoformat

LIST = "/v1/models/requests/by-endpoint"
_DAY = 86_400.0
_PAGE, _LONGEST_PAGE = 50, 100


class Fal(Wire):
    """fal's queue.

    Args:
        settings: as in `Wire`.
        stops_when_cancelled: whether a request that is in progress is given up when it is cancelled; the model's app
            decides. Otherwise it ends as usual and is paid.
        result_seconds: how long a result can be asked for after its end.
    """

    name = "fal"
    key_variable = "FAL_KEY"
    url_variable = "FAL_BASE_URL"

    def __init__(self, *, stops_when_cancelled: bool = False, result_seconds: float = 3600, **settings: Any) -> None:
        settings.setdefault("concurrency", 2)  # of a new account
        super().__init__(**settings)
        self.stops_when_cancelled = stops_when_cancelled
        self.result_seconds = result_seconds

    def step_of(self, request: Request) -> str | None:
        """As the pages above have it."""
        method, path = request.method, request.path
        if path == LIST:
            return "list" if method == "GET" else None
        if path.startswith("/files/"):
            return "media" if method == "GET" else None
        parts = path.strip("/").split("/")
        if method == "POST":
            return "submit" if path.strip("/") in MODELS else None
        # Status, result and cancel have owner and app only, never the endpoint's path behind them.
        if len(parts) < 4 or parts[2] != "requests":
            return None
        return {("GET", "status"): "status", ("GET", ""): "result", ("PUT", "cancel"): "cancel"}.get(
            (method, "/".join(parts[4:]))
        )

    def respond(self, step: str, request: Request, fault: Fault | None) -> Reply:
        """One step."""
        if step == "media":
            return self.media(request, fault)
        self.authenticate(request)
        return {
            "submit": self.submit,
            "status": self.status,
            "result": self.result,
            "cancel": self.cancel,
            "list": self.listing,
        }[step](request, fault)

    def authenticate(self, request: Request) -> None:
        """`Authorization: Key ...`: https://fal.ai/docs/api-reference/inference-api#authentication"""
        if request.headers["Authorization"] != f"Key {self.key}":
            raise Refused(self.refusal(401))

    def refusal(self, status: int, message: str = "") -> Reply:
        """https://fal.ai/docs/documentation/model-apis/request-errors: `detail`, `error_type`, and a header."""
        return request_error(status, message)

    # --- the queue

    def submit(self, request: Request, fault: Fault | None) -> Reply:
        """https://fal.ai/docs/inference-api/queue/submit: the queue stores the body, the model looks at it later."""
        try:
            inputs = request.json()
        except ValueError:
            raise Refused(self.refusal(400, "The body is no JSON.")) from None
        call = self.take_call(request, inputs)
        origin = self.origin(request)
        if fault and fault.kind == "link_local":
            origin = (fault.to or METADATA_SERVICE).rstrip("/")
        # https://fal.ai/docs/inference-api/queue/submit: 200, with the three URLs to use as they are
        body = {"status": "IN_QUEUE", **self.urls(call, origin), "queue_position": 0}
        return Reply.json(200, body, {"X-Fal-Request-Id": call.id}, submission=call.submission.number)

    def take_call(self, request: Request, inputs: Any) -> Call:
        """Takes a submission, and settles how the model will end it."""
        name = request.path.strip("/")
        model = MODELS[name]
        wrong = list(problems(inputs, model.fields))
        sent = inputs if isinstance(inputs, dict) else {}
        seed = sent["seed"] if isinstance(sent.get("seed"), int) else random.Random().randrange(2**32)
        order = None if wrong else order_of(model, sent, seed)
        if isinstance(order, Problem):
            wrong, order = [order], None
        call = self.take(
            request,
            model=name,
            order=order or Order(str(sent.get("prompt", "")), seed),
            seed=sent.get("seed"),
            inputs=inputs,
            usd=price_of(model, order) if order else 0.0,
            start_by=self._start_by(request),
            retried=request.headers.get("x-fal-no-retry", "").lower() not in ("1", "true", "yes"),
            no_retry=request.headers.get("x-fal-no-retry", ""),
            webhook=request.one("fal_webhook"),
        )
        call.media_seconds = _lifetime(request)
        if not call.submission.paid:
            # https://fal.ai/docs/documentation/model-apis/common-parameters#x-fal-request-timeout-start_timeout
            call.failure = 504, {"detail": "Request timed out", "error_type": "request_timeout"}
        elif wrong:
            call.failure = 422, {"detail": [entry(problem) for problem in wrong]}
        elif call.kind.isdigit() or call.kind in ("policy", "moderated", "failed"):
            call.failure = failure(call)
        unbilled = wrong or (call.failure and call.failure[0] >= 500)
        if unbilled:  # https://fal.ai/docs/model-apis/model-endpoints/reliability: server errors are not billed
            self.ledger.change(call.submission.number, paid=False)
        self.keep(call)
        return call

    def status(self, request: Request, fault: Fault | None) -> Reply:
        """https://fal.ai/docs/inference-api/queue/status: 202 until it is complete, then 200."""
        call = self.known(request, fault)
        urls = self.urls(call, self.origin(request))
        now = self.now()
        if now < call.starts:
            ahead = sum(now < each.starts < call.starts for each in self.kept())
            return Reply.json(202, {"status": "IN_QUEUE", **urls, "queue_position": ahead})
        if now < call.ends:
            return Reply.json(202, {"status": "IN_PROGRESS", **urls, "logs": None})
        body: dict[str, Any] = {"status": "COMPLETED", **urls, "logs": None}
        body["metrics"] = {"inference_time": round(call.ends - call.starts, 3)}
        if call.failure:
            detail = call.failure[1].get("detail")
            body["error"] = detail if isinstance(detail, str) else json.dumps(detail)
            body["error_type"] = call.failure[1].get("error_type", "model_error")
        return Reply.json(200, body)

    def result(self, request: Request, fault: Fault | None) -> Reply:
        """https://fal.ai/docs/inference-api/queue/result: what the model returned, also when it is an error."""
        call = self.known(request, fault)
        if self.now() < call.ends:
            raise Refused(Reply.json(400, {"detail": "Request is still in progress"}))
        if self.now() > call.ends + self.result_seconds:
            raise Refused(self.refusal(404, "The result has expired."))
        return self.outcome(request, call)

    def outcome(self, request: Request, call: Call) -> Reply:
        """The model's response: `images`, `seed`, `has_nsfw_concepts`, `timings`, `prompt`."""
        if call.failure:
            status, body = call.failure
            kind = body.get("error_type")
            headers = {"X-Fal-Error-Type": kind} if kind else {"X-Fal-Retryable": "false"}
            if status == 504:
                headers["X-Fal-Request-Timeout-Type"] = "user"
            return Reply.json(status, body, headers)
        file = call.file()
        image = {
            "url": self._media_url(request, call),
            "width": file.width,
            "height": file.height,
            "content_type": file.content_type,
        }
        wanted = 2 if call.kind == "two_pictures" else call.inputs.get("num_images") or 1
        body = {
            "images": [image] * wanted,
            "timings": {"inference": self.runners.seconds},
            "seed": reported_seed(call.order.seed, call.kind),
            "has_nsfw_concepts": [call.kind == "flagged"] * wanted,
            "prompt": call.order.prompt,
        }
        if not MODELS[call.model].flags:
            del body["has_nsfw_concepts"]
        return Reply.json(200, body, {"X-Fal-Billable-Units": "1"})

    def cancel(self, request: Request, fault: Fault | None) -> Reply:
        """https://fal.ai/docs/inference-api/queue/cancel: removed from the queue, or a signal to the runner."""
        call = self.known(request, fault, Reply.json(404, {"status": "NOT_FOUND"}))
        now = self.now()
        if call.ends <= now or (fault and fault.kind == "cancel_too_late"):
            return Reply.json(400, {"status": "ALREADY_COMPLETED"})
        removed = now < call.starts
        if removed or self.stops_when_cancelled:
            call.cancelled = True
            call.starts, call.ends = min(call.starts, now), now
            call.failure = 499, {"detail": "The request was cancelled", "error_type": "client_cancelled"}
        if removed:
            self.ledger.change(call.submission.number, paid=False)
            return Reply.json(200, {"status": "OK"})
        return Reply.json(202, {"status": "CANCELLATION_REQUESTED"})

    def media(self, request: Request, fault: Fault | None) -> Reply:
        """A public file; gone for good after its time: the platform header X-Fal-Object-Lifecycle-Preference."""
        call, kind = self.media_call(request, fault, "Authorization")
        gone = call and call.media_seconds is not None and self.now() > call.ends + call.media_seconds
        if not call or gone or kind in ("expired", "unknown_id") or self.now() < call.ends:
            return Reply(404, b"Not Found", "text/plain")
        file = call.file()
        return Reply(200, file.data, file.content_type)

    def listing(self, request: Request, fault: Fault | None) -> Reply:
        """https://fal.ai/docs/platform-apis/v1/models/requests/by-endpoint: ended requests, the newest end first."""
        names = [name for value in request.query.get("endpoint_id", ()) for name in value.split(",")]
        if not names:
            raise Refused(platform_error(400, "validation_error", "endpoint_id is required"))
        try:
            page = int(base64.b64decode(request.one("cursor"))) if request.one("cursor") else 1
            limit = int(request.one("limit") or _PAGE)
            start = _moment(request.one("start"), self.now() - (90 if request.one("request_id") else 1) * _DAY)
            end = _moment(request.one("end"), self.now() + 1)
        except ValueError as error:
            raise Refused(platform_error(400, "validation_error", str(error))) from None
        if not 1 <= limit <= _LONGEST_PAGE:
            raise Refused(platform_error(400, "validation_error", "limit is from 1 to 100"))
        ended = sorted(
            (each for each in self.kept() if self._is_listed(each, request, names, start, end)),
            key=lambda each: -(each.ends - each.starts if request.one("sort_by") == "duration" else each.ends),
        )
        shown, rest = ended[(page - 1) * limit : page * limit], ended[page * limit :]
        payloads = "payloads" in ",".join(request.query.get("expand", ())).split(",")
        cursor = base64.b64encode(str(page + 1).encode()).decode() if rest else None
        items = [self._item(request, each, payloads=payloads) for each in shown]
        return Reply.json(200, {"items": items, "next_cursor": cursor, "has_more": bool(rest)})

    # --- parts

    def origin(self, request: Request) -> str:
        """What the URLs of a response begin with."""
        return request.origin

    def urls(self, call: Call, origin: str) -> dict[str, str]:
        """The id and the three URLs. They have owner and app of the endpoint, not its path."""
        app = "/".join(call.model.split("/")[:2])
        base = f"{origin}/{app}/requests/{call.id}"
        return {
            "request_id": call.id,
            "response_url": base,
            "status_url": f"{base}/status",
            "cancel_url": f"{base}/cancel",
        }

    def known(self, request: Request, fault: Fault | None, unknown: Reply | None = None) -> Call:
        """The call of a path; another app's id is unknown, too."""
        call = self.call_in(request)
        app = request.path.strip("/").split("/")[:2]
        if call is None or call.model.split("/")[:2] != app or (fault and fault.kind == "unknown_id"):
            raise Refused(unknown or self.refusal(404, "Request not found"))
        return call

    def _start_by(self, request: Request) -> float | None:
        """X-Fal-Request-Timeout: seconds from the submission to the start."""
        given = request.headers["X-Fal-Request-Timeout"]
        if given is None:
            return None
        try:
            seconds = float(given)
        except ValueError:
            seconds = 0.0
        if seconds <= 0.1:
            raise Refused(self.refusal(400, "X-Fal-Request-Timeout has to be more than 0.1 seconds"))
        return self.now() + seconds

    def _media_url(self, request: Request, call: Call) -> str:
        if call.kind == "link_local":
            return call.to or METADATA_SERVICE
        if call.inputs.get("sync_mode"):
            file = call.file()
            return f"data:{file.content_type};base64,{base64.b64encode(file.data).decode()}"
        return f"{request.origin}/files/b/{call.id}/picture.{call.order.format}"

    def _is_listed(self, call: Call, request: Request, names: list[str], start: float, end: float) -> bool:
        status = call.failure[0] if call.failure else 200
        kind = "success" if status == 200 else "user_error" if status < 500 else "error"
        return (
            call.model in names
            and call.ends <= self.now()
            and start <= call.ends < end
            and request.one("status", kind) == kind
            and request.one("request_id", call.id) == call.id
        )

    def _item(self, request: Request, call: Call, *, payloads: bool) -> dict[str, Any]:
        item: dict[str, Any] = {
            "request_id": call.id,
            "endpoint_id": call.model,
            "sent_at": isoformat(call.submitted),
            "started_at": isoformat(call.starts),
            "ended_at": isoformat(call.ends),
            "status_code": call.failure[0] if call.failure else 200,
            "duration": round(call.ends - call.starts, 3),
        }
        if payloads:
            item["json_input"] = call.inputs
            # With sync_mode the output is not in the history: it is on every model's page.
            if not (isinstance(call.inputs, dict) and call.inputs.get("sync_mode")):
                item["json_output"] = json.loads(self.outcome(request, call).body)
        return item


def _lifetime(request: Request) -> float | None:
    """X-Fal-Object-Lifecycle-Preference: `{"expiration_duration_seconds": n}`."""
    try:
        return float(json.loads(request.headers["X-Fal-Object-Lifecycle-Preference"])["expiration_duration_seconds"])
    except (TypeError, ValueError, KeyError):
        return None


def _moment(text: str, default: float) -> float:
    """A time or a day in ISO 8601."""
    if not text:
        return default
    moment = datetime.datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)).timestamp()
