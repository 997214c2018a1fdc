"""What tests of outgoing mail do as a user: send, look into the INBOX, read what notices say."""

import email
import imaplib
import smtplib

from posthorn_node import message


def submit(node, recipients, text=None, sender="alice@example.test", options=()):
    """Sends as alice over submission."""
    with smtplib.SMTP("127.0.0.1", node.ports["submission"], timeout=30) as client:
        client.login("alice@example.test", "posthorn")
        client.sendmail(sender, recipients, text or message("out"), mail_options=list(options))


def inbox(node, user="alice@example.test"):
    """The mails of an INBOX, parsed."""
    client = imaplib.IMAP4("127.0.0.1", node.ports["imap"])
    client.login(user, "posthorn")
    client.select("INBOX", readonly=True)
    count = len(client.search(None, "ALL")[1][0].split())
    mails = [email.message_from_bytes(client.fetch(str(n), "(BODY.PEEK[])")[1][0][1]) for n in range(1, count + 1)]
    client.logout()
    return mails


def reports(node, user="alice@example.test"):
    """(final recipient, action, status) of each recipient of each DSN in an INBOX."""
    found = []
    for mail in inbox(node, user):
        if mail.get_content_type() != "multipart/report":
            continue
        for part in mail.walk():
            if part.get_content_type() != "message/delivery-status":
                continue
            for fields in part.get_payload()[1:]:
                found.append((fields["Final-Recipient"].split(";")[1].strip(), fields["Action"], fields["Status"]))
    return found


def queue_is_empty(node):
    return "the queue is empty" in node.run("queue", "list").stdout
