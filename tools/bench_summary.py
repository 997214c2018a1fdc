#!/usr/bin/env python3
"""Lists the bars that the newest results in bench-results/NAME.jsonl do not hold. Exit code 1 if there is one.

Usage: bench_summary.py [--results FOLDER] [NAME ...]
"""

import argparse
import json
import pathlib
import sys

KEYS = ("bench", "case", "metric", "value", "unit", "peer", "peer_value", "ratio", "bar", "holds", "runs", "machine")


def read_results(path):
    """The last line of each (case, metric) in one file; a malformed line ends the program with its place."""
    newest = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            sys.exit(f"{path}:{number}: not JSON: {error}")
        missing = [key for key in KEYS if key not in row]
        if missing:
            sys.exit(f"{path}:{number}: lacks {', '.join(missing)}")
        newest[row["case"], row["metric"]] = row
    return list(newest.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", default="bench-results", type=pathlib.Path)
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    names = arguments.names or sorted(path.stem for path in arguments.results.glob("*.jsonl"))
    rows = []
    for name in names:
        path = arguments.results / f"{name}.jsonl"
        if not path.exists():
            sys.exit(f"{path} is missing: the benchmark '{name}' wrote no results")
        rows += read_results(path)
    with_bar = [row for row in rows if row["bar"] is not None]
    broken = [row for row in with_bar if not row["holds"]]
    print(f"{len(with_bar) - len(broken)} of {len(with_bar)} bars hold")
    for row in broken:
        measured = f"{row['value']} {row['unit']}" if row["ratio"] is None else f"ratio {row['ratio']} to {row['peer']}"
        print(f"  does not hold: {row['bench']}/{row['case']} {row['metric']}: {measured}, bar {row['bar']}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
