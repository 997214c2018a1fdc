"""How long mail for 990 destinations takes while 10 others hang, and while they do not: what e2e_isolation and `make bench-isolation` share.

One round: a fresh node, a DNS that is the authority for all, 1,000 mail servers at loopback addresses. Each of the well ones gets a mail first, so
that names are known; each of those that hang gets as many that all its places are taken. Then mail comes in at a fixed rate for the well ones, in
random order, and one in a hundred beside for those that hang. A mail's time is from the client's first byte of it until the last server has it.
"""

import random
import smtplib
import threading
import time

from dns_server import DnsServer
from many_destinations import Destinations, address
from posthorn_node import Node, message, wait_until

DESTINATIONS = 1000
HANGING = 10
BACKLOG = 20     # Mails for each that hangs, before the clock runs.
SENDERS = 4


class Round:
    """One measurement. `hanging`: 10 of the thousand hang; else there is no mail for those. `deliver`: more of the node's [deliver]."""

    def __init__(self, hanging, rate, seconds, seed, deliver=""):
        self.hanging = hanging
        self.rate = rate
        self.seconds = seconds
        self.choice = random.Random(seed)
        self.deliver = deliver
        self.sent_at = {}  # Recipient -> time.monotonic().
        self.late = 0.0    # By how much the senders fell behind their timetable, at most.

    def run(self):
        """The times of the mails for the well ones, in seconds, sorted. All of them arrive, or it fails."""
        with Destinations(DESTINATIONS, HANGING) as far, DnsServer(ttl=3600) as dns:
            for number in range(DESTINATIONS):
                dns.add_mail_host(f"d{number}.test", address(number))
            with Node(top=f'dns.servers = ["{dns.server}"]', mail='trusted_networks = ["127.0.0.0/8"]', deliver=f"mx_port = {far.port}\n{self.deliver}",
                      queue="retry_min = 1", volume_size="256MiB", segment_size="4MiB") as node:
                return self.measure(node.ports["smtp"], far)

    def measure(self, port, far):
        arrived = {}
        with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
            well = [f"warm@d{number}.test" for number in range(HANGING, DESTINATIONS)]
            client.sendmail("you@example.org", well, message("warm"))
            wait_until(lambda: len(self.take(far, arrived)) >= len(well), "the first mail of each", seconds=120)
            if self.hanging:
                for number in range(BACKLOG):
                    client.sendmail("you@example.org", [f"stuck{number}@d{hang}.test" for hang in range(HANGING)], message("stuck"))
                wait_until(lambda: far.ask("hung") >= 2 * HANGING, "those that hang keep what they have", seconds=120)
        self.send(port)
        wait_until(lambda: self.sent_at.keys() <= self.take(far, arrived).keys(), "every mail for the others arrives", seconds=120)
        assert not any("stuck" in recipient for recipient in arrived)
        return sorted(arrived[recipient] - at for recipient, at in self.sent_at.items())

    @staticmethod
    def take(far, arrived):
        for recipient, at in far.ask("arrivals"):
            assert recipient not in arrived, f"{recipient} arrived twice"
            arrived[recipient] = at
        return arrived

    def send(self, port):
        """The timetable, shared out among the senders."""
        mails = [f"m{n}@d{self.choice.randrange(HANGING, DESTINATIONS)}.test" for n in range(int(self.rate * self.seconds))]
        start = time.monotonic() + 0.1
        senders = [threading.Thread(target=self.send_some, args=(port, mails[n::SENDERS], start + n / self.rate)) for n in range(SENDERS)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        assert len(self.sent_at) == len(mails), "a sender failed"

    def send_some(self, port, mails, start):
        with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
            for number, recipient in enumerate(mails):
                due = start + number * SENDERS / self.rate
                time.sleep(max(0.0, due - time.monotonic()))
                if self.hanging and number % 100 == 0:
                    client.sendmail("you@example.org", [f"stuck-{recipient.split('@')[0]}@d{number // 100 % HANGING}.test"], message("stuck"))
                at = time.monotonic()
                client.sendmail("you@example.org", [recipient], message("well"))
                self.sent_at[recipient] = at
                self.late = max(self.late, at - due)


def p99(times):
    return times[min(len(times) - 1, int(len(times) * 0.99))]
