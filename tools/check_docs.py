#!/usr/bin/env python3
"""Checks docs/status.md: each claim names what shows it, and all that it names exists.

The page holds tables whose header is `| claim | shown by |`. The second cell holds names in backquotes:

  `foo_test`, `e2e_foo`, `foo_fuzz`   a ctest name, or a file of that name in the checkout
  `Suite.Name`                        a GoogleTest case in the source
  `make target`                       a target of the Makefile (`make bench-foo`: a benchmark in bench/)
  `path/to/file`                      a file of the checkout
  `any other command with arguments`  taken as it stands

or the word open, where nothing shows the claim yet.

Usage: check_docs.py [CHECKOUT]
Prints one line a fault; exit code 1 if there is one.
"""

import pathlib
import re
import sys

SKIPPED = {"build", "var", ".git", "bench-results", "__pycache__"}
SOURCE = {".cc", ".h", ".py", ".sh", ".txt", ".cmake"}


class Checkout:
    """What the names in docs/status.md may refer to."""

    def __init__(self, root):
        self.root = root
        self.files = [path for path in root.rglob("*") if path.is_file() and not SKIPPED & set(path.relative_to(root).parts)]
        makefile = root / "Makefile"
        self.make_targets = set(re.findall(r"^([A-Za-z-]+):", makefile.read_text(), re.MULTILINE)) if makefile.exists() else set()
        self.test_names = {path.stem for path in self.files if path.suffix in (".cc", ".py", ".sh")}
        self.gtest_cases = set()
        for path in self.files:
            if path.name == "CMakeLists.txt":
                self.add_ctests_of(path.read_text())
            if path.name.endswith("_test.cc"):
                self.add_tests_of(path)

    def add_ctests_of(self, text):
        self.test_names |= set(re.findall(r"add_test\(\s*NAME\s+([\w.-]+)", text))
        # posthorn_e2e(start ...) makes e2e_start, house_test(layers ...) makes house_layers.
        self.test_names |= {f"e2e_{name}" for name in re.findall(r"^posthorn_e2e\((\w+)", text, re.MULTILINE)}
        self.test_names |= {f"house_{name}" for name in re.findall(r"^house(?:_program)?_test\((\w+)", text, re.MULTILINE)}

    def add_tests_of(self, path):
        folder = path.parent.relative_to(self.root)
        if folder.parts[:1] == ("src",):
            self.test_names.add("_".join(folder.parts[1:]) + "_test")
        self.gtest_cases |= {
            f"{suite}.{case}" for suite, case in re.findall(r"TEST(?:_F|_P)?\(\s*(\w+)\s*,\s*(\w+)\s*\)", path.read_text())
        }

    def has_benchmark(self, name):
        return any(path.parts[-2:] == ("bench", path.name) and path.stem in (name, f"{name}_bench") for path in self.files)

    def has_test(self, name):
        return name in self.test_names

    def has_make_target(self, target):
        if target.startswith("bench-"):
            return self.has_benchmark(target.removeprefix("bench-"))
        return target in self.make_targets

    def fault_of(self, name):
        """Why the backquoted `name` shows nothing; None if it is fine."""
        make = re.match(r"(?:\w+=\S+ )*make(?: ([\w-]+))?", name)
        if make:
            if make.group(1) and not self.has_make_target(make.group(1)):
                return f"there is no target '{make.group(1)}' in the Makefile (or no such benchmark in bench/)"
        elif re.fullmatch(r"[a-z0-9_]+", name):
            if not self.has_test(name):
                return f"there is no test '{name}'"
        elif re.fullmatch(r"[A-Z]\w*\.[A-Z]\w*", name):
            if name not in self.gtest_cases:
                return f"there is no test case '{name}'"
        elif re.fullmatch(r"[\w.-]+(/[\w.*-]+)+", name) and not name.startswith(tuple(SKIPPED)):
            if not list(self.root.glob(name)):
                return f"there is no file '{name}'"
        return None


def rows_of(text):
    """(line number, claim, shown by) of each row of the tables `| claim | shown by |`."""
    in_table = False
    for number, line in enumerate(text.splitlines(), 1):
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
        if not line.lstrip().startswith("|"):
            in_table = False
        elif [cell.lower() for cell in cells] == ["claim", "shown by"]:
            in_table = True
        elif in_table and not re.fullmatch(r"[\s|:-]+", line):
            yield number, cells[0], " | ".join(cells[1:])


def check_status(root):
    """All faults of docs/status.md as sentences, and the number of rows."""
    page = root / "docs" / "status.md"
    if not page.exists():
        return ["docs/status.md is missing"], 0
    checkout = Checkout(root)
    faults = []
    rows = list(rows_of(page.read_text()))
    for number, claim, shown_by in rows:
        names = re.findall(r"`([^`]+)`", shown_by)
        is_open = re.search(r"\bopen\b", re.sub(r"`(?!open`)[^`]*`", "", shown_by)) is not None
        if not claim:
            faults.append(f"docs/status.md:{number}: the row has no claim")
        if not names and not is_open:
            faults.append(f"docs/status.md:{number}: nothing shows this: name a test, benchmark or command, or write open")
        for name in names:
            fault = None if name == "open" else checkout.fault_of(name)
            if fault is not None:
                faults.append(f"docs/status.md:{number}: {fault}")
    if not rows:
        faults.append("docs/status.md has no row under a header | claim | shown by |")
    return faults, len(rows)


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent)
    faults, rows = check_status(root)
    for fault in faults:
        print(fault)
    if not faults:
        print(f"docs: {rows} rows of docs/status.md name what exists")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
