"""npm's nodemailer sends by submission as programs do; imapflow reads what arrived. What is checked stands in npm/nodemailer_day.js."""

import json
import os
import subprocess
import unittest

from posthorn_node import PEERS, Node

HERE = os.path.dirname(os.path.abspath(__file__))


class NodemailerTest(unittest.TestCase):
    def test_nodemailer_sends_and_imapflow_reads(self):
        modules = os.path.join(os.path.dirname(PEERS), "npm", "node_modules")
        seed = os.urandom(4).hex()
        print(f"seed {seed}")
        with Node() as node:
            node.run("user", "add", "jörg@example.test", "--password-stdin", stdin="posthorn\n")
            done = subprocess.run(["node", os.path.join(HERE, "npm", "nodemailer_day.js"), modules, str(node.ports["submission"]), str(node.ports["imap"]),
                                   os.path.join(node.folder, "tls-cert.pem"), seed], capture_output=True, text=True, timeout=300, check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr + node.log()[-3000:])
            said = json.loads(done.stdout)
            print(f"nodemailer: {said['pooled']} mails by a pool of 3 connections in {said['pool_ms']} ms")


if __name__ == "__main__":
    unittest.main(verbosity=2)
