"""Rewrite Python and Rust sources the way the checks want them."""

from house import console, paths


def main() -> None:
    """Run the formatters."""
    ruff = str(paths.BIN / "ruff")
    console.run([ruff, "check", "--fix-only", "--quiet", "."])
    console.run([ruff, "format", "--quiet", "."])
    console.run(["cargo", "fmt", "--all"])


if __name__ == "__main__":
    main()
