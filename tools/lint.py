#!/usr/bin/env python3
"""The lint: format, layers, status page, coroutine checks on all files, full clang-tidy on what changed.

What changed is what differs from the commit in .ci/last-linted-commit (all files if .clang-tidy changed since).
Without such a commit there is nothing to compare with: only the coroutine checks run, and it says so. --all takes every
file and, when nothing is found, records HEAD in that file.

A file that passed is remembered in build/tidy-cache under a hash of its text, of the project headers it includes, of
its compile command, of .clang-tidy and of the version of clang-tidy; so a second run takes seconds.

Usage: lint.py [--all] [--jobs N] [--build FOLDER]
Exit code 1 if anything is found.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
RECORD = ROOT / ".ci" / "last-linted-commit"
CACHE = ROOT / "build" / "tidy-cache"
CLANG_TIDY = "clang-tidy-19"
CLANG_FORMAT = "clang-format-19"

COROUTINE_CHECKS = (
    "-*,cppcoreguidelines-avoid-capturing-lambda-coroutines,cppcoreguidelines-avoid-reference-coroutine-parameters,"
    "cppcoreguidelines-no-suspend-with-lock,misc-coroutine-hostile-raii"
)
# The analyzer does not know coroutines and takes half a minute a file that includes Asio; on tests it finds nothing.
WITHOUT_ANALYZER = "-clang-analyzer-*"
FILE_SECONDS_MAX = 600

INCLUDE = re.compile(rb'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)
DIAGNOSTIC = re.compile(r"^(/[^:]+):\d+:\d+: (?:warning|error): ")


def git(*arguments):
    return subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True)


def tracked_sources():
    """All .cc and .h of the checkout, new ones included, ignored ones not."""
    listed = git("ls-files", "--cached", "--others", "--exclude-standard", "*.cc", "*.h").stdout.split()
    return sorted(name for name in set(listed) if (ROOT / name).exists())


# The project headers each file includes, directly and through others.
class Includes:
    def __init__(self, build):
        self.folders = [ROOT / "src", build]
        self.direct = {}

    def direct_of(self, path):
        if path not in self.direct:
            names = [name.decode() for name in INCLUDE.findall(path.read_bytes())]
            candidates = [[folder / name for folder in [path.parent, *self.folders]] for name in names]
            found = [next((path for path in paths if path.exists()), None) for paths in candidates]
            self.direct[path] = [path.resolve() for path in found if path is not None]
        return self.direct[path]

    def closure_of(self, path):
        seen, waiting = set(), [path]
        while waiting:
            for included in self.direct_of(waiting.pop()):
                if included not in seen:
                    seen.add(included)
                    waiting.append(included)
        return sorted(seen)


class Tidy:
    """Runs clang-tidy on files of one build folder, remembering what passed."""

    def __init__(self, build):
        self.build = build
        self.includes = Includes(build)
        commands = build / "compile_commands.json"
        if not commands.exists():
            sys.exit(f"lint.py: {commands} is missing; run 'make build' first")
        self.commands = {pathlib.Path(row["file"]).resolve(): row["command"] for row in json.loads(commands.read_text())}
        version = subprocess.run([CLANG_TIDY, "--version"], capture_output=True, text=True, check=True).stdout
        self.common = hashlib.sha256(version.encode() + (ROOT / ".clang-tidy").read_bytes()).digest()
        CACHE.mkdir(parents=True, exist_ok=True)

    def marker(self, path, kind):
        """The file whose presence says that `path`, as it is now, passed the checks of `kind`."""
        digest = hashlib.sha256(self.common + self.commands[path].replace(str(ROOT), "").encode())
        for part in [path, *self.includes.closure_of(path)]:
            digest.update(hashlib.sha256(part.read_bytes()).digest())
        return CACHE / f"{digest.hexdigest()[:40]}-{kind}"

    def passed(self, path, kind):
        if self.marker(path, "full").exists():
            return True
        return kind == "coroutine" and self.marker(path, "coroutine").exists()

    def analyzer_is_lost_on(self, path):
        is_test = path.name.endswith(("_test.cc", "_fuzz.cc"))
        return is_test or ROOT / "src" / "async" / "asio.h" in self.includes.closure_of(path)

    def check(self, path, kind):
        """Runs the checks of `kind` on one file: what was found (empty: nothing), and the seconds it took."""
        marker = self.marker(path, kind)
        command = [CLANG_TIDY, "-p", self.build, "--quiet"]
        if kind == "coroutine":
            command.append(f"--checks={COROUTINE_CHECKS}")
        elif self.analyzer_is_lost_on(path):
            command.append(f"--checks={WITHOUT_ANALYZER}")
        started = time.monotonic()
        try:
            run = subprocess.run([*command, path], capture_output=True, text=True, timeout=FILE_SECONDS_MAX)
            found = own_diagnostics(run.stdout)
            if not found and run.returncode != 0 and not DIAGNOSTIC.search(run.stdout):
                found = run.stdout + run.stderr  # clang-tidy itself failed: say so, do not count it as a pass.
        except subprocess.TimeoutExpired:
            found = f"{path}: {CLANG_TIDY} took more than {FILE_SECONDS_MAX} s\n"
        if not found:
            marker.touch()
        return found, time.monotonic() - started


def own_diagnostics(output):
    """The diagnostics located in the checkout. The analyzer reports some inside Asio's headers, where nobody can act."""
    blocks = re.split(r"(?m)^(?=/[^:\n]+:\d+:\d+: (?:warning|error): )", output)
    return "".join(block for block in blocks if DIAGNOSTIC.match(block) and block.startswith(f"{ROOT}/"))


def check_format(sources):
    run = subprocess.run([CLANG_FORMAT, "--dry-run", "-Werror", *sources], cwd=ROOT, capture_output=True, text=True)
    if run.returncode == 0:
        print(f"format: {len(sources)} files are formatted")
        return True
    unformatted = sorted(set(re.findall(r"(?m)^(\S+?):\d+:\d+: error: code should be clang-formatted", run.stderr)))
    print("\n".join(unformatted) if unformatted else run.stderr)
    print(f"format: {len(unformatted)} of {len(sources)} files are not formatted; run 'make format'")
    return False


def check_with(tool):
    return subprocess.run([sys.executable, ROOT / "tools" / tool]).returncode == 0


def changed_sources(sources, tidy, everything):
    """The .cc files that the full clang-tidy takes, and why."""
    units = [ROOT / name for name in sources if name.endswith(".cc")]
    if everything:
        return units, "asked for"
    commit = RECORD.read_text().strip() if RECORD.exists() else ""
    if not re.fullmatch(r"[0-9a-f]{40}", commit) or git("cat-file", "-e", f"{commit}^{{commit}}").returncode != 0:
        return [], "NONE HAS BEEN FULLY LINTED YET: run `make lint-all`, mend what it finds, commit .ci/last-linted-commit"
    differing = set(git("diff", "--name-only", commit).stdout.split())
    differing |= set(git("ls-files", "--others", "--exclude-standard").stdout.split())
    if ".clang-tidy" in differing:
        return units, ".clang-tidy changed"
    chosen = {ROOT / name for name in differing if name in sources and name.endswith(".cc")}
    for name in differing & set(sources):
        if name.endswith(".h"):
            chosen |= unit_that_shows(ROOT / name, units, tidy)
    return sorted(chosen), f"differ from {commit[:10]}"


def unit_that_shows(header, units, tidy):
    """The file through which clang-tidy sees `header`: its own .cc, else its test, else the first that includes it."""
    for candidate in (header.with_suffix(".cc"), header.with_name(header.stem + "_test.cc")):
        if candidate in tidy.commands:
            return {candidate}
    return set([unit for unit in units if unit in tidy.commands and header in tidy.includes.closure_of(unit)][:1])


def run_tidy(tidy, work, jobs):
    """Runs (kind, path) pairs in parallel, printing progress and what is found. Returns the paths with findings."""
    waiting = [(kind, path) for kind, path in work if not tidy.passed(path, kind)]
    print(f"clang-tidy: {len(work)} runs, {len(work) - len(waiting)} of them remembered, {jobs} at a time", flush=True)
    bad = []
    seconds_of = {"full": [], "coroutine": []}
    last_line = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        futures = {pool.submit(tidy.check, path, kind): (kind, path) for kind, path in waiting}
        for done, future in enumerate(concurrent.futures.as_completed(futures), 1):
            kind, path = futures[future]
            found, seconds = future.result()
            seconds_of[kind].append(seconds)
            if found:
                bad.append(path)
                print(found.rstrip(), flush=True)
            if time.monotonic() - last_line > 10 or done == len(waiting):
                last_line = time.monotonic()
                print(f"  {done}/{len(waiting)} {path.relative_to(ROOT)}", flush=True)
    for kind, seconds in seconds_of.items():
        if seconds:
            print(f"  {kind}: {len(seconds)} files, {sum(seconds) / len(seconds):.1f} s a file")
    return bad


def record_head():
    changed = git("status", "--porcelain", "--", "*.cc", "*.h", ".clang-tidy", "*.cmake", "*CMakeLists.txt").stdout.strip()
    if changed:
        print("not recorded: the checkout has uncommitted changes, so what was linted is no commit")
        return
    commit = git("rev-parse", "HEAD").stdout.strip()
    RECORD.write_text(commit + "\n")
    print(f"recorded {commit[:10]} in .ci/last-linted-commit")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="full clang-tidy on every file; record HEAD when nothing is found")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release")
    arguments = parser.parse_args()
    started = time.monotonic()

    sources = tracked_sources()
    tidy = Tidy(arguments.build.resolve())
    failed = []
    if not check_format(sources):
        failed.append("format")
    if not check_with("check_layers.py"):
        failed.append("layers")
    if not check_with("check_docs.py"):
        failed.append("docs")

    units = [ROOT / name for name in sources if name.endswith(".cc")]
    unbuilt = [unit for unit in units if unit not in tidy.commands]
    for unit in unbuilt:
        print(f"clang-tidy: skipped {unit.relative_to(ROOT)}: build/release does not build it")
    full, why = changed_sources(sources, tidy, arguments.all)
    full = [unit for unit in full if unit in tidy.commands]
    rest = [unit for unit in units if unit in tidy.commands and unit not in set(full)]
    print(f"clang-tidy: all checks on {len(full)} files ({why}), the coroutine checks on {len(rest)} more")
    bad = run_tidy(tidy, [("full", unit) for unit in full] + [("coroutine", unit) for unit in rest], arguments.jobs)
    if bad:
        failed.append(f"clang-tidy ({len(bad)} files)")

    took = time.monotonic() - started
    if failed:
        print(f"lint: FAILED in {took:.0f} s: {', '.join(failed)}")
        return 1
    if arguments.all:
        record_head()
    print(f"lint: nothing found in {took:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
