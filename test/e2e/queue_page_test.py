"""The queue's page in Debian's Chromium: what it shows, that it stays up to date, and that nobody's address runs in it."""

import json
import os
import smtplib
import socketserver
import threading
import unittest
import urllib.error
import urllib.request

from browser import Browser
from posthorn_node import ROOT, Node, free_port, message, wait_until

ALICE = "alice@example.test"
BOB = "bob@example.test"
CAROL = "carol@example.test"
# A quoted local part may have all of this (RFC 5321 §4.1.2).
HOSTILE = '"<script>window.pwned=1</script><img src=x onerror=window.pwned=1>&amp;"@evil.test'
HOSTILE_ANSWER = "<script>window.pwned=1</script> come back later"
LIVE_SECONDS = 3
WINDOWS = {"light": {}, "dark": {"scheme": "dark"}, "phone": {"width": 390, "height": 844, "phone": True},
           "phone-dark": {"width": 390, "height": 844, "phone": True, "scheme": "dark"}}


def send(node, sender, recipients, body="A mail.\r\n"):
    with smtplib.SMTP("127.0.0.1", node.ports["smtp"]) as client:
        client.ehlo("client.test")
        answers = [client.docmd("MAIL", f"FROM:<{sender}>")]
        answers += [client.docmd("RCPT", f"TO:<{recipient}>") for recipient in recipients]
        answers.append(client.data(message("<script>window.pwned=1</script>", body)))
        for code, text in answers:
            assert code == 250, (sender, code, text)


class HostileServer(socketserver.ThreadingTCPServer):
    """A next hop that greets with a script and closes. Use as a context manager."""

    allow_reuse_address = True
    daemon_threads = True

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.sendall(f"421 4.3.2 {HOSTILE_ANSWER}\r\n".encode())

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *_):
        self.shutdown()
        super().__exit__()


class PageTest(unittest.TestCase):
    """What the tests below have in common: a browser, a node, and that nothing may ever go wrong in the page."""

    browser = None

    @classmethod
    def setUpClass(cls):
        cls.browser = cls.enterClassContext(Browser())

    def start(self, **sections):
        self.node = self.enterContext(Node(**sections))
        self.page = f"http://127.0.0.1:{self.node.ports['http']}/queue"
        self.browser.do("complaints")

    def tearDown(self):
        self.assertEqual(self.browser.do("complaints"), [])

    def show(self, query="", **window):
        self.browser.window(**window)
        self.assertEqual(self.browser.open(self.page + query), 200)

    def take_pictures(self, name, query=""):
        for kind, window in WINDOWS.items():
            self.show(query, **window)
            self.browser.wait_for("#live", "live", LIVE_SECONDS)
            too_wide = self.browser.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            self.assertLessEqual(too_wide, 0, kind)
            self.browser.picture(f"{name}-{kind}")


class DestinationsTest(PageTest):
    def test_why_mail_waits_is_told_by_destination(self):
        with HostileServer() as hostile:
            routes = [f"hostile.test smtp:127.0.0.1:{hostile.port}", f"dead.test smtp:127.0.0.1:{free_port()}"]
            self.start(deliver=f"routes = {routes}")
            for i in range(6):
                with smtplib.SMTP("127.0.0.1", self.node.ports["submission"]) as client:
                    client.login(ALICE, "posthorn")
                    client.sendmail(ALICE, [f"user{i}@dead.test", f"user{i}@hostile.test"][: 1 + i % 2], message("out"))
            self.show()
            self.browser.wait_for("table.tally", "refused", 20)
            self.browser.wait_for("table.tally", HOSTILE_ANSWER, 20)
            self.assertEqual(self.browser.count("main script"), 0)
            listed = json.loads(self.node.run("queue", "list", "--by", "destination", "--json").stdout)
            self.assertEqual({group["key"]: group["mails"] for group in listed["groups"]},
                             {route.split()[1]: mails for route, mails in zip(routes, (3, 6))})
            self.take_pictures("queue-destinations")
            self.browser.do("click", selector="table.tally tbody th a >> nth=0")
            self.assertEqual(self.browser.count("table.mails tbody tr"), 6)
            self.browser.do("click", selector="table.mails tbody th a >> nth=0")
            self.browser.wait_for("#mail", "@dead.test", LIVE_SECONDS)


class QueuePageTest(PageTest):
    def setUp(self):
        # Without workers everything that is accepted waits.
        self.start(deliver="workers = 0", smtp='path = "queue"')

    def test_an_empty_queue_says_so_and_fills_while_one_looks(self):
        self.show()
        self.assertIn("The queue is empty", self.browser.text("#mails"))
        self.browser.picture("queue-empty")
        self.browser.evaluate("window.mark = 1")
        for count in (1, 2):
            send(self.node, "you@example.org", [ALICE])
            wait_until(lambda: self.browser.count("table.mails tbody tr") == count, f"{count} rows", LIVE_SECONDS)
            self.assertIn(str(count), self.browser.text("#summary"))
        self.node.run("queue", "hold", "--all")
        self.browser.wait_for("table.mails", "held", LIVE_SECONDS)
        self.node.run("queue", "remove", "--all", "--yes")
        self.browser.wait_for("#mails", "The queue is empty", LIVE_SECONDS)
        self.assertEqual(self.browser.evaluate("window.mark"), 1, "the page was not loaded anew")

    def test_it_shows_filters_and_leads_to_each_mail(self):
        for sender in ("news@bulk.test", "friend@example.org", ""):
            send(self.node, sender, [ALICE, BOB])
        self.node.run("queue", "hold", "--sender", "news@bulk.test")
        self.show()
        self.assertEqual(self.browser.count("table.mails tbody tr"), 3)
        self.assertIn("example.test", self.browser.text("table.tally"))
        self.browser.do("fill", selector="input[name=sender]", text="@bulk.test")
        self.browser.do("choose", selector="select[name=state]", value="held")
        self.browser.do("click", selector="form button")
        self.assertIn("sender=%40bulk.test", self.browser.do("url"))
        self.assertEqual(self.browser.count("table.mails tbody tr"), 1)
        # The next refresh keeps the filter, and what was typed into it.
        self.browser.wait_for("#live", "live", LIVE_SECONDS)
        self.assertEqual(self.browser.count("table.mails tbody tr"), 1)
        self.assertEqual(self.browser.evaluate("document.querySelector('input[name=sender]').value"), "@bulk.test")
        mail = self.browser.text("table.mails tbody th")
        self.browser.do("click", selector="table.mails tbody th a")
        self.assertIn(f"id={mail}", self.browser.do("url"))
        for part in (ALICE, BOB, "news@bulk.test", "client.test", "held"):
            self.assertIn(part, self.browser.text("#mail"))
        self.node.run("queue", "release", mail)
        self.browser.wait_for("#mail", "waiting", LIVE_SECONDS)
        self.node.run("queue", "remove", mail, "--yes")
        self.browser.wait_for("#mail", "not in the queue (any more)", LIVE_SECONDS)
        self.show("?by=sender")
        self.browser.do("click", selector="table.tally tbody th a:has-text('friend@example.org')")
        self.assertEqual(self.browser.count("table.mails tbody tr"), 1)

    def test_nothing_that_others_wrote_runs_or_leaves_its_place(self):
        send(self.node, HOSTILE, [ALICE])
        mail = self.node.run("queue", "list", "--json").stdout.split('"id":"')[1].split('"')[0]
        for query in ("?by=sender", f"?id={mail}"):
            self.show(query)
            self.assertIn("<script>window.pwned=1</script><img", self.browser.text("main"))
            self.browser.wait_for("#live", "live", LIVE_SECONDS)  # By the script now, not the node.
            self.assertIn("<script>window.pwned=1</script><img", self.browser.text("main"))
            self.assertEqual(self.browser.count("main script") + self.browser.count("main img"), 0)
            self.assertIsNone(self.browser.evaluate("window.pwned ?? null"))
        # What a bug in either would meet.
        self.browser.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.pwned=2\">')")
        wait_until(lambda: self.browser.do("complaints"), "the policy stops an inline script", LIVE_SECONDS)
        self.assertIsNone(self.browser.evaluate("window.pwned ?? null"))

    def test_it_works_without_its_script(self):
        send(self.node, "you@example.org", [ALICE])
        self.show(script=False)
        for part in ("you@example.org", ALICE, "example.test", "Why mail waits"):
            self.assertIn(part, self.browser.text())
        self.browser.do("fill", selector="input[name=recipient]", text=BOB)
        self.browser.do("click", selector="form button")
        self.assertIn("No mail of the queue matches", self.browser.text("#mails"))

    def test_a_node_that_is_gone_is_told(self):
        send(self.node, "you@example.org", [ALICE])
        self.show()
        self.browser.do("offline", is_offline=True)
        self.browser.wait_for("#trouble", "No news from the node since", LIVE_SECONDS)
        self.assertIn("not live", self.browser.text("#live"))
        self.assertEqual(self.browser.count("table.mails tbody tr"), 1, "what was there stays readable")
        self.browser.picture("queue-unreachable")
        self.browser.do("offline", is_offline=False)
        wait_until(lambda: self.browser.text("#trouble") == "", "the trouble is over", LIVE_SECONDS)
        self.browser.wait_for("#live", "live, as of", LIVE_SECONDS)
        self.browser.do("complaints")  # Chromium logs each fetch that failed.

    def test_pictures_of_it_light_dark_and_on_a_phone(self):
        self.node.run("user", "add", CAROL, "--password-stdin", stdin="secret\n")
        for i in range(12):
            send(self.node, f"person{i % 5}@company{i % 3}.example.org", [ALICE, BOB, CAROL][: 1 + i % 3], "x" * 700 * i)
        self.node.run("queue", "hold", "--sender", "person0@*")
        self.take_pictures("queue", "?by=sender")
        mail = self.node.run("queue", "list", "--limit", "1", "--json").stdout.split('"id":"')[1].split('"')[0]
        self.take_pictures("queue-mail", f"?id={mail}")

    def test_names_that_are_not_the_nodes_are_refused(self):
        for host, status in (("127.0.0.1", 200), ("mx.example.test", 200), ("evil.example", 421)):
            request = urllib.request.Request(self.page + ".json", headers={"Host": host})
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    self.assertEqual(answer.status, status)
            except urllib.error.HTTPError as error:
                self.assertEqual(error.code, status)
                error.close()


if __name__ == "__main__":
    os.makedirs(os.path.join(ROOT, "build"), exist_ok=True)
    unittest.main(verbosity=2)
