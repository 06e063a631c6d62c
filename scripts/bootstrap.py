"""Install and build all that `make run` and `make test` need, and run nothing."""

from house import build, console, needs


def main() -> None:
    """Prepare the checkout."""
    try:
        with console.stage("system packages for the tests"):
            needs.ensure()
        build.ensure_compiler()
        build.ensure("test")
    except console.CommandFailed as failure:
        console.give_up(str(failure), "read the lines above, mend the cause, then try again")


if __name__ == "__main__":
    main()
