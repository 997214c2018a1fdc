#!/usr/bin/env python3
"""Checks that the source keeps to the layers of ARCHITECTURE.md.

  - No include goes up a level, none goes sideways to another folder of its level.
  - A third-party library stays in the folders that contain it.
  - Pure folders know nothing of Asio, coroutines or the disk.
  - Each header has #pragma once; each foo.cc includes its own foo.h first; includes are written by path from src/.

Usage: check_layers.py [SOURCE_ROOT]   (default: src/ of this checkout)
Prints one line a violation; exit code 1 if there is one.
"""

import pathlib
import re
import sys

# Lowest first, as ARCHITECTURE.md has them.
LEVELS = [
    ["base"],
    ["async"],
    ["mffs", "net", "mail"],
    ["replog", "rpc", "smtp/proto", "imap/proto", "pop3/proto"],
    ["queue", "store"],
    ["filter", "smtp/client", "auth", "routing", "cluster", "history"],
    ["smtp/server", "imap/server", "pop3/server", "deliver", "salvage", "transfer"],
    ["admin"],
    ["app"],
]
LEVEL_OF = {folder: level for level, folders in enumerate(LEVELS) for folder in folders}

# Folders of pure functions and state machines: bytes in, values out.
PURE = ["base", "mail", "routing", "smtp/proto", "imap/proto", "pop3/proto"]
IMPURE = [folder for folder in LEVEL_OF if folder not in PURE]

# What is included -> the folders (or single files) that may. A test may use what its folder may.
CONTAINED = [
    (r"rocksdb/", ["store"]),
    (r"gmime/|glib", ["mail"]),
    (r"spdlog/", ["base/log.cc"]),
    (r"liburing", ["mffs"]),
    (r"crypt\.h$", ["auth"]),
    (r"openssl/", ["net", "auth", "filter", "app", "mail/digest.cc"]),
    (r"boost/asio/ssl", ["net"]),
    (r"boost/asio", IMPURE),
    (r"boost/beast", ["net", "admin"]),
    (r"grpc|google/protobuf|.*\.pb\.h$", ["rpc", "cluster"]),
    (r"unbound", ["net"]),
    (r"unicode/|idn2|libpsl", ["mail", "net", "auth", "filter"]),
    (r"toml\+\+", ["app"]),
    (r"CLI/", ["app"]),
    (r"(mutex|shared_mutex|condition_variable)$", ["base", "async"]),
]

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


class SourceFile:
    """One file under the source root: its folder in the table of layers and its includes."""

    def __init__(self, root, path):
        self.path = path
        self.name = path.relative_to(root).as_posix()
        self.text = path.read_text(encoding="utf-8")
        parent = path.parent.relative_to(root).as_posix()
        self.folder = next((folder for folder in LEVEL_OF if parent == folder or parent.startswith(folder + "/")), None)
        self.includes = []  # (line number, quote character, included path)
        for number, line in enumerate(self.text.splitlines(), 1):
            match = INCLUDE.match(line)
            if match:
                self.includes.append((number, match.group(1), match.group(2)))


def folder_of_include(included):
    """The folder in the table that a path from src/ lies in, or None."""
    matches = [folder for folder in LEVEL_OF if included.startswith(folder + "/")]
    return max(matches, key=len, default=None)


def direction_error(source, included):
    """Why `source` may not include `included`, a path from src/; None if it may."""
    target = folder_of_include(included)
    if target is None:
        return f'"{included}" lies in no folder of the layers; write the path from src/'
    if target == source.folder:
        return None
    if source.folder in PURE and target == "async":
        return f'"{included}": {source.folder} is pure and knows no coroutines'
    if LEVEL_OF[target] > LEVEL_OF[source.folder]:
        return f'"{included}" goes up: {source.folder} is level {LEVEL_OF[source.folder]}, {target} level {LEVEL_OF[target]}'
    if LEVEL_OF[target] == LEVEL_OF[source.folder]:
        return f'"{included}" goes sideways: {source.folder} and {target} are both level {LEVEL_OF[target]}'
    return None


def containment_error(source, included):
    """Why `source` may not include the third-party or standard header `included`; None if it may."""
    for pattern, places in CONTAINED:
        if not re.match(pattern, included):
            continue
        is_test = re.search(r"_(test|fuzz)\.cc$", source.name) is not None
        if "mutex" in pattern and is_test:
            return None
        if source.folder in places or source.name in places:
            return None
        return f"<{included}> belongs to {', '.join(places)} only"
    return None


def shape_errors(root, source):
    """#pragma once in headers, the own header first in sources."""
    if source.path.suffix == ".h":
        if not re.search(r"^#pragma once$", source.text, re.MULTILINE):
            yield 1, "lacks #pragma once"
        return
    own = source.path.with_suffix(".h")
    if own.exists():
        own_name = own.relative_to(root).as_posix()
        if not source.includes or source.includes[0][2] != own_name:
            yield (source.includes[0][0] if source.includes else 1), f'must include its own "{own_name}" first'


def check_file(root, source):
    if source.folder is None:
        yield 1, f"lies in no folder of the layers; add its folder to LEVELS in {pathlib.Path(__file__).name}"
        return
    for number, quote, included in source.includes:
        generated = included.endswith(".pb.h")
        error = containment_error(source, included)
        if error is None and quote == '"' and not generated:
            error = direction_error(source, included)
        if error is None and quote == '"' and not generated and not (root / included).exists():
            error = f'"{included}" does not exist under {root.name}/'
        if error is not None:
            yield number, error
    yield from shape_errors(root, source)


def check_tree(root):
    """All violations under `root` as sentences, and the number of files read."""
    paths = sorted(path for path in root.rglob("*") if path.suffix in (".h", ".cc"))
    violations = []
    for path in paths:
        source = SourceFile(root, path)
        violations += [f"{root.name}/{source.name}:{number}: {what}" for number, what in check_file(root, source)]
    return violations, len(paths)


def main():
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent / "src"
    violations, files = check_tree(root)
    for violation in violations:
        print(violation)
    if files == 0:
        sys.exit(f"check_layers.py: there is no source under {root}")
    if not violations:
        print(f"layers: {files} files keep to them")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
