"""A local authoritative DNS server for the tests of outgoing mail: a zone as a table, that can fail, stall or drop.

    with DnsServer() as dns:
        dns.add("remote.test", "MX", (10, "mx.remote.test"))
        dns.add("mx.remote.test", "A", "127.0.0.2")
        ... # `servers = ["{dns.server}"]` in the node's [dns]
        dns.stall("slow.test", 5)
        assert ("remote.test", "MX") in dns.asked

It is the authority for all names: one that is not in the table does not exist. Answers by UDP and TCP on one port of
127.0.0.1. Changes hold for questions that come after; the node's resolver caches answers for `ttl` seconds.
"""

import ipaddress
import socket
import socketserver
import struct
import threading

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "TLSA": 52}
TYPE_NAMES = {number: name for name, number in TYPES.items()}
OPT = 41
SERVFAIL, NXDOMAIN = 2, 3
UDP_BYTES_MAX = 1232  # As servers on the Internet; a longer answer goes by TCP.


def key(name):
    return name.rstrip(".").lower()


def encode_name(name):
    labels = key(name).split(".") if key(name) else []
    return b"".join(bytes([len(label)]) + label.encode("latin-1") for label in labels) + b"\0"


def encode_rdata(kind, value):
    """`value`: an address (A, AAAA), a name (CNAME, NS, PTR), (preference, name) (MX), text (TXT); any: bytes as they are."""
    if isinstance(value, bytes):
        return value
    if kind in ("A", "AAAA"):
        return ipaddress.ip_address(value).packed
    if kind == "MX":
        return struct.pack(">H", value[0]) + encode_name(value[1])
    if kind in ("CNAME", "NS", "PTR"):
        return encode_name(value)
    if kind == "TXT":
        text = value.encode()
        return b"".join(bytes([len(text[i : i + 255])]) + text[i : i + 255] for i in range(0, max(len(text), 1), 255))
    raise ValueError(f"give the RDATA of {kind} as bytes")


def read_name(packet, at):
    """A name of a question, which has no pointers: the name and what comes after it."""
    labels = []
    while packet[at] != 0:
        size = packet[at]
        labels.append(packet[at + 1 : at + 1 + size].decode("latin-1"))
        at += 1 + size
    return ".".join(labels), at + 1


class DnsServer:
    """Use as a context manager. Thread-safe. `server` is what a node's `dns.servers` has: "127.0.0.1@PORT"."""

    def __init__(self, ttl=60):
        self.ttl = ttl
        self.asked = []  # (name, type) in the order of arrival, repetitions of the resolver's too.
        self._lock = threading.Lock()
        self._records = {}  # name -> type -> [RDATA]
        self._stalls = {}  # (name, type or None) -> seconds, or None: never answered.
        self._failing = {}  # (name, type or None) -> RCODE
        self._closed = threading.Event()
        self._tcp, self._udp = self._listen()
        self.port = self._udp.getsockname()[1]
        self.server = f"127.0.0.1@{self.port}"
        self._threads = [
            threading.Thread(target=self._tcp.serve_forever, args=(0.1,), daemon=True),
            threading.Thread(target=self._serve_udp, daemon=True),
        ]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._closed.set()
        self._tcp.shutdown()
        for thread in self._threads:
            thread.join()
        self._tcp.server_close()
        self._udp.close()

    # The table.

    def add(self, name, kind, value):
        """Adds one record (see encode_rdata)."""
        with self._lock:
            self._records.setdefault(key(name), {}).setdefault(kind, []).append(encode_rdata(kind, value))

    def add_name(self, name):
        """A name that exists and has no records."""
        with self._lock:
            self._records.setdefault(key(name), {})

    def add_mail_host(self, domain, ip, name=None, preference=10):
        """An MX and its address: mx.DOMAIN unless `name` says another."""
        name = name or f"mx.{domain}"
        self.add(domain, "MX", (preference, name))
        self.add(name, "AAAA" if ":" in ip else "A", ip)

    def remove(self, name):
        """From here on the name does not exist."""
        with self._lock:
            self._records.pop(key(name), None)

    # Bad behaviour; `kind` None is all types, `name` "*" all names. The name need not be in the table.

    def drop(self, name, kind=None):
        """No answer at all."""
        self.stall(name, None, kind)

    def stall(self, name, seconds, kind=None):
        """An answer only after so many seconds."""
        with self._lock:
            self._stalls[(key(name), kind)] = seconds

    def fail(self, name, kind=None, rcode=SERVFAIL):
        with self._lock:
            self._failing[(key(name), kind)] = rcode

    def mend(self, name, kind=None):
        """Takes back drop, stall or fail of the same name and type."""
        with self._lock:
            self._stalls.pop((key(name), kind), None)
            self._failing.pop((key(name), kind), None)

    def count(self, name, kind):
        """How often a question has come."""
        with self._lock:
            return self.asked.count((key(name), kind))

    # The wire: RFC 1035 §4.1.

    @staticmethod
    def _listen():
        """TCP and UDP on the same port, which for the second of them may be taken: another port then."""
        for _ in range(100):
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)  # A mail for a thousand domains asks for them all at once.
            udp.bind(("127.0.0.1", 0))
            udp.settimeout(0.1)
            try:
                tcp = _TcpServer(udp.getsockname(), _TcpHandler)
            except OSError:
                udp.close()
                continue
            return tcp, udp
        raise OSError("no port of 127.0.0.1 is free for both UDP and TCP")

    def _serve_udp(self):
        self._tcp.dns = self
        while not self._closed.is_set():
            try:
                query, client = self._udp.recvfrom(4096)
            except (TimeoutError, ConnectionError):
                continue
            threading.Thread(target=self._answer_udp, args=(query, client), daemon=True).start()

    def _answer_udp(self, query, client):
        reply = self.answer(query, UDP_BYTES_MAX)
        if reply and not self._closed.is_set():
            self._udp.sendto(reply, client)

    def answer(self, query, size_max):
        """The reply to one query, when its time has come; empty: none."""
        if len(query) < 12:
            return b""
        ident, flags, questions = struct.unpack(">HHH", query[:6])
        if flags & 0x8000 or questions != 1:
            return b""
        name, end = read_name(query, 12)
        kind = TYPE_NAMES.get(struct.unpack(">H", query[end : end + 2])[0], "other")
        with self._lock:
            self.asked.append((key(name), kind))
            delay = self._of(self._stalls, name, kind, 0)
            rcode = self._of(self._failing, name, kind, 0)
        if delay is None or self._closed.wait(delay):
            return b""
        records = [] if rcode else self._find(name, kind)
        if records is None:
            rcode, records = NXDOMAIN, []
        authority = b"" if records or rcode == SERVFAIL else self._soa()
        header_flags = 0x8480 | (flags & 0x0100) | rcode  # An authoritative answer; recursion as if it were there.
        counts = struct.pack(">HHHH", 1, len(records), 1 if authority else 0, 0)
        head = query[12 : end + 4]
        reply = struct.pack(">HH", ident, header_flags) + counts + head + b"".join(records) + authority
        if len(reply) > size_max:
            reply = struct.pack(">HH", ident, header_flags | 0x0200) + struct.pack(">HHHH", 1, 0, 0, 0) + head
        return reply

    @staticmethod
    def _of(table, name, kind, default):
        for row in ((key(name), kind), (key(name), None), ("*", kind), ("*", None)):
            if row in table:
                return table[row]
        return default

    def _find(self, name, kind):
        """The records of the answer, aliases followed; None: there is no such name."""
        records = []
        with self._lock:
            for _ in range(8):
                types = self._records.get(key(name))
                if types is None:
                    return records or None
                if kind != "CNAME" and "CNAME" in types:
                    records.append(self._record(name, "CNAME", types["CNAME"][0]))
                    name = read_name(types["CNAME"][0], 0)[0]
                    continue
                return records + [self._record(name, kind, rdata) for rdata in types.get(kind, [])]
        return records

    def _record(self, name, kind, rdata):
        return encode_name(name) + struct.pack(">HHIH", TYPES[kind], 1, self.ttl, len(rdata)) + rdata

    def _soa(self):
        """RFC 2308: without it a resolver does not cache that there is nothing."""
        numbers = struct.pack(">IIIII", 1, 3600, 600, 86400, self.ttl)
        return self._record("", "SOA", encode_name("ns.invalid") + encode_name("root.invalid") + numbers)


class _TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = False
    dns = None


class _TcpHandler(socketserver.StreamRequestHandler):
    timeout = 10

    def handle(self):
        while len(size := self.rfile.read(2)) == 2:
            reply = self.server.dns.answer(self.rfile.read(struct.unpack(">H", size)[0]), 65535)
            if not reply:
                return
            self.wfile.write(struct.pack(">H", len(reply)) + reply)
