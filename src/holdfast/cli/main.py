"""The command `holdfast`: its commands, its common options, and the one place where errors become exit codes."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from holdfast import __version__
from holdfast.cli.exits import Exit, exit_code
from holdfast.cli.invocation import Invocation, OwnerError
from holdfast.errors import HoldfastError, kinds_of

__all__ = ["COMMANDS", "LazyGroup", "main"]

_INTERRUPTED = 130  # what a shell reports for a command that SIGINT ended

# name -> (module:attribute, one line for the list): nothing is imported until a command runs, so that `holdfast --help`
# costs a tenth of a second on a small board.
COMMANDS: Mapping[str, tuple[str, str]] = {
    "init": ("holdfast.cli.init:init", "Write a commented configuration file."),
    "serve": ("holdfast.cli.serve:serve", "Start the node and answer until SIGTERM."),
    "demo": ("holdfast.cli.demo:demo", "Score bundled tickets on a node of its own."),
    "bench": ("holdfast.cli.bench:bench", "Replay your own tickets and compare with the last run."),
    "status": ("holdfast.cli.status:status", "Say how the node is, in plain words."),
    "tiers": ("holdfast.cli.tiers:tiers", "Which tiers can answer, and what changed when."),
    "package": ("holdfast.cli.package:package", "Look into packages, and change which of them is served."),
    "triage": ("holdfast.cli.triage_group:triage", "Train, score, replay."),
    "ledger": ("holdfast.cli.ledger:ledger", "Show, verify, export and erase what was recorded."),
    "outbound": ("holdfast.cli.outbound:outbound", "Whom the node talks to, and how that goes."),
    "token": ("holdfast.cli.token:token", "Make, list and revoke what callers over the network need."),
    "jobs": ("holdfast.cli.jobs:jobs", "What waits to be done, what was given up, and what to do about it."),
    "connections": ("holdfast.cli.connections:connections", "The trackers the node speaks with."),
    "config": ("holdfast.cli.config:config", "Check, show and reload the configuration."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called. `table`: see COMMANDS."""

    def __init__(self, *, name: str, table: Mapping[str, tuple[str, str]], help: str) -> None:  # noqa: A002  # click's word
        super().__init__(name=name, help=help)
        self._table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """See click.Group."""
        del ctx
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """See click.Group."""
        del ctx
        if cmd_name not in self._table:
            return None
        module, _, attribute = self._table[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table, importing none of them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self._table.items()])


def _group() -> LazyGroup:
    group = LazyGroup(
        name="holdfast",
        table=COMMANDS,
        help="Offline-first edge AI: one node, signed packages, three tiers, no network needed.\n\n"
        "Example: holdfast --data ./state serve --port 8470",
    )
    group.params += [
        click.Option(
            ["--config"],
            type=click.Path(path_type=Path),
            help="Configuration file. Default: /etc/holdfast/holdfast.toml; ./holdfast.toml for a user.",
        ),
        click.Option(
            ["--data"],
            type=click.Path(path_type=Path),
            help="Data directory. Default: /var/lib/holdfast or XDG data home.",
        ),
        click.Option(
            ["--version"],
            is_flag=True,
            expose_value=False,
            is_eager=True,
            callback=_print_version,
            help="Show the version and exit.",
        ),
    ]
    group.callback = _remember
    return group


def _print_version(ctx: click.Context, _option: click.Parameter, value: bool) -> None:  # noqa: FBT001  # click's signature
    if value:
        click.echo(f"holdfast {__version__}")
        ctx.exit()


def _remember(config: Path | None, data: Path | None) -> None:
    click.get_current_context().obj = Invocation(config, data)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code; every error is one line on stderr."""
    # Read when numpy is loaded: a ticket's small products on two threads cost seven times the CPU, and their last bits
    # would depend on the number of cores.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    stdout = sys.stdout
    try:
        result = _group().main(arguments, prog_name="holdfast", standalone_mode=False)
        sys.stdout.flush()  # here, where a reader that went away is no error
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "")
        return Exit.OK
    except BrokenPipeError:
        return _unheard()
    except SystemExit:
        if sys.stdout is not stdout:  # click replaces it before it ends on a broken pipe
            return _unheard()
        raise
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  # rim: a bug must end in one line and a code, too
        return _failed(error)
    return result if isinstance(result, int) else Exit.OK


def _unheard() -> int:
    """The reader (`| head`) went away: nobody is left to complain to, and Python must not try to flush again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return Exit.OK


def _failed(error: BaseException) -> int:
    """Say what went wrong and choose the exit code."""
    if isinstance(error, KeyboardInterrupt):
        return _say("interrupted", _INTERRUPTED)
    if isinstance(error, click.ClickException | click.Abort):
        return _say(_click_sentence(error), Exit.USAGE)
    if isinstance(error, OwnerError):
        return _say(str(error), exit_code(error.kinds))
    if isinstance(error, HoldfastError):
        return _say(str(error), exit_code(kinds_of(error)))
    if isinstance(error, OSError):
        return _say(f"{error.filename or 'input or output'}: {error.strerror or error}", exit_code(kinds_of(error)))
    if os.environ.get("HOLDFAST_TRACEBACK"):
        raise error
    return _say(
        f"internal error, {type(error).__name__}: {error}; run again with HOLDFAST_TRACEBACK=1 and report it",
        Exit.INTERNAL,
    )


def _click_sentence(error: click.ClickException | click.Abort) -> str:
    if isinstance(error, click.Abort):
        return "stopped"
    if isinstance(error, click.UsageError) and error.ctx is not None:
        return f"{error.format_message()} Try '{error.ctx.command_path} --help'."
    return error.format_message()


def _say(sentence: str, code: int) -> int:
    click.echo("holdfast: " + " ".join(sentence.split()), err=True)
    return code
