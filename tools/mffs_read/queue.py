"""docs/format/queue.md and docs/format/envelope.md: the mails in the queue."""

import dataclasses

from mffs_read.replog import read_body_reference
from mffs_read.wire import Cursor, Damaged

ENQUEUE, OUTCOME, CONTROL, OUTCOME_WITH_NOTICE = 1, 2, 3, 4
WAITING, DELIVERED, HELD, BOUNCED = 0, 2, 3, 4
STATES = {WAITING: "waiting", DELIVERED: "delivered", HELD: "held", BOUNCED: "bounced"}
TOLD = 0x80
CLASSES = ("normal", "known", "bulk", "suspect", "held", "unjudged")
CLASS_HELD = 4
HOLD, RELEASE, REQUEUE, RECLASS, REMOVE = 1, 2, 3, 4, 5
BODY_TYPES = ("7BIT", "8BITMIME", "BINARYMIME")
RECIPIENTS_MAX = 1 << 20


@dataclasses.dataclass
class Recipient:
    address: str
    state: int = WAITING
    attempts: int = 0
    next_attempt: int = 0
    answer: str = ""
    told_of_delay: bool = False

    def is_over(self):
        return self.state in (DELIVERED, BOUNCED)


@dataclasses.dataclass
class QueuedMail:
    index: int
    queued: int
    mail_class: int
    body: object
    envelope: dict
    recipients: list


def read_envelope(data):
    cursor = Cursor(data, "an envelope")
    cursor.version()
    flags, body, mail_class, ret, received = cursor.u8(), cursor.u8(), cursor.u8(), cursor.u8(), cursor.i64()
    if flags > 1 or body > 2 or mail_class >= len(CLASSES) or ret > 2:
        raise Damaged("an envelope has a value that cannot be")
    envelope = {"class": CLASSES[mail_class], "body": BODY_TYPES[body], "smtputf8": bool(flags), "received": received}
    for field in ("id", "sender", "envelope_id", "client", "helo", "account", "protocol"):
        envelope[field] = cursor.string()
    envelope["recipients"] = []
    for _ in range(cursor.count(RECIPIENTS_MAX, 3)):
        address, notify, original = cursor.string(), cursor.u8(), cursor.string()
        if notify > 15:
            raise Damaged("an envelope has a value that cannot be")
        envelope["recipients"].append({"address": address, "notify": notify, "original": original})
    cursor.end()
    return envelope


def read_state(cursor, version):
    """(state, whether the sender was told)"""
    byte = cursor.u8()
    state, told = (byte & ~TOLD, bool(byte & TOLD)) if version >= 2 else (byte, False)
    if state not in STATES or (state == BOUNCED and version < 2):
        raise Damaged(f"{cursor.what} has a recipient in state {state}, which cannot be")
    return state, told


class QueueState:
    """The state machine of one queue partition."""

    def __init__(self, partition):
        self.partition = partition
        self.mails = {}

    def load(self, piece):
        cursor = Cursor(piece, "a piece of the queue's snapshot")
        version = cursor.version(1, 2)
        while cursor.left():
            index, queued, mail_class = cursor.varint(), cursor.i64(), cursor.u8()
            body = read_body_reference(cursor)
            envelope = read_envelope(cursor.text())
            recipients = []
            for number in range(cursor.count(RECIPIENTS_MAX, 11)):
                state, told = read_state(cursor, version)
                attempts, next_attempt, answer = cursor.varint(), cursor.i64(), cursor.string()
                if number >= len(envelope["recipients"]):
                    raise Damaged("a queued mail has more states than recipients")
                recipients.append(Recipient(envelope["recipients"][number]["address"], state, attempts, next_attempt, answer, told))
            self.mails[index] = QueuedMail(index, queued, mail_class, body, envelope, recipients)

    def apply(self, entry):
        if entry.type == 0:
            return
        cursor = Cursor(entry.meta(), f"entry {entry.index} of queue partition {self.partition:08x}")
        if entry.type not in (ENQUEUE, OUTCOME, CONTROL, OUTCOME_WITH_NOTICE):
            raise Damaged(f"{cursor.what} has type {entry.type}, which a newer program wrote")
        version = cursor.version(1, 3 if entry.type == OUTCOME else 1)
        if entry.type == ENQUEUE:
            self._enqueue(entry, cursor)
        elif entry.type == OUTCOME:
            self._outcome(cursor, version)
        elif entry.type == OUTCOME_WITH_NOTICE:
            self._outcome_with_notice(entry, cursor)
        else:
            self._control(cursor)

    def _enqueue(self, entry, cursor):
        queued = cursor.i64()
        envelope = read_envelope(cursor.take(cursor.left()))
        recipients = [Recipient(one["address"], next_attempt=queued) for one in envelope["recipients"]]
        mail_class = entry.mail_class
        mail = QueuedMail(entry.index, queued, mail_class, entry.mail(), envelope, recipients)
        self.mails[entry.index] = mail
        if mail_class == CLASS_HELD:
            self._hold(mail)

    def _outcome_with_notice(self, entry, cursor):
        outcome = Cursor(cursor.text(), cursor.what)
        takes_notice = self._outcome(outcome, outcome.version(1, 3))
        cursor.version()
        if takes_notice:
            self._enqueue(entry, cursor)

    def _outcome(self, cursor, version):
        """Whether a notice that comes with it is taken: it tells something new."""
        index = cursor.varint()
        if version >= 3:
            cursor.i64()
        changes = []
        for _ in range(cursor.count(RECIPIENTS_MAX, 11)):
            changes.append((cursor.varint(), *read_state(cursor, version), cursor.i64(), cursor.string()))
            if version >= 3:
                cursor.text(), cursor.text()
        cursor.end()
        mail = self.mails.get(index)
        if mail is None:
            return False
        is_news = False
        for number, state, told, next_attempt, answer in changes:
            if number >= len(mail.recipients) or mail.recipients[number].is_over():
                continue
            recipient = mail.recipients[number]
            is_news = is_news or (told and not (state == WAITING and recipient.told_of_delay))
            recipient.told_of_delay = recipient.told_of_delay or told
            recipient.attempts += 1
            recipient.answer = answer
            if recipient.state != HELD or state == DELIVERED or (state == BOUNCED and told):
                recipient.state, recipient.next_attempt = state, next_attempt
        self._drop_if_done(mail)
        return is_news

    def _control(self, cursor):
        index, operation, mail_class, time = cursor.varint(), cursor.u8(), cursor.u8(), cursor.i64()
        cursor.end()
        mail = self.mails.get(index)
        if mail is None:
            return
        if operation == REMOVE:
            del self.mails[index]
        elif operation == HOLD:
            self._hold(mail)
        elif operation == RECLASS:
            mail.mail_class = mail_class
            if mail_class == CLASS_HELD:
                self._hold(mail)
        elif operation in (RELEASE, REQUEUE):
            for recipient in mail.recipients:
                if operation == RELEASE and recipient.state == HELD:
                    recipient.state, recipient.attempts, recipient.next_attempt = WAITING, 0, time
                elif operation == REQUEUE and recipient.state == WAITING:
                    recipient.next_attempt = time
        else:
            raise Damaged(f"{cursor.what} has operation {operation}, which is not known")

    @staticmethod
    def _hold(mail):
        for recipient in mail.recipients:
            if recipient.state == WAITING:
                recipient.state = HELD

    def _drop_if_done(self, mail):
        if not any(recipient.state in (WAITING, HELD) for recipient in mail.recipients):
            del self.mails[mail.index]
