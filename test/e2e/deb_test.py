"""The Debian package: made, installed, started, upgraded, removed and purged in a Debian of its own (`make deb-test`).

A minimal system is made by debootstrap under build/deb-test, from the mirror that this machine uses; what is installed goes there.
The node and its clients run in a network namespace of their own.
"""

import os
import pathlib
import pwd
import re
import shutil
import signal
import subprocess
import time
import unittest

from posthorn_node import POSTHORN, ROOT

WORK = os.path.join(ROOT, "build/deb-test")
SYSTEM = os.path.join(WORK, "system")
BASE = os.path.join(WORK, "base.tar")
CONFIG = os.path.join(SYSTEM, "etc/posthorn/posthorn.toml")
SENDMAIL = "/usr/sbin/sendmail"


def run(*command, stdin=None, check=True, **options):
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=900, **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done


def inside(*command, **options):
    """A command in the new system."""
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    return run("chroot", SYSTEM, *command, env=environment, **options)


def make_system():
    """A minimal Debian with this machine's package sources; unpacked from the last run's when there is one."""
    shutil.rmtree(SYSTEM, ignore_errors=True)
    os.makedirs(SYSTEM)
    if os.path.exists(BASE):
        run("tar", "-C", SYSTEM, "-xf", BASE)
        return
    mirror = run("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages").stdout.split()[0]
    release = re.search(r"^VERSION_CODENAME=(\w+)", pathlib.Path("/etc/os-release").read_text(), re.MULTILINE).group(1)
    run("debootstrap", "--variant=minbase", "--include=adduser,debian-archive-keyring", release, SYSTEM, mirror)
    for name in ("sources.list", "sources.list.d", "apt.conf.d", "trusted.gpg.d", "auth.conf.d"):
        if os.path.exists(f"/etc/apt/{name}"):
            run("cp", "-r", f"/etc/apt/{name}", f"{SYSTEM}/etc/apt/")
    shutil.copy("/etc/resolv.conf", f"{SYSTEM}/etc/resolv.conf")
    inside("apt-get", "-qq", "update")
    run("tar", "-C", SYSTEM, "-cf", BASE, ".")


def make_package(version):
    """Returns the package's name in the new system."""
    environment = dict(os.environ, DEB_VERSION=version)
    path = run(os.path.join(ROOT, "scripts/build-deb.sh"), POSTHORN, env=environment).stdout.split()[-1]
    shutil.copy(os.path.join(ROOT, path), SYSTEM)
    return "/" + os.path.basename(path)


class InstalledNode:
    """`posthorn serve` as root starts it in the new system, in a network of its own."""

    def __enter__(self):
        self.process = subprocess.Popen(["unshare", "--net", "sh", "-c", f"ip link set lo up && exec chroot {SYSTEM} posthorn serve"],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            if line.startswith("  http"):
                return self
        raise AssertionError("the node did not start: " + self.process.stderr.read())

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        output = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, output

    def user_id(self):
        with open(f"/proc/{self.process.pid}/status") as file:
            return int(re.search(r"^Uid:\t(\d+)", file.read(), re.MULTILINE).group(1))

    def run(self, *command, **options):
        return run("nsenter", f"--net=/proc/{self.process.pid}/ns/net", "chroot", SYSTEM, *command, **options)


@unittest.skipUnless(os.geteuid() == 0 and shutil.which("debootstrap"), "needs root and debootstrap")
class DebTest(unittest.TestCase):
    def test_the_life_of_a_package(self):
        began = time.monotonic()
        make_system()
        first = make_package("0.1.0")
        self.check_lintian(first)
        inside("apt-get", "-qq", "install", "-y", "--no-install-recommends", first)
        print(f"installed after {time.monotonic() - began:.0f} s")
        self.check_installed()
        self.configure()
        with InstalledNode() as node:
            self.assertEqual(node.user_id(), self.user().pw_uid)
            node.run("posthorn", "user", "add", "alice@example.test", "--password-stdin", stdin="secret\n")
            node.run(SENDMAIL, "-t", stdin="To: alice@example.test\nSubject: first\n\nText.\n")
            self.assertEqual(self.mails(node), 1)
            self.assertIn("Mail queue is empty", node.run("mailq").stdout)
        self.upgrade()
        self.remove()

    def user(self):
        line = re.search(r"^posthorn:.*", pathlib.Path(SYSTEM, "etc/passwd").read_text(), re.MULTILINE).group(0).split(":")
        return pwd.struct_passwd([*line[:2], int(line[2]), int(line[3]), *line[4:]])

    def mails(self, node):
        return int(re.search(r'"mails":(\d+)', node.run("posthorn", "user", "list", "--json").stdout).group(1))

    def check_lintian(self, package):
        if shutil.which("lintian"):
            done = run("lintian", "--fail-on", "error", SYSTEM + package, check=False)
            self.assertEqual(done.returncode, 0, done.stdout)

    def check_installed(self):
        folder = os.stat(SYSTEM + "/var/lib/posthorn")
        self.assertEqual((folder.st_uid, folder.st_mode & 0o777), (self.user().pw_uid, 0o750))
        self.assertLess(self.user().pw_uid, 1000)
        for link in ("usr/sbin/sendmail", "usr/lib/sendmail", "usr/bin/mailq", "usr/bin/newaliases"):
            self.assertEqual(os.path.basename(os.path.realpath(os.path.join(SYSTEM, link))), "posthorn")
        self.assertIn(f"{CONFIG[len(SYSTEM):]} ", inside("dpkg-query", "-W", "-f", "${Conffiles}", "posthorn").stdout)
        self.assertEqual(inside("newaliases").returncode, 0)
        self.assertEqual(inside(SENDMAIL, "root", stdin="Subject: x\n\n", check=False).returncode, 75)
        self.assertTrue(inside("dpkg-query", "-W", "-f", "${Provides}", "posthorn").stdout.count("mail-transport-agent"))

    def configure(self):
        with open(CONFIG) as file:
            text = file.read()
        for old, new in (('hostname = ""', 'hostname = "mx.example.test"'), ("domains = []", 'domains = ["example.test"]'), ("16GiB", "512MiB")):
            self.assertIn(old, text)
            text = text.replace(old, new)
        with open(CONFIG, "w") as file:
            file.write(text)

    def upgrade(self):
        second = make_package("0.1.1")
        done = inside("apt-get", "-qq", "install", "-y", second)
        self.assertEqual(inside("dpkg-query", "-W", "-f", "${Version}", "posthorn").stdout, "0.1.1", done.stdout)
        with InstalledNode() as node:  # With the operator's configuration, and the mail.
            self.assertEqual(self.mails(node), 1)

    def remove(self):
        inside("apt-get", "-qq", "remove", "-y", "posthorn")
        self.assertFalse(os.path.exists(SYSTEM + "/usr/bin/posthorn"))
        self.assertFalse(os.path.lexists(SYSTEM + "/usr/sbin/sendmail"))
        self.assertTrue(os.path.exists(CONFIG))
        done = inside("dpkg", "--purge", "posthorn")
        self.assertIn("is kept: it holds everybody's mail", done.stdout)
        self.assertFalse(os.path.exists(CONFIG))
        self.assertTrue(os.path.exists(SYSTEM + "/var/lib/posthorn/volume.mffs"))
        shutil.rmtree(SYSTEM)


if __name__ == "__main__":
    unittest.main(verbosity=2)
