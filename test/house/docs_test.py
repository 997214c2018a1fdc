#!/usr/bin/env python3
"""tools/check_docs.py finds each planted fault in a status page, and finds none in docs/status.md."""

import pathlib
import sys
import tempfile
import unittest

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(CHECKOUT / "tools"))

import check_docs  # noqa: E402 (the path is set above)

TREE = {
    "Makefile": "test: build\nlint:\nbench-%:\n",
    "src/mffs/segment_test.cc": "TEST(Segment, KeepsOrder) {}\nTEST_F(SegmentCrash, LosesNothing) {}\n",
    "src/smtp/proto/command_test.cc": "TEST(Command, Parses) {}\n",
    "src/smtp/proto/command_fuzz.cc": "",
    "test/e2e/kill.py": "",
    "test/CMakeLists.txt": "add_test(NAME house_layers COMMAND x)\nposthorn_e2e(kill kill.py)\n",
    "bench/smtp.py": "",
}

# Label -> the second cell of a row that must pass.
GOOD = {
    "a folder's test": "`mffs_test`",
    "a nested folder's test": "`smtp_proto_test`",
    "a file's test": "`segment_test`",
    "a ctest name": "`house_layers`",
    "an end-to-end script": "`e2e_kill`",
    "a fuzz target": "`command_fuzz`",
    "a case": "`Segment.KeepsOrder` and `SegmentCrash.LosesNothing`",
    "a target": "`make lint`",
    "a target with a variable": "`JOBS=1 make test`",
    "a benchmark": "`make bench-smtp`",
    "a file": "`test/e2e/kill.py`",
    "a command": "`posthorn mffs check var/dev/volume`",
    "open": "open",
    "open with a reason": "open: no second node yet",
    "open in backquotes": "`open`",
}

# Label -> the second cell and a part of the sentence that must be printed.
BAD = {
    "nothing": ("", "nothing shows this"),
    "words only": ("we are sure", "nothing shows this"),
    "no such test": ("`queue_test`", "no test 'queue_test'"),
    "no such case": ("`Segment.KeepsNothing`", "no test case"),
    "no such target": ("`make soak`", "no target 'soak'"),
    "no such benchmark": ("`make bench-imap`", "no target 'bench-imap'"),
    "no such file": ("`test/e2e/gone.py`", "no file"),
    "one of two": ("`mffs_test`, `queue_test`", "no test 'queue_test'"),
}


def faults_of(page):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, text in {**TREE, "docs/status.md": page}.items():
            if text is None:
                continue
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return check_docs.check_status(root)[0]


def page_with(cell):
    return f"# Status\n\n| claim | shown by |\n| --- | --- |\n| It works. | {cell} |\n"


class Status(unittest.TestCase):
    def test_each_good_row_passes(self):
        for label, cell in GOOD.items():
            with self.subTest(label):
                self.assertEqual(faults_of(page_with(cell)), [])

    def test_each_bad_row_is_found_at_its_line(self):
        for label, (cell, sentence) in BAD.items():
            with self.subTest(label):
                faults = faults_of(page_with(cell))
                self.assertEqual(len(faults), 1, faults)
                self.assertTrue(faults[0].startswith("docs/status.md:5: "), faults)
                self.assertIn(sentence, faults[0])

    def test_a_missing_page_and_an_empty_one_are_faults(self):
        self.assertEqual(faults_of(None), ["docs/status.md is missing"])
        self.assertEqual(len(faults_of("# Status\n")), 1)

    def test_the_status_page_names_what_exists(self):
        self.assertEqual(check_docs.check_status(CHECKOUT)[0], [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
