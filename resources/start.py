"""`python -m resources.start MODULE ARGUMENT...`: runs `MODULE.main`, the entry point of one of Dagster's processes."""

import gc
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType


def main(arguments: Sequence[str]) -> None:
    """Import the module `arguments[0]` and run its `main` with the other arguments."""
    module = import_for_good(arguments[0])
    sys.argv = list(arguments)  # Dagster's commands read it
    module.main(arguments[1:])


def import_for_good(name: str) -> ModuleType:
    """Import a module that stays until the end, as all that it imports.

    The garbage collector would look through these objects again and again: a sixth of the time that a start takes.
    Frozen, they cost nothing later either, and a fork shares their memory.
    """
    gc.disable()
    try:
        return import_module(name)
    finally:
        gc.freeze()
        gc.enable()


if __name__ == "__main__":
    main(sys.argv[1:])
