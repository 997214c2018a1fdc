#!/usr/bin/env python3
"""The planted faults of test/mutants: each must be caught by a test.

The sources are copied to build/mutants, the tests built there once and run: they must pass. Then each patch is
applied, its tests are built and run until one fails, and the patch is taken back. A patch (`git diff` below a header) is caught if a test
fails, crashes or takes more than TEST_SECONDS_MAX. docs/testing.md says how to write one; its header:

  one or two sentences: what is wrong, and which promise it breaks
  Try: FILTER        tests to run first (a GoogleTest filter); all others follow only if these pass
  Tests: NAME ...    the test binaries to build and run, mffs_test unless given

Usage: mutants.py [--only NAME]... [--jobs N] [--list]
Exit code 1 if a patch survives, does not apply or does not compile, or if a test fails without any.
"""

import argparse
import dataclasses
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

ROOT = pathlib.Path(__file__).resolve().parent.parent
PATCHES = ROOT / "test" / "mutants"
TREE = ROOT / "build" / "mutants"
# As deep in its tree as the build of `make build` is in the checkout: ccache finds what that one compiled.
BUILD = TREE / "build" / "release"
BINARIES = TREE / "build" / "binaries"
TESTS = ["mffs_test"]
TEST_SECONDS_MAX = 600
# Compares every byte that is written with an earlier version's: it fails with most changes, harmful or not.
NOT_RUN = "Golden.TheSameWorkWritesTheSameBytes"
FAILED = re.compile(r"^\[  FAILED  \] ([^\s,]+)", re.MULTILINE)
RUNNING = re.compile(r"^\[ RUN      \] (\S+)", re.MULTILINE)


@dataclasses.dataclass
class Mutant:
    name: str
    path: pathlib.Path
    meaning: str
    first: str  # A GoogleTest filter, or nothing.
    tests: list
    files: list


@dataclasses.dataclass
class Outcome:
    name: str
    is_caught: bool
    what: str
    seconds: float


class Trouble(Exception):
    """The mutant cannot be tried; says why."""


def read_mutant(path):
    header, _, diff = path.read_text().partition("diff --git ")
    fields, sentences = {}, []
    for line in header.splitlines():
        match = re.match(r"(Try|Tests): (.*)", line)
        if match:
            fields[match[1]] = match[2].strip()
        else:
            sentences.append(line.strip())
    files = re.findall(r"^\+\+\+ b/(.*)$", diff, re.MULTILINE)
    meaning = " ".join(filter(None, sentences))
    if not meaning or not files:
        sys.exit(f"{path.relative_to(ROOT)}: a mutant needs a sentence that says what is wrong, and a diff")
    return Mutant(path.stem, path, meaning, fields.get("Try", ""), fields.get("Tests", "").split() or TESTS, files)


def chosen_mutants(only):
    paths = {path.stem: path for path in sorted(PATCHES.glob("*.patch"))}
    for name in only:
        if name not in paths:
            sys.exit(f"there is no test/mutants/{name}.patch")
    return [read_mutant(paths[name]) for name in paths if not only or name in only]


# --- The tree ---


def copy_if_other(source, target):
    """Untouched files keep their time, so that ninja builds only what changed."""
    text = source.read_bytes()
    if target.exists() and target.read_bytes() == text:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(text)
    shutil.copymode(source, target)


def copy_sources():
    """All files of the checkout, new ones included, ignored ones not."""
    list_files = ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(list_files, capture_output=True, check=True).stdout
    names = {name for name in os.fsdecode(listed).split("\0") if name and (ROOT / name).is_file()}
    for name in names:
        copy_if_other(ROOT / name, TREE / name)
    for path in TREE.rglob("*"):
        relative = path.relative_to(TREE)
        if relative.parts[0] != "build" and path.is_file() and str(relative) not in names:
            path.unlink()


def run(command, **options):
    return subprocess.run(command, cwd=TREE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)


def configure():
    if (BUILD / "build.ninja").exists():
        return
    compilers = ["-DCMAKE_C_COMPILER=clang-19", "-DCMAKE_CXX_COMPILER=clang++-19"]
    configured = run(["cmake", "-G", "Ninja", *compilers, "-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-S", TREE, "-B", BUILD])
    if configured.returncode != 0:
        sys.exit(configured.stdout)


def build(tests, jobs):
    built = run(["cmake", "--build", BUILD, "-j", str(jobs), "--target", *tests])
    if built.returncode == 0:
        return
    errors = [line for line in built.stdout.splitlines() if "error:" in line]
    raise Trouble("does not compile: " + (errors[0] if errors else built.stdout[-500:]))


def apply_patch(mutant):
    # The tree lies inside the checkout's .gitignore, where `git apply` would skip every file: patch(1) does not care.
    applied = run(["patch", "-p1", "--fuzz=0", "--no-backup-if-mismatch", "--reject-file=-", "-i", mutant.path])
    if applied.returncode != 0:
        raise Trouble("does not apply any more: write it anew for the code as it is now")


def take_back(mutant):
    for name in mutant.files:
        if (ROOT / name).exists():
            copy_if_other(ROOT / name, TREE / name)


# --- One mutant ---


def link_binaries(name, tests):
    """So that the next mutant can be built while they run: a linker makes a new file."""
    folder = BINARIES / name
    folder.mkdir(parents=True)
    for test in tests:
        os.link(BUILD / "src" / test, folder / test)
    return [folder / test for test in tests]


def build_mutant(mutant, jobs):
    try:
        apply_patch(mutant)
        build(mutant.tests, jobs)
        return link_binaries(mutant.name, mutant.tests)
    finally:
        take_back(mutant)


@dataclasses.dataclass
class Failure:
    test: str
    how: str = ""

    def __str__(self):
        return self.test + self.how


def first_failure(binary, test_filter):
    """Nothing if all tests passed."""
    command = [binary, "--gtest_fail_fast", "--gtest_filter=" + test_filter]
    with subprocess.Popen(
        command, cwd=TREE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace", start_new_session=True
    ) as process:
        try:
            output, _ = process.communicate(timeout=TEST_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            return Failure((RUNNING.findall(output) or ["?"])[-1], " (hangs)")
    if process.returncode == 0:
        return None
    failed = FAILED.search(output)
    if failed:
        return Failure(failed[1])
    return Failure((RUNNING.findall(output) or ["?"])[-1], " (crashes)")


def catcher(mutant, binaries):
    """The first failure that comes again when its test is run alone: a busy machine may break a test once."""
    passed_over = [NOT_RUN]
    chosen = [mutant.first, "*"] if mutant.first else ["*"]
    for choice in chosen:
        for binary in binaries:
            while failure := first_failure(binary, f"{choice}-{':'.join(passed_over)}"):
                if failure.how or first_failure(binary, failure.test):
                    return failure
                print(f"{mutant.name}: {failure} failed only once and does not count", flush=True)
                passed_over.append(failure.test)
        passed_over.append(choice)
    return None


def try_mutant(mutant, binaries, began, room):
    try:
        caught_by = catcher(mutant, binaries)
        shutil.rmtree(BINARIES / mutant.name)
    finally:
        room.release()
    outcome = Outcome(mutant.name, caught_by is not None, str(caught_by or "SURVIVES"), time.monotonic() - began)
    print(f"{mutant.name}: {outcome.what}", flush=True)
    return outcome


def check_without_mutant(binaries):
    """Of a suite that fails anyway, all mutants would be caught."""
    for binary in binaries:
        failure = first_failure(binary, "*")
        if failure:
            return Outcome("(none)", False, f"{failure} fails without a mutant", 0)
    print("without a mutant all tests pass", flush=True)
    return None


def outcomes_of(mutants, tests, jobs):
    outcomes = []
    shutil.rmtree(BINARIES, ignore_errors=True)
    BINARIES.mkdir(parents=True)
    room = threading.Semaphore(2 * jobs)  # Built and not yet tried: each takes tens of megabytes.
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        whole = pool.submit(check_without_mutant, link_binaries("without a mutant", tests))
        for mutant in mutants:
            began = time.monotonic()
            try:
                binaries = build_mutant(mutant, jobs)
            except Trouble as trouble:
                print(f"{mutant.name}: {trouble}", flush=True)
                outcomes.append(Outcome(mutant.name, False, str(trouble), time.monotonic() - began))
                continue
            room.acquire()
            outcomes.append(pool.submit(try_mutant, mutant, binaries, began, room))
        if whole.result():
            outcomes.insert(0, whole.result())
    return [outcome if isinstance(outcome, Outcome) else outcome.result() for outcome in outcomes]


def print_table(outcomes):
    width = max(len(outcome.name) for outcome in outcomes)
    what_width = max(len(outcome.what) for outcome in outcomes)
    print(f"\n{'mutant':{width}}  {'caught by':{what_width}}  seconds")
    for outcome in outcomes:
        print(f"{outcome.name:{width}}  {outcome.what:{what_width}}  {outcome.seconds:7.0f}")
    survivors = sum(not outcome.is_caught for outcome in outcomes)
    print(f"{len(outcomes) - survivors} of {len(outcomes)} are caught" if survivors else f"all {len(outcomes)} are caught")


def main():
    parser = argparse.ArgumentParser(description="Builds the engine with planted faults; each must be caught by a test.")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="this mutant (may be repeated)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="compilers at once, and tests beside them")
    parser.add_argument("--list", action="store_true", help="print the mutants and what is wrong with each")
    options = parser.parse_args()
    mutants = chosen_mutants(options.only)
    if options.list:
        for mutant in mutants:
            print(f"{mutant.name}\n    {mutant.meaning}")
        return 0
    copy_sources()
    configure()
    tests = sorted({test for mutant in mutants for test in mutant.tests})
    print(f"building {', '.join(tests)} in {BUILD.relative_to(ROOT)}", flush=True)
    try:
        build(tests, options.jobs)
    except Trouble as trouble:
        sys.exit(f"without any mutant it {trouble}")
    outcomes = outcomes_of(mutants, tests, options.jobs)
    print_table(outcomes)
    return 0 if all(outcome.is_caught for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
