"""Attack this machine's own build for some minutes: ten million hostile datagrams, then long fuzzing.

    python3 scripts/hostile.py [MILLIONS] [FUZZ_SECONDS]

`make test` runs the short forms of both. What a run found is printed with the seed of its edits
(HEADWATER_FUZZ_SEED). The call beside the datagrams is judged too: give it a machine with time for both.
"""

import os
import sys

from house import build, console


def main() -> None:
    """Build, then attack."""
    millions, seconds = (sys.argv[1:] + ["10", "300"][len(sys.argv) - 1 :])[:2]
    if not (millions.isdigit() and seconds.isdigit()):
        sys.exit(__doc__)
    # Two tests share the datagrams: one at one media thread, one at four.
    os.environ["HEADWATER_HOSTILE_DATAGRAMS"] = str(int(millions) * 500_000)
    os.environ["HEADWATER_FUZZ_SECONDS"] = seconds
    cargo = ["cargo", "test", "--workspace", "--exclude", "headwater-py"]
    try:
        build.ensure_compiler()
        with console.stage(f"{millions} million hostile datagrams"):
            console.run([*cargo, "--test", "hostile_datagrams", "--", "--nocapture", "--test-threads=1"])
        with console.stage(f"fuzzing for {seconds} s"):
            console.run([*cargo, "--test", "fuzz", "--", "--nocapture"])
    except console.CommandFailed as failure:
        console.give_up(str(failure), "the lines above name the seed that repeats it")


if __name__ == "__main__":
    main()
