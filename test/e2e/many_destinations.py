#!/usr/bin/env python3
"""A thousand mail servers in one process, some of which hang: each at a loopback address of its own, all on one port.

Used through `Destinations`; run by it as a program of its own, so that its processor time is not that of the test.
Reads commands from standard input, a line each, and answers each with a line of JSON:
  arrivals   what arrived since the last such command: [[recipient, time.monotonic() just before the answer], ...]
  hung       how many connections hang now
"""

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import time

# How the hanging ones hang, in turn: no greeting; no answer to RCPT; none to the last byte of the mail.
HANGS = ("greeting", "rcpt", "end")


def address(number):
    return f"127.1.{number // 250}.{number % 250 + 1}"


class Destinations:
    """`count` servers, of which the first `hanging` hang. Use as a context manager."""

    def __init__(self, count, hanging):
        self.count = count
        self.hanging = hanging
        self.port = 0
        self.process = None

    def __enter__(self):
        self.process = subprocess.Popen([sys.executable, __file__, str(self.count), str(self.hanging)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = json.loads(self.process.stdout.readline())
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


class Dialogue(asyncio.Protocol):
    """One connection; takes what is said to it, and in groups."""

    def __init__(self, arrivals, hung, hang):
        self.arrivals = arrivals
        self.hung = hung
        self.hang = hang
        self.transport = None
        self.buffer = b""
        self.recipients = []
        self.in_data = False

    def connection_made(self, transport):
        self.transport = transport
        if not self.hangs_at("greeting"):
            self.say(b"220 far.test ESMTP")

    def connection_lost(self, _):
        self.hung.discard(self)

    def data_received(self, data):
        self.buffer += data
        while self not in self.hung:
            if self.in_data:
                end = self.buffer.find(b"\r\n.\r\n")
                if end < 0:
                    return
                self.buffer = self.buffer[end + 5 :]
                self.take()
            else:
                line, found, rest = self.buffer.partition(b"\r\n")
                if not found:
                    return
                self.buffer = rest
                self.answer(line)

    def hangs_at(self, step):
        if self.hang == step:
            self.hung.add(self)
        return self.hang == step

    def say(self, line):
        self.transport.write(line + b"\r\n")

    def answer(self, line):
        verb = line[:4].upper()
        if verb == b"EHLO":
            self.say(b"250-far.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES")
        elif verb == b"RCPT":
            if not self.hangs_at("rcpt"):
                self.recipients.append(line[line.index(b"<") + 1 : line.index(b">")].decode())
                self.say(b"250 2.1.5 Ok")
        elif verb == b"DATA":
            self.in_data = True
            self.say(b"354 Go on")
        elif verb == b"QUIT":
            self.say(b"221 2.0.0 Bye")
            self.transport.close()
        else:
            self.recipients = []
            self.say(b"250 2.0.0 Ok")

    def take(self):
        self.in_data = False
        if self.hangs_at("end"):
            return
        now = time.monotonic()
        self.arrivals += [(recipient, now) for recipient in self.recipients]
        self.recipients = []
        self.say(b"250 2.0.0 Taken")


async def listen(loop, arguments, arrivals, hung):
    """All servers on a port that is free at every address."""
    for _ in range(50):
        servers, port = [], 0
        try:
            for number in range(arguments.count):
                hang = HANGS[number % len(HANGS)] if number < arguments.hanging else None
                servers.append(await loop.create_server(lambda hang=hang: Dialogue(arrivals, hung, hang), address(number), port, backlog=100))
                port = port or servers[0].sockets[0].getsockname()[1]
            return port
        except OSError:
            for server in servers:
                server.close()
    sys.exit("no port is free at all addresses")


async def serve(arguments):
    loop = asyncio.get_running_loop()
    arrivals, hung = [], set()
    print(await listen(loop, arguments, arrivals, hung), flush=True)
    while command := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
        if command == "arrivals":
            print(json.dumps(arrivals), flush=True)
            arrivals.clear()
        else:
            print(len(hung), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int)
    parser.add_argument("hanging", type=int)
    arguments = parser.parse_args()
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    asyncio.run(serve(arguments))


if __name__ == "__main__":
    main()
