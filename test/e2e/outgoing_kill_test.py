"""kill -9 during outgoing delivery, round after round: no recipient is lost, and doubled are only those whose outcome was not yet recorded.

Usage: outgoing_kill_test.py [--rounds N] [--seed S]
"""

import argparse
import os
import random
import smtplib
import threading
import time

from posthorn_node import Node, wait_until
from remote_server import RemoteServer

DOMAINS = 10
SENDERS = 4
# What a next hop accepted longer than this before a kill must have been recorded: its outcome waits for one flush.
UNRECORDED_SECONDS = 2.0


class Ledger:
    """Which recipients we answered 250 for."""

    def __init__(self):
        self.lock = threading.Lock()
        self.acknowledged = set()
        self.number = 0

    def next_recipients(self, choice):
        with self.lock:
            self.number += 1
            return [f"r{self.number}.{n}@far{choice.randrange(DOMAINS)}.test" for n in range(choice.choice((1, 1, 1, 2, 5)))]

    def acknowledge(self, recipients):
        with self.lock:
            self.acknowledged.update(recipients)


def send_until_dead(port, ledger, stop, seed):
    """Submits mail to far domains; ends when the node dies."""
    choice = random.Random(seed)
    try:
        client = smtplib.SMTP("127.0.0.1", port, timeout=20)
        client.login("alice@example.test", "posthorn")
        while not stop.is_set():
            recipients = ledger.next_recipients(choice)
            size = choice.choice((200, 4000, 4000, 60_000, 700_000) if choice.random() < 0.1 else (200, 4000))
            text = f"From: alice@example.test\r\nMessage-ID: <{recipients[0]}>\r\nSubject: x\r\n\r\n" + "0123456789 " * 6 * (size // 66) + "\r\n"
            client.sendmail("alice@example.test", recipients, text)
            ledger.acknowledge(recipients)
            time.sleep(0.002)
    except (smtplib.SMTPException, OSError):
        pass  # The node was killed: what was not acknowledged is nobody's.


def round_of_load(node, ledger, choice):
    """Load for a moment, then kill -9. Returns when that was."""
    stop = threading.Event()
    senders = [threading.Thread(target=send_until_dead, args=(node.ports["submission"], ledger, stop, choice.randrange(1 << 32)))
               for _ in range(SENDERS)]
    for sender in senders:
        sender.start()
    time.sleep(choice.uniform(0.3, 1.5))
    killed_at = time.monotonic()
    node.kill()
    stop.set()
    for sender in senders:
        sender.join()
    return killed_at


def check(ledger, remote, kills):
    """Every acknowledged recipient was served; what is doubled was under way at a kill."""
    arrivals = {}
    for mail in remote.mails:
        for recipient in mail.recipients:
            arrivals.setdefault(recipient, []).append(mail.at)
    lost = ledger.acknowledged - arrivals.keys()
    assert not lost, f"{len(lost)} recipients lost, such as {sorted(lost)[:5]}"
    doubled = {recipient: at for recipient, at in arrivals.items() if len(at) > 1}
    for recipient, at in doubled.items():
        for earlier in sorted(at)[:-1]:
            assert any(0 <= kill - earlier <= UNRECORDED_SECONDS or 0 <= earlier - kill < 0.5 for kill in kills), \
                f"{recipient} was sent again although it was recorded: accepted at {at}, kills at {kills}"
    print(f"{len(kills)} kills, {len(ledger.acknowledged)} recipients acknowledged, {len(arrivals)} served, {len(doubled)} of them twice or more")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "little"))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}")
    choice = random.Random(arguments.seed)
    ledger = Ledger()
    kills = []
    with RemoteServer(pause=0.01) as remote:
        routes = ", ".join(f'"far{n}.test smtp:127.0.0.1:{remote.port}"' for n in range(DOMAINS))
        with Node(deliver=f"routes = [{routes}]", queue="retry_min = 1") as node:
            for _ in range(arguments.rounds):
                if node.process is None:
                    node.start()
                kills.append(round_of_load(node, ledger, choice))
            node.start()
            wait_until(lambda: "the queue is empty" in node.run("queue", "list").stdout, "the queue is empty", seconds=120)
            check(ledger, remote, kills)


if __name__ == "__main__":
    main()
