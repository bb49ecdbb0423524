from __future__ import annotations

import gc
import sys
import types

import pytest

from resources.start import import_for_good, main


def test_the_collector_works_again_after_an_import_that_fails():
    with pytest.raises(ModuleNotFoundError):
        import_for_good("resources.no_such_module")

    assert gc.isenabled()


def test_a_program_is_given_its_arguments_and_finds_them_where_dagsters_commands_look(monkeypatch):
    given = []
    program = types.ModuleType("a_program")
    program.main = lambda arguments: given.append((arguments, list(sys.argv), gc.isenabled()))
    monkeypatch.setitem(sys.modules, "a_program", program)
    monkeypatch.setattr(sys, "argv", ["start.py"])

    main(["a_program", "run", "--port", "1"])

    assert given == [(["run", "--port", "1"], ["a_program", "run", "--port", "1"], True)]
