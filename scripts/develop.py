"""Rebuild what is compiled, when its sources changed: the core and the web application."""

from house import build, console


def main() -> None:
    """Build."""
    try:
        build.ensure("run")
    except console.CommandFailed as failure:
        console.give_up(str(failure), "read the lines above, mend the cause, then try again")


if __name__ == "__main__":
    main()
