"""kill -9 every 1 to 5 seconds under SMTP and IMAP load, for as long as one likes; a ledger of everything acknowledged.

After each kill the node starts again, now and then without its index, and each IMAP user finds every mailbox as it was told (the command that
was under way done wholly or not at all). Now and then the killed volume is checked sector by sector before the node opens it, and the mail that
got 250 is read back, compared and removed: nothing lost, nothing doubled, nothing removed comes back, no kill taken for corruption.

Usage: soak_test.py [--seconds N | --kills N] [--seed S] (POSTHORN_SOAK_SECONDS, POSTHORN_SOAK_KILLS; default 900 seconds)
"""

import argparse
import atexit
import hashlib
import imaplib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import threading
import time

import crash_test
from posthorn_node import POSTHORN, Node

USERS = ["worker1@example.test", "worker2@example.test", "worker3@example.test"]
SENDERS = 4
FLAGS = (r"\Seen", r"\Flagged", r"\Answered", "Later", "$Work")
CHECK_EVERY, INDEX_EVERY, AUDIT_EVERY = 10, 15, 8  # Kills; what was audited is removed, so the volume does not fill.
LOST = (imaplib.IMAP4.abort, OSError, EOFError)


class Fault(Exception):
    pass


class Box:
    """A mailbox as its only user knows it: UID -> (digest, flags)."""

    def __init__(self, validity, next_uid, mails):
        self.validity, self.next_uid, self.mails = validity, next_uid, mails

    def copy(self):
        return Box(self.validity, self.next_uid, dict(self.mails))

    def add(self, mail):
        self.mails[self.next_uid] = mail
        self.next_uid += 1

    def matches(self, seen):
        """UIDs may be skipped, never given twice."""
        return self.validity == seen.validity and self.next_uid <= seen.next_uid and self.mails == seen.mails


class User:
    """One IMAP user: what was acknowledged, and what is true instead if the command under way was done."""

    def __init__(self, address, seed):
        self.address, self.random = address, random.Random(seed)
        self.known, self.doubt = None, None
        self.commands = 0
        self.fault = None
        self.client = None

    def connect(self, port):
        self.client = imaplib.IMAP4("127.0.0.1", port, timeout=30)
        self.client.login(self.address, "posthorn")

    def prepare(self, port):
        self.connect(port)
        for name in ("Work", "Archive"):
            self.client.create(name)
        self.known = self.read()
        self.client.logout()

    def read(self):
        boxes = {}
        for name in ("Work", "Archive"):
            _, (status,) = self.client.status(name, "(UIDVALIDITY UIDNEXT)")
            validity, next_uid = (int(re.search(word + rb" (\d+)", status).group(1)) for word in (rb"UIDVALIDITY", rb"UIDNEXT"))
            self.client.select(name, readonly=True)
            _, data = self.client.uid("FETCH", "1:*", "(UID FLAGS BODY.PEEK[])")
            mails = {}
            for part in data:
                if isinstance(part, tuple):
                    uid = int(re.search(rb"UID (\d+)", part[0]).group(1))
                    flags = frozenset(re.search(rb"FLAGS \(([^)]*)\)", part[0]).group(1).decode().split()) - {r"\Recent"}
                    mails[uid] = (hashlib.sha256(part[1]).hexdigest(), flags)
            boxes[name] = Box(validity, next_uid, mails)
        return boxes

    def verify(self):
        """After a restart: the mailboxes are as acknowledged, or as the command under way would have left them."""
        seen = self.read()
        for state in (self.known, self.doubt):
            if state is not None and all(state[name].matches(seen[name]) for name in state):
                self.known, self.doubt = seen, None
                return
        differences = [f"{name}: known {len(self.known[name].mails)} mails, next {self.known[name].next_uid}; seen {len(seen[name].mails)}, "
                       f"next {seen[name].next_uid}; missing {sorted(set(self.known[name].mails) - set(seen[name].mails))[:5]}, "
                       f"new {sorted(set(seen[name].mails) - set(self.known[name].mails))[:5]}" for name in seen]
        raise Fault(f"{self.address}: the mailboxes are not what was acknowledged: {differences}")

    def work(self, port, stop):
        """Commands until the node dies."""
        try:
            self.connect(port)
            self.verify()
            self.client.select("Work")
            while not stop.is_set():
                self.step()
        except LOST:
            pass  # The node was killed; the command under way is in doubt.
        except Exception as error:  # Seen by the main thread, which ends the test.
            self.fault = error

    def step(self):
        work = self.known["Work"].mails
        actions = [self.append, self.append, self.store, self.copy, self.expunge, self.fetch] if len(work) > 2 else [self.append]
        if len(work) > 40 or len(self.known["Archive"].mails) > 60:
            actions = [self.expunge]
        self.random.choice(actions)()
        self.commands += 1

    def do(self, after, answer):
        """Sends a command by `answer`; what it means stands in `after` from then on."""
        self.doubt = after
        status, data = answer()
        if status != "OK":
            raise Fault(f"{self.address}: {status} {data}")
        self.known, self.doubt = after, None

    def after(self):
        return {name: box.copy() for name, box in self.known.items()}

    def some(self):
        uids = list(self.known["Work"].mails)
        return self.random.sample(uids, min(len(uids), self.random.randint(1, 3)))

    def some_flags(self):
        return frozenset(self.random.sample(FLAGS, self.random.randint(1, 3)))

    def append(self):
        name, flags = self.random.choice(("Work", "Archive")), self.some_flags()
        text = f"Subject: {self.address} {self.commands}\r\n\r\n".encode()
        text += b"A line of this mail, like all its others.\r\n" * self.random.choice((1, 50, 100, 100, 8000))
        after = self.after()
        after[name].add((hashlib.sha256(text).hexdigest(), flags))
        self.do(after, lambda: self.client.append(name, f"({' '.join(flags)})", None, text))

    def store(self):
        uids, flags, sign = self.some(), self.some_flags(), self.random.choice(("+", "-", ""))
        after = self.after()
        for uid in uids:
            digest, before = after["Work"].mails[uid]
            after["Work"].mails[uid] = (digest, before | flags if sign == "+" else before - flags if sign == "-" else flags)
        self.do(after, lambda: self.client.uid("STORE", ",".join(map(str, uids)), f"{sign}FLAGS.SILENT", f"({' '.join(flags)})"))

    def copy(self):
        uids, after = sorted(self.some()), self.after()
        for uid in uids:
            after["Archive"].add(after["Work"].mails[uid])
        self.do(after, lambda: self.client.uid("COPY", ",".join(map(str, uids)), "Archive"))

    def expunge(self):
        name = "Work" if len(self.known["Archive"].mails) <= 60 else "Archive"
        uids = self.random.sample(list(self.known[name].mails), min(len(self.known[name].mails), 10))
        self.client.select(name)
        after = self.after()
        for uid in uids:
            digest, flags = after[name].mails[uid]
            after[name].mails[uid] = (digest, flags | {r"\Deleted"})
        self.do(after, lambda: self.client.uid("STORE", ",".join(map(str, uids)), "+FLAGS.SILENT", r"(\Deleted)"))
        after = self.after()
        for uid in [uid for uid, mail in after[name].mails.items() if r"\Deleted" in mail[1]]:
            del after[name].mails[uid]
        self.do(after, self.client.expunge)
        self.client.select("Work")

    def fetch(self):
        uid = self.random.choice(list(self.known["Work"].mails))
        status, data = self.client.uid("FETCH", str(uid), "(FLAGS BODY.PEEK[])")
        parts = [part for part in data or [] if isinstance(part, tuple)]
        if status != "OK" or not parts or hashlib.sha256(parts[0][1]).hexdigest() != self.known["Work"].mails[uid][0]:
            raise Fault(f"{self.address}: UID {uid} was fetched with other bytes: {status} {str(data)[:200]}")


class Soak:
    def __init__(self, options):
        self.options, self.random = options, random.Random(options.seed)
        self.node = Node(volume_size="4GiB", segment_size="8MiB")
        self.ledger = crash_test.Ledger()
        self.users = [User(address, options.seed + n) for n, address in enumerate(USERS)]
        self.removed = set()  # Numbers of mails that were compared and removed.
        self.checked = self.index_deletions = self.audits = self.mails = self.kills = 0
        self.starts = []
        self.log_read = 0

    def run(self):
        self.node.start()
        for address in crash_test.ACCOUNTS + USERS:
            self.node.run("user", "add", address, "--password-stdin", stdin="posthorn\n")
        for user in self.users:
            user.prepare(self.node.ports["imap"])
        end = time.monotonic() + self.options.seconds
        while self.kills < self.options.kills if self.options.kills else time.monotonic() < end:
            self.round()
        self.audit()
        if self.node.stop() != 0:
            raise Fault("the node did not stop cleanly")
        self.check_volume()

    def round(self):
        stop = threading.Event()
        workers = crash_test.start_senders(self.node, self.ledger, stop, self.random)
        for user in self.users:
            workers.append(threading.Thread(target=user.work, args=(self.node.ports["imap"], stop)))
            workers[-1].start()
        time.sleep(self.random.uniform(*self.options.pause))  # The moment of the kill is the random input of this test.
        self.node.kill()
        stop.set()
        for worker in workers:
            worker.join()
        self.kills += 1
        for user in self.users:
            if user.fault:
                raise user.fault
        if self.kills % CHECK_EVERY == 0:
            self.check_volume()
        if self.kills % INDEX_EVERY == 0:
            shutil.rmtree(os.path.join(self.node.folder, "index"))
            self.index_deletions += 1
        self.starts.append(self.node.start())
        self.read_log()
        if self.kills % AUDIT_EVERY == 0:
            self.audit()
            print(self.figures(), flush=True)

    def read_log(self):
        """Only what is new, so that a long run is not one over its log."""
        with open(self.node.log_path, errors="replace") as file:
            file.seek(self.log_read)
            for line in file:
                if "corrupt" in line.split("what=")[0].split(" corruptions=")[0] or " CRIT" in line:
                    raise Fault(f"a kill was taken for corruption: {line}")
            self.log_read = file.tell()

    def check_volume(self):
        volume = os.path.join(self.node.folder, "volume.mffs")
        done = subprocess.run([POSTHORN, "mffs", "check", volume], capture_output=True, text=True, check=False)
        if done.returncode not in (0, 3):
            raise Fault(f"mffs check after kill {self.kills} says {done.returncode}: {done.stdout[-3000:]}{done.stderr[-1000:]}")
        self.checked += 1

    def audit(self):
        """Each mail that got 250 is there once; then all are removed, for good."""
        crash_test.drain(self.node)
        found = crash_test.read_all(self.node.ports["imap"])
        crash_test.check(self.ledger, found, f"after kill {self.kills}")
        for account, mails in found.items():
            for number, copies in mails.items():
                if len(copies) > 1:
                    raise Fault(f"mail {number} is there {len(copies)} times for {account}")
                if number in self.removed:
                    raise Fault(f"mail {number} was removed and is there again for {account}")
        self.mails += len(self.ledger.acknowledged)
        self.removed.update(number for mails in found.values() for number in mails)
        self.ledger.acknowledged.clear()
        for account in crash_test.ACCOUNTS:
            client = imaplib.IMAP4("127.0.0.1", self.node.ports["imap"])
            client.login(account, "posthorn")
            client.select("INBOX")
            client.store("1:*", "+FLAGS.SILENT", r"(\Deleted)")
            client.expunge()
            client.logout()
        self.audits += 1

    def figures(self):
        volume = json.loads(self.node.run("status", "--json").stdout)["volume"] if self.node.process else {}
        return (f"{self.kills} kills; {self.mails + len(self.ledger.acknowledged)} mails and {sum(user.commands for user in self.users)} IMAP "
                f"commands acknowledged; {self.checked} checks of the killed volume, {self.index_deletions} deleted indexes, {self.audits} audits; "
                f"start: median {sorted(self.starts)[len(self.starts) // 2]:.2f} s, longest {max(self.starts):.2f} s; "
                f"{volume.get('live_bytes', 0) >> 20} MiB live")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=float(os.environ.get("POSTHORN_SOAK_SECONDS") or 900))
    parser.add_argument("--kills", type=int, default=int(os.environ.get("POSTHORN_SOAK_KILLS") or 0), help="instead of --seconds")
    parser.add_argument("--pause", type=float, nargs=2, default=(1, 5), metavar=("FROM", "TO"), help="seconds between kills")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    crash_test.ACCOUNTS = crash_test.ACCOUNTS[:10]
    crash_test.SENDERS = SENDERS
    soak = Soak(options)
    atexit.register(lambda: soak.node.process and soak.node.kill())
    try:
        soak.run()
    except Fault as fault:
        sys.exit(f"seed {options.seed}, {soak.figures() if soak.starts else 'before the first kill'}\n{fault}\nThe volume and the log are in {soak.node.folder}")
    if not soak.mails or not all(user.commands for user in soak.users):
        sys.exit("nothing was acknowledged: the load did not run")
    print(f"{soak.figures()}; nothing lost, nothing doubled, no false corruption", flush=True)
    shutil.rmtree(soak.node.folder)


if __name__ == "__main__":
    main()
