"""`mffs check` and `mffs rescue` on a real volume: clean, refused while the node runs, and with its superblocks gone."""

import glob
import imaplib
import json
import os
import shutil
import smtplib
import subprocess
import unittest

from posthorn_node import POSTHORN, Node, message, wait_until

ALICE = "alice@example.test"
BOB = "bob@example.test"
SUPERBLOCK_BYTES = 4096


def body_of(size, word):
    line = f"{word} {'x' * 60}\r\n"
    return line * (size // len(line) + 1)


def read_mailbox(port, account, mailbox="INBOX"):
    """{uid: bytes} of all mails."""
    client = imaplib.IMAP4("127.0.0.1", port)
    client.login(account, "posthorn")
    client.select(mailbox, readonly=True)
    _, data = client.uid("FETCH", "1:*", "(BODY.PEEK[])")
    found = {}
    for part in data:
        if isinstance(part, tuple):
            found[int(part[0].split(b"UID ")[1].split()[0])] = part[1]
    client.logout()
    return found


def mffs(*arguments):
    return subprocess.run([POSTHORN, "mffs", *arguments], capture_output=True, text=True, timeout=120, check=False)


def rescued(folder):
    """(account, mailbox, uid) -> (bytes, what stands beside it) of a rescue's mailbox mails."""
    found = {}
    for path in glob.glob(os.path.join(folder, "mailbox", "*", "*.json")):
        with open(path) as file:
            beside = json.load(file)
        with open(path.removesuffix(".json") + ".eml", "rb") as file:
            where = beside["where"]
            found[(where["account"], where["mailbox"], where["uid"])] = (file.read(), beside)
    return found


class SalvageTest(unittest.TestCase):
    def setUp(self):
        self.node = Node()
        self.addCleanup(shutil.rmtree, self.node.folder)
        self.volume = os.path.join(self.node.folder, "volume.mffs")
        self.target = os.path.join(self.node.folder, "rescued")

    def fill(self):
        """Mail of all kinds; what IMAP gives of it as {(account, mailbox, uid): bytes}."""
        with smtplib.SMTP("127.0.0.1", self.node.ports["smtp"]) as client:
            client.sendmail("you@example.org", [ALICE], message("small"))
            client.sendmail("you@example.org", [ALICE], message("three megabytes", body_of(3 << 20, "large")))
            # Two partitions: through the queue.
            client.sendmail("you@example.org", [ALICE, BOB], message("both"))
            client.sendmail("you@example.org", [ALICE, BOB], message("both, large", body_of(700_000, "queued")))
            client.sendmail("you@example.org", [BOB], message("to be deleted", "SECRET-THAT-WAS-DELETED\r\n"))
        port = self.node.ports["imap"]
        wait_until(lambda: len(read_mailbox(port, ALICE)) == 4 and len(read_mailbox(port, BOB)) == 3, "delivery of all mails")
        client = imaplib.IMAP4("127.0.0.1", port)
        client.login(BOB, "posthorn")
        client.create("../../etc/cron.d")
        client.select("INBOX")
        _, found = client.uid("SEARCH", "SUBJECT", '"to be deleted"')
        client.uid("STORE", found[0].decode(), "+FLAGS.SILENT", r"(\Deleted)")
        client.expunge()
        _, found = client.uid("SEARCH", "SUBJECT", '"both, large"')
        client.uid("STORE", found[0].decode(), "+FLAGS.SILENT", r"(\Flagged $Kept)")
        client.uid("COPY", found[0].decode(), '"../../etc/cron.d"')
        client.logout()
        mails = {}
        for account, mailbox in ((ALICE, "INBOX"), (BOB, "INBOX"), (BOB, '"../../etc/cron.d"')):
            for uid, text in read_mailbox(port, account, mailbox).items():
                mails[(account, mailbox.strip('"'), uid)] = text
        return mails

    def assert_one_sentence(self, done, pattern):
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        self.assertRegex(done.stderr, pattern)

    def test_a_clean_volume_and_one_without_superblocks(self):
        self.node.start()
        mails = self.fill()
        self.node.stop()

        checked = mffs("check", self.volume, "--json")
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
        result = json.loads(checked.stdout)
        self.assertEqual(result["result"], "clean")
        self.assertEqual(result["mails_in_mailboxes"], len(mails))
        self.assertEqual(result["mails_in_queue"], 0)
        text = mffs("check", self.volume)
        self.assertEqual(text.returncode, 0)
        self.assertIn("clean", text.stdout)
        self.assertEqual(mffs("check", self.volume, "--quiet").stdout, "")

        # All four superblocks and the index.
        size = os.path.getsize(self.volume) // (1 << 20) * (1 << 20)
        with open(self.volume, "r+b") as file:
            for offset in (0, 512 << 10, size - (1 << 20), size - (512 << 10)):
                file.seek(offset)
                file.write(b"\0" * SUPERBLOCK_BYTES)
        shutil.rmtree(os.path.join(self.node.folder, "index"))
        damaged = mffs("check", self.volume)
        self.assertEqual(damaged.returncode, 2)
        self.assert_one_sentence(damaged, r"superblock.*posthorn mffs rescue")

        before = self.digest()
        done = mffs("rescue", self.volume, self.target)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(self.digest(), before)
        self.assert_all_rescued(mails)

    def digest(self):
        return subprocess.run(["sha256sum", self.volume], capture_output=True, check=True).stdout

    def assert_all_rescued(self, mails):
        found = rescued(self.target)
        self.assertEqual({key: text for key, (text, _) in found.items()}, mails)
        for (account, _, _), (_, beside) in found.items():
            self.assertEqual(beside["sender"], "you@example.org")
            self.assertEqual(beside["recipients"], [account])
            self.assertTrue(beside["complete"])
            self.assertRegex(beside["id"], r"^[0-9a-f]{16}$")
            self.assertEqual(beside["class"], "normal")
        flagged = [beside["where"]["flags"] for key, (text, beside) in found.items() if key[0] == BOB and b"both, large" in text]
        self.assertEqual(flagged, [["\\Flagged", "$Kept"]] * 2)
        everything = b""
        for path in glob.glob(os.path.join(self.target, "**", "*.eml"), recursive=True):
            with open(path, "rb") as file:
                everything += file.read()
        self.assertNotIn(b"SECRET-THAT-WAS-DELETED", everything)

    def test_a_rescue_goes_on_where_it_was_cut_short(self):
        self.node.start()
        mails = self.fill()
        self.node.stop()
        self.assertEqual(mffs("rescue", self.volume, self.target).returncode, 0)
        again = mffs("rescue", self.volume, self.target)
        self.assertEqual(again.returncode, 2)
        self.assert_one_sentence(again, r"not empty.*--continue")
        lost = sorted(glob.glob(os.path.join(self.target, "mailbox", "*", "*.json")))[0]
        os.unlink(lost)
        done = mffs("rescue", self.volume, self.target, "--continue", "--json")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(json.loads(done.stdout)["already_there"], len(mails) - 1)
        self.assert_all_rescued(mails)

        deleted = os.path.join(self.node.folder, "with-deleted")
        self.assertEqual(mffs("rescue", self.volume, deleted, "--deleted").returncode, 0)
        texts = []
        for path in glob.glob(os.path.join(deleted, "deleted", "*.eml")):
            with open(path, "rb") as file:
                texts.append(file.read())
        self.assertTrue(any(b"SECRET-THAT-WAS-DELETED" in text for text in texts))

    def test_a_full_disk_is_one_sentence_and_the_rescue_goes_on_after_it(self):
        self.node.start()
        mails = self.fill()
        self.node.stop()
        os.mkdir(self.target)
        mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", self.target], capture_output=True, check=False)
        if mount.returncode != 0:
            self.skipTest("mounting a small file system needs root")
        self.addCleanup(subprocess.run, ["umount", self.target], check=True)
        full = mffs("rescue", self.volume, self.target)
        self.assertEqual(full.returncode, 1)
        self.assert_one_sentence(full, r"no room left.*--continue")
        subprocess.run(["mount", "-o", "remount,size=64m", self.target], check=True)
        done = mffs("rescue", self.volume, self.target, "--continue")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assert_all_rescued(mails)

    def test_a_running_node_is_left_alone(self):
        self.node.start()
        self.fill()
        for done in (mffs("check", self.volume), mffs("rescue", self.volume, self.target)):
            self.assertEqual(done.returncode, 2)
            self.assert_one_sentence(done, r"running node.*stop")
        self.assertFalse(os.path.exists(self.target))
        self.node.stop()

    def test_after_a_kill_the_volume_is_clean(self):
        self.node.start()
        mails = self.fill()
        self.node.kill()
        checked = mffs("check", self.volume, "--json")
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
        self.assertEqual(json.loads(checked.stdout)["mails_in_mailboxes"], len(mails))
        self.assertEqual(mffs("rescue", self.volume, self.target).returncode, 0)
        self.assert_all_rescued(mails)

    def test_mail_that_cleaning_has_moved_is_found(self):
        self.node = Node(volume_size="64MiB", segment_size="1MiB")
        self.addCleanup(shutil.rmtree, self.node.folder)
        self.volume = os.path.join(self.node.folder, "volume.mffs")
        self.target = os.path.join(self.node.folder, "rescued")
        self.node.start()
        port = self.node.ports
        for _ in range(3):
            with smtplib.SMTP("127.0.0.1", port["smtp"]) as client:
                for number in range(600):
                    client.sendmail("you@example.org", [ALICE], message(f"mail {number}", body_of(6000, f"number{number}")))
            client = imaplib.IMAP4("127.0.0.1", port["imap"])
            client.login(ALICE, "posthorn")
            client.select("INBOX")
            uids = client.uid("SEARCH", "ALL")[1][0].split()
            # One in twelve stays.
            gone = b",".join(uid for uid in uids if int(uid) % 12 != 0)
            client.uid("STORE", gone.decode(), "+FLAGS.SILENT", r"(\Deleted)")
            client.expunge()
            client.logout()
        cleaned = lambda: json.loads(self.node.run("status", "--json").stdout)["volume"]["segments_cleaned"]
        wait_until(lambda: cleaned() > 3, "cleaning", seconds=60)
        mails = {(ALICE, "INBOX", uid): text for uid, text in read_mailbox(port["imap"], ALICE).items()}
        self.node.kill()
        checked = mffs("check", self.volume)
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
        self.assertEqual(mffs("rescue", self.volume, self.target).returncode, 0)
        self.assertEqual({key: text for key, (text, _) in rescued(self.target).items()}, mails)

    def test_rot_is_found_and_named(self):
        self.node.start()
        mails = self.fill()
        self.node.stop()
        with open(self.volume, "rb") as file:
            image = file.read()
        at = image.rindex(b"large xxx") + 5  # In the middle of some part of the three megabytes.
        with open(self.volume, "r+b") as file:
            file.seek(at)
            file.write(b"?")
        checked = mffs("check", self.volume)
        self.assertEqual(checked.returncode, 1, checked.stdout)
        self.assertRegex(checked.stdout, rf"damage: mail with UID \d+ in mailbox INBOX of {ALICE}.*part \d+ of 1[23] is damaged")
        done = mffs("rescue", self.volume, self.target)
        self.assertEqual(done.returncode, 1, done.stdout)
        partial = glob.glob(os.path.join(self.target, "mailbox", "*", "*.partial.eml"))
        self.assertEqual(len(partial), 1)
        with open(partial[0].removesuffix(".partial.eml") + ".json") as file:
            beside = json.load(file)
        self.assertFalse(beside["complete"])
        self.assertLessEqual(sum(hole["bytes"] for hole in beside["missing"]), 3 * SUPERBLOCK_BYTES)
        whole = {key: text for key, (text, _) in rescued_whole(self.target).items()}
        self.assertEqual(len(whole), len(mails) - 1)
        for key, text in whole.items():
            self.assertEqual(text, mails[key])


def rescued_whole(folder):
    for path in glob.glob(os.path.join(folder, "mailbox", "*", "*.partial.eml")):
        os.unlink(path.removesuffix(".partial.eml") + ".json")
    return rescued(folder)


if __name__ == "__main__":
    unittest.main(verbosity=2)
