#!/usr/bin/env python3
"""docs/operations.md says of every event that the program logs as a warning or an error what it means."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def events():
    """Event names, each with a place where it is logged."""
    found = {}
    for path in sorted((ROOT / "src").rglob("*.cc")):
        if path.stem.endswith(("_test", "_fuzz")):
            continue
        for match in re.finditer(r'\bLog(?:Warning|Error)\(\s*"([a-z_]+)"', path.read_text()):
            found.setdefault(match.group(1), path.relative_to(ROOT))
    return found


def main():
    page = (ROOT / "docs/operations.md").read_text()
    found = events()
    missing = {event: path for event, path in found.items() if f"`{event}`" not in page}
    for event, path in missing.items():
        print(f"docs/operations.md, \"What the log says\", lacks {event} ({path})")
    if len(found) < 20:
        print(f"only {len(found)} events found: this test reads the sources wrongly")
        return 1
    if not missing:
        print(f"docs/operations.md explains {len(found)} events")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
