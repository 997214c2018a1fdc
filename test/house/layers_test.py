#!/usr/bin/env python3
"""tools/check_layers.py finds each planted violation, finds none in a clean tree, and finds none in src/."""

import pathlib
import sys
import tempfile
import unittest

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(CHECKOUT / "tools"))

import check_layers  # noqa: E402 (the path is set above)

CLEAN = {
    "base/result.h": "// Result.\n#pragma once\n#include <string>\n",
    "base/result.cc": '#include "base/result.h"\n',
    "base/log.cc": "#include <spdlog/spdlog.h>\n",
    "async/task.h": '#pragma once\n#include <boost/asio/awaitable.hpp>\n#include <mutex>\n#include "base/result.h"\n',
    "mail/address.h": '#pragma once\n#include "base/result.h"\n',
    "mffs/volume.h": '#pragma once\n#include "async/task.h"\n',
    "replog/log.h": '#pragma once\n#include "mffs/volume.h"\n',
    "smtp/proto/command.h": '#pragma once\n#include "mail/address.h"\n',
    "store/store.h": '#pragma once\n#include <rocksdb/db.h>\n#include "replog/log.h"\n',
    "queue/queue.h": '#pragma once\n#include "replog/log.h"\n',
    "smtp/server/session.h": '#pragma once\n#include "queue/queue.h"\n#include "smtp/proto/command.h"\n',
    "deliver/deliver.h": '#pragma once\n#include "queue/queue.h"\n',
    "deliver/deliver_test.cc": "#include <condition_variable>\n",
}

# Label -> the file planted into the clean tree, its text, and a part of the sentence that must be printed.
PLANTED = {
    "up": ("mail/x.h", '#pragma once\n#include "replog/log.h"\n', "goes up"),
    "up between proto and server": ("smtp/proto/x.h", '#pragma once\n#include "smtp/server/session.h"\n', "goes up"),
    "sideways": ("store/x.h", '#pragma once\n#include "queue/queue.h"\n', "goes sideways"),
    "sideways to a server": ("deliver/x.cc", '#include "smtp/server/session.h"\n', "goes sideways"),
    "sideways between protocols": ("imap/proto/x.h", '#pragma once\n#include "smtp/proto/command.h"\n', "goes sideways"),
    "spaces before the include": ("mail/x.h", '#pragma once\n  #  include "replog/log.h"\n', "goes up"),
    "in a test": ("mail/x_test.cc", '#include "queue/queue.h"\n', "goes up"),
    "coroutines in a pure folder": ("mail/x.h", '#pragma once\n#include "async/task.h"\n', "is pure"),
    "asio in base": ("base/x.cc", "#include <boost/asio/post.hpp>\n", "<boost/asio/post.hpp> belongs to"),
    "asio in a parser": ("smtp/proto/x.cc", "#include <boost/asio/post.hpp>\n", "belongs to"),
    "TLS through asio": ("smtp/server/x.cc", "#include <boost/asio/ssl.hpp>\n", "belongs to net only"),
    "rocksdb": ("queue/x.cc", "#include <rocksdb/db.h>\n", "belongs to store only"),
    "gmime": ("store/x.cc", "#include <gmime/gmime.h>\n", "belongs to mail only"),
    "liburing": ("replog/x.cc", "#include <liburing.h>\n", "belongs to mffs only"),
    "openssl in mail": ("mail/x.cc", "#include <openssl/sha.h>\n", "belongs to net"),
    "spdlog beside log.cc": ("base/x.cc", "#include <spdlog/spdlog.h>\n", "belongs to base/log.cc only"),
    "a mutex": ("store/x.cc", "#include <mutex>\n", "belongs to base, async only"),
    "no pragma once": ("base/x.h", "#include <string>\n", "lacks #pragma once"),
    "own header second": ("mail/address.cc", '#include <string>\n#include "mail/address.h"\n', "first"),
    "own header missing": ("mail/address.cc", "int x;\n", "first"),
    "relative include": ("mail/x.cc", '#include "address.h"\n', "write the path from src/"),
    "no such header": ("mail/x.cc", '#include "mail/gone.h"\n', "does not exist"),
    "unknown folder": ("misc/x.h", "#pragma once\n", "lies in no folder"),
    "file beside proto and server": ("smtp/x.h", "#pragma once\n", "lies in no folder"),
}


def violations_in(files):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder) / "src"
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return check_layers.check_tree(root)[0]


class Layers(unittest.TestCase):
    def test_a_clean_tree_has_no_violation(self):
        self.assertEqual(violations_in(CLEAN), [])

    def test_each_planted_violation_is_found_alone_and_at_its_file(self):
        for label, (name, text, sentence) in PLANTED.items():
            with self.subTest(label):
                found = violations_in({**CLEAN, name: text})
                self.assertEqual(len(found), 1, found)
                self.assertTrue(found[0].startswith(f"src/{name}:"), found)
                self.assertIn(sentence, found[0])

    def test_the_source_keeps_to_the_layers(self):
        violations, files = check_layers.check_tree(CHECKOUT / "src")
        self.assertEqual(violations, [])
        self.assertGreater(files, 20)

    def test_each_module_that_is_built_has_a_level(self):
        lines = (CHECKOUT / "src" / "CMakeLists.txt").read_text().splitlines()
        modules = [line.split("(")[1].split()[0] for line in lines if line.startswith("posthorn_module(")]
        levels = [check_layers.LEVEL_OF.get(module) for module in modules]
        self.assertNotIn(None, levels, modules)


if __name__ == "__main__":
    unittest.main(verbosity=2)
