"""Check what we depend on: `licences` (and bans) or `advisories`.

Runs inside the virtual environment: it reads the installed packages' metadata.
"""

import sys

from house import advisories, licences


def main() -> None:
    """Run one check and print every finding."""
    verbs = {"licences": licences.findings, "advisories": advisories.findings}
    if len(sys.argv) != 2 or sys.argv[1] not in verbs:
        sys.exit(f"usage: policy.py {'|'.join(verbs)}")
    report = verbs[sys.argv[1]]()
    for line in report.findings:
        print(line)
    print(f"{sys.argv[1]}: {report.compared} compared, {len(report.findings)} findings")
    sys.exit(1 if report.findings or not report.compared else 0)


if __name__ == "__main__":
    main()
