"""Whether the far ends of the offered backends take our keys. Nothing is paid for."""

from __future__ import annotations

import threading
import time
from contextlib import closing

from posegen.backends.hosted import HostedBackend
from posegen.backends.registry import Backends
from posegen.errors import AccountRefused
from posegen.settings import Settings
from posegen.upkeep.finding import Finding, Part

CHECK_SECONDS = 10.0


def look_at_far_ends(settings: Settings, *, seconds: float = CHECK_SECONDS) -> list[Finding]:
    """One request to each offered hosted backend, all at the same time.

    Args:
        settings: of the backends.
        seconds: in all; what has not responded by then is said not to respond.
    """
    found: dict[str, Finding] = {}
    with closing(Backends.of(settings.model_copy(update={"posegen_backend_seconds": seconds}))) as backends:
        names = [name for name in backends.offered if name in backends.hosted]

        def look(name: str) -> None:
            found[name] = _finding(name, backends.open_hosted(name))

        # A lookup of a name cannot be broken off: such a thread ends with the process.
        threads = [threading.Thread(target=look, args=[name], name="far end", daemon=True) for name in names]
        for thread in threads:
            thread.start()
        ends = time.monotonic() + seconds
        for thread in threads:
            thread.join(max(0.0, ends - time.monotonic()))
    return [found.get(name) or _silent(name, f"no response within {seconds:g} s") for name in names]


def _finding(name: str, backend: HostedBackend) -> Finding:
    part = f"{Part.BACKEND} {name}"
    try:
        is_checked = backend.check_key()
    except AccountRefused as refused:
        fix = f"Set {refused.variable} to a key that the provider takes, and look at the balance of its account."
        return Finding(part, False, str(refused), fix)
    except Exception as silent:  # noqa: BLE001 - whatever a client raises, the other parts are examined
        return _silent(name, str(silent))
    return Finding(part, True, "its key is accepted" if is_checked else "cannot be checked without paying")


def _silent(name: str, reason: str) -> Finding:
    fix = "Look at the address in the settings, the network and its proxy, and the provider's status page."
    return Finding(f"{Part.BACKEND} {name}", False, reason, fix)
