"""Power cuts and kills at every call to the operating system: the store is as before or as after, never between."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from holdfast.store.choice import InstallLimits
from holdfast.store.install import activate, install, rollback, stage
from holdfast.store.shelf import NoGoodPackage, Store, StoreLimits

from .samples import FILES, HeldClock, admit, examine

NAME = "triage-test"
CALLS = ("open", "write", "fsync", "rename", "unlink", "mkdir")


class PowerCut(BaseException):
    """Nothing runs after it, not even `except Exception`."""


@contextmanager
def power_cut_at(call: int | None, trace: list[tuple[str, object]]) -> Iterator[None]:
    """Let `call` calls through, then fail that one and every later one, as for a process that is no more."""
    originals = {name: getattr(os, name) for name in CALLS}

    def counted(name: str) -> Callable[..., object]:
        def run(*arguments: object, **options: object) -> object:
            if call is not None and len(trace) >= call:
                raise PowerCut
            trace.append((name, arguments[0]))
            return originals[name](*arguments, **options)

        return run

    for name in CALLS:
        setattr(os, name, counted(name))
    try:
        yield
    finally:
        for name, original in originals.items():
            setattr(os, name, original)


def opened(directory: Path) -> Store:
    return Store(directory, limits=StoreLimits(keep_free_bytes=0), clock=HeldClock())


def served(directory: Path) -> str:
    try:
        return opened(directory).load(NAME, admit=admit).manifest.version
    except NoGoodPackage:
        return "none"


def new_version(make: Callable[..., Path]) -> Path:
    return make("2.0.0", files={**FILES, "rules.toml": b"# two"})


def act(verb: str, directory: Path, new: Path) -> None:
    store = opened(directory)
    match verb:
        case "install":
            install(store, new, admit=admit, examine=examine, limits=InstallLimits())
        case "stage":
            stage(store, new, admit=admit, examine=examine, limits=InstallLimits())
        case "activate":
            activate(store, f"{NAME}@1.1.0", admit=admit)
        case "roll back":
            rollback(store, NAME, admit=admit)
        case _:
            store.collect()


AFTER = {"install": "2.0.0", "stage": "1.2.0", "activate": "1.1.0", "roll back": "1.1.0", "collect": "1.2.0"}


@pytest.fixture
def three(tmp_path: Path, make: Callable[..., Path]) -> Callable[[], Path]:
    """Fresh stores with versions 1.0.0, 1.1.0 and 1.2.0, the last one active."""
    packages = [make(f"1.{i}.0", files={**FILES, "rules.toml": b"# %d" % i}) for i in range(3)]
    for package in packages:
        install(opened(tmp_path / "template"), package, admit=admit, examine=examine, limits=InstallLimits())
    count = iter(range(10_000))

    def fresh() -> Path:
        return shutil.copytree(tmp_path / "template", tmp_path / f"store-{next(count)}")

    return fresh


@pytest.mark.parametrize("verb", AFTER)
def test_a_cut_between_any_two_calls_leaves_the_old_or_the_new_state(
    verb: str, three: Callable[[], Path], make: Callable[..., Path]
) -> None:
    new, trace, done = new_version(make), [], three()
    with power_cut_at(None, trace):
        act(verb, done, new)
    assert served(done) == AFTER[verb]
    for call in range(len(trace)):
        directory = three()
        with power_cut_at(call, []), pytest.raises(PowerCut):
            act(verb, directory, new)
        assert served(directory) in {"1.2.0", AFTER[verb]}, f"cut at call {call} of {len(trace)}"
        assert opened(directory).findings() == ()


def test_after_a_cut_the_same_install_succeeds_and_leaves_nothing_over(
    three: Callable[[], Path], make: Callable[..., Path]
) -> None:
    new, trace, directory = new_version(make), [], three()
    with power_cut_at(30, trace), pytest.raises(PowerCut):
        act("install", directory, new)
    act("install", directory, new)
    opened(directory).collect()
    assert served(directory) == "2.0.0"
    assert not [path for path in directory.rglob("*") if path.name.startswith(".")]


def test_every_file_is_on_disk_before_its_name_and_every_blob_before_the_state(
    three: Callable[[], Path], make: Callable[..., Path]
) -> None:
    trace: list[tuple[str, object]] = []
    directory, new = three(), new_version(make)
    with power_cut_at(None, trace):
        act("install", directory, new)
    renames = [i for i, (name, _) in enumerate(trace) if name == "rename"]
    assert renames
    for i in renames:
        assert trace[i - 1][0] == "fsync", "the content is durable before the name"
        assert [name for name, _ in trace[i + 1 : i + 3]] == ["open", "fsync"], "the name is durable before going on"
    states = [str(trace[i][1]).rpartition("/")[2].startswith(".slots") for i in renames]
    assert states == sorted(states), "blobs first, the state last"


KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from tests.store.test_powercut import CALLS, act
left = int(sys.argv[4])
def counted(original):
    def run(*arguments, **options):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments, **options)
    return run
for name in CALLS:
    setattr(os, name, counted(getattr(os, name)))
act("install", Path(sys.argv[2]), Path(sys.argv[3]))
"""


@pytest.mark.parametrize("call", [3, 40, pytest.param(70, marks=pytest.mark.faults)])
def test_a_killed_install_leaves_the_old_or_the_new_state(
    call: int, three: Callable[[], Path], make: Callable[..., Path]
) -> None:
    directory, root = three(), str(Path(__file__).parents[2])
    command = [sys.executable, "-c", KILLED, root, str(directory), str(new_version(make)), str(call)]
    ended = subprocess.run(command, check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL
    assert served(directory) in {"1.2.0", "2.0.0"}
