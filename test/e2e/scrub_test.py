"""`mffs scrub` on a running node: clean, with a sector that rots under it, stopped, refused twice, and without a node."""

import json
import os
import smtplib
import subprocess
import unittest
import urllib.request

from posthorn_node import POSTHORN, Node, message

WORD = "ROT-IS-SILENT"


class ScrubTest(unittest.TestCase):
    def scrub(self, *arguments):
        return subprocess.run(
            [POSTHORN, "--socket", os.path.join(self.node.folder, "control.sock"), "mffs", "scrub", *arguments],
            capture_output=True, text=True, timeout=120, check=False)

    def test_scrub(self):
        with Node() as self.node:
            with smtplib.SMTP("127.0.0.1", self.node.ports["smtp"]) as client:
                for i in range(20):
                    client.sendmail("you@example.org", ["alice@example.test"], message(str(i), "x" * 60 + "\r\n" * 2000))
                client.sendmail("you@example.org", ["alice@example.test"], message("rot", (WORD + "\r\n") * 2000))
            run = self.scrub()
            self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
            self.assertIn("no bad sector", run.stdout)

            # As a disk does: on the medium, behind the node's back.
            volume = os.path.join(self.node.folder, "volume.mffs")
            with open(volume, "r+b") as file:
                data = file.read(64 << 20)
                at = data.find((WORD + "\r\n").encode() * 1000)
                self.assertGreater(at, 0)
                file.seek(at + 8192)
                file.write(b"#")
                file.flush()
                os.fsync(file.fileno())
            run = self.scrub("--json", "--rate", "1GiB")
            self.assertEqual(run.returncode, 1, run.stdout + run.stderr)
            status = json.loads(run.stdout)
            self.assertEqual((status["bad_sectors"], status["lost_records"]), (1, 1), status)
            mails = [finding for finding in status["findings"] if finding["kind"] == "mail"]
            self.assertEqual(len(mails), 1, status)
            self.assertIn("brings a mail of", mails[0]["sentence"])
            self.assertIn("partition", mails[0])

            with urllib.request.urlopen(f"http://127.0.0.1:{self.node.ports['http']}/metrics") as page:
                self.assertIn("posthorn_scrub_bad_sectors_total 1\n", page.read().decode())

            self.assertEqual(self.scrub("--detach", "--rate", "1").returncode, 1)
            second = self.scrub("--rate", "1")
            self.assertIn("a scrub is under way", second.stderr)
            self.assertIn("by request", self.scrub("--status").stdout)
            self.assertIn("in the background", self.scrub("--stop").stdout)
            self.assertEqual(self.scrub("--rate", "0").returncode, 2)
            self.assertEqual(self.scrub("--rate", "nonsense").returncode, 2)
        self.node.folder = "/nonexistent"
        self.assertEqual(self.scrub("--status").returncode, 75)


if __name__ == "__main__":
    unittest.main()
