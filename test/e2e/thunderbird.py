"""Debian's Thunderbird without a screen, with a profile of its own, for one account of a node. It needs `scripts/unpack-thunderbird.sh`."""

import os
import shutil
import ssl
import subprocess
import tempfile

from marionette import Marionette
from posthorn_node import PEERS, free_port

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = os.path.join(PEERS, "thunderbird")

# Nothing is asked, shown or fetched that is not the account's.
PREFERENCES = {
    "marionette.port": "{marionette}",
    "app.update.auto": "false",
    "app.update.enabled": "false",
    "browser.region.network.url": '""',
    "datareporting.policy.dataSubmissionEnabled": "false",
    "datareporting.healthreport.uploadEnabled": "false",
    "extensions.update.enabled": "false",
    "extensions.getAddons.cache.enabled": "false",
    "extensions.blocklist.enabled": "false",
    "mail.inappnotifications.enabled": "false",
    "mail.provider.suppress_dialog_on_startup": "true",
    "mail.rights.version": "1",
    "mail.shell.checkDefaultClient": "false",
    "mail.spotlight.firstRunDone": "true",
    "mail.winsearch.firstRunDone": "true",
    "mailnews.start_page.enabled": "false",
    "mailnews.start_page_override.mstone": '"ignore"',
    "network.captive-portal-service.enabled": "false",
    "network.connectivity-service.enabled": "false",
    "network.dns.disablePrefetch": "true",
    "services.settings.server": '"http://127.0.0.1:1/"',
    "toolkit.telemetry.enabled": "false",
    # The account: IMAP over TLS, submission with STARTTLS.
    "mail.accountmanager.accounts": '"account1"',
    "mail.accountmanager.defaultaccount": '"account1"',
    "mail.account.account1.server": '"server1"',
    "mail.account.account1.identities": '"id1"',
    "mail.account.lastKey": "1",
    "mail.server.server1.type": '"imap"',
    "mail.server.server1.hostname": '"127.0.0.1"',
    "mail.server.server1.port": "{imaps}",
    "mail.server.server1.socketType": "3",
    "mail.server.server1.authMethod": "3",
    "mail.server.server1.userName": '"{user}"',
    "mail.server.server1.name": '"{user}"',
    "mail.server.server1.login_at_startup": "false",
    "mail.server.server1.check_new_mail": "false",
    "mail.identity.id1.useremail": '"{user}"',
    "mail.identity.id1.fullName": '"Alice"',
    "mail.identity.id1.valid": "true",
    "mail.identity.id1.smtpServer": '"smtp1"',
    "mail.smtpservers": '"smtp1"',
    "mail.smtp.defaultserver": '"smtp1"',
    "mail.smtpserver.smtp1.hostname": '"127.0.0.1"',
    "mail.smtpserver.smtp1.port": "{submission}",
    "mail.smtpserver.smtp1.try_ssl": "2",
    "mail.smtpserver.smtp1.authMethod": "3",
    "mail.smtpserver.smtp1.username": '"{user}"',
}

# The certificate is the node's own: what a user does who says "confirm the exception"; and the passwords are remembered.
TRUST = """
  const [certificate, imap, submission, user, password] = args;
  const database = Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB);
  const exceptions = Cc["@mozilla.org/security/certoverride;1"].getService(Ci.nsICertOverrideService);
  for (const port of [imap, submission]) exceptions.rememberValidityOverride("127.0.0.1", port, {}, database.constructX509FromBase64(certificate), false);
  if ((await Services.logins.getAllLogins()).length) return;
  for (const scheme of ["imap", "smtp"]) {
    const login = Cc["@mozilla.org/login-manager/loginInfo;1"].createInstance(Ci.nsILoginInfo);
    login.init(`${scheme}://127.0.0.1`, null, `${scheme}://127.0.0.1`, user, password, "", "");
    await Services.logins.addLoginAsync(login);
  }
"""


def why_not():
    """Why there is no Thunderbird to test with; None: there is."""
    return None if os.path.exists(PROGRAM) else "NO THUNDERBIRD: run scripts/unpack-thunderbird.sh"


class Thunderbird:
    """Use as a context manager."""

    def __init__(self, node, user, password):
        self.node = node
        self.user = user
        self.password = password
        self.folder = tempfile.mkdtemp(prefix="posthorn-thunderbird-", dir="/tmp")
        self.output = os.path.join(self.folder, "output")
        self.process = None
        self.marionette = None
        with open(os.path.join(HERE, "thunderbird_day.js"), encoding="utf-8") as file:
            self.prelude = file.read()

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)  # What it started may still be about to end.

    def start(self):
        """With the profile of the last time."""
        port = free_port()
        values = {"marionette": port, "imaps": self.node.ports["imaps"], "submission": self.node.ports["submission"], "user": self.user}
        profile = os.path.join(self.folder, "profile")
        os.makedirs(profile, exist_ok=True)
        with open(os.path.join(profile, "user.js"), "w", encoding="utf-8") as file:
            file.writelines(f'user_pref("{key}", {value.format(**values)});\n' for key, value in PREFERENCES.items())
        environment = dict(os.environ, HOME=self.folder, LC_ALL="C.UTF-8", MOZ_CRASHREPORTER_DISABLE="1", MOZ_LOG="IMAP:4")
        with open(self.output, "ab") as output:
            self.process = subprocess.Popen([PROGRAM, "--headless", "--marionette", "-remote-allow-system-access", "--no-remote", "--profile", profile],
                                            env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        self.marionette = Marionette(port)
        with open(os.path.join(self.node.folder, "tls-cert.pem"), encoding="ascii") as file:
            certificate = "".join(file.read().split("-----")[2].split())
        self.run(TRUST, certificate, values["imaps"], values["submission"], self.user, self.password)

    def stop(self):
        """As the user who closes the window."""
        if self.process is None:
            return
        try:
            if self.marionette is not None:
                self.marionette.do("Marionette:Quit", {"flags": ["eForceQuit"]})
            self.process.wait(60)
        except (AssertionError, OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        if self.marionette is not None:
            self.marionette.close()
        self.marionette = None
        self.process = None

    def run(self, script, *arguments):
        """Runs the body of an async function of `args` behind thunderbird_day.js."""
        return self.marionette.run(self.prelude + script, *arguments)

    def is_idle(self, mailbox="INBOX"):
        """Whether its connection of a mailbox waits in IDLE, by what it writes of its own doings. It waits 2 s before it says IDLE; news that it hears of in the
        answer to another command it leaves for the next time that it looks by the clock."""
        with open(self.output, encoding="utf-8", errors="replace") as file:
            last = [line for line in file if f":S-{mailbox}:" in line][-1:]
        return bool(last) and "idle mode async waiting" in last[0]
