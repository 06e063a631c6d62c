"""Start Headwater on this machine: install and build what is missing, then `headwater serve --dev`.

The server replaces this process, so a signal sent to `make run` reaches it directly.
"""

import os
import sys

from house import build, console, paths


def main() -> None:
    """Prepare, then become the server."""
    try:
        build.ensure("run")
    except console.CommandFailed as failure:
        console.give_up(str(failure), "read the lines above, mend the cause, then type make run again")
    command = str(paths.BIN / "headwater")
    os.execve(command, [command, "serve", "--dev", *sys.argv[1:]], paths.tool_environment())


if __name__ == "__main__":
    main()
