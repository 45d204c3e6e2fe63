"""Calls to whoever owns the data directory: over its socket, or by taking the lock when there is no owner."""

from __future__ import annotations

import http.client
import json
import os
import random
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from holdfast.cli.invocation import OwnerError, invocation
from holdfast.errors import Unavailable
from holdfast.node.lock import DataDirectoryBusy
from holdfast.settings.place import data_directory

__all__ = ["NoOwner", "ask", "call", "tell"]

_CALL_S = 900.0  # installing measures the package on this machine
_WAIT_S = 20.0  # another command holds the lock, or others hold the node's slots: commands take turns
_PAUSE_S = (0.03, 0.2)
_BUSY = "NodeBusy"  # refused before it began, so that asking again does nothing twice
_ERROR = 400


class NoOwner(Unavailable):
    """No node runs on this data directory."""


def call(verb: str, arguments: Mapping[str, Any]) -> Any:
    """Do operator verb `verb` and return its result as plain JSON values.

    Asks the running node; without one, takes the lock, assembles the node's state without workers and does it here.
    Raises OwnerError with what the node answered, DataDirectoryBusy, or whatever the verb raises.
    """
    directory = _directory()

    def attempt() -> Any:
        connection = _connect(directory)
        if connection is None:
            return _do_here(verb, arguments)
        return _post(connection, f"/v1/operator/{verb}", arguments)

    return _in_turn(attempt)


def ask(path: str) -> Any:
    """GET `path` from the running node. Raises NoOwner when none runs, OwnerError with what it answered."""
    return _in_turn(lambda: _exchange(_required(_directory()), "GET", path, None))


def tell(verb: str, arguments: Mapping[str, Any]) -> Any:
    """Have the running node do `verb`: one that means nothing without it. Raises NoOwner, OwnerError."""
    return _in_turn(lambda: _post(_required(_directory()), f"/v1/operator/{verb}", arguments))


def _in_turn(attempt: Callable[[], Any]) -> Any:
    """Return `attempt()`, asking again for a while as long as other commands are before this one."""
    end_s = time.monotonic() + _WAIT_S
    while True:
        try:
            return attempt()
        except DataDirectoryBusy:
            if time.monotonic() > end_s:
                raise
        except OwnerError as error:
            if _BUSY not in error.kinds or time.monotonic() > end_s:
                raise
        time.sleep(random.uniform(*_PAUSE_S))  # noqa: S311  # many commands must not come back together


def _required(directory: Path) -> http.client.HTTPConnection:
    connection = _connect(directory)
    if connection is None:
        raise NoOwner(f"{directory}: expected a running node, found none; start it with `holdfast serve`")
    return connection


def _directory() -> Path:
    return data_directory(invocation().load().settings, os.environ)


def _do_here(verb: str, arguments: Mapping[str, Any]) -> Any:
    from holdfast.node.offline import run_verb  # noqa: PLC0415  # half a second of imports a running node saves us

    return run_verb(invocation().load(), verb, arguments)


def _connect(directory: Path) -> http.client.HTTPConnection | None:
    """A connection to the owner, or None where nobody listens."""
    try:
        directory_fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return None
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(_CALL_S)
    try:
        # Through the directory's descriptor: a socket address holds 108 bytes, a path may be longer.
        client.connect(f"/proc/self/fd/{directory_fd}/holdfast.sock")
    except (FileNotFoundError, ConnectionRefusedError):
        client.close()
        return None
    finally:
        os.close(directory_fd)
    connection = http.client.HTTPConnection("localhost", timeout=_CALL_S)
    connection.sock = client
    return connection


def _post(connection: http.client.HTTPConnection, path: str, arguments: Mapping[str, Any]) -> Any:
    return _exchange(connection, "POST", path, json.dumps(arguments).encode())


def _exchange(connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None) -> Any:
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"} if body is not None else {})
        response = connection.getresponse()
        text = response.read()
    except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
        raise Unavailable(f"the running node did not answer {path}: {error or type(error).__name__}") from error
    finally:
        connection.close()
    answer = json.loads(text) if text else None
    if response.status >= _ERROR:
        refusal = answer if isinstance(answer, dict) else {}
        raise OwnerError(refusal.get("detail", f"status {response.status}"), kinds=refusal.get("kinds", ()))
    return answer
