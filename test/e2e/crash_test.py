"""kill -9 at random moments under load, round after round; then the index is deleted. Each mail that got 250 is there once, byte-equal.

Usage: crash_test.py [--rounds N] [--seed S]
"""

import argparse
import atexit
import hashlib
import imaplib
import os
import random
import shutil
import smtplib
import sys
import threading
import time

from posthorn_node import Node

ACCOUNTS = [f"user{n}@example.test" for n in range(40)]
SENDERS = 8


class Ledger:
    """What was acknowledged: the number of a mail -> (its recipients, a digest of its bytes)."""

    def __init__(self):
        self.lock = threading.Lock()
        self.acknowledged = {}
        self.sent = 0

    def next_number(self):
        with self.lock:
            self.sent += 1
            return self.sent

    def acknowledge(self, number, recipients, text):
        with self.lock:
            self.acknowledged[number] = (recipients, hashlib.sha256(text).hexdigest())


def send_until_dead(port, ledger, stop, seed):
    """Sends mails of mixed size to one or several accounts; ends when the node dies."""
    choice = random.Random(seed)
    try:
        client = smtplib.SMTP("127.0.0.1", port, timeout=20)
        while not stop.is_set():
            number = ledger.next_number()
            recipients = choice.sample(ACCOUNTS, choice.choice((1, 1, 1, 2, 5)))
            size = choice.choice((200, 4000, 4000, 30_000, 400_000, 900_000) if choice.random() < 0.2 else (200, 4000, 6000))
            filler = (f"{number:08d} " * 8 + "\r\n") * (size // 74)
            text = f"X-Number: {number}\r\nMessage-ID: <{seed}.{number}@ledger.test>\r\nSubject: x\r\n\r\n{filler}".encode()
            client.sendmail("from@src.test", recipients, text)
            ledger.acknowledge(number, recipients, text)
            if choice.random() < 0.05:
                client.quit()
                client = smtplib.SMTP("127.0.0.1", port, timeout=20)
    except (smtplib.SMTPException, OSError):
        pass  # The node was killed: what was not acknowledged is nobody's.


def add_accounts(node):
    for account in ACCOUNTS:
        node.run("user", "add", account, "--password-stdin", stdin="posthorn\n")


def start_senders(node, ledger, stop, choice):
    senders = [threading.Thread(target=send_until_dead, args=(node.ports["smtp"], ledger, stop, choice.randrange(1 << 32)))
               for _ in range(SENDERS)]
    for sender in senders:
        sender.start()
    return senders


def read_all(port):
    """account -> {number: [digest of each copy]}."""
    found = {}
    for account in ACCOUNTS:
        client = imaplib.IMAP4("127.0.0.1", port)
        client.login(account, "posthorn")
        client.select("INBOX", readonly=True)
        copies = found.setdefault(account, {})
        _, data = client.uid("FETCH", "1:*", "(BODY.PEEK[])")
        for part in data:
            if not isinstance(part, tuple):
                continue
            text = part[1]
            begin = text.index(b"X-Number: ")
            number = int(text[begin + 10 : text.index(b"\r\n", begin)])
            copies.setdefault(number, []).append(hashlib.sha256(text[begin:]).hexdigest())
        client.logout()
    return found


def check(ledger, found, when):
    """Exits with what is missing, doubled or different."""
    faults = []
    for number, (recipients, digest) in ledger.acknowledged.items():
        for recipient in recipients:
            copies = found[recipient].get(number, [])
            if len(copies) != 1:
                faults.append(f"mail {number} for {recipient}: {len(copies)} copies")
            elif copies[0] != digest:
                faults.append(f"mail {number} for {recipient}: other bytes")
    if faults:
        sys.exit(f"{when}: {len(faults)} faults, the first: {faults[:5]}")


def queue_is_empty(node):
    return node.run("queue", "list", "--json").stdout.strip() == ""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}, {arguments.rounds} rounds", flush=True)
    choice = random.Random(arguments.seed)
    ledger = Ledger()
    node = Node(volume_size="8GiB")  # Room for 30 rounds: a full volume is another test's matter.
    atexit.register(lambda: node.process and node.kill())
    node.start()
    add_accounts(node)
    for round_number in range(arguments.rounds):
        stop = threading.Event()
        senders = start_senders(node, ledger, stop, choice)
        time.sleep(choice.uniform(0.05, 1.5))  # The moment of the kill is the random input of this test.
        node.kill()
        stop.set()
        for sender in senders:
            sender.join()
        ready = node.start()
        print(f"round {round_number + 1}: {len(ledger.acknowledged)} acknowledged so far, ready again after {ready:.2f} s", flush=True)
    drain(node)
    check(ledger, read_all(node.ports["imap"]), "after the last kill")
    node.stop()
    shutil.rmtree(os.path.join(node.folder, "index"))
    node.start()
    check(ledger, read_all(node.ports["imap"]), "after the index was deleted")
    if node.stop() != 0:
        sys.exit("the node did not stop cleanly")
    if "volume_corrupt" in node.log():
        sys.exit(f"a kill was taken for corruption:\n{node.log()}")
    shutil.rmtree(node.folder)
    if len(ledger.acknowledged) < arguments.rounds:
        sys.exit(f"only {len(ledger.acknowledged)} mails were acknowledged: the load did not run")
    print(f"{len(ledger.acknowledged)} acknowledged mails: each there once, byte-equal")


def drain(node):
    """Waits until everything queued is in its mailbox."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if queue_is_empty(node):
            return
        time.sleep(0.1)
    sys.exit("the queue does not drain")


if __name__ == "__main__":
    main()
