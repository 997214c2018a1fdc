"""Debian's Chromium in a test: a page is opened, read, clicked, and its picture taken. Over browser.cjs and playwright-core."""

import json
import os
import shutil
import subprocess
import sys

from posthorn_node import ROOT, wait_until

NPM_PEERS = os.path.join(ROOT, "build/peers/npm/node_modules")
SKIPPED = 77


class BrowserError(Exception):
    """What the browser said it could not do."""


class Browser:
    """Use as a context manager. Ends the test as skipped where Chromium cannot start."""

    def __init__(self):
        if not os.path.isdir(os.path.join(NPM_PEERS, "playwright-core")):
            raise AssertionError("playwright-core is not in build/peers/npm; run `make peers`")
        chromium = shutil.which("chromium")
        if chromium is None:
            self.skip("there is no program chromium; `make install-test` installs it")
        environment = dict(os.environ, POSTHORN_NPM_PEERS=NPM_PEERS, POSTHORN_CHROMIUM=chromium)
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "browser.cjs")
        self.process = subprocess.Popen(["node", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=environment)

    @staticmethod
    def skip(reason):
        print(f"skipped: Chromium cannot start here: {reason}", flush=True)
        sys.exit(SKIPPED)

    def __enter__(self):
        try:
            self.version = self.do("start")
        except BrowserError as error:
            self.__exit__()
            self.skip(error)
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.do("stop")
            self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()

    def do(self, command, **options):
        """One command of browser.cjs and its result."""
        self.process.stdin.write(json.dumps({"command": command, **options}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise BrowserError("the browser's driver ended")
        answer = json.loads(line)
        if "error" in answer:
            raise BrowserError(answer["error"])
        return answer["result"]

    def window(self, width=1280, height=900, scheme="light", script=True, phone=False):
        self.do("window", width=width, height=height, scheme=scheme, script=script, phone=phone)

    def open(self, url):
        return self.do("open", url=url)

    def text(self, selector="body"):
        return self.do("text", selector=selector)

    def count(self, selector):
        return self.do("count", selector=selector)

    def evaluate(self, expression):
        return self.do("evaluate", expression=expression)

    def picture(self, name):
        folder = os.path.join(ROOT, "build/e2e-pictures")
        os.makedirs(folder, exist_ok=True)
        self.do("picture", file=os.path.join(folder, name + ".png"))

    def wait_for(self, selector, text, seconds):
        wait_until(lambda: text in self.text(selector), f"'{text}' in {selector}", seconds)
