"""The node with the address families that its systemd unit leaves it: it starts, takes mail, asks the DNS, and sends mail on."""

import os
import subprocess
import sys
import unittest

from dns_server import DnsServer
from outgoing_mail import inbox, submit
from posthorn_node import POSTHORN, ROOT, Node, wait_until
from remote_server import RemoteServer
import node_process  # pylint: disable=wrong-import-order  # Found by posthorn_node.

UNIT = os.path.join(ROOT, "packaging/systemd/posthorn.service")
CONFINED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "confined.py")


class ConfinedNode(Node):
    def start(self, seconds=30):
        program = os.path.join(self.folder, "confined")
        with open(program, "w", encoding="utf-8") as file:
            file.write(f'#!/bin/sh\nexec {sys.executable} {CONFINED} {UNIT} {POSTHORN} "$@"\n')
        os.chmod(program, 0o755)
        node_process.POSTHORN = program
        try:
            return super().start(seconds)
        finally:
            node_process.POSTHORN = POSTHORN


class ConfinedTest(unittest.TestCase):
    def test_the_filter_refuses_other_families(self):
        code = f"import socket; socket.socket(socket.AF_PACKET if {os.geteuid() == 0} else socket.AF_ALG, socket.SOCK_RAW)"
        done = subprocess.run([sys.executable, CONFINED, UNIT, sys.executable, "-c", code], capture_output=True, text=True, check=False)
        self.assertIn("Address family not supported", done.stderr)

    def test_the_node_works_with_the_families_of_its_unit(self):
        with DnsServer() as dns, RemoteServer(address=("127.0.0.2", 0)) as remote:
            dns.add_mail_host("far.test", "127.0.0.2")
            with ConfinedNode(top=f'dns.servers = ["{dns.server}"]', deliver=f"mx_port = {remote.port}", queue="retry_min = 1") as node:
                submit(node, ["one@far.test", "bob@example.test"])
                wait_until(lambda: remote.accepted("one@far.test") == 1, "the mail for another server", seconds=60)
                wait_until(lambda: len(inbox(node, "bob@example.test")) == 1, "the mail for one of ours", seconds=60)
                self.assertIn("alice@example.test", node.run("user", "list").stdout, "the control socket")


if __name__ == "__main__":
    unittest.main(verbosity=2)
