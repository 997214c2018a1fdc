#!/usr/bin/env python3
"""Memory of one node: 5,000 SMTP connections idle and 1,000 active; then 100 mails of 50 MB at once.

Usage: memory.py
"""

import os
import socket
import sys
import threading
import time

from bench_lib import WORK, Results, memory_bytes
from node import BenchNode

IDLE = 5000
ACTIVE = 1000
BIG_MAILS = 100
BIG_BYTES = 50 << 20


def connect(port):
    client = socket.create_connection(("127.0.0.1", port))
    client.recv(4096)
    return client


def say(client, line):
    client.sendall(line)
    answer = client.recv(4096)
    if answer[:1] not in (b"2", b"3"):
        sys.exit(f"{line[:60]}: {answer}")


def begin_mail(client, number, size):
    say(client, b"EHLO bench.test\r\n")
    say(client, b"MAIL FROM:<from@src.test> SIZE=%d\r\n" % size)
    say(client, b"RCPT TO:<%duser@bench.test>\r\n" % (number % 1000 + 1))
    say(client, b"DATA\r\n")


def idle_and_active(results):
    with BenchNode() as node:
        before = memory_bytes(node.pid)
        idle = [connect(node.port) for _ in range(IDLE)]
        for client in idle:
            say(client, b"EHLO bench.test\r\n")
        # Active: within DATA, half of a 4 KiB mail sent.
        active = [connect(node.port) for _ in range(ACTIVE)]
        for number, client in enumerate(active):
            begin_mail(client, number, 4096)
            client.sendall(b"Subject: half\r\n\r\n" + b"x" * 2000 + b"\r\n")
        time.sleep(0.5)
        used = memory_bytes(node.pid)
        for client in active:
            client.sendall(b"end\r\n.\r\n")
            if not client.recv(4096).startswith(b"250"):
                sys.exit("an active session was not answered with 250")
        used = max(used, memory_bytes(node.pid))
        results.add("5000-idle-1000-active", "resident memory", used / 1e6, "MB", bar=400, holds=used < 400e6)
        results.add("5000-idle-1000-active", "memory a connection", (used - before) / (IDLE + ACTIVE) / 1024, "KiB")
        for client in idle + active:
            client.close()


def send_slowly(port, number, started, go, faults):
    """One mail of 50 MB in pieces, so that all are under way together."""
    try:
        client = connect(port)
        begin_mail(client, number, BIG_BYTES)
        started.release()
        go.wait()
        line = b"y" * 76 + b"\r\n"
        piece = line * (65_536 // len(line))
        for _ in range(BIG_BYTES // len(piece)):
            client.sendall(piece)
        client.sendall(b".\r\n")
        client.settimeout(300)
        answer = client.recv(4096)
        if not answer.startswith(b"250"):
            faults.append(answer)
        client.close()
    except OSError as error:
        faults.append(repr(error))
        started.release()


def big_mails(results):
    with BenchNode() as node:
        before = memory_bytes(node.pid)
        started, go, faults = threading.Semaphore(0), threading.Event(), []
        threads = [threading.Thread(target=send_slowly, args=(node.port, n, started, go, faults)) for n in range(BIG_MAILS)]
        for thread in threads:
            thread.start()
        for _ in threads:
            started.acquire()
        go.set()
        highest = before
        while any(thread.is_alive() for thread in threads):
            highest = max(highest, memory_bytes(node.pid))
            time.sleep(0.05)
        if faults:
            sys.exit(f"{len(faults)} of {BIG_MAILS} mails failed: {faults[:3]}")
        rise = highest - before
        results.add("100-mails-of-50MB", "rise of resident memory", rise / 1e6, "MB", bar=200, holds=rise <= 200e6)


def main():
    os.makedirs(WORK, exist_ok=True)
    results = Results("memory")
    idle_and_active(results)
    big_mails(results)


if __name__ == "__main__":
    main()
