"""The tables that go by name stay true to the classes they name."""

from __future__ import annotations

import importlib
import pkgutil

import holdfast
from holdfast.cli.exits import EXITS, exit_code
from holdfast.errors import HoldfastError, kinds_of
from holdfast.http.problems import STATUSES, problem, status_of


def _classes() -> dict[str, type[BaseException]]:
    skipped = ("holdfast.workbench", "holdfast.rehearse", "holdfast.__main__")
    for module in pkgutil.walk_packages(holdfast.__path__, "holdfast."):
        if not module.name.startswith(skipped):
            importlib.import_module(module.name)
    found: dict[str, type[BaseException]] = {}
    waiting: list[type[BaseException]] = [HoldfastError]
    while waiting:
        kind = waiting.pop()
        found[kind.__name__] = kind
        waiting += kind.__subclasses__()
    return found


def test_every_name_of_both_tables_is_an_error_class_of_ours_or_of_python() -> None:
    known = _classes()
    builtins = {"FileExistsError", "PermissionError", "OSError"}
    assert not [name for name in (*STATUSES, *EXITS) if name not in known and name not in builtins]


def test_two_rooms_do_not_use_one_name_for_two_errors() -> None:
    names: list[str] = []
    waiting: list[type[BaseException]] = [HoldfastError]
    _classes()
    while waiting:
        kind = waiting.pop()
        names.append(kind.__name__)
        waiting += kind.__subclasses__()
    assert not [name for name in set(STATUSES) | set(EXITS) if names.count(name) > 1]


def test_only_a_bug_is_500_and_it_tells_nothing() -> None:
    reply = problem(RuntimeError("ticket text"), "id-1")
    assert (reply.status, status_of(KeyError("x"))) == (500, 500)
    assert b"ticket text" not in reply.body
    assert b"id-1" in reply.body


def test_an_error_of_python_ends_the_command_with_its_sysexit() -> None:
    assert exit_code(kinds_of(PermissionError())) == 77
    assert exit_code(kinds_of(FileNotFoundError())) == 74
    assert exit_code(kinds_of(KeyError())) == 70
