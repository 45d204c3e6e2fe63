"""A node that is served: lock and sockets first, then state, then RULES, then everything else."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from holdfast import __version__
from holdfast.http.acceptor import Tls
from holdfast.http.app import App, AppLimits
from holdfast.http.doorman import Doorman
from holdfast.http.gate import Gate
from holdfast.http.limiter import Limiter, Together
from holdfast.http.server import Hooks, ServerLimits, bind_owner_socket, bind_tcp, serve
from holdfast.http.surface import route_table
from holdfast.http.triage import TriageEndpoints
from holdfast.node.lock import DirectoryLock
from holdfast.node.log import Log
from holdfast.node.node import Node
from holdfast.node.notify import notify
from holdfast.settings.exposure import is_loopback
from holdfast.settings.loading import Loaded
from holdfast.settings.tree import Settings

__all__ = ["run"]

_KIB = 1024
_ANSWERING_S = 35.0  # the longest deadline, and what the disk may take after it
_OPERATOR_S = 900.0  # installing measures a package on this machine
_SPARE_THREADS = 32  # for batches, embeddings and lower tiers while the full tier's queue is full


def run(loaded: Loaded, directory: Path, *, reread: Callable[[], Loaded]) -> None:
    """Serve one node until SIGTERM or SIGINT. Raises AddressBusy, DataDirectoryBusy, HumanNeeded, OSError."""
    settings, log = loaded.settings, Log()
    with (
        DirectoryLock(directory) as lock,  # before the port: whoever starts a node twice is told by whom it runs
        closing(bind_tcp(settings.server.host, settings.server.port)) as tcp,
    ):
        node = Node(loaded, directory, log=log, reread=reread, lock=lock)
        try:
            owner = bind_owner_socket(directory)
            host, port = tcp.getsockname()[:2]
            limiters = _limiters(settings, node)
            node.limiters = lambda: {name: (one.busy, one.slots) for name, one in limiters.items()}
            context = node.parts.tls.open()
            tls = Tls(context, node.parts.tls.clients.caller_of) if context is not None else None
            doorman = _doorman(settings, node)
            app = App(
                route_table(node),
                gate=(_gate(settings, node.parts.tls.names), doorman),
                limits=AppLimits(body_bytes=settings.limits.body_kib * _KIB, depth=settings.limits.depth),
                limiters=limiters,
                seen=(node.measures, log),
            )
            serve(
                app,
                (tcp, owner),
                _server_limits(settings),
                hooks=Hooks(
                    ready=lambda: _ready(node, host, port),
                    hangup=node.reload_soon,
                    tick=lambda: _give_up(limiters),
                    closing=lambda: _close(app, node),
                ),
                tls=tls,
            )
            log.info("stopping")
            notify("STOPPING=1")
        finally:
            (directory / "holdfast.sock").unlink(missing_ok=True)
            node.stop()
        log.info("stopped")
        log.settle()


def _doorman(settings: Settings, node: Node) -> Doorman:
    """Raises Unguarded."""
    host, certificates = settings.server.host, bool(settings.server.tls_client_ca)
    doorman = Doorman(node.state.tokens, node.state.clock, exposed=certificates or not is_loopback(host))
    if not certificates:
        doorman.require_tokens(host)
    return doorman


def _close(app: App, node: Node) -> None:
    app.close_connections()
    node.parts.lanes.wind_down()


def _give_up(limiters: dict[str, Limiter]) -> None:
    limiters["answering"].give_up_on(older_than_s=_ANSWERING_S)
    limiters["operator"].give_up_on(older_than_s=_OPERATOR_S)


def _ready(node: Node, host: str, port: int) -> None:
    gc.freeze()  # what is there now stays: later collections need not look at it
    gc.enable()
    node.start()
    node.log.info(
        "listening", pid=os.getpid(), version=__version__, host=host, port=port, directory=str(node.state.directory)
    )
    if not (node.state.tokens.any or node.loaded.settings.server.tls_client_ca):
        node.log.warning("open-access", detail="there are no tokens: anybody on this machine may call this node")
    notify("READY=1", f"STATUS=answering on {host}:{port}")


def _limiters(settings: Settings, node: Node) -> dict[str, Limiter]:
    limits = settings.limits
    # Where the full tier answers, a thread waits for a lane per request. Where it does not, answering is computing, and
    # requests that wait are done together: many threads would only pass the interpreter around.
    together = Together(TriageEndpoints(node).score_each, lambda: not node.full_is_free())
    threads = min(limits.answering, settings.runtime.max_waiting + _SPARE_THREADS)
    return {
        "answering": Limiter("answering", slots=limits.answering, threads=threads, together=together),
        "operator": Limiter("operator", slots=limits.operator, threads=limits.operator),
    }


def _gate(settings: Settings, certified: tuple[str, ...]) -> Gate:
    server = settings.server
    return Gate(
        hosts=frozenset(name.lower() for name in (server.host, *server.hosts, *certified)),
        origins=frozenset(origin.lower().rstrip("/") for origin in server.origins),
        seen=set(),
    )


def _server_limits(settings: Settings) -> ServerLimits:
    server = settings.server
    return ServerLimits(
        connections=server.connections,
        header_timeout_s=server.header_timeout_s,
        body_timeout_s=server.body_timeout_s,
        keep_alive_s=server.keep_alive_s,
        drain_s=server.drain_s,
    )
