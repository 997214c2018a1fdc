"""tools/mffs_reader.py, the reader written from docs/format/: on the golden image, on volumes of a real node, and on hostile images.

READER_SEED=N replays one hostile image, READER_SECONDS=N tries more of them. WRITE_GOLDEN=1 writes the golden volume of mail anew, for a new format version.
"""

import contextlib
import glob
import imaplib
import io
import json
import os
import random
import shutil
import smtplib
import struct
import subprocess
import sys
import tempfile
import time
import unittest

from posthorn_node import POSTHORN, ROOT, Node, message, wait_until

sys.path.insert(0, os.path.join(ROOT, "tools"))
import mffs_reader
from mffs_read.volume import MIB, SECTOR, Block, Image, Volume
from mffs_read.wire import crc32c, u32

READER = os.path.join(ROOT, "tools/mffs_reader.py")
GOLDEN = os.path.join(ROOT, "test/golden/mffs-1.image")
GOLDEN_2 = os.path.join(ROOT, "test/golden/mffs-2.image")
GOLDEN_MAIL = os.path.join(ROOT, "test/golden/posthorn-1.image")
ALICE = "alice@example.test"
BOB = "bob@example.test"
SUPERBLOCKS = (0, 512 << 10, -(1 << 20), -(512 << 10))
HOSTILE_SECONDS = float(os.environ.get("READER_SECONDS", 2))
HOSTILE_IMAGES_MIN = 5  # However slow the machine is: how many fit into the time says nothing of the reader.
HOSTILE_IMAGES_MAX = 300

# What mffs/golden_test.cc wrote: index, stream, bytes of head and body, released. The stream meta holds checkpoints too.
GOLDEN_RECORDS = [(1, "transit", 22, False), (2, "transit", 18, True), (3, "mailbox", 9000, False), (4, "parked", 106, False),
                  (5, "history", 1024, False), (6, "meta", 21, False), (7, "transit", 24, False), (8, "mailbox", 5008, False)]


def read(image, *arguments):
    """The program itself: (exit code, what it printed as JSON, standard error)."""
    done = subprocess.run([sys.executable, READER, image, "--json", *arguments], capture_output=True, text=True, timeout=300, check=False)
    if "Traceback" in done.stderr:
        raise AssertionError(done.stderr)
    return done.returncode, json.loads(done.stdout) if done.returncode < 2 else None, done.stderr


def read_here(image, *arguments):
    """The same within this process, which is much quicker. Whatever it raises fails the test."""
    sys.argv = [READER, image, "--json", *arguments]
    with contextlib.redirect_stdout(Text()) as out, contextlib.redirect_stderr(Text()) as errors:
        code = mffs_reader.main()
    return code, out.getvalue(), errors.getvalue()


class Text(io.StringIO):
    def reconfigure(self, **_):
        pass


def body_of(size, word):
    line = f"{word} {'x' * 60}\r\n"
    return line * (size // len(line) + 1)


def expand_golden(path, golden=GOLDEN):
    """A golden image is lines of `offset hex`, both hexadecimal, behind its size."""
    with open(golden) as lines:
        image = bytearray(int(next(lines).split()[1], 16))
        for line in lines:
            offset, text = line.split()
            data = bytes.fromhex(text)
            image[int(offset, 16):int(offset, 16) + len(data)] = data
    with open(path, "wb") as file:
        file.write(image)


def write_golden(image):
    """What expand_golden reads, without the zeroes, and beside it what this reader says of the mails."""
    with open(image, "rb") as file, open(GOLDEN_MAIL, "w") as golden:
        text = file.read()
        golden.write(f"size {len(text):x}\n")
        for at in range(0, len(text), 32):
            if any(text[at:at + 32]):
                golden.write(f"{at:x} {text[at:at + 32].hex()}\n")
    with open(GOLDEN_MAIL + ".json", "w") as file:
        json.dump(read(image)[1]["mails"], file, indent=1)
        file.write("\n")


class Folder(unittest.TestCase):
    def setUp(self):
        os.makedirs(os.path.join(ROOT, "build/e2e"), exist_ok=True)
        self.folder = tempfile.mkdtemp(dir=os.path.join(ROOT, "build/e2e"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.image = os.path.join(self.folder, "image")


class GoldenTest(Folder):
    def setUp(self):
        super().setUp()
        expand_golden(self.image)

    def records(self, *arguments):
        code, result, errors = read(self.image, "--records", *arguments)
        self.assertEqual((code, errors), (0, ""))
        mine = [record for record in result["records"] if record["type"] < 0xF0]
        return result, sorted((record["index"], record["stream"], record["size"] - 48) for record in mine)

    def test_its_records_are_those_that_were_written(self):
        result, found = self.records()
        self.assertEqual(found, [record[:3] for record in GOLDEN_RECORDS if not record[3]])
        self.assertEqual((result["volume"]["superblock_copies_valid"], result["volume"]["checkpoint"]), (4, 6))
        self.assertEqual(self.records("--ignore", "superblocks")[1], found)
        # Without a checkpoint nobody knows what was released.
        self.assertEqual(self.records("--ignore", "checkpoints")[1], [record[:3] for record in GOLDEN_RECORDS])

    def test_it_is_no_volume_of_posthorn(self):
        code, result, errors = read(self.image)
        self.assertEqual(code, 1)
        self.assertEqual(result["mails"], [])
        self.assertIn("version", errors)

    def test_another_format_version_is_left_alone(self):
        with open(self.image, "r+b") as file:
            for offset in SUPERBLOCKS:
                file.seek(offset if offset >= 0 else os.path.getsize(self.image) + offset)
                file.write(b"MFFSsup1" + u32(3))
        code, _, errors = read(self.image)
        self.assertEqual(code, 2)
        self.assertIn("format version 3", errors)

    def test_version_2_has_the_stream_brief(self):
        expand_golden(self.image, GOLDEN_2)
        result, found = self.records()
        mails = [record[:3] for record in GOLDEN_RECORDS if not record[3]] + [(9, "mailbox", 18), (10, "brief", 3005)]
        self.assertEqual(found, mails)
        self.assertEqual(result["streams"]["brief"]["records"], 1)

    def test_three_lost_superblocks_and_no_volume_at_all(self):
        with open(self.image, "r+b") as file:
            for offset in SUPERBLOCKS[:3]:
                file.seek(offset if offset >= 0 else os.path.getsize(self.image) + offset)
                file.write(bytes(SECTOR))
        code, result, errors = read(self.image, "--records")
        self.assertEqual(code, 1)
        self.assertIn("superblock", errors)
        self.assertEqual(len([record for record in result["records"] if record["type"] < 0xF0]), 7)
        for text in (b"", b"hello", bytes(3 * MIB)):
            with open(self.image, "wb") as file:
                file.write(text)
            code, _, errors = read(self.image)
            self.assertEqual((code, len(errors.splitlines())), (2, 1), errors)
        self.assertEqual(read(os.path.join(self.folder, "missing"))[0], 2)


def make_volume(node, keep, large=1 << 20, queued=40):
    """Mail of all kinds, written by a node that is then killed; `keep` is where a copy of its volume goes."""
    node.start()
    with smtplib.SMTP("127.0.0.1", node.ports["smtp"]) as client:
        client.sendmail("you@example.org", [ALICE], message("small"))
        client.sendmail("you@example.org", [ALICE], message("large", body_of(large, "large")))
        client.sendmail("you@example.org", [ALICE, BOB], message("both"))
        client.sendmail("you@example.org", [ALICE, BOB], message("both, large", body_of(large // 2, "queued")))
        client.sendmail("you@example.org", [BOB], message("to be deleted"))
    client = imaplib.IMAP4("127.0.0.1", node.ports["imap"])
    client.login(BOB, "posthorn")
    wait_until(lambda: client.select("INBOX")[1][0] == b"3", "delivery of all mails")
    client.create('"a/b/c"')
    uid = client.uid("SEARCH", "SUBJECT", '"to be deleted"')[1][0].decode()
    client.uid("STORE", uid, "+FLAGS.SILENT", r"(\Deleted)")
    client.expunge()
    uid = client.uid("SEARCH", "SUBJECT", '"both, large"')[1][0].decode()
    client.uid("STORE", uid, "+FLAGS.SILENT", r"(\Flagged $Kept Other)")
    client.uid("STORE", uid, "-FLAGS.SILENT", "(other)")
    client.uid("COPY", "1:*", '"a/b/c"')
    client.rename("INBOX", "old")      # Moves its mails.
    client.rename('"a/b"', '"x/y"')
    client.append("x", r"(\Seen mine)", None, b"Subject: appended\r\n\r\nBy IMAP.\r\n")
    client.delete('"x"')        # Has children: stays as a name.
    client.select("old")
    known = client.status("old", "(HIGHESTMODSEQ)")[1][0].split()[-1].decode().rstrip(")")
    client.uid("STORE", "1", "+FLAGS.SILENT", r"(\Flagged)")
    client.uid("STORE", "1:*", f"(UNCHANGEDSINCE {known})", "+FLAGS.SILENT", r"(\Answered conditional)")    # Not the first.
    client.uid("MOVE", "1:2", "Trash")
    client.uid("MOVE", "3", "old")      # Gets a new UID.
    client.rename("Sent", '"x/y/Sent"')
    client.create("gone")
    client.append("gone", None, None, b"Subject: gone\r\n\r\n")
    client.delete("gone")
    client.logout()
    # Whatever of these is delivered before the kill, the others are in the queue.
    with smtplib.SMTP("127.0.0.1", node.ports["smtp"]) as client:
        for number in range(queued):
            client.sendmail("you@example.org", [ALICE, BOB], message(f"queued {number}", body_of(300 << number % 9, "q")))
        # Its outcome brings a notice to the sender.
        client.sendmail(BOB, [ALICE, BOB], message("tell me", body_of(500, "t")), (), ["NOTIFY=SUCCESS"])
    node.kill()
    shutil.copyfile(os.path.join(node.folder, "volume.mffs"), keep)


class Comparison(Folder):
    """Of this reader and `mffs rescue`."""

    def compare(self, image, *arguments):
        """Both must give the same mails, byte for byte, and say the same of them. The number of mails in mailboxes and in the queue."""
        target, mine = os.path.join(self.folder, "rescued"), os.path.join(self.folder, "mine")
        for folder in (target, mine):
            shutil.rmtree(folder, ignore_errors=True)
        done = subprocess.run([POSTHORN, "mffs", "rescue", image, target], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        code, result, errors = read(image, "--eml", mine, *arguments)
        self.assertEqual((code, errors), (0, ""))
        theirs = {os.path.relpath(path, target) for path in glob.glob(os.path.join(target, "*", "**", "*.eml"), recursive=True)}
        self.assertEqual({mail["name"] + ".eml" for mail in result["mails"]}, theirs)
        for mail in result["mails"]:
            with open(os.path.join(target, mail["name"] + ".eml"), "rb") as a, open(os.path.join(mine, mail["name"] + ".eml"), "rb") as b:
                self.assertTrue(a.read() == b.read(), mail["name"])
            with open(os.path.join(target, mail["name"] + ".json")) as file:
                self.compare_beside(mail, json.load(file))
        in_queue = sum(mail["name"].startswith("queue/") for mail in result["mails"])
        return len(result["mails"]) - in_queue, in_queue, result

    def compare_beside(self, mail, beside):
        where = beside["where"]
        self.assertEqual(mail["size"], beside["size"])
        if "uid" in mail:
            self.assertEqual([mail[name] for name in ("account", "mailbox", "uid", "uid_validity", "flags")],
                             [where[name] for name in ("account", "mailbox", "uid", "uid_validity", "flags")])
        else:
            self.assertEqual(mail["sender"], beside["sender"])
            self.assertEqual([(one["address"], one["state"], one["attempts"]) for one in mail["recipients"]],
                             [(one["address"], one["state"], one["attempts"]) for one in where["recipients"]])


class GoldenMailTest(Comparison):
    def test_a_volume_that_an_earlier_build_wrote(self):
        if "WRITE_GOLDEN" in os.environ:
            node = Node(volume_size="24MiB", segment_size="1MiB")
            self.addCleanup(shutil.rmtree, node.folder)
            make_volume(node, self.image, large=3000, queued=8)
            write_golden(self.image)
        expand_golden(self.image, GOLDEN_MAIL)
        with open(GOLDEN_MAIL + ".json") as file:
            expected = json.load(file)
        in_mailboxes, in_queue, result = self.compare(self.image)
        self.assertEqual(result["mails"], expected)
        self.assertGreater(in_mailboxes, 0)
        self.assertGreater(in_queue, 0)
        for ignored in ("superblocks", "checkpoints"):
            self.assertEqual(read(self.image, "--ignore", ignored)[1]["mails"], expected)


class LiveVolumeTest(Comparison):
    def node(self, **options):
        node = Node(**options)
        self.addCleanup(shutil.rmtree, node.folder)
        return node

    def test_a_killed_node(self):
        node = self.node(volume_size="96MiB", segment_size="4MiB")
        make_volume(node, self.image, large=600_000, queued=20)
        in_mailboxes, in_queue, result = self.compare(self.image)
        print(f"{in_mailboxes} mails in mailboxes, {in_queue} in the queue")
        self.assertGreaterEqual(in_mailboxes + in_queue, 10)
        self.assertEqual(result["volume"]["superblock_copies_valid"], 4)
        # One mail alone.
        name = result["mails"][0]["name"]
        alone = os.path.join(self.folder, "alone")
        self.assertEqual(read(self.image, "--eml", alone, "--mail", name)[1]["written"], 1)
        self.assertTrue(os.path.exists(os.path.join(alone, name + ".eml")))
        code, _, errors = read(self.image, "--eml", alone, "--mail", "mailbox/nobody/1")
        self.assertEqual(code, 1)
        self.assertIn("mailbox/nobody/1", errors)
        # Without checkpoints what was deleted must be decided by the logs alone, as they were never cut here.
        self.assertEqual(self.compare(self.image, "--ignore", "checkpoints")[:2], (in_mailboxes, in_queue))

        # The node goes on, and stops in order: a snapshot and a checkpoint say it all now.
        node.start()
        self.assertEqual(node.stop(), 0)
        stopped = os.path.join(node.folder, "volume.mffs")
        self.compare(stopped)
        with open(stopped, "r+b") as file:
            for offset in SUPERBLOCKS:
                file.seek(offset if offset >= 0 else os.path.getsize(stopped) + offset)
                file.write(bytes(SECTOR))
        code, result, errors = read(stopped)
        self.assertEqual(code, 1)
        self.assertIn("superblock", errors)
        self.assertEqual(len(result["mails"]), len(read_rescued(self.folder)))

    def test_mail_that_cleaning_has_moved(self):
        node = self.node(volume_size="64MiB", segment_size="1MiB")
        node.start()
        for _ in range(3):
            with smtplib.SMTP("127.0.0.1", node.ports["smtp"]) as client:
                for number in range(400):
                    client.sendmail("you@example.org", [ALICE], message(f"mail {number}", body_of(6000, f"number{number}")))
            client = imaplib.IMAP4("127.0.0.1", node.ports["imap"])
            client.login(ALICE, "posthorn")
            client.select("INBOX")
            uids = client.uid("SEARCH", "ALL")[1][0].split()
            client.uid("STORE", b",".join(uid for uid in uids if int(uid) % 12).decode(), "+FLAGS.SILENT", r"(\Deleted)")
            client.expunge()
            client.logout()
        cleaned = lambda: json.loads(node.run("status", "--json").stdout)["volume"]["segments_cleaned"]
        wait_until(lambda: cleaned() > 2, "cleaning", seconds=60)
        node.kill()
        volume = os.path.join(node.folder, "volume.mffs")
        self.assertEqual(self.compare(volume)[:2], (100, 0))
        records = read(volume, "--records")[1]["records"]
        copies = [record for record in records if record["copy"]]
        self.assertGreater(len(copies), 0)
        self.dump_agrees(volume, next(record for record in copies if record["type"] == 1))
        info = json.loads(subprocess.run([POSTHORN, "mffs", "info", volume, "--json"], capture_output=True, check=True).stdout)
        self.assertEqual(info["space"]["streams"]["cold"]["live_records"], sum(record["stream"] == "cold" for record in records))

    def dump_agrees(self, volume, copy):
        """`mffs dump` tells of a copy's life what this reader found, and which note of the cleaner names it."""
        name = f"{copy['partition']:08x}-{copy['index']:x}"
        done = subprocess.run([POSTHORN, "mffs", "dump", volume, "--mail", name, "--json"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        records = json.loads(done.stdout)["records"]
        same = [record for record in records if record["type"] == 1 and (record["segment"], record["offset"]) == (copy["segment"], copy["offset"])]
        self.assertEqual([(record["copy"], record["live"], record["lsn"]) for record in same], [(True, True, copy["lsn"])])
        notes = [record["meaning"] for record in records if record["type"] == 5]
        self.assertTrue(any(f"is now at segment {copy['segment']} offset {copy['offset']}" in note for note in notes), notes)
        done = subprocess.run([POSTHORN, "mffs", "dump", volume, "--mail", name], capture_output=True, text=True, check=False)
        self.assertIn("live, a copy made by the cleaner", done.stdout)


def read_rescued(folder):
    return glob.glob(os.path.join(folder, "rescued", "*", "**", "*.eml"), recursive=True)


class HostileTest(Folder):
    """Bytes that are not what they should be: a sentence, never a traceback. First under checksums that tell, then under right ones."""

    @classmethod
    def setUpClass(cls):
        cls.seed = int(os.environ.get("READER_SEED", random.randrange(1 << 32)))
        node = Node(volume_size="24MiB", segment_size="1MiB")
        try:
            kept = os.path.join(node.folder, "kept")
            make_volume(node, kept, large=300_000, queued=4)
            # Once more, so that there are snapshots too.
            node.start()
            node.stop()
            cls.sources = [Source(path) for path in (kept, os.path.join(node.folder, "volume.mffs"))]
        finally:
            shutil.rmtree(node.folder)

    def images(self, enough=lambda: True):
        """Random choices for one hostile image after the other, each with its own seed, until the time is up and there are enough."""
        if "READER_SEED" in os.environ:
            yield self.seed, random.Random(self.seed)
            return
        end, number = time.monotonic() + HOSTILE_SECONDS, 0
        while (time.monotonic() < end or number < HOSTILE_IMAGES_MIN or not enough()) and number < HOSTILE_IMAGES_MAX:
            yield self.seed + number, random.Random(self.seed + number)
            number += 1
        print(f"{number} images from READER_SEED={self.seed} on")

    def check(self, image, seed, chance):
        with open(self.image, "wb") as file:
            file.write(image)
        arguments = chance.choice([(), ("--ignore", "superblocks"), ("--ignore", "checkpoints"), ("--entries",), ("--records",)])
        try:
            code, out, errors = read_here(self.image, *arguments)
        except BaseException as error:
            raise AssertionError(f"READER_SEED={seed} {arguments}") from error
        self.assertIn(code, (0, 1, 2))
        self.assertEqual(code > 0, bool(errors), f"READER_SEED={seed}")
        if code < 2:
            json.loads(out)
        return code

    def test_flipped_bytes_and_lost_ends(self):
        for seed, chance in self.images():
            source = chance.choice(self.sources)
            image = bytearray(source.image)
            for _ in range(chance.choice((1, 5, 100))):
                image[chance.choice(source.used_sectors) + chance.randrange(SECTOR)] = chance.randrange(256)
            if chance.random() < 0.2:
                del image[chance.randrange(len(image)):]
            self.check(image, seed, chance)

    def test_wrong_bytes_under_right_checksums(self):
        seen = []
        # Most of it is seen; not all can be (an address in an envelope is an address).
        for seed, chance in self.images(enough=lambda: sum(seen) > len(seen) // 5):
            forger = Forger(chance.choice(self.sources), chance)
            for _ in range(chance.choice((1, 1, 1, 4))):
                forger.forge()
            seen.append(self.check(forger.image, seed, chance) > 0)


class Source:
    """A good volume, and where there is something in it."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.image = file.read()
        self.used_sectors = [at for at in range(0, len(self.image), SECTOR) if any(self.image[at:at + SECTOR])]
        self.volume = Volume(Image(io.BytesIO(self.image)))
        self.blocks = []
        for segment in range(self.volume.segment_count):
            header = self.volume.segment_header(segment)
            if header is not None:
                self.blocks += [block for block in self.volume.walk(segment, header[0], verify=False) if isinstance(block, Block)]


class Forger:
    """Changes bytes and makes the checksums above them right again."""

    def __init__(self, source, chance):
        self.image = bytearray(source.image)
        self.random = chance
        self.volume, self.blocks = source.volume, source.blocks

    def forge(self):
        self.random.choice((self.forge_superblocks, self.forge_block, self.forge_record, self.forge_record, self.forge_record))()

    def change(self, first, size):
        """A few bytes within a stretch, often to an extreme."""
        for _ in range(self.random.choice((1, 1, 2, 8))):
            self.image[first + self.random.randrange(size)] = self.random.choice((0, 1, 127, 128, 255, self.random.randrange(256)))

    def forge_superblocks(self):
        state = bytearray(self.image[16:136])
        for _ in range(self.random.choice((1, 4))):
            state[self.random.randrange(16, len(state))] = self.random.choice((0, 1, 127, 128, 255))
        for offset in SUPERBLOCKS:
            at = offset % len(self.image)
            self.image[at + 16:at + 136] = state
            rest = crc32c(self.image[at + 16:at + SECTOR], crc32c(self.image[at:at + 12], crc32c(struct.pack("<q", offset))))
            self.image[at + 12:at + 16] = u32(rest)

    def forge_block(self):
        block = self.random.choice(self.blocks)
        self.change(self.volume.place(block.segment, block.sector * SECTOR) + 16, 48)
        self.sign_block(block)

    def forge_record(self):
        block = self.random.choice([block for block in self.blocks if block.records])
        record = self.random.choice(list(self.volume.records_of_block(block)))
        at, size = self.volume.place(block.segment, record.location.offset), record.location.size
        head_size = size - 48 - record.body_size
        # The header's own fields, the first bytes of the head or the body (a long mail's text is of no interest), or any of it.
        first, length = self.random.choice([(8, 36), (48, max(head_size, 1)), (48 + head_size, min(record.body_size, 200)), (48, size - 48)])
        if length > 0 and first + length <= size:
            self.change(at + first, length)
        seed = self.volume.segment_seed(block.segment, block.generation)
        self.image[at + 4:at + 8] = u32(crc32c(self.image[at + 48:at + size], self.volume.volume_seed))
        self.image[at:at + 4] = u32(crc32c(self.image[at + 4:at + 48], crc32c(u32(record.location.offset), seed)))
        self.sign_block(block)

    def sign_block(self, block):
        at = self.volume.place(block.segment, block.sector * SECTOR)
        seed = self.volume.segment_seed(block.segment, block.generation)
        for i in range(1, block.sectors):
            data = self.image[at + i * SECTOR:at + (i + 1) * SECTOR]
            self.image[at + 60 + 4 * i:at + 64 + 4 * i] = u32(crc32c(data, crc32c(u32(block.sector + i), seed)))
        first = self.image[at:at + SECTOR]
        self.image[at + 4:at + 8] = u32(crc32c(first[8:], crc32c(first[:4], crc32c(u32(block.sector), seed))))


if __name__ == "__main__":
    unittest.main(verbosity=2)
