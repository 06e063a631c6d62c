"""The ``headwater`` command. One file per subcommand, imported when it is used.

A mistake of the caller ends in one line that says what to do, and exit code 2; a failure of the
node in one line and exit code 1. A traceback means a bug of ours.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import cyclopts
from rich.console import Console

from headwater.errors import ConfigurationError, HeadwaterError

__all__ = ["app", "main"]


def _version() -> str:
    from headwater.version import package_version

    return package_version()


app = cyclopts.App(
    name="headwater",
    help="A real-time media server: calls, live shows, phone bridges and voice agents.",
    version=_version,
)
app.command("headwater.cli.serve:serve", name="serve", help="Run a node.")
app.command("headwater.cli.token:token", name="token", help="Print a token for a room.")
app.command("headwater.cli.config:config", name="config", help="Print the settings in force.")
app.command("headwater.cli.db:app", name="db", help="Bring the tables of a database up to date.")
app.command("headwater.cli.doctor:doctor", name="doctor", help="Check this machine and say what to fix.")
app.command("headwater.cli.top:top", name="top", help="Show a running node, renewed each second.")
app.command("headwater.cli.replay:replay", name="replay", help="Take recorded media decisions again.")
app.command("headwater.cli.bench:app", name="bench", help="Measure the node on this machine.")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    Args:
        arguments: What stands after the program's name; default: the process's own.
    """
    try:
        app(sys.argv[1:] if arguments is None else arguments)
    except ConfigurationError as error:
        _fail(error, 2)
    except HeadwaterError as error:
        _fail(error, 1)
    except BrokenPipeError:  # `headwater config | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _fail(error: HeadwaterError, code: int) -> None:
    Console(stderr=True, emoji=False).print(
        f"headwater: {error}", style="bold red", highlight=False, soft_wrap=True, markup=False
    )
    sys.exit(code)
