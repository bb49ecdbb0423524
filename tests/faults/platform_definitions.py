"""The product's code location; only what renders is at the far end, where the calls are counted."""

import os

from posegen.backends.registry import BACKENDS
from posegen_assets.definitions import defs
from tests.faults.far_end import HostedBackend

BACKENDS["mannequin"] = lambda: HostedBackend(int(os.environ["POSEGEN_TESTS_FAR_END"]), seconds=2.0)  # type: ignore[assignment]

__all__ = ["defs"]
