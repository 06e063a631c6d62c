"""The web application: its locked packages and its build into the Python package."""

from pathlib import Path

from house import console, paths, stamps


def install(npm: Path | None = None) -> None:
    """Install the locked npm packages when they changed.

    Args:
        npm: The npm to use; the virtual environment's by default.
    """
    stamps.once(
        "node-modules",
        lambda: npm_run(["ci", "--no-audit", "--no-fund", "--loglevel=error"], npm),
        inputs=[paths.WEB / "package-lock.json", paths.WEB / "package.json"],
        outputs=[paths.WEB / "node_modules" / ".package-lock.json"],
    )


def build(npm: Path | None = None) -> None:
    """Write the application to `python/headwater/_web/`.

    Args:
        npm: The npm to use; the virtual environment's by default.
    """
    npm_run(["run", "--silent", "build"], npm)


def npm_run(arguments: list[str], npm: Path | None = None) -> None:
    """Run npm in web/."""
    console.run([npm or paths.BIN / "npm", *arguments], cwd=paths.WEB)
