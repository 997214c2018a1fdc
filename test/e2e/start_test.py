"""A node starts quickly, stops cleanly, and keeps everything across restarts; the subcommands work against it."""

import json
import os
import re
import shutil
import smtplib
import stat
import unittest
import urllib.request

from posthorn_node import Node, message, wait_until

ALICE = "alice@example.test"


class StartTest(unittest.TestCase):
    def test_the_first_start_is_ready_within_5_s_and_later_ones_within_1_s(self):
        node = Node(volume_size="4GiB", segment_size="64MiB")  # As config/dev.toml.
        self.addCleanup(shutil.rmtree, node.folder)
        self.assertLess(node.start(), 5)
        self.assertEqual(node.stop(), 0)
        self.assertLess(node.start(), 1)
        with smtplib.SMTP("127.0.0.1", node.ports["smtp"]) as client:
            client.sendmail("you@example.org", [ALICE], message("kept"))
        self.assertEqual(node.stop(), 0)
        self.assertLess(node.start(), 1)
        self.assertEqual(node.stop(), 0)

    def test_subcommands_work_over_the_control_socket(self):
        with Node() as node:
            mode = stat.S_IMODE(os.stat(os.path.join(node.folder, "control.sock")).st_mode)
            self.assertEqual(mode, 0o660)
            node.run("user", "add", "carol@example.test", "--password-stdin", stdin="secret\n")
            listed = [json.loads(line) for line in node.run("user", "list", "--json").stdout.splitlines()]
            self.assertIn("carol@example.test", [account["address"] for account in listed])
            with smtplib.SMTP("127.0.0.1", node.ports["submission"]) as client:
                client.login("carol@example.test", "secret")
            node.run("user", "passwd", "carol@example.test", "--password-stdin", stdin="other\n")
            with smtplib.SMTP("127.0.0.1", node.ports["submission"]) as client:
                with self.assertRaises(smtplib.SMTPAuthenticationError):
                    client.login("carol@example.test", "secret")
                client.login("carol@example.test", "other")
            node.run("user", "remove", "carol@example.test", "--yes")
            with smtplib.SMTP("127.0.0.1", node.ports["smtp"]) as client:
                with self.assertRaises(smtplib.SMTPRecipientsRefused) as refused:
                    client.sendmail("x@src.test", ["carol@example.test"], message("x"))
            del refused
            foreign = node.run("user", "add", "x@elsewhere.test", "--password-stdin", stdin="secret\n", check=False)
            self.assertEqual(foreign.returncode, 1)
            self.assertEqual(len(foreign.stderr.strip().splitlines()), 1)
            self.assertIn("version", node.run("status", "--json").stdout)
            self.assertTrue(node.run("version").stdout.strip())
            self.assertTrue(node.run("status").stdout.strip())

    def test_a_command_without_a_node_says_so(self):
        node = Node()
        self.addCleanup(shutil.rmtree, node.folder)
        done = node.run("status", check=False)
        self.assertEqual(done.returncode, 75)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1)

    def test_each_delivery_is_one_line_of_the_log_on_both_paths(self):
        for path in ("auto", "queue"):
            with Node(smtp=f'path = "{path}"') as node:
                with smtplib.SMTP("127.0.0.1", node.ports["smtp"]) as client:
                    client.sendmail("you@example.org", [ALICE, "bob@example.test"], message("logged"))

                def lines(node=node):
                    return re.findall(r" info delivery (id=.*)", node.log())

                wait_until(lambda lines=lines: len(lines()) == 2, "two deliveries in the log")
                for line, address in zip(sorted(lines(), key=lambda line: "bob" in line), (ALICE, "bob@example.test")):
                    fields = dict(field.split("=", 1) for field in line.split(" ") if "=" in field)
                    self.assertTrue(fields["id"])
                    self.assertEqual((fields["from"], fields["to"], fields["relay"]), ("you@example.org", address, "local"))
                    self.assertLess(float(fields["delay"]), 10)
                    self.assertEqual((fields["dsn"], fields["status"]), ("2.0.0", "delivered"))

    def test_http_tells_metrics_and_health(self):
        with Node() as node:
            with smtplib.SMTP("127.0.0.1", node.ports["smtp"]) as client:
                client.sendmail("you@example.org", [ALICE], message("counted"))
            base = f"http://127.0.0.1:{node.ports['http']}"
            for path in ("/healthz", "/readyz"):
                with urllib.request.urlopen(base + path, timeout=10) as answer:
                    self.assertEqual(answer.status, 200)
            with urllib.request.urlopen(base + "/metrics", timeout=10) as answer:
                text = answer.read().decode()
            self.assertIn('posthorn_smtp_mails_accepted_total{path="direct"} 1', text)
            self.assertTrue(text.endswith("# EOF\n"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
