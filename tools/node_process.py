"""A posthorn process over a configuration file: started, stopped, killed; its ports and its log. For tests and benchmarks."""

import os
import re
import signal
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
POSTHORN = os.environ.get("POSTHORN", os.path.join(ROOT, "build/release/src/posthorn"))


class NodeProcess:
    """Use as a context manager, or call start and stop."""

    def __init__(self, folder, config):
        """`config` is the text of the configuration; it and the log are kept in `folder`."""
        self.folder = folder
        self.config = os.path.join(folder, "posthorn.toml")
        with open(self.config, "w") as file:
            file.write(config)
        self.log_path = os.path.join(folder, "log")
        self.process = None
        self.ports = {}

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def pid(self):
        return self.process.pid

    def start(self, seconds=30):
        """Starts the node and returns the seconds until it said that it is ready."""
        began = time.monotonic()
        log = open(self.log_path, "ab")
        self.process = subprocess.Popen([POSTHORN, "serve", "--config", self.config], stdout=subprocess.PIPE, stderr=log,
                                        stdin=subprocess.DEVNULL)
        log.close()
        self.ports = {}
        for line in iter(self.process.stdout.readline, b""):
            match = re.match(rb"  (\w+)\s+[\d.]+:(\d+)$", line.rstrip())
            if match:
                self.ports[match.group(1).decode()] = int(match.group(2))
            if match and match.group(1) == b"http":  # The last of them; with some configurations a welcome follows.
                break
        if not self.ports:
            self.process.wait(seconds)
            raise AssertionError(f"the node did not start:\n{self.log()}")
        return time.monotonic() - began

    def stop(self, seconds=30):
        """SIGTERM, and the exit code."""
        if self.process is None:
            return None
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the node did not stop within {seconds} s:\n{self.log()}") from None
        self.process.stdout.close()
        self.process = None
        return code

    def kill(self):
        """kill -9."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process = None

    def log(self):
        with open(self.log_path, errors="replace") as file:
            return file.read()

    def run(self, *arguments, stdin=None, check=True):
        """A subcommand of the program against this node."""
        return subprocess.run([POSTHORN, "--config", self.config, *arguments], input=stdin, capture_output=True, text=True,
                              check=check, timeout=60)

