"""Every setting: its name, its default, its range and what it means.

The descriptions below are the documentation: `holdfast init` and docs/configuration.md are made from them.
Components never see this tree; each takes its own small limits type, built in `holdfast.node`.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from holdfast.settings.flows import Connection, Outbound, Queue, Team

__all__ = [
    "OPEN_SECTIONS",
    "Bands",
    "Ledger",
    "Limits",
    "Package",
    "Runtime",
    "Server",
    "Settings",
    "Storage",
    "Tiers",
    "Triage",
    "Trust",
    "Weights",
]


class Server(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the node listens, and how long it waits for a client."""

    host: Annotated[
        str,
        Meta(
            description="Address to listen on. Another than loopback needs a token (`holdfast token create`) and TLS: "
            "`tls_certificate` and `tls_key`, or `tls_elsewhere`."
        ),
    ] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="TCP port; 0 takes a free one and logs it.")] = 8470
    hosts: Annotated[
        tuple[str, ...],
        Meta(description="Names, besides loopback literals, that the Host header of a request may carry."),
    ] = ()
    origins: Annotated[
        tuple[str, ...],
        Meta(
            description="Other web origins (`http://wall.example:3000`) whose pages may send state-changing requests."
        ),
    ] = ()
    tls_certificate: Annotated[
        str, Meta(description="PEM file with the node's certificate and its chain; empty: plain HTTP.")
    ] = ""
    tls_key: Annotated[
        str, Meta(description="PEM file with the key of `tls_certificate`, readable by the node only.")
    ] = ""
    tls_client_ca: Annotated[
        str,
        Meta(
            description="PEM file of authorities, with their revocation lists if they have any, whose client "
            "certificates stand for a token."
        ),
    ] = ""
    tls_clients: Annotated[
        dict[str, Literal["viewer", "operator", "approver", "admin"]],
        Meta(description="Name in a client certificate (`helpdesk.lan`) and what its owner may; others need a token."),
    ] = msgspec.field(default_factory=dict)
    tls_elsewhere: Annotated[
        bool,
        Meta(
            description="TLS ends at a proxy in front of the node, on a network nobody else can listen to: then plain "
            "HTTP is accepted on other addresses than loopback."
        ),
    ] = False
    connections: Annotated[
        int, Meta(ge=8, le=65535, description="Open connections at most; more are answered 503 and closed.")
    ] = 1024
    header_timeout_s: Annotated[
        float, Meta(gt=0, le=300, description="A client must have sent the whole request head after this long.")
    ] = 10.0
    body_timeout_s: Annotated[
        float,
        Meta(
            gt=0,
            le=300,
            description="A client must have sent the whole body, or read what waits for it, after this long.",
        ),
    ] = 20.0
    keep_alive_s: Annotated[int, Meta(ge=1, le=3600, description="An idle connection is closed after this long.")] = 75
    drain_s: Annotated[
        float, Meta(gt=0, le=10, description="On SIGTERM, requests in flight get this long to be answered.")
    ] = 8.0


class Storage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the node keeps its state."""

    directory: Annotated[
        str,
        Meta(
            description="The one directory that holds all state. Empty: /var/lib/holdfast for root and services, "
            "$XDG_DATA_HOME/holdfast for a user."
        ),
    ] = ""
    package_quota_mib: Annotated[
        int, Meta(ge=16, description="Space installed packages may take; an install over it is refused.")
    ] = 4096


class Weights(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much each factor of the score counts; factors without evidence share their weight among the others."""

    model: Annotated[float, Meta(ge=0, le=10, description="Urgency as the model reads it.")] = 0.6
    deadline: Annotated[float, Meta(ge=0, le=10, description="How near the deadline is.")] = 0.2
    requester: Annotated[float, Meta(ge=0, le=10, description="Who asks: role and customer tier.")] = 0.15
    keywords: Annotated[float, Meta(ge=0, le=10, description="Words of outage and urgency.")] = 0.05


class Bands(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The lowest score of each priority; what is below P2 is P3."""

    p0: Annotated[float, Meta(ge=0, le=100, description="Lowest score of P0.")] = 90.0
    p1: Annotated[float, Meta(ge=0, le=100, description="Lowest score of P1.")] = 70.0
    p2: Annotated[float, Meta(ge=0, le=100, description="Lowest score of P2.")] = 40.0


class Triage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How tickets are scored."""

    package: Annotated[
        str, Meta(description="Name of the installed package that scores tickets; empty: the only active one.")
    ] = ""
    timezone: Annotated[str, Meta(description="IANA time zone of times in tickets that carry none.")] = "UTC"
    rules_file: Annotated[
        str,
        Meta(description="TOML file of rules; relative to the configuration file. Empty: no rules but built-in ones."),
    ] = ""
    minimum_confidence: Annotated[
        float,
        Meta(ge=-1, le=1, description="Below this confidence a route is `needs-triage`; -1: the package's own."),
    ] = -1.0
    languages: Annotated[tuple[str, ...], Meta(description="Languages of the built-in vocabulary of urgent words.")] = (
        "de",
        "en",
        "es",
        "fr",
        "it",
        "nl",
        "pt",
    )
    keywords: Annotated[
        dict[str, float],
        Meta(description="Phrases of your own and their weight, 0 to 1; 0 silences a built-in phrase."),
    ] = msgspec.field(default_factory=dict)
    roles: Annotated[
        dict[str, float],
        Meta(description="Requester role and its value, 0 to 1, compared without case; replaces the built-in table."),
    ] = msgspec.field(default_factory=dict)
    customer_tiers: Annotated[
        dict[str, float],
        Meta(description="Requester or customer tier and its value, 0 to 1; replaces the built-in table."),
    ] = msgspec.field(default_factory=dict)
    attachments: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="Share of the whole scale that the worst attached log adds on top; 0: none are read.",
        ),
    ] = 0.1
    similar: Annotated[
        int, Meta(ge=0, le=20, description="Earlier tickets that a decision names at most, as like this one; 0: none.")
    ] = 3
    similar_capacity: Annotated[
        int, Meta(ge=1, le=100_000, description="Latest tickets that can be found; 600 bytes of memory for each.")
    ] = 10_000
    weights: Weights = Weights()
    bands: Bands = Bands()


class Tiers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which tiers may answer, and when the node steps down."""

    highest: Annotated[Literal["full", "small", "rules"], Meta(description="The best tier that may answer.")] = "full"
    cascade: Annotated[
        bool | Literal["package"],
        Meta(description="Let n-grams answer alone where their margin is large: less CPU. `package`: its own default."),
    ] = "package"
    cooldown_s: Annotated[
        float, Meta(gt=0, le=3600, description="At most one transition for temperature or memory in this time.")
    ] = 60.0
    temperature_high_c: Annotated[float, Meta(ge=20, le=150, description="At or above it the full tier rests.")] = 80.0
    temperature_low_c: Annotated[float, Meta(ge=20, le=150, description="At or below it the full tier comes back.")] = (
        72.0
    )
    memory_low_mib: Annotated[int, Meta(ge=0, description="With less available memory the full tier rests.")] = 96
    memory_ok_mib: Annotated[
        int, Meta(ge=0, description="With this much available memory the full tier comes back.")
    ] = 256


class Runtime(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Model workers: how many, how much memory, how long to wait."""

    workers: Annotated[int, Meta(ge=1, le=16, description="Worker processes per model.")] = 1
    lanes: Annotated[
        int, Meta(ge=0, le=256, description="Requests a worker computes at the same time; 0: one per CPU core.")
    ] = 0
    max_waiting: Annotated[
        int, Meta(ge=0, le=4096, description="Requests that wait for a lane; the next is answered a tier lower.")
    ] = 32
    worker_memory_mib: Annotated[
        int, Meta(ge=64, description="A worker that grows beyond this is ended and started again.")
    ] = 512
    package_memory_mib: Annotated[
        int, Meta(ge=32, description="A package whose worker measures above this is refused at install.")
    ] = 512
    ready_timeout_s: Annotated[
        float, Meta(gt=0, le=600, description="A worker that is not ready after this long is ended.")
    ] = 10.0
    hang_s: Annotated[float, Meta(gt=0, le=600, description="A worker that is silent for this long is ended.")] = 2.0
    idle_unload_s: Annotated[
        float, Meta(ge=0, description="A model nobody asked for this long gives its memory back. 0: never.")
    ] = 0.0
    cache_texts: Annotated[
        int, Meta(ge=0, le=1_000_000, description="Texts whose embedding is remembered; 0: none.")
    ] = 2048


class Ledger(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The record of every decision."""

    audit: Annotated[
        Literal["required", "best-effort"],
        Meta(
            description="required: no answer without a record (503 when the disk is full). best-effort: answer anyway."
        ),
    ] = "required"
    retention_days: Annotated[
        int, Meta(ge=1, le=36500, description="Days a payload is kept, by the node's own age.")
    ] = 30
    reserve_mib: Annotated[
        int, Meta(ge=1, le=4096, description="Space set aside so that headers can be kept when the disk is full.")
    ] = 64
    anchor_file: Annotated[
        str, Meta(description="File that remembers the ledger's head; best on another disk. Empty: DATA/ledger.anchor.")
    ] = ""
    key_file: Annotated[
        str,
        Meta(description="File that holds the node's key; empty: DATA/node.key, or the systemd credential `node.key`."),
    ] = ""


class Trust(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be installed."""

    allow_unsigned: Annotated[
        bool, Meta(description="Accept packages nobody signed. They show as `unsigned` everywhere. For the demo.")
    ] = False


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a request may cost."""

    body_kib: Annotated[int, Meta(ge=1, le=1_048_576, description="Largest request body; above it: 413 at once.")] = (
        1024
    )
    depth: Annotated[int, Meta(ge=4, le=500, description="Deepest nesting of a JSON body.")] = 64
    answering: Annotated[
        int,
        Meta(ge=1, le=4096, description="Requests being answered at the same time; above it: 503 with Retry-After."),
    ] = 512
    operator: Annotated[
        int, Meta(ge=1, le=64, description="Dashboards and operator calls at the same time; above it: 503.")
    ] = 8
    deadline_ms: Annotated[int, Meta(ge=1, le=30_000, description="Time a request has when it names none.")] = 1000


class Package(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the operator decided about one package; kept over its upgrades and rollbacks."""

    variant: Annotated[
        str, Meta(description="Serve this variant of the full tier; empty: the one that measured best at install.")
    ] = ""
    overrides: Annotated[
        dict[str, float | bool | str],
        Meta(description="Values for defaults the package declares, inside the bounds it declares."),
    ] = {}


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of it."""

    server: Server = Server()
    data: Storage = Storage()
    triage: Triage = Triage()
    tiers: Tiers = Tiers()
    runtime: Runtime = Runtime()
    ledger: Ledger = Ledger()
    trust: Trust = Trust()
    limits: Limits = Limits()
    outbound: Outbound = Outbound()
    packages: dict[str, Package] = {}
    connections: dict[str, Connection] = {}
    teams: dict[str, Team] = {}
    queues: dict[str, Queue] = {}


OPEN_SECTIONS: dict[str, type[msgspec.Struct]] = {
    "packages": Package,
    "connections": Connection,
    "teams": Team,
    "queues": Queue,
}
"""Sections whose tables have names the operator chooses: `[connections.helpdesk]`."""
