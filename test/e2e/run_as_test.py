"""A node that root starts binds its ports, gives all it makes to another user, and becomes that user for good."""

import glob
import os
import pwd
import shutil
import signal
import smtplib
import stat
import subprocess
import tempfile
import unittest

from posthorn_node import POSTHORN, ROOT, NodeProcess, message, wait_until

CONFIG = """
{top}
hostname = "mx.example.test"
data_folder = "{folder}/data"
[volume]
size = "512MiB"
segment_size = "16MiB"
[mail]
domains = ["example.test"]
[smtp]
listen = ["127.0.0.77:25"]
[imap]
listen = ["127.0.0.1:0"]
[http]
listen = ["127.0.0.1:0"]
"""
NOBODY = pwd.getpwnam("nobody")


def status_of(path):
    with open(path) as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


@unittest.skipUnless(os.geteuid() == 0, "needs root")
class RunAsTest(unittest.TestCase):
    def setUp(self):
        base = os.path.join(ROOT, "build/e2e")
        os.makedirs(base, exist_ok=True)
        self.folder = tempfile.mkdtemp(dir=base)
        self.addCleanup(shutil.rmtree, self.folder)
        os.chmod(self.folder, 0o755)

    def node(self, top):
        return NodeProcess(self.folder, CONFIG.format(folder=self.folder, top=top))

    def files(self):
        return [path for path in glob.glob(self.folder + "/data/**", recursive=True, include_hidden=True)]

    def check_files(self):
        self.assertGreater(len(self.files()), 5)
        for path in self.files():
            status = os.lstat(path)
            self.assertEqual((status.st_uid, status.st_gid), (NOBODY.pw_uid, NOBODY.pw_gid), path)
            if stat.S_ISREG(status.st_mode):
                self.assertEqual(stat.S_IMODE(status.st_mode) & 0o077, 0, path)
        self.assertEqual(stat.S_IMODE(os.stat(self.folder + "/data/control.sock").st_mode), 0o660)
        self.assertEqual(stat.S_IMODE(os.stat(self.folder + "/data/volume.mffs").st_mode), 0o600)

    def test_it_keeps_no_right_of_root_in_any_thread(self):
        with self.node('run_as = "nobody"') as node:
            tasks = glob.glob(f"/proc/{node.pid}/task/*/status")
            self.assertGreater(len(tasks), 2)
            for path in tasks:
                status = status_of(path)
                self.assertEqual(status["Uid"].split(), [str(NOBODY.pw_uid)] * 4)
                self.assertEqual(status["Gid"].split(), [str(NOBODY.pw_gid)] * 4)
                self.assertEqual(status["Groups"].split(), [str(NOBODY.pw_gid)])
                self.assertEqual(status["NoNewPrivs"], "1")
                for rights in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
                    self.assertEqual(int(status[rights], 16), 0, rights)
            with open(f"/proc/{node.pid}/limits") as file:
                limits = {line[:25].strip(): line[25:].split() for line in file}
            self.assertEqual(limits["Max open files"][0], limits["Max open files"][1])
            self.check_files()

    def test_it_serves_as_that_user_across_a_restart_and_a_reload(self):
        node = self.node('run_as = "nobody"')
        for _ in range(2):
            node.start()
            node.run("user", "add", "alice@example.test", "--password-stdin", stdin="secret\n", check=False)
            with smtplib.SMTP("127.0.0.77", 25) as client:
                client.sendmail("you@example.org", ["alice@example.test"], message("hello"))
            os.kill(node.pid, signal.SIGHUP)
            wait_until(lambda: " reloaded " in node.log(), "the reload")
            self.check_files()
            self.assertEqual(node.stop(), 0)
        self.assertNotIn(" error ", node.log())

    def test_what_root_made_before_is_handed_over(self):
        with self.node("dev = true") as node:  # Stays root.
            self.assertEqual(status_of(f"/proc/{node.pid}/status")["Uid"].split()[0], "0")
        os.chmod(self.folder + "/data/volume.mffs", 0o644)
        with self.node('run_as = "nobody:nogroup"') as node:
            self.check_files()
            self.assertIn(" volume_rights ", node.log())

    def test_it_does_not_go_on_as_root(self):
        for top, part in (('run_as = "no-such-user"', 'there is no user "no-such-user"'), ('run_as = "root"', "has root's rights")):
            node = self.node(top)
            done = subprocess.run([POSTHORN, "serve", "--config", node.config], capture_output=True, text=True, timeout=30)
            self.assertEqual(done.returncode, 1)
            self.assertIn(part, done.stderr)
            self.assertIn("dev = true", done.stderr)
            self.assertEqual(len(done.stderr.strip().splitlines()), 1)
            self.assertFalse(os.path.exists(self.folder + "/data"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
