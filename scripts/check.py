"""Run the linters and policies alone; ends with the same summary line as `make test`."""

import sys

from house import build, checks, console, web
from house.ledger import Ledger


def main() -> None:
    """Prepare, run every check, report."""
    try:
        build.ensure_compiler()
        build.ensure("test")
        web.install()
    except console.CommandFailed as failure:
        console.give_up(str(failure), "read the lines above, mend the cause, then try again")
    ledger = Ledger()
    for name, check in checks.ALL:
        ledger.stage(name, check)
    sys.exit(ledger.report())


if __name__ == "__main__":
    main()
