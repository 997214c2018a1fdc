"""A client of Marionette, by which programs of Mozilla are driven: scripts run inside them, with the rights of their own code.

The protocol: each message is its size, a colon, and JSON: [0, id, command, parameters] there, [1, id, error, result] back.
"""

import json
import socket
import time


class Marionette:
    """One session."""

    def __init__(self, port, seconds=120):
        """Waits until the program listens."""
        end = time.monotonic() + seconds
        while True:
            try:
                self.socket = socket.create_connection(("127.0.0.1", port), timeout=300)
                break
            except ConnectionRefusedError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)
        self.stream = self.socket.makefile("rb")
        self.count = 0
        self._read()  # Who it is.
        self.do("WebDriver:NewSession", {"capabilities": {}})
        self.do("Marionette:SetContext", {"value": "chrome"})
        self.do("WebDriver:SetTimeouts", {"script": 90_000})

    def close(self):
        self.stream.close()
        self.socket.close()

    def do(self, command, parameters):
        self.count += 1
        text = json.dumps([0, self.count, command, parameters]).encode()
        self.socket.sendall(str(len(text)).encode() + b":" + text)
        _, number, error, result = self._read()
        assert number == self.count, (number, self.count)
        if error:
            raise AssertionError(f"{error['error']}: {error['message']}\n{error['stacktrace']}")
        return result

    def run(self, script, *arguments):
        """The body of an async function of `args`; what it returns."""
        wrapped = f"""
          const done = arguments[arguments.length - 1];
          (async (...args) => {{ {script} }})(...Array.from(arguments).slice(0, -1))
            .then((value) => done({{ value: value === undefined ? null : value }}), (error) => done({{ error: `${{error}} ${{error && error.stack}}` }}));
        """
        said = self.do("WebDriver:ExecuteAsyncScript", {"script": wrapped, "args": list(arguments), "newSandbox": False})["value"]
        if "error" in said:
            raise AssertionError(said["error"])
        return said["value"]

    def _read(self):
        size = b""
        while not size.endswith(b":"):
            piece = self.stream.read(1)
            if not piece:
                raise AssertionError("the program closed the connection")
            size += piece
        return json.loads(self.stream.read(int(size[:-1])))
