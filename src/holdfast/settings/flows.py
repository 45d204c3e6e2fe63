"""Settings of what flows in and out: connections to trackers, teams, queues, the way out."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

__all__ = ["Connection", "Outbound", "Queue", "Team"]


class Connection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One tracker: its deliveries come to `/v1/hooks/NAME`, decisions go back to it."""

    dialect: Annotated[
        Literal["tasking-space", "github", "gitea", "gitlab", "jira", "zammad", "otobo", "alertmanager", "generic"],
        Meta(description="Which kind of tracker it is."),
    ] = "generic"
    secret_files: Annotated[
        tuple[str, ...],
        Meta(
            max_length=2,
            description="Files with the secret deliveries are signed with; two while one replaces the other.",
        ),
    ] = ()
    team: Annotated[str, Meta(description="Team whose package and rules score its tasks; empty: by the ticket.")] = ""
    mode: Annotated[
        Literal["write", "shadow", "reply"],
        Meta(
            description="write: score, record and write back. shadow: score and record only. "
            "reply: the answer to the delivery is all the tracker needs."
        ),
    ] = "write"
    base_url: Annotated[str, Meta(description="Where the tracker's API is; empty: nothing is written back.")] = ""
    token_file: Annotated[str, Meta(description="File with the token (or `user:password`) for its API.")] = ""
    account: Annotated[
        str, Meta(description="The tracker account of that token: its changes are our own, never a person's.")
    ] = ""
    project: Annotated[
        str, Meta(description="What to list when tasks were missed: `owner/repo`, a project key, a group.")
    ] = ""
    priorities: Annotated[
        dict[str, str], Meta(description="P0 to P3 in the tracker's own words; empty: the dialect's own table.")
    ] = msgspec.field(default_factory=dict)
    unset_priorities: Annotated[
        tuple[str, ...],
        Meta(description="Priorities the tracker sets by itself: a task that has one was not judged by a person."),
    ] = ()
    label_prefix: Annotated[
        str,
        Meta(
            min_length=1,
            description="Prefix of the labels that carry the priority, where the tracker has no field for it.",
        ),
    ] = "priority/"
    write_route: Annotated[bool, Meta(description="Write the route too (a label or group), not only the priority.")] = (
        True
    )
    routes: Annotated[
        dict[str, str],
        Meta(
            description="Route to the tracker's own label or group. A route that is not named here is not written, "
            "or as `needs-triage` where that is named."
        ),
    ] = msgspec.field(default_factory=dict)
    reprocess: Annotated[
        bool, Meta(description="Score again, once the full tier is back, what a lower tier had to answer.")
    ] = True
    backfill_days: Annotated[
        int,
        Meta(ge=0, le=365, description="After an absence, ask for tasks missed in at most this many days; 0: never."),
    ] = 7
    backfill_every_s: Annotated[
        int,
        Meta(
            ge=5,
            le=86_400,
            description="Pause between two askings for missed tasks; at the start and after a reload it asks at once.",
        ),
    ] = 600
    tolerance_s: Annotated[
        int, Meta(ge=1, le=86_400, description="A delivery's time stamp may be this far from the node's clock.")
    ] = 300


class Team(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """People with a package and rules of their own on this node."""

    package: Annotated[
        str, Meta(description="Installed package that scores their tickets; empty: `triage.package`.")
    ] = ""
    rules_file: Annotated[str, Meta(description="Their rules; empty: those of `triage`.")] = ""
    weights: Annotated[
        dict[Literal["model", "deadline", "requester", "keywords"], Annotated[float, Meta(ge=0, le=1)]],
        Meta(description="Weights of the factors where theirs differ from `triage.weights`; together they sum to 1."),
    ] = msgspec.field(default_factory=dict)
    labels: Annotated[
        tuple[str, ...],
        Meta(
            description="A ticket with one of these labels is theirs, if neither connection nor metadata name a team."
        ),
    ] = ()


class Queue(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits of one job queue."""

    lanes: Annotated[int, Meta(ge=1, le=32, description="Jobs of it that run at the same time.")] = 2
    max_waiting: Annotated[
        int, Meta(ge=1, le=10_000_000, description="Jobs that may wait in it; the next is refused.")
    ] = 100_000
    max_attempts: Annotated[
        int, Meta(ge=1, le=1000, description="Failed runs after which a job becomes a dead letter.")
    ] = 12
    lease_s: Annotated[
        float, Meta(ge=1, le=86_400, description="A run that takes longer has lost its job to the next one.")
    ] = 120.0
    backoff_s: Annotated[float, Meta(gt=0, le=3600, description="Pause after the first failure; it doubles.")] = 1.0
    backoff_most_s: Annotated[float, Meta(gt=0, le=86_400, description="Longest pause between two runs.")] = 600.0


class Outbound(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The one way out. Hosts of `connections.*.base_url` are allowed without being named here."""

    allow: Annotated[
        tuple[str, ...],
        Meta(description="Further hosts the node may talk to: `name` (ports 80 and 443) or `name:port`."),
    ] = ()
    proxy: Annotated[str, Meta(description="URL of an HTTP proxy all of it goes through; empty: none.")] = ""
    ca_file: Annotated[
        str, Meta(description="PEM file of certificate authorities trusted besides the system's own.")
    ] = ""
    connect_timeout_s: Annotated[float, Meta(gt=0, le=300, description="Time to reach the other side.")] = 5.0
    timeout_s: Annotated[float, Meta(gt=0, le=600, description="Time one exchange may take in all.")] = 20.0
    response_kib: Annotated[int, Meta(ge=1, le=1_048_576, description="Largest answer that is read.")] = 4096
    requests_per_minute: Annotated[
        int, Meta(ge=1, le=1_000_000, description="Requests to one host at most in a minute.")
    ] = 600
    mib_per_day: Annotated[
        int, Meta(ge=1, le=10_000_000, description="Bytes sent and received in a day at most, all hosts together.")
    ] = 1024
