"""The DNS server of the tests itself, asked as a resolver asks: what the tests of outgoing mail rely on."""

import socket
import struct
import time
import unittest

from dns_server import NXDOMAIN, SERVFAIL, TYPES, DnsServer, encode_name, encode_rdata


def question(name, kind):
    return struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0) + encode_name(name) + struct.pack(">HH", TYPES[kind], 1)


class Reply:
    """What the tests look at: the flags and the records, whose names this server never compresses."""

    def __init__(self, packet):
        self.flags, _, answers = struct.unpack(">HHH", packet[2:8])
        self.rcode, self.is_truncated = self.flags & 15, bool(self.flags & 0x0200)
        at = self._skip_name(packet, 12) + 4
        self.records = []
        for _ in range(answers):
            at = self._skip_name(packet, at)
            size = struct.unpack(">H", packet[at + 8 : at + 10])[0]
            self.records.append(packet[at + 10 : at + 10 + size])
            at += 10 + size

    @staticmethod
    def _skip_name(packet, at):
        while packet[at]:
            at += 1 + packet[at]
        return at + 1


class DnsServerTest(unittest.TestCase):
    def setUp(self):
        self.dns = self.enterContext(DnsServer())
        self.socket = self.enterContext(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.socket.connect(("127.0.0.1", self.dns.port))
        self.socket.settimeout(5)

    def ask(self, name, kind):
        self.socket.send(question(name, kind))
        return Reply(self.socket.recv(65535))

    def test_answers_what_the_table_has(self):
        self.dns.add_mail_host("remote.test", "127.0.0.2")
        self.assertEqual([encode_rdata("MX", (10, "mx.remote.test"))], self.ask("Remote.test.", "MX").records)
        self.assertEqual([bytes([127, 0, 0, 2])], self.ask("mx.remote.test", "A").records)
        self.assertEqual([("remote.test", "MX"), ("mx.remote.test", "A")], self.dns.asked)

    def test_tells_no_records_from_no_name(self):
        self.dns.add_name("empty.test")
        self.assertEqual((0, []), (self.ask("empty.test", "A").rcode, self.ask("empty.test", "A").records))
        self.assertEqual(NXDOMAIN, self.ask("absent.test", "A").rcode)

    def test_follows_aliases(self):
        self.dns.add("alias.test", "CNAME", "real.test")
        self.dns.add("real.test", "A", "127.0.0.3")
        self.assertEqual([encode_name("real.test"), bytes([127, 0, 0, 3])], self.ask("alias.test", "A").records)

    def test_sends_long_answers_by_tcp(self):
        for number in range(100):
            self.dns.add("long.test", "MX", (number, f"mx{number}.long.test"))
        self.assertTrue(self.ask("long.test", "MX").is_truncated)
        with socket.create_connection(("127.0.0.1", self.dns.port), timeout=5) as tcp, tcp.makefile("rb") as stream:
            query = question("long.test", "MX")
            tcp.sendall(struct.pack(">H", len(query)) + query)
            reply = stream.read(struct.unpack(">H", stream.read(2))[0])
        self.assertEqual(100, len(Reply(reply).records))

    def test_fails_stalls_and_drops(self):
        self.dns.add("remote.test", "A", "127.0.0.2")
        self.dns.fail("remote.test", "A")
        self.assertEqual(SERVFAIL, self.ask("remote.test", "A").rcode)
        self.dns.mend("remote.test", "A")
        self.dns.stall("*", 0.3)
        began = time.monotonic()
        self.assertEqual(0, self.ask("remote.test", "A").rcode)
        self.assertGreaterEqual(time.monotonic() - began, 0.3)
        self.dns.mend("*")
        self.dns.drop("remote.test")
        self.socket.settimeout(0.3)
        with self.assertRaises(TimeoutError):
            self.ask("remote.test", "A")
        self.assertEqual(3, self.dns.count("remote.test", "A"))

    def test_a_stalled_name_holds_up_no_other(self):
        self.dns.drop("slow.test")
        self.dns.add("remote.test", "A", "127.0.0.2")
        self.socket.send(question("slow.test", "A"))
        self.assertEqual(1, len(self.ask("remote.test", "A").records))


if __name__ == "__main__":
    unittest.main()
