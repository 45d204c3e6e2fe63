"""`holdfast serve`: one node in the foreground until SIGTERM."""

from __future__ import annotations

import gc
import os
from typing import Any

import click

from holdfast.cli.invocation import invocation
from holdfast.node.arenas import bound_arenas
from holdfast.settings.place import data_directory

__all__ = ["serve"]


@click.command(
    help="Start the node and answer until SIGTERM.\n\nExample: holdfast --config holdfast.toml serve --port 8470"
)
@click.option("--host", help="Address to listen on (server.host).")
@click.option("--port", type=int, help="TCP port (server.port); 0 takes a free one.")
def serve(*, host: str | None, port: int | None) -> None:
    """Run the node in the foreground; its log is JSON lines on stderr."""
    bound_arenas()
    gc.disable()  # until everything is built: half of what a start allocates stays for ever
    flags: dict[str, Any] = {"server.host": host, "server.port": port}
    given = {key: value for key, value in flags.items() if value is not None}
    common = invocation()
    loaded = common.load(given)
    from holdfast.http.serving import run  # noqa: PLC0415  # a wrong configuration is refused before 0.2 s of imports

    run(loaded, data_directory(loaded.settings, os.environ), reread=lambda: common.load(given))
