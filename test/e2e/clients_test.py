"""Real clients against a real node: what people and scripts use to send and read mail."""

import email
import email.policy
import imaplib
import os
import poplib
import re
import shutil
import smtplib
import ssl
import subprocess
import tempfile
import unittest

from posthorn_node import PEERS, Node, message, wait_until

ALICE = "alice@example.test"
BOB = "bob@example.test"
PASSWORD = "posthorn"


def run(*command, stdin=None, timeout=120):
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{command}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def unverified():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class ClientsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.node = Node()
        cls.node.start()

    @classmethod
    def tearDownClass(cls):
        code = cls.node.stop()
        shutil.rmtree(cls.node.folder)
        assert code == 0, f"exit code {code} after SIGTERM"

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.empty(ALICE)
        self.empty(BOB)

    def port(self, protocol):
        return self.node.ports[protocol]

    def imap(self, account=ALICE):
        client = imaplib.IMAP4("127.0.0.1", self.port("imap"))
        client.login(account, PASSWORD)
        self.addCleanup(self.close, client)
        return client

    @staticmethod
    def close(client):
        try:
            client.shutdown()
        except OSError:
            pass  # It has logged out already.

    def empty(self, account):
        client = self.imap(account)
        client.select("INBOX")
        client.uid("STORE", "1:*", "+FLAGS.SILENT", r"(\Deleted)")
        client.expunge()
        client.logout()

    def subjects(self, account=ALICE):
        client = self.imap(account)
        client.select("INBOX", readonly=True)
        _, found = client.search(None, "ALL")
        result = []
        for number in found[0].split():
            _, data = client.fetch(number, "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
            result.append(data[0][1].decode().strip().removeprefix("Subject: "))
        client.logout()
        return result

    def write(self, name, text, mode=0o600):
        path = os.path.join(self.folder, name)
        with open(path, "w", newline="") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def test_curl_sends_reads_and_lists(self):
        mail = self.write("mail", message("by curl"))
        run("curl", "-sS", f"smtp://127.0.0.1:{self.port('smtp')}/client.test", "--mail-from", "you@example.org", "--mail-rcpt", ALICE, "-T", mail)
        read = run("curl", "-sS", f"imap://127.0.0.1:{self.port('imap')}/INBOX;MAILINDEX=1", "-u", f"{ALICE}:{PASSWORD}")
        self.assertIn("Subject: by curl", read)
        self.assertIn("Delivered-To: alice@example.test", read)
        listed = run("curl", "-sS", f"pop3://127.0.0.1:{self.port('pop3')}/", "-u", f"{ALICE}:{PASSWORD}")
        self.assertRegex(listed, r"^1 \d+")
        read = run("curl", "-sS", f"pop3://127.0.0.1:{self.port('pop3')}/1", "-u", f"{ALICE}:{PASSWORD}")
        self.assertIn("Subject: by curl", read)

    def test_a_sender_who_asks_is_told_of_the_delivery(self):
        """RFC 3461; the report is read by Python's email package, which is not ours."""
        with smtplib.SMTP("127.0.0.1", self.port("smtp")) as smtp:
            smtp.ehlo()
            self.assertTrue(smtp.has_extn("dsn"))
            smtp.sendmail(ALICE, [BOB], message("tell me", headers="Message-ID: <tell@example.test>\r\n"),
                          ["RET=HDRS", "ENVID=my+2Bid"], ["NOTIFY=SUCCESS", "ORCPT=rfc822;Bob@example.test"])
        wait_until(lambda: self.subjects() == ["Your mail was delivered"], "the notice")
        client = self.imap()
        client.select("INBOX", readonly=True)
        _, data = client.fetch("1", "(BODY.PEEK[])")
        report = email.message_from_bytes(data[0][1], policy=email.policy.default)
        self.assertEqual(report.get_content_type(), "multipart/report")
        self.assertEqual(report["Content-Type"].params["report-type"], "delivery-status")
        self.assertEqual((report["Return-Path"], report["Auto-Submitted"], report["In-Reply-To"]), ("<>", "auto-replied", "<tell@example.test>"))
        self.assertEqual(report.defects, [])
        text, status, header = report.iter_parts()
        self.assertIn("your message was delivered to this address", " ".join(text.get_content().split()))
        self.assertEqual(status.get_content_type(), "message/delivery-status")
        of_mail, of_bob = status.get_payload()
        self.assertEqual((of_mail["Reporting-MTA"], of_mail["Original-Envelope-Id"]), ("dns; mx.example.test", "my+id"))
        self.assertEqual((of_bob["Original-Recipient"], of_bob["Final-Recipient"]), ("rfc822;Bob@example.test", "rfc822; bob@example.test"))
        self.assertEqual((of_bob["Action"], of_bob["Status"]), ("delivered", "2.0.0"))
        self.assertEqual(header.get_content_type(), "text/rfc822-headers")
        self.assertIn("Subject: tell me", header.get_content())

    def test_curl_over_tls_with_login(self):
        mail = self.write("mail", message("by curl over TLS"))
        run("curl", "-sSk", "--ssl-reqd", f"smtp://127.0.0.1:{self.port('submission')}/client.test", "-u", f"{ALICE}:{PASSWORD}",
            "--mail-from", ALICE, "--mail-rcpt", BOB, "-T", mail)
        read = run("curl", "-sSk", f"imaps://127.0.0.1:{self.port('imaps')}/INBOX;MAILINDEX=1", "-u", f"{BOB}:{PASSWORD}")
        self.assertIn("Subject: by curl over TLS", read)
        self.assertIn("ESMTPSA", read)
        read = run("curl", "-sSk", f"pop3s://127.0.0.1:{self.port('pop3s')}/1", "-u", f"{BOB}:{PASSWORD}")
        self.assertIn("Subject: by curl over TLS", read)

    def test_swaks_with_starttls_and_each_mechanism(self):
        for mechanism in ("PLAIN", "LOGIN"):
            run("swaks", "--server", "127.0.0.1", "--port", str(self.port("submission")), "--tls", "--auth", mechanism, "--auth-user", ALICE,
                "--auth-password", PASSWORD, "--from", ALICE, "--to", BOB, "--h-Subject", f"by swaks {mechanism}", "--silent", "2")
        self.assertEqual(self.subjects(BOB), ["by swaks PLAIN", "by swaks LOGIN"])

    def test_swaks_is_told_no_without_login_and_for_other_domains(self):
        refused = subprocess.run(["swaks", "--server", "127.0.0.1", "--port", str(self.port("submission")), "--from", ALICE, "--to", BOB],
                                 capture_output=True, text=True, check=False)
        self.assertIn("530", refused.stdout)
        refused = subprocess.run(["swaks", "--server", "127.0.0.1", "--port", str(self.port("smtp")), "--from", ALICE, "--to", "x@example.org"],
                                 capture_output=True, text=True, check=False)
        self.assertIn("550 5.7.1", refused.stdout)

    def test_msmtp_submits(self):
        config = self.write("msmtprc", f"""account default
host 127.0.0.1
port {self.port('submission')}
tls on
tls_starttls on
tls_certcheck off
auth plain
user {ALICE}
password {PASSWORD}
from {ALICE}
""")
        run("msmtp", "-C", config, BOB, stdin=message("by msmtp"))
        self.assertEqual(self.subjects(BOB), ["by msmtp"])

    def test_mpop_fetches_and_deletes(self):
        with smtplib.SMTP("127.0.0.1", self.port("smtp")) as client:
            for number in range(3):
                client.sendmail("you@example.org", [ALICE], message(f"for mpop {number}"))
        maildir = os.path.join(self.folder, "Maildir")
        for sub in ("cur", "new", "tmp"):
            os.makedirs(os.path.join(maildir, sub))
        config = self.write("mpoprc", f"""account default
host 127.0.0.1
port {self.port('pop3')}
tls on
tls_starttls on
tls_certcheck off
auth user
user {ALICE}
password {PASSWORD}
keep off
delivery maildir {maildir}
uidls_file {self.folder}/uidls
""")
        run("mpop", "-C", config, "-q")
        self.assertEqual(len(os.listdir(os.path.join(maildir, "new"))), 3)
        self.assertEqual(self.subjects(), [])

    def test_mbsync_pulls_2000_mails(self):
        with smtplib.SMTP("127.0.0.1", self.port("smtp")) as client:
            for number in range(2000):
                client.sendmail("you@example.org", [ALICE], message(f"mail {number}", f"Number {number}.\r\n" * (number % 50 + 1)))
        config = self.write("mbsyncrc", f"""IMAPAccount posthorn
Host 127.0.0.1
Port {self.port('imap')}
User {ALICE}
Pass {PASSWORD}
SSLType None
AuthMechs PLAIN

IMAPStore far
Account posthorn

MaildirStore near
Path {self.folder}/
Inbox {self.folder}/INBOX

Channel all
Far :far:
Near :near:
Patterns INBOX
Create Near
Sync Pull
SyncState {self.folder}/state-
""")
        run("mbsync", "-c", config, "all", timeout=300)
        folder = os.path.join(self.folder, "INBOX", "new")
        cur = os.path.join(self.folder, "INBOX", "cur")
        names = [os.path.join(folder, n) for n in os.listdir(folder)] + [os.path.join(cur, n) for n in os.listdir(cur)]
        self.assertEqual(len(names), 2000)
        seen = set()
        for name in names:
            with open(name) as file:
                seen.add(re.search(r"^Subject: mail (\d+)$", file.read(), re.M).group(1))
        self.assertEqual(len(seen), 2000)
        run("mbsync", "-c", config, "all", timeout=300)  # A second run finds nothing new.
        self.assertEqual(len(os.listdir(folder)) + len(os.listdir(cur)), 2000)

    def test_smtp_source_loads(self):
        run(os.path.join(PEERS, "smtp-source"), "-s", "10", "-m", "500", "-l", "4096", "-f", "from@src.test", "-t", ALICE,
            f"127.0.0.1:{self.port('smtp')}")
        wait_until(lambda: len(self.subjects()) == 500, "500 mails in the mailbox")

    def test_openssl_s_client_speaks_each_starttls(self):
        for protocol, port, quit_line in (("smtp", "smtp", "QUIT"), ("imap", "imap", "a LOGOUT"), ("pop3", "pop3", "QUIT")):
            done = run("openssl", "s_client", "-starttls", protocol, "-connect", f"127.0.0.1:{self.port(port)}", "-brief", stdin=quit_line + "\r\n")
            del done
        done = subprocess.run(["openssl", "s_client", "-starttls", "smtp", "-connect", f"127.0.0.1:{self.port('smtp')}", "-tls1_1"],
                              input="QUIT\r\n", capture_output=True, text=True, check=False)
        self.assertNotEqual(done.returncode, 0, "TLS 1.1 must be refused")

    def test_smtplib_speaks_every_extension(self):
        with smtplib.SMTP("127.0.0.1", self.port("smtp")) as client:
            client.ehlo()
            for name in ("pipelining", "size", "8bitmime", "smtputf8", "chunking", "enhancedstatuscodes", "starttls"):
                self.assertTrue(client.has_extn(name), name)
            client.starttls(context=unverified())
            client.login(ALICE, PASSWORD)
            client.sendmail(ALICE, [ALICE, BOB], message("gr\u00fc\u00dfe").encode(), mail_options=["BODY=8BITMIME", "SMTPUTF8"])
            with self.assertRaises(smtplib.SMTPSenderRefused):
                client.sendmail(ALICE, [BOB], "x", mail_options=[f"SIZE={10**12}"])
            client.rset()
            client.docmd("MAIL", f"FROM:<{ALICE}>")
            client.docmd("RCPT", f"TO:<{BOB}>")
            first = b"Subject: chunks\r\n\r\n"
            client.send(b"BDAT %d\r\n" % len(first) + first)
            self.assertEqual(client.getreply()[0], 250)
            client.send(b"BDAT 6 LAST\r\n.dot\r\n")
            self.assertEqual(client.getreply()[0], 250)
        wait_until(lambda: "chunks" in self.subjects(BOB), "the mail sent with BDAT")
        wait_until(lambda: len(self.subjects(ALICE)) == 1, "the mail to two recipients")

    def test_smtplib_is_refused_a_bare_line_feed(self):
        with smtplib.SMTP("127.0.0.1", self.port("smtp")) as client:
            client.ehlo()
            client.mail("you@example.org")
            client.rcpt(ALICE)
            client.docmd("DATA")
            client.send(b"Subject: smuggled\r\n\r\na\n.\nMAIL FROM:<x@y.test>\r\n.\r\n")
            self.assertEqual(client.getreply()[0], 550)
            self.assertEqual(client.noop()[0], 250)
        self.assertEqual(self.subjects(), [])

    def test_plaintext_behind_starttls_is_dropped(self):
        import socket  # pylint: disable=import-outside-toplevel
        for protocol, hello, start, injected in (
                ("smtp", b"EHLO x\r\n", b"STARTTLS\r\n", b"NOOP\r\n"),
                ("imap", b"", b"a STARTTLS\r\n", b"b NOOP\r\n"),
                ("pop3", b"", b"STLS\r\n", b"NOOP\r\n")):
            with socket.create_connection(("127.0.0.1", self.port(protocol))) as raw:
                raw.settimeout(10)
                raw.recv(4096)
                if hello:
                    raw.sendall(hello)
                    raw.recv(4096)
                raw.sendall(start + injected)
                raw.recv(4096)
                with unverified().wrap_socket(raw) as tls:
                    tls.settimeout(1)
                    # Nothing answers what came before TLS: the first answer belongs to the command sent now.
                    tls.sendall({"smtp": b"EHLO y\r\n", "imap": b"c CAPABILITY\r\n", "pop3": b"CAPA\r\n"}[protocol])
                    answer = tls.recv(4096)
                    self.assertTrue(answer.startswith({"smtp": b"250-mx", "imap": b"* CAPABILITY", "pop3": b"+OK"}[protocol]), answer)
                    self.assertNotIn(b"b OK", answer)

    def test_poplib_reads_and_deletes_at_quit_only(self):
        with smtplib.SMTP("127.0.0.1", self.port("smtp")) as client:
            client.sendmail("you@example.org", [ALICE], message("one", ".dot first\r\nend\r\n"))
            client.sendmail("you@example.org", [ALICE], message("two"))
        client = poplib.POP3("127.0.0.1", self.port("pop3"))
        self.assertIn("UIDL", client.capa())
        client.user(ALICE)
        client.pass_(PASSWORD)
        self.assertEqual(client.stat()[0], 2)
        _, lines, _ = client.retr(1)
        self.assertIn(b".dot first", lines)
        self.assertEqual(client.top(1, 0)[1][-1], b"")
        uidls = client.uidl()[1]
        self.assertEqual(len(set(uidls)), 2)
        client.dele(1)
        client.close()  # No QUIT: nothing is deleted.
        client = poplib.POP3("127.0.0.1", self.port("pop3"))
        client.stls(context=unverified())
        client.user(ALICE)
        client.pass_(PASSWORD)
        self.assertEqual(client.stat()[0], 2)
        self.assertEqual(client.uidl()[1], uidls)
        client.dele(1)
        client.quit()
        self.assertEqual(self.subjects(), ["two"])

    def test_imaplib_does_a_day_of_mail(self):
        client = self.imap()
        client.create("Work/2026")
        client.subscribe("Work/2026")
        self.assertIn(b"Work/2026", b" ".join(client.lsub()[1]))
        status, answer = client.append("Work/2026", r"(\Seen $Label1)", None, message("appended").encode())
        self.assertEqual(status, "OK")
        self.assertIn(b"APPENDUID", answer[0])
        client.select("Work/2026")
        _, data = client.fetch("1", "(FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY.PEEK[TEXT])")
        whole = b" ".join(part if isinstance(part, bytes) else b" ".join(part) for part in data)
        for expected in (b"$Label1", b"appended", b"A mail.", b'"text" "plain"'):
            self.assertIn(expected.lower(), whole.lower())
        _, copied = client.copy("1", "INBOX")
        self.assertIn(b"COPYUID", copied[0])
        client.store("1", "+FLAGS", r"(\Deleted \Flagged)")
        self.assertEqual(client.search(None, "FLAGGED")[1], [b"1"])
        self.assertEqual(client.search(None, "TEXT", '"a mail"')[1], [b"1"])
        self.assertEqual(client.search(None, "SUBJECT", '"nothing"')[1], [b""])
        self.assertEqual(client.expunge()[1], [b"1"])
        client.close()
        client.rename("Work/2026", "Done")
        self.assertIn(b"MESSAGES 0", client.status("Done", "(MESSAGES UIDNEXT)")[1][0])
        client.delete("Done")
        self.assertEqual(client.select("Done")[0], "NO")
        self.assertEqual(self.subjects(), ["appended"])
        client.logout()

    def test_a_wrong_password_is_refused_everywhere(self):
        with self.assertRaises(imaplib.IMAP4.error):
            imaplib.IMAP4("127.0.0.1", self.port("imap")).login(ALICE, "wrong")
        client = poplib.POP3("127.0.0.1", self.port("pop3"))
        client.user(ALICE)
        with self.assertRaises(poplib.error_proto):
            client.pass_("wrong")
        with smtplib.SMTP("127.0.0.1", self.port("submission")) as smtp:
            with self.assertRaises(smtplib.SMTPAuthenticationError):
                smtp.login(ALICE, "wrong")


if __name__ == "__main__":
    unittest.main(verbosity=2)
