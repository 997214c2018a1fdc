"""MX delivery through the whole program: a DNS of our own that is the authority for everything, servers at many loopback addresses, and a ledger
of what became of every recipient: arrived at one address, given back with a status, or waiting."""

import errno
import json
import socket
import subprocess
import unittest

from dns_server import DnsServer
from outgoing_mail import queue_is_empty, reports, submit
from posthorn_node import Node, wait_until
from remote_server import RemoteServer

FIRST, SECOND, THIRD, SIXTH = "127.0.0.2", "127.0.0.3", "127.0.0.4", "::1"
DEAD = "127.0.0.9"     # Nobody listens there.
OURSELVES = "mx.example.test"
NULL_MX = b"\0\0\0"     # Preference 0, the root (RFC 7505).


def servers_on_one_port(ips):
    """A server at each address, all on one port: the node has one port for all hosts of the DNS."""
    for _ in range(50):
        servers = {ips[0]: RemoteServer(address=(ips[0], 0))}
        try:
            for ip in ips[1:]:
                servers[ip] = RemoteServer(address=(ip, servers[ips[0]].port))
            return servers
        except OSError as error:
            for server in servers.values():
                server.close()
            if error.errno != errno.EADDRINUSE:
                raise
    raise AssertionError("no port is free at all addresses")


def has_ipv6():
    """Whether ::1 is there: not in every container."""
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind((SIXTH, 0))
        except OSError:
            print("no IPv6 on loopback: hosts with AAAA are left out")
            return False
    return True


def outer_address():
    """An address of this machine's other interfaces; None: it has none."""
    for interface in json.loads(subprocess.run(["ip", "-json", "addr"], check=True, capture_output=True, text=True).stdout):
        for address in interface["addr_info"]:
            if interface["ifname"] != "lo" and "UP" in interface["flags"] and address["family"] == "inet":
                return address["local"]
    return None


class MxTest(unittest.TestCase):
    def setUp(self):
        self.dns = self.enterContext(DnsServer())
        self.has_ipv6 = has_ipv6()
        self.servers = servers_on_one_port([FIRST, SECOND, THIRD] + ([SIXTH] if self.has_ipv6 else []))
        for server in self.servers.values():
            self.enterContext(server)
        port = self.servers[FIRST].port
        self.node = self.enterContext(Node(top=f'dns.servers = ["{self.dns.server}"]', deliver=f"mx_port = {port}", queue="retry_min = 1"))
        self.arrived = {}     # Recipient -> the addresses at one of which it is to arrive.
        self.given_back = {}  # Recipient -> status of the bounce.

    def hosts(self, domain, *hosts):
        """MX records: (preference, address) or (preference, address, name)."""
        for preference, ip, *name in hosts:
            self.dns.add_mail_host(domain, ip, name[0] if name else f"mx{preference}.{domain}", preference)

    def expect(self, domain, *ips):
        self.arrived[f"who@{domain}"] = set(ips)

    def expect_back(self, domain, status):
        self.given_back[f"who@{domain}"] = status

    def send_to_all(self):
        """A mail for each recipient."""
        for recipient in [*self.arrived, *self.given_back]:
            submit(self.node, [recipient])

    def where(self, recipient):
        """The addresses at which a recipient arrived, as often as it did."""
        return [ip for ip, server in self.servers.items() for _ in range(server.accepted(recipient))]

    def check_ledger(self):
        wait_until(lambda: queue_is_empty(self.node), "nothing waits", seconds=60)
        wait_until(lambda: len(reports(self.node)) >= len(self.given_back), "the bounces", seconds=60)
        for recipient, ips in self.arrived.items():
            with self.subTest(recipient=recipient):
                places = self.where(recipient)
                self.assertEqual(len(places), 1, f"arrived at {places}")
                self.assertIn(places[0], ips)
        self.assertEqual(sorted(reports(self.node)), sorted((who, "failed", status) for who, status in self.given_back.items()))
        for recipient in self.given_back:
            self.assertEqual(self.where(recipient), [])

    def test_hosts_are_taken_in_their_order_and_dead_ones_passed_over(self):
        self.hosts("order.test", (20, SECOND), (10, FIRST), (30, THIRD))
        self.expect("order.test", FIRST)
        self.hosts("dead.test", (10, DEAD), (20, SECOND), (30, THIRD))
        self.expect("dead.test", SECOND)
        self.hosts("half-dead.test", (10, DEAD, "mx.half-dead.test"), (20, SECOND))
        self.dns.add("mx.half-dead.test", "A", THIRD)
        self.expect("half-dead.test", THIRD)
        self.hosts("equal.test", (10, FIRST, "a.equal.test"), (10, SECOND, "b.equal.test"), (20, THIRD))
        self.expect("equal.test", FIRST, SECOND)
        if self.has_ipv6:
            self.hosts("six.test", (10, SIXTH), (20, FIRST))
            self.expect("six.test", SIXTH)
            self.hosts("both.test", (10, SIXTH, "mx.both.test"))
            self.dns.add("mx.both.test", "A", DEAD)
            self.expect("both.test", SIXTH)
        self.send_to_all()
        self.check_ledger()

    def test_mail_over_equal_hosts_is_spread(self):
        self.hosts("equal.test", (10, FIRST, "a.equal.test"), (10, SECOND, "b.equal.test"), (10, THIRD, "c.equal.test"))
        if self.has_ipv6:
            self.dns.add("c.equal.test", "AAAA", SIXTH)
        for number in range(30):
            recipient = f"who{number}@equal.test"
            self.arrived[recipient] = set(self.servers)
            submit(self.node, [recipient])
            # What is idle is used again first: goodbye, so that each mail looks for its host anew.
            wait_until(lambda who=recipient: self.where(who), "the mail")
            for server in self.servers.values():
                server.hang_up()
        self.check_ledger()
        counts = {ip: server.connections for ip, server in self.servers.items()}
        print(f"connections of 30 mails: {counts}")
        # All at one of them by chance: once in 3^29.
        self.assertGreaterEqual(sum(count > 0 for count in counts.values()), 2)

    def test_what_the_dns_refuses_for_good_is_given_back(self):
        self.dns.add("null.test", "MX", NULL_MX)
        self.dns.add("null.test", "A", FIRST)
        self.expect_back("null.test", "5.1.10")
        self.expect_back("no-such-domain.test", "5.1.2")
        self.dns.add_name("empty.test")
        self.expect_back("empty.test", "5.1.2")
        self.dns.add("digits.test", "MX", (10, FIRST))
        self.expect_back("digits.test", "5.4.4")
        self.dns.add("nowhere.test", "MX", (10, "mx.nowhere.test"))
        self.expect_back("nowhere.test", "5.4.4")
        # RFC 7505 §3: beside others a null MX means nothing.
        self.dns.add("half-null.test", "MX", NULL_MX)
        self.hosts("half-null.test", (10, FIRST))
        self.expect("half-null.test", FIRST)
        self.send_to_all()
        self.check_ledger()

    def test_without_mx_the_domain_is_its_own_host_and_aliases_are_followed(self):
        self.dns.add("plain.test", "A", FIRST)
        self.expect("plain.test", FIRST)
        if self.has_ipv6:
            self.dns.add("plain-six.test", "AAAA", SIXTH)
            self.expect("plain-six.test", SIXTH)
        for alias, name in (("alias.test", "second.alias.test"), ("second.alias.test", "third.alias.test"), ("third.alias.test", "real.test")):
            self.dns.add(alias, "CNAME", name)
        self.hosts("real.test", (10, SECOND))
        self.expect("alias.test", SECOND)
        self.dns.add("alias-host.test", "MX", (10, "mx.alias-host.test"))
        self.dns.add("mx.alias-host.test", "CNAME", "real.alias-host.test")
        self.dns.add("real.alias-host.test", "A", THIRD)
        self.expect("alias-host.test", THIRD)
        self.arrived[f"who@[{FIRST}]"] = {FIRST}
        self.send_to_all()
        self.check_ledger()

    def test_mail_that_would_come_back_to_us_is_given_back(self):
        self.hosts("ours.test", (10, DEAD, OURSELVES), (20, FIRST))
        self.expect_back("ours.test", "5.4.6")
        self.dns.add("plain-ours.test", "MX", (10, OURSELVES))
        self.expect_back("plain-ours.test", "5.4.6")
        # A better host than us: only that one counts.
        self.hosts("second-ours.test", (10, SECOND), (20, DEAD, OURSELVES), (30, FIRST))
        self.expect("second-ours.test", SECOND)
        outer = outer_address()
        if outer:
            self.hosts("our-address.test", (10, outer), (20, FIRST))
            self.expect_back("our-address.test", "5.4.6")
        else:
            print("no interface beside loopback: our own address is left out")
        self.send_to_all()
        self.check_ledger()

    def test_mail_waits_while_the_dns_fails_and_no_lesser_host_than_ours_gets_it(self):
        self.hosts("mx-fails.test", (10, FIRST))
        self.dns.fail("mx-fails.test", "MX")
        self.hosts("address-fails.test", (10, SECOND))
        self.dns.fail("mx10.address-fails.test")
        self.hosts("lesser.test", (10, DEAD, "mx.lesser.test"), (20, DEAD, OURSELVES), (30, THIRD))
        domains = ("mx-fails.test", "address-fails.test", "lesser.test")
        for domain in domains:
            submit(self.node, [f"who@{domain}"])

        def waiting():
            rows = json.loads(self.node.run("queue", "list", "--by", "destination", "--json").stdout)["groups"]
            return {row["key"]: row["last_answer"] for row in rows}

        wait_until(lambda: len(waiting()) == 3 and all(waiting().values()), "each was tried", seconds=60)
        words = waiting()
        self.assertTrue(words["mx:mx-fails.test"].startswith("4.4.3"), words)
        self.assertTrue(words["mx:address-fails.test"].startswith("4.4.3"), words)
        self.assertIn("refused", words["mx:lesser.test"])
        self.assertEqual(reports(self.node), [])
        self.assertEqual([self.where(f"who@{domain}") for domain in domains], [[], [], []])
        self.dns.mend("mx-fails.test", "MX")
        self.dns.mend("mx10.address-fails.test")
        self.expect("mx-fails.test", FIRST)
        self.expect("address-fails.test", SECOND)

        def have_arrived():  # The resolver remembers a failure for some seconds; the operator does not wait for the next attempt.
            self.node.run("queue", "flush")
            return all(self.where(recipient) for recipient in self.arrived)

        wait_until(have_arrived, "the DNS is well again", seconds=60)
        self.node.run("queue", "remove", "--yes", "--recipient", "who@lesser.test")
        self.check_ledger()

    def test_one_mail_for_three_domains_at_the_same_host(self):
        domains = ("one.test", "two.test", "three.test")
        for domain in domains:
            self.hosts(domain, (10, FIRST, "mx.shared.test"))
        recipients = [f"{who}@{domain}" for domain in domains for who in ("a", "b")]
        for number in range(5):
            submit(self.node, [f"{number}.{recipient}" for recipient in recipients])
        for number in range(5):
            for recipient in recipients:
                self.arrived[f"{number}.{recipient}"] = {FIRST}
        self.check_ledger()
        print(f"5 mails for 3 domains at one host: {self.servers[FIRST].connections} connections, {len(self.servers[FIRST].mails)} transactions")
        self.assertEqual(len(self.servers[FIRST].mails), 15, "a transaction for each domain of each mail")


if __name__ == "__main__":
    unittest.main(verbosity=2)
