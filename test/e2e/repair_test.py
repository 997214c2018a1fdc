"""`mffs repair` on a volume that a node refuses: looked at, done, started on, undone."""

import imaplib
import json
import os
import shutil
import smtplib
import subprocess
import sys
import unittest

from posthorn_node import POSTHORN, Node, message

ALICE = "alice@example.test"
MAILS = 12
READER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "mffs_reader.py")


def mffs(*arguments):
    return subprocess.run([POSTHORN, "mffs", *arguments], capture_output=True, text=True, timeout=120, check=False)


def image(path):
    with open(path, "rb") as file:
        return file.read()


class RepairTest(unittest.TestCase):
    def setUp(self):
        self.node = Node(volume_size="64MiB", segment_size="1MiB")
        self.addCleanup(shutil.rmtree, self.node.folder)
        self.volume = os.path.join(self.node.folder, "volume.mffs")
        self.undo = os.path.join(self.node.folder, "undo")
        self.node.start()
        with smtplib.SMTP("127.0.0.1", self.node.ports["smtp"]) as client:
            for i in range(MAILS):
                client.sendmail("you@example.org", [ALICE], message(f"mail {i}", "x" * 70 + "\r\n" * (1 + i * 500)))

    def subjects(self):
        client = imaplib.IMAP4("127.0.0.1", self.node.ports["imap"])
        client.login(ALICE, "posthorn")
        client.select("INBOX", readonly=True)
        _, data = client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        client.logout()
        return sorted(part[1].strip() for part in data if isinstance(part, tuple))

    def erase_superblocks(self):
        size = os.path.getsize(self.volume)
        with open(self.volume, "r+b") as file:
            for offset in (0, 512 << 10, size - (1 << 20), size - (512 << 10)):
                file.seek(offset)
                file.write(bytes(4096))

    def test_repair(self):
        refused = mffs("repair", self.volume)
        self.assertEqual(refused.returncode, 2, refused.stdout)
        self.assertIn("open in a running node", refused.stderr)
        before = self.subjects()
        self.assertEqual(len(before), MAILS)
        self.node.kill()

        nothing = mffs("repair", self.volume)
        self.assertEqual(nothing.returncode, 0, nothing.stdout + nothing.stderr)
        self.assertIn("nothing to repair", nothing.stdout)

        self.erase_superblocks()
        damaged = image(self.volume)
        self.assertEqual(mffs("check", self.volume).returncode, 2)
        with self.assertRaises(AssertionError) as start:
            self.node.start()
        self.node.process.stdout.close()
        self.assertIn("no two superblock copies agree", str(start.exception))
        self.assertEqual(image(self.volume), damaged)

        plan = mffs("repair", self.volume, "--json")
        self.assertEqual(plan.returncode, 3, plan.stdout + plan.stderr)
        self.assertFalse(json.loads(plan.stdout)["written"])
        self.assertEqual(image(self.volume), damaged)

        done = mffs("repair", self.volume, "--write", "--keep", self.undo)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        with open(self.undo + ".json", encoding="utf-8") as file:
            self.assertTrue(json.load(file)["will_start"])
        self.assertEqual(mffs("check", self.volume).returncode, 0)

        self.assertEqual(mffs("repair", self.volume, "--undo", self.undo).returncode, 0)
        self.assertEqual(image(self.volume), damaged)

        again = mffs("repair", self.volume, "--write", "--keep", self.undo)
        self.assertEqual(again.returncode, 2, "an undo file was overwritten")
        self.assertEqual(image(self.volume), damaged)
        self.assertEqual(mffs("repair", self.volume, "--write", "--keep", self.undo + "2").returncode, 0)
        self.node.start()
        self.assertEqual(self.subjects(), before)
        self.node.kill()

        late = mffs("repair", self.volume, "--undo", self.undo + "2")
        self.assertEqual(late.returncode, 1, late.stdout)
        self.assertIn("used since", late.stderr)

    def rot_mailbox_snapshots(self):
        """A bit of each mailbox partition's state, which nothing else on the volume has."""
        listed = subprocess.run([sys.executable, READER, self.volume, "--records", "--json"], capture_output=True, text=True, check=True)
        plan = json.loads(listed.stdout)
        pieces = [record for record in plan["records"] if record["type"] == 3 and record["partition"] < 1 << 31]
        self.assertTrue(pieces)
        with open(self.volume, "r+b") as file:
            for piece in pieces:
                file.seek((1 << 20) + piece["segment"] * plan["volume"]["segment_bytes"] + piece["offset"] + 60)
                byte = file.read(1)
                file.seek(-1, os.SEEK_CUR)
                file.write(bytes([byte[0] ^ 4]))

    def make_snapshots(self):
        """Much that only the log needs: its snapshot lets it go."""
        with smtplib.SMTP("127.0.0.1", self.node.ports["smtp"]) as client:
            for _ in range(80):
                client.sendmail("you@example.org", [ALICE], message("gone", "x" * 70 + "\r\n" * 45000))
        client = imaplib.IMAP4("127.0.0.1", self.node.ports["imap"])
        client.login(ALICE, "posthorn")
        client.select("INBOX")
        client.store(f"{MAILS + 1}:*", "+FLAGS", "(\\Deleted)")
        client.expunge()
        client.logout()

    def test_snapshots_of_mailboxes(self):
        before = self.subjects()
        self.make_snapshots()
        self.node.stop()
        index = os.path.join(self.node.folder, "index")
        saved = os.path.join(self.node.folder, "saved")
        shutil.copytree(index, saved)
        shutil.rmtree(index)
        self.rot_mailbox_snapshots()

        refused = mffs("repair", self.volume, "--write")
        self.assertEqual(refused.returncode, 4, refused.stdout + refused.stderr)
        self.assertIn("NOT REPAIRABLE: a node would not start even then, so nothing was written. If the index folder of the node is there "
                      "(`index` in its data_folder), try `--index FOLDER` first", refused.stdout)
        self.assertIn(f"Else save the mail with `posthorn mffs rescue {self.volume} DIRECTORY`, format a new volume, make the accounts "
                      "again and put the mails back from DIRECTORY", refused.stdout)
        nowhere = mffs("repair", self.volume, "--index", index)
        self.assertEqual(nowhere.returncode, 2, nowhere.stdout)
        self.assertIn("there is no index in", nowhere.stderr)

        saved_files = {name: image(os.path.join(saved, name)) for name in os.listdir(saved)}
        done = mffs("repair", self.volume, "--index", saved, "--write", "--keep", self.undo)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("made anew from the index; nothing of it is lost", done.stdout)
        self.assertEqual({name: image(os.path.join(saved, name)) for name in os.listdir(saved)}, saved_files, "the index was written to")
        self.node.start()
        self.assertEqual(self.subjects(), before)
        self.node.kill()

    def test_what_is_no_volume(self):
        self.node.kill()
        junk = os.path.join(self.node.folder, "junk")
        with open(junk, "wb") as file:
            file.write(bytes(8 << 20))
        run = mffs("repair", junk, "--write")
        self.assertEqual(run.returncode, 2)
        self.assertIn("look for another copy", run.stderr)
        self.assertEqual(mffs("repair", self.volume, "--undo", junk).returncode, 2)


if __name__ == "__main__":
    unittest.main()
