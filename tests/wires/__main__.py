"""`python -m tests.wires WIRE`: the far end of one wire on a port of this machine, until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Any

from tests.wires.far_end import FarEnd
from tests.wires.faults import KINDS, STEPS
from tests.wires.openai import DIALECTS

WIRES = {
    "fal": "fal's queue, its files, and its list of ended requests",
    "bfl": "Black Forest Labs' API: submit, poll, signed picture URLs",
    "huggingface": "Hugging Face's router to fal, and an own endpoint at /endpoint",
    "openai": "/v1/images/generations and /v1/images/edits",
}

_FAULTS = """\
Faults, while it runs:
  curl -X POST $URL/__faults -d '{"kind": "lost"}'                      lose the response to the next submission
  curl -X POST $URL/__faults -d '{"kind": "429", "retry_after": "2"}'   refuse it
  curl -X POST $URL/__faults -d '{"kind": "503", "step": "status", "nth": 3, "times": null}'
                                                                        every poll from the third on
  curl -X DELETE $URL/__faults                                          no more faults
  curl "$URL/__ledger?by=seed,prompt"                                   what is paid, and what is paid twice
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until a signal."""
    asked = _parser().parse_args(arguments)
    settings: dict[str, Any] = {"seconds": asked.seconds, "clock_off": asked.clock_off}
    if asked.concurrency:
        settings["concurrency"] = asked.concurrency
    if asked.wire == "openai":
        settings |= {"dialect": asked.dialect, "honours_idempotency": asked.idempotency}
    if asked.wire == "bfl":
        settings["sample_seconds"] = asked.sample_seconds
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    try:
        far_end = getattr(FarEnd, asked.wire)(port=asked.port, **settings)
    except OSError as error:
        sys.stderr.write(f"Port {asked.port} cannot be used: {error.strerror}. Name another one with --port.\n")
        return 1
    with far_end:
        _introduce(far_end)
        stopped.wait()
        ledger = far_end.ledger.to_json()
    sys.stdout.write(f"\n{ledger['paid']} paid, {ledger['usd']} USD, {len(ledger['paid_twice'])} paid twice\n")
    return 0


def _introduce(far_end: FarEnd) -> None:
    """The variables, as lines for a shell."""
    lines = [f"# {WIRES[far_end.wire.name]}, at {far_end.base_url}; Ctrl-C stops it. Set these for Posegen:"]
    lines += [f"export {name}={value}" for name, value in far_end.environment().items()]
    if far_end.wire.name == "huggingface":
        lines.append(f"# the own endpoint: {far_end.base_url}/endpoint")
    lines += [f"# ledger: {far_end.base_url}/__ledger, faults: {far_end.base_url}/__faults", ""]
    sys.stdout.write("\n".join(lines))
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    wires = "\n".join(f"  {name:<12} {what}" for name, what in WIRES.items())
    kinds = "\n".join(f"  {kind:<16} {step:<7} {what}" for kind, (step, what) in KINDS.items())
    parser = argparse.ArgumentParser(
        prog="python -m tests.wires",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="The far end of a hosted backend's wire, for tests and demonstrations: it costs nothing, needs no\n"
        "account, draws a figure from the control map that it was sent (NO POSE without one), refuses\n"
        f"what the maker does not document, and counts what a client would have paid for.\n\nWires:\n{wires}",
        epilog=f"{_FAULTS}\nKinds of faults, each with its usual step (of {', '.join(STEPS)}):\n{kinds}",
    )
    parser.add_argument("wire", choices=tuple(WIRES), metavar="WIRE", help="one of the wires above")
    parser.add_argument("--port", type=int, default=0, help="the port on 127.0.0.1; a free one by default")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long a picture takes (%(default)s)")
    parser.add_argument("--concurrency", type=int, help="pictures at once (fal 2, bfl 24, others 8)")
    parser.add_argument(
        "--clock-off", type=float, default=0.0, metavar="SECONDS", help="how far the far end's clock is ahead"
    )
    parser.add_argument(
        "--sample-seconds", type=float, default=600.0, metavar="SECONDS", help="bfl: life of a picture's URL (600)"
    )
    parser.add_argument(
        "--dialect", choices=DIALECTS, default="openai", help="openai: whose fields it takes (%(default)s)"
    )
    parser.add_argument("--idempotency", action="store_true", help="openai: honour the Idempotency-Key header")
    return parser


if __name__ == "__main__":
    sys.exit(main())
