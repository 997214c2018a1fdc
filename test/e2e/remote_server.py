"""SMTP servers of others for the tests of outgoing mail: well-behaved ones and every kind that is not. Each keeps a ledger of what it accepted."""

import asyncio
import re
import threading
import time
from typing import NamedTuple

STEPS = ("greeting", "ehlo", "mail", "rcpt", "data", "body", "end")


class Taken(NamedTuple):
    """A mail that arrived whole."""

    sender: str
    recipients: list
    text: bytes
    at: float  # time.monotonic() just before the answer.


class RemoteServer:
    """One next hop on a port of a loopback address. Use as a context manager.

    behaviour: "ok"; "tempfail" (451 to RCPT), "refuse" (554 to RCPT), "hang" (no greeting), "busy" (421 as greeting), "cut" (closes at `step`),
    "liar" (offers what it then refuses). The bad ones change to "ok" after `times` connections (never when it is None).
    Whatever it is: RCPT of an address that begins with "no-" is refused with 550.
    """

    def __init__(self, behaviour="ok", step=None, times=None, pause=0.0, address=("127.0.0.1", 0)):
        self.behaviour = behaviour
        self.step = step
        self.times = times
        self.pause = pause  # Before the answer to the last byte.
        self.mails = []  # Taken, in order.
        self.unanswered = []  # The same of mail that was taken and whose 250 was cut off.
        self.connections = 0
        self.open_now = 0
        self.open_most = 0
        self.writers = set()
        self.loop = asyncio.new_event_loop()
        try:
            self.server = self.loop.run_until_complete(asyncio.start_server(self._serve, *address, limit=1 << 26))
        except OSError:
            self.loop.close()
            raise
        self.port = self.server.sockets[0].getsockname()[1]
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0))
        self.close()

    def close(self):
        """Of a server that never ran, or no longer does."""
        self.server.close()
        self.loop.close()

    def hang_up(self):
        """Closes all connections."""
        self.loop.call_soon_threadsafe(lambda: [writer.close() for writer in self.writers])

    def accepted(self, recipient):
        """How often a mail to this recipient was answered with 250."""
        return sum(mail.recipients.count(recipient) for mail in list(self.mails))

    def taken(self, recipient):
        """How often a mail to this recipient arrived whole, answered or not."""
        return self.accepted(recipient) + sum(mail.recipients.count(recipient) for mail in list(self.unanswered))

    async def _serve(self, reader, writer):
        self.connections += 1
        self.open_now += 1
        self.open_most = max(self.open_most, self.open_now)
        self.writers.add(writer)
        is_bad = self.behaviour != "ok" and (self.times is None or self.connections <= self.times)
        try:
            await _Dialogue(self, reader, writer, self.behaviour if is_bad else "ok").run()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self.open_now -= 1
            self.writers.discard(writer)
            writer.close()


class _Cut(ConnectionError):
    """The server closes here."""


class _Dialogue:
    """One connection."""

    def __init__(self, server, reader, writer, behaviour):
        self.server = server
        self.reader = reader
        self.writer = writer
        self.behaviour = behaviour
        self.sender = None
        self.recipients = []

    async def say(self, line):
        self.writer.write(line.encode() + b"\r\n")
        await self.writer.drain()

    def reach(self, step):
        if self.behaviour == "cut" and self.server.step == step:
            raise _Cut()

    async def run(self):
        self.reach("greeting")
        if self.behaviour == "hang":
            await asyncio.sleep(3600)
        if self.behaviour == "busy":
            await self.say("421 4.3.2 Too busy, come again later")
            return
        await self.say("220 remote.test ESMTP")
        while line := await self.reader.readline():
            words = line.decode("utf-8", "replace").strip()
            verb = words.split(" ", 1)[0].upper()
            if verb == "QUIT":
                await self.say("221 2.0.0 Bye")
                return
            await self.handle(verb, words)

    async def handle(self, verb, words):
        if verb in ("EHLO", "HELO"):
            self.reach("ehlo")
            await self.greet(verb)
        elif verb == "STARTTLS":
            await self.say("454 4.7.0 TLS is not there after all")
        elif verb == "MAIL":
            self.reach("mail")
            await self.begin(words)
        elif verb == "RCPT":
            self.reach("rcpt")
            await self.add(re.search(r"<(.*?)>", words).group(1))
        elif verb == "DATA":
            self.reach("data")
            await self.receive()
        elif verb in ("RSET", "NOOP"):
            self.recipients = []
            await self.say("250 2.0.0 Ok")
        else:
            await self.say("502 5.5.1 What?")

    async def greet(self, verb):
        if verb == "HELO":
            await self.say("250 remote.test")
            return
        extensions = ["remote.test", "PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES", "SIZE 60000000"]
        if self.behaviour == "liar":
            extensions += ["STARTTLS", "SMTPUTF8", "DSN", "CHUNKING"]
        await self.say("\r\n".join(["250-" + extension for extension in extensions[:-1]] + ["250 " + extensions[-1]]))

    async def begin(self, words):
        self.recipients = []
        self.sender = None
        if self.behaviour == "liar" and re.search(r">\s+\S", words):
            await self.say("555 5.5.4 I know no parameters")
            return
        self.sender = re.search(r"<(.*?)>", words).group(1)
        await self.say("250 2.1.0 Ok")

    async def add(self, recipient):
        if self.sender is None:
            await self.say("503 5.5.1 Say MAIL first")
        elif self.behaviour == "tempfail":
            await self.say("451 4.7.1 Greylisted, try again later")
        elif self.behaviour == "refuse":
            await self.say("554 5.7.1 Nothing from you")
        elif recipient.startswith("no-"):
            await self.say("550 5.1.1 No such user")
        else:
            self.recipients.append(recipient)
            await self.say("250 2.1.5 Ok")

    async def receive(self):
        if not self.recipients:
            await self.say("554 5.5.1 No valid recipients")
            return
        await self.say("354 Go on")
        self.reach("body")
        lines = []
        while (line := await self.reader.readuntil(b"\r\n")) != b".\r\n":
            lines.append(line[1:] if line.startswith(b".") else line)
        text = b"".join(lines)
        if self.server.pause:
            await asyncio.sleep(self.server.pause)
        mail = Taken(self.sender, self.recipients, text, time.monotonic())
        self.recipients = []
        if self.behaviour == "cut" and self.server.step == "end":
            self.server.unanswered.append(mail)
            raise _Cut()
        self.server.mails.append(mail)
        await self.say("250 2.0.0 Taken")
