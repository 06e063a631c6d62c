"""Build the release wheel, with the web application inside, into dist/."""

from house import build, console, paths, venv


def main() -> None:
    """Prepare the tools, then build."""
    try:
        venv.ensure("run")
        build.ensure_compiler()
        with console.stage("wheel (an optimised build takes some minutes)"):
            uv = str(paths.BIN / "uv")
            console.run(
                [uv, "build", "--wheel", "--no-build-isolation", "--python", paths.PYTHON, "-o", "dist", "."]
            )
    except console.CommandFailed as failure:
        console.give_up(str(failure), "read the lines above, mend the cause, then type make wheel again")


if __name__ == "__main__":
    main()
