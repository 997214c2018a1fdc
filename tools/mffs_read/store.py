"""docs/format/store.md: accounts, mailboxes and the mails in them."""

import dataclasses
import struct

from mffs_read.replog import Body, read_body_reference
from mffs_read.wire import Cursor, Damaged

(CREATE_ACCOUNT, SET_PASSWORD, REMOVE_ACCOUNT, DELIVER, CREATE_MAILBOX, DELETE_MAILBOX, RENAME_MAILBOX, SUBSCRIBE, APPEND, STORE_FLAGS, COPY,
 EXPUNGE, PURGE, IMPORT, SET_UIDS, IMPORT_FLAGS, STORE_FLAGS_IF, SPECIAL_MAILBOXES, SET_QUOTA, QUOTA_WARNING, CREDENTIALS, DELIVER_DIRECT) = range(1, 23)
MAKES_ACCOUNT, ADDS_KEYS = 0, 2
SYSTEM_FLAGS = ("\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft")
DELETED = 8
REPLACE, ADD, REMOVE = 0, 1, 2
NO_SELECT, SUBSCRIBED = 1, 2
HAS_SPECIAL, HAS_SCRAM_KEYS = 1, 2
USES_MAX = 5
ITEMS_MAX = 1 << 20
KEYWORDS_MAX = 256
UID_MAX = 0xFFFFFFFF
QUEUED, DIRECT = 1, 2
HOUR_US = 3600 * 1000000
EXCEPTIONS_MAX = 16384
UIDS_MAX = 20000
PERCENTAGES_MAX = 10


@dataclasses.dataclass
class Message:
    system: int
    keywords: frozenset     # Positions in the mailbox's list.
    date: int
    body: Body
    prefix: bytes
    touched: bool = False   # Its flags were changed by another than an import.
    modseq: int = 0


@dataclasses.dataclass
class Mailbox:
    account: int
    uid_validity: int
    name: str
    uid_next: int = 1
    modseq: int = 1         # The highest.
    keywords: list = dataclasses.field(default_factory=list)
    messages: dict = dataclasses.field(default_factory=dict)
    origins: dict = dataclasses.field(default_factory=dict)     # UIDs of imported mails.
    import_modseqs: dict = dataclasses.field(default_factory=dict)     # UID -> MODSEQ, from a snapshot.

    def add(self, message):
        self.modseq += 1
        message.modseq = self.modseq
        self.messages[self.uid_next] = message
        self.uid_next += 1

    def has_room_for(self, count):
        return self.uid_next + count <= UID_MAX

    def positions_of(self, names, add):
        """Positions of these keywords, whatever their case; None when there would be too many. Without `add` unknown ones are left out."""
        table, found = list(self.keywords), set()
        for name in names:
            known = [position for position, other in enumerate(table) if other.lower() == name.lower()]
            if known:
                found.add(known[0])
            elif add:
                found.add(len(table))
                table.append(name)
        if len(table) > KEYWORDS_MAX:
            return None
        self.keywords = table
        return frozenset(found)

    def flags_of(self, message):
        system = [name for bit, name in enumerate(SYSTEM_FLAGS) if message.system >> bit & 1]
        return system + sorted(self.keywords_of(message), key=str.lower)

    def keywords_of(self, message):
        return [self.keywords[position] for position in sorted(message.keywords) if position < len(self.keywords)]


@dataclasses.dataclass
class Name:
    mailbox: int = 0
    no_select: bool = False
    subscribed: bool = False
    use: int = 0

    def in_tree(self):
        return self.mailbox != 0 or self.no_select


@dataclasses.dataclass
class Account:
    address: str
    uid_validity_next: int
    has_special: bool = False
    own: tuple = (0, 0)     # Bytes and mails: 0 is as configured, else the limit and 1.
    warned: int = 0
    names: dict = dataclasses.field(default_factory=dict)

    def in_tree(self, name):
        return name in self.names and self.names[name].in_tree()

    def below(self, name):
        return [other for other in self.names if other.startswith(name + "/")]

    def tidy(self, name):
        if not self.names[name].in_tree() and not self.names[name].subscribed:
            del self.names[name]

    def has_room_for(self, name, names_max):
        needed = 1 + sum(parent not in self.names for parent in parents_of(name))
        return len(self.names) + needed <= names_max


def size_of(message):
    return len(message.prefix) + (message.body.size if message.body is not None else 0)


def parents_of(name):
    return [name[:at] for at, letter in enumerate(name) if letter == "/"]


def read_flags(cursor):
    return cursor.u8(), [cursor.string() for _ in range(cursor.count(KEYWORDS_MAX))]


def read_uids(cursor):
    """[(first, last)]; a gap counts from the UID after the last range, the first one from 0."""
    ranges, after, total = [], 0, 0
    for _ in range(cursor.count(UIDS_MAX, 2)):
        first = after + cursor.varint()
        last = first + cursor.varint()
        total += last - first + 1
        if total > UIDS_MAX or last > UID_MAX:
            raise Damaged(f"{cursor.what} names UIDs that cannot be")
        ranges.append((first, last))
        after = last + 1
    return ranges


class Quota:
    """What an entry of version 2 says behind its fields."""

    def __init__(self, cursor):
        self.enforced = cursor.u8()
        self.configured = cursor.varint(), cursor.varint()
        self.percentages = [cursor.u8() for _ in range(cursor.count(PERCENTAGES_MAX))]

    def limits_of(self, account):
        return [own - 1 if own else configured for own, configured in zip(account.own, self.configured)]

    def reached(self, usage, limits):
        percent = max(-(-100 * used // limit) if limit else 0 for used, limit in zip(usage, limits))
        return max((one for one in self.percentages if one <= percent), default=0)


class Watermark:
    """Which mails of a queue partition are settled: all under the index but for the exceptions."""

    def __init__(self, cursor):
        self.index = cursor.varint()
        self.exceptions, last = set(), 0
        for _ in range(cursor.count(EXCEPTIONS_MAX)):
            last += cursor.varint()
            self.exceptions.add(last)

    def settles(self, index):
        return index < self.index and index not in self.exceptions


class StoreState:
    """The state machine of one mailbox partition."""

    def __init__(self, partition):
        self.partition = partition
        self.next_number = 1
        self.uid_validity_floor = 0
        self.time = self.horizon = 0
        self.applied = 0            # The last entry of which the snapshot shows the effect.
        self.accounts = {}
        self.mailboxes = {}
        self.delivered = set()      # (queue partition, index, recipient)
        self.direct = {}            # (mailbox, id) -> time
        self.watermarks = {}
        self.warnings = {}          # Account -> percentage: due.
        self._has_quota = False     # Of the entry at work: it is of version 2.
        self._messages, self._bodies = [], {}

    # Snapshots

    def load(self, piece):
        cursor = Cursor(piece, "a piece of the store's snapshot")
        cursor.version()
        while cursor.left():
            self._load_row(cursor.text(), Cursor(cursor.text(), "a row of the store's snapshot"))
        self._join_rows()

    def _load_row(self, key, value):
        kind, fields = key[:1], Cursor(key[1:], "a row's key")
        number = lambda: int.from_bytes(fields.take(4), "big")
        if kind == b"P":
            value.varint()
            self.applied, _ = value.varint(), value.varint()
            self.next_number, self.uid_validity_floor = value.varint(), value.varint()
            self.time, self.horizon = value.i64(), value.i64()
        elif kind == b"A":
            account = number()
            address, _ = value.string(), value.text()
            self._account(account).address = address
            self._account(account).uid_validity_next = value.varint()
            value.varint()
            bits = value.u8() if value.left() else 0
            self._account(account).has_special = bool(bits & HAS_SPECIAL)
            if bits & HAS_SCRAM_KEYS:
                value.string()
        elif kind == b"N":
            account, name = number(), fields.take(fields.left()).decode("utf-8", "surrogateescape")
            bits = value.u8()
            self._account(account).names[name] = Name(value.varint(), bool(bits & NO_SELECT), bool(bits & SUBSCRIBED), bits >> 2)
        elif kind == b"M":
            mailbox = number()
            self._load_mailbox_row(mailbox, fields.take(1) if fields.left() else b"", fields, value)
        elif kind == b"B":
            body = int.from_bytes(fields.take(8), "big")
            value.varint()
            self._bodies[body] = read_body_reference(value)
        elif kind == b"Q":
            self.delivered.add((number(), int.from_bytes(fields.take(8), "big"), number()))
        elif kind == b"V":
            self.warnings[number()] = value.u8()
        elif kind == b"W":
            self.watermarks[number()] = Watermark(value)

    def _load_mailbox_row(self, number, kind, fields, value):
        if kind == b"":
            account, uid_validity, uid_next = value.varint(), value.varint(), value.varint()
            _, _, modseq, _ = (value.varint() for _ in range(4))
            mailbox = self.mailboxes.setdefault(number, Mailbox(0, 0, ""))
            mailbox.modseq = modseq
            mailbox.account, mailbox.uid_validity, mailbox.uid_next, mailbox.name = account, uid_validity, uid_next, value.string()
        elif kind == b"D":
            self.direct[number, fields.take(16)] = value.i64()
        elif kind == b"K":
            self.mailboxes.setdefault(number, Mailbox(0, 0, "")).keywords = [value.string() for _ in range(value.count(KEYWORDS_MAX))]
        elif kind == b"Q":
            value.varint(), value.varint()
            account = self._account(number)
            account.own, account.warned = (value.varint(), value.varint()), value.u8()
        elif kind == b"O":
            mailbox, origin, uid = self.mailboxes.setdefault(number, Mailbox(0, 0, "")), fields.take(16), value.varint()
            mailbox.origins[origin] = uid
            if value.left():
                mailbox.import_modseqs[uid] = value.varint()
        elif kind == b"U":
            uid = int.from_bytes(fields.take(4), "big")
            made, later = value.varint(), value.varint()
            system = value.u8()
            positions = frozenset(value.varint() for _ in range(value.count(KEYWORDS_MAX)))
            date, _, body = value.i64(), value.varint(), value.varint()
            self._messages.append((number, uid, body, Message(system, positions, date, None, value.text(), self._is_touched(number, uid, made, later), made + later)))

    def _is_touched(self, number, uid, made, later):
        """A mailbox's rows of kind O stand before those of kind U."""
        mailbox = self.mailboxes.get(number)
        return later != 0 and (mailbox is None or mailbox.import_modseqs.get(uid) != made + later)

    def _account(self, number):
        return self.accounts.setdefault(number, Account("", 0))

    def _join_rows(self):
        """Messages name bodies by id; a body's row may come in another piece, before or after."""
        waiting = []
        for number, uid, body, message in self._messages:
            if body and body not in self._bodies:
                waiting.append((number, uid, body, message))
                continue
            message.body = self._bodies.get(body)
            self.mailboxes.setdefault(number, Mailbox(0, 0, "")).messages[uid] = message
        self._messages = waiting

    # Entries

    def apply(self, entry):
        if entry.type == 0 or entry.index <= self.applied:
            return
        cursor = Cursor(entry.meta(), f"entry {entry.index} of mailbox partition {self.partition:08x}")
        handler = self._HANDLERS.get(entry.type)
        if handler is None:
            raise Damaged(f"{cursor.what} has type {entry.type}, which a newer program wrote")
        version = cursor.version(1, 2 if entry.type in (DELIVER, DELIVER_DIRECT, APPEND, COPY) else 1)
        self._has_quota = version == 2
        handler(self, cursor, entry)

    # Quotas

    def _read_quota(self, cursor):
        return Quota(cursor) if self._has_quota else None

    def _usage(self, account):
        messages = [message for mailbox in self.mailboxes.values() if mailbox.account == account for message in mailbox.messages.values()]
        return sum(size_of(message) for message in messages), len(messages)

    def _limits(self, account, quota):
        """None where nothing depends on the usage."""
        owner = self.accounts.get(account)
        limits = quota.limits_of(owner) if quota is not None and owner is not None else None
        return limits if limits is not None and any(limits) else None

    def _takes(self, account, quota, messages):
        limits = self._limits(account, quota)
        if limits is None or not quota.enforced:
            return True
        usage, more = self._usage(account), (sum(size_of(message) for message in messages), len(messages))
        return all(not limit or used + new <= limit for used, new, limit in zip(usage, more, limits))

    def _warn(self, account, quota, before):
        """`before` is the usage before the mail of this entry."""
        limits = self._limits(account, quota)
        if limits is None or not quota.percentages:
            if quota is not None and quota.percentages and account in self.accounts:
                self.accounts[account].warned = 0
            return
        owner = self.accounts[account]
        owner.warned = min(owner.warned, quota.reached(before, limits))
        reached = quota.reached(self._usage(account), limits)
        if reached > owner.warned:
            owner.warned = self.warnings[account] = reached

    def _before(self, account, quota):
        return self._usage(account) if self._limits(account, quota) is not None else (0, 0)

    def _set_quota(self, cursor, _):
        number, own = self._by_address(cursor.string()), (cursor.varint(), cursor.varint())
        if number is not None:
            self.accounts[number].own = own

    def _quota_warning(self, cursor, entry):
        account, percent, date, prefix = cursor.varint(), cursor.u8(), cursor.i64(), cursor.text()
        if self.warnings.get(account) != percent:
            return
        del self.warnings[account]
        mailbox = self.mailboxes.get(account)
        if mailbox is not None and mailbox.has_room_for(1):
            mailbox.add(Message(0, frozenset(), date, entry.mail(), prefix))

    def _by_address(self, address):
        return next((number for number, account in self.accounts.items() if account.address == address), None)

    def _take_number(self):
        self.next_number += 1
        return self.next_number - 1

    def _add_mailbox(self, account, name, number=0):
        number = number or self._take_number()
        owner = self.accounts[account]
        self.mailboxes[number] = Mailbox(account, owner.uid_validity_next, name)
        owner.uid_validity_next += 1
        row = owner.names.setdefault(name, Name())
        row.mailbox, row.no_select = number, False

    def _add_parents(self, account, name):
        for parent in parents_of(name):
            if not self.accounts[account].in_tree(parent):
                self._add_mailbox(account, parent)

    def _create_account(self, cursor, _):
        address = cursor.string()
        if self._by_address(address) is None:
            number = self._take_number()
            self.accounts[number] = Account(address, self.uid_validity_floor + 1)
            self._add_mailbox(number, "INBOX", number)

    def _set_password(self, cursor, _):
        pass

    def _credentials(self, cursor, entry):
        change = cursor.u8()
        if change > ADDS_KEYS:
            raise Damaged(f"{cursor.what} changes a password in a way that is not known")
        if change == MAKES_ACCOUNT:
            self._create_account(cursor, entry)

    def _remove_account(self, cursor, _):
        number = self._by_address(cursor.string())
        if number is not None:
            gone = self.accounts.pop(number)
            self.warnings.pop(number, None)
            self.uid_validity_floor = max(self.uid_validity_floor, gone.uid_validity_next - 1)
            for name in gone.names.values():
                self.mailboxes.pop(name.mailbox, None)

    def _deliver(self, cursor, entry, origin_fields=0):
        date, hours = cursor.i64(), cursor.varint()
        targets = [(cursor.varint(), cursor.u8(), cursor.take(16), cursor.text()) for _ in range(cursor.count(ITEMS_MAX, 19))]
        settled = [(cursor.varint(), Watermark(cursor)) for _ in range(cursor.count(ITEMS_MAX, 3))]
        for _ in range(origin_fields):
            cursor.text()
        quota = self._read_quota(cursor)
        cursor.end()
        self.time = max(self.time, date)
        self.horizon = max(self.horizon, self.time - hours * HOUR_US)
        for account, form, identity, prefix in targets:
            mailbox = self.mailboxes.get(account)   # The INBOX has the account's number.
            message = Message(0, frozenset(), date, entry.mail(), prefix)
            # One that is refused and was delivered before is left out as well.
            if mailbox is None or not mailbox.has_room_for(1) or not self._takes(account, quota, [message]):
                continue
            if self._is_new(account, form, identity):
                before = self._before(account, quota)
                mailbox.add(message)
                self._warn(account, quota, before)
        for partition, watermark in settled:
            if partition not in self.watermarks or watermark.index > self.watermarks[partition].index:
                self.watermarks[partition] = watermark

    def _deliver_direct(self, cursor, entry):
        self._deliver(cursor, entry, origin_fields=5)

    def _is_new(self, mailbox, form, identity):
        """Notes a delivery id; False when it was delivered before."""
        if form == QUEUED:
            partition, recipient, index = struct.unpack("<IIQ", identity)
            settled = partition in self.watermarks and self.watermarks[partition].settles(index)
            is_new = not settled and (partition, index, recipient) not in self.delivered
            self.delivered.add((partition, index, recipient))
            return is_new
        is_new = self.direct.get((mailbox, identity), self.horizon - 1) < self.horizon
        if is_new:
            self.direct[mailbox, identity] = self.time
        return is_new

    def _create_mailbox(self, cursor, _):
        account, name, names_max = cursor.varint(), cursor.string(), cursor.varint()
        owner = self.accounts.get(account)
        if owner is None or (name in owner.names and owner.names[name].mailbox) or not owner.has_room_for(name, names_max):
            return
        self._add_parents(account, name)
        self._add_mailbox(account, name)

    def _delete_mailbox(self, cursor, _):
        owner, name = self.accounts.get(cursor.varint()), cursor.string()
        if owner is None or name == "INBOX" or not owner.in_tree(name):
            return
        has_children = any(owner.in_tree(other) for other in owner.below(name))
        row = owner.names[name]
        if row.no_select and has_children:
            return
        self.mailboxes.pop(row.mailbox, None)
        row.mailbox, row.no_select, row.use = 0, has_children, 0
        owner.tidy(name)

    def _rename_mailbox(self, cursor, _):
        account, source, target = cursor.varint(), cursor.string(), cursor.string()
        names_max, name_bytes_max = cursor.varint(), cursor.varint()
        owner = self.accounts.get(account)
        if owner is None or "INBOX" in (source, target) or not owner.in_tree(source) or owner.in_tree(target):
            return
        below = owner.below(source)
        longest = max((len((target + name[len(source):]).encode("utf-8", "surrogateescape")) for name in below), default=0)
        if target.startswith(source + "/") or not owner.has_room_for(target, names_max) or longest > name_bytes_max:
            return
        self._add_parents(account, target)
        for name in [source] + [name for name in below if owner.in_tree(name)]:
            self._move_name(owner, name, target + name[len(source):])

    def _move_name(self, owner, source, target):
        """Subscriptions belong to names and stay."""
        row, into = owner.names[source], owner.names.setdefault(target, Name())
        into.mailbox, into.no_select, into.use = row.mailbox, row.no_select, row.use
        row.mailbox, row.no_select, row.use = 0, False, 0
        owner.tidy(source)
        if into.mailbox in self.mailboxes:
            self.mailboxes[into.mailbox].name = target

    def _subscribe(self, cursor, _):
        owner, name, subscribed, names_max = self.accounts.get(cursor.varint()), cursor.string(), cursor.u8(), cursor.varint()
        if owner is None or (name not in owner.names and subscribed and len(owner.names) >= names_max):
            return
        owner.names.setdefault(name, Name()).subscribed = bool(subscribed)
        owner.tidy(name)

    def _append(self, cursor, entry):
        mailbox = self.mailboxes.get(cursor.varint())
        (system, names), date = read_flags(cursor), cursor.i64()
        quota = self._read_quota(cursor)
        message = Message(system & 31, frozenset(), date, entry.mail(), b"")
        if mailbox is None or not mailbox.has_room_for(1) or not self._takes(mailbox.account, quota, [message]):
            return
        message.keywords = mailbox.positions_of(names, True)
        if message.keywords is not None:
            before = self._before(mailbox.account, quota)
            mailbox.add(message)
            self._warn(mailbox.account, quota, before)

    def _import(self, cursor, entry):
        mailbox, uid = self.mailboxes.get(cursor.varint()), cursor.varint()
        (system, names), date, origin, _ = read_flags(cursor), cursor.i64(), cursor.text(), cursor.text()
        if mailbox is None or origin in mailbox.origins or not mailbox.has_room_for(1) or 0 < uid < mailbox.uid_next:
            return
        keywords = mailbox.positions_of(names, True)
        if keywords is None:
            return
        mailbox.uid_next = uid or mailbox.uid_next
        mailbox.origins[origin] = mailbox.uid_next
        mailbox.add(Message(system & 31, keywords, date, entry.mail(), b""))

    def _import_flags(self, cursor, _):
        mailbox = self.mailboxes.get(cursor.varint())
        changes = [(cursor.text(), read_flags(cursor)) for _ in range(cursor.count(ITEMS_MAX, 19))]
        modseq = mailbox.modseq + 1 if mailbox is not None else 0
        for origin, (system, names) in changes if mailbox is not None else []:
            message = mailbox.messages.get(mailbox.origins.get(origin))
            if message is None or message.touched:
                continue
            keywords = mailbox.positions_of(names, True)
            if keywords is not None and (message.system, message.keywords) != (system & 31, keywords):
                message.system, message.keywords = system & 31, keywords
                message.modseq = mailbox.modseq = modseq

    def _set_uids(self, cursor, _):
        mailbox, uid_validity, uid_next = self.mailboxes.get(cursor.varint()), cursor.varint(), cursor.varint()
        if mailbox is None:
            return
        if uid_validity not in (0, mailbox.uid_validity):
            owner = self.accounts.get(mailbox.account)
            if mailbox.uid_next != 1 or owner is None or uid_validity < owner.uid_validity_next:
                return
            mailbox.uid_validity, owner.uid_validity_next = uid_validity, uid_validity + 1
        mailbox.uid_next = max(mailbox.uid_next, uid_next)

    def _messages_of(self, mailbox, uids):
        for first, last in uids:
            for uid in range(first, last + 1):
                if uid in mailbox.messages:
                    yield uid, mailbox.messages[uid]

    def _special_mailboxes(self, cursor, _):
        account, names_max = cursor.varint(), cursor.varint()
        items = [(cursor.u8(), cursor.string()) for _ in range(cursor.count(USES_MAX, 3))]
        owner = self.accounts.get(account)
        if owner is None or owner.has_special:
            return
        owner.has_special = True
        for use, name in items:
            if name not in owner.names or not owner.names[name].mailbox:
                if "/" in name or not owner.has_room_for(name, names_max):
                    continue
                self._add_mailbox(account, name)
            owner.names[name].use, owner.names[name].subscribed = use, True

    def _store_flags(self, cursor, entry):
        mailbox, change = self.mailboxes.get(cursor.varint()), cursor.u8()
        (system, names), uids = read_flags(cursor), read_uids(cursor)
        if change > REMOVE:
            raise Damaged(f"{cursor.what} changes flags in a way that is not known")
        keywords = mailbox.positions_of(names, change != REMOVE) if mailbox is not None else None
        if keywords is None:
            return
        system &= 31
        unchanged_since = cursor.varint() if entry.type == STORE_FLAGS_IF else mailbox.modseq
        modseq = mailbox.modseq + 1
        for _, message in self._messages_of(mailbox, uids):
            if message.modseq > unchanged_since:
                continue
            before = message.system, message.keywords
            if change == REPLACE:
                message.system, message.keywords = system, keywords
            elif change == ADD:
                message.system, message.keywords = message.system | system, message.keywords | keywords
            else:
                message.system, message.keywords = message.system & ~system, message.keywords - keywords
            if before != (message.system, message.keywords):
                message.touched = True
                message.modseq = mailbox.modseq = modseq

    def _copy(self, cursor, _):
        source, target = self.mailboxes.get(cursor.varint()), self.mailboxes.get(cursor.varint())
        move, uids, quota = cursor.u8(), read_uids(cursor), self._read_quota(cursor)
        count = sum(last - first + 1 for first, last in uids)
        if source is None or target is None or not target.has_room_for(count):
            return
        copied = list(self._messages_of(source, uids))
        if (not move or source.account != target.account) and not self._takes(target.account, quota, [message for _, message in copied]):
            return
        used = [keyword for _, message in copied for keyword in source.keywords_of(message)]
        if target.positions_of(used, True) is None:
            return
        before = self._before(target.account, quota)
        for uid, message in copied:
            keywords = target.positions_of(source.keywords_of(message), True)
            target.add(dataclasses.replace(message, keywords=keywords))
            if move:
                del source.messages[uid]
        self._warn(target.account, quota, before)
        if move and copied:
            source.modseq += 1

    def _expunge(self, cursor, _):
        mailbox, only_deleted, uids = self.mailboxes.get(cursor.varint()), cursor.u8(), read_uids(cursor)
        if mailbox is None:
            return
        gone = [uid for uid, message in self._messages_of(mailbox, uids) if not only_deleted or message.system & DELETED]
        for uid in gone:
            del mailbox.messages[uid]
        mailbox.modseq += 1 if gone else 0

    def _purge(self, cursor, _):
        pass

    _HANDLERS = {CREATE_ACCOUNT: _create_account, SET_PASSWORD: _set_password, REMOVE_ACCOUNT: _remove_account, DELIVER: _deliver, DELIVER_DIRECT: _deliver_direct,
                 CREATE_MAILBOX: _create_mailbox, DELETE_MAILBOX: _delete_mailbox, RENAME_MAILBOX: _rename_mailbox, SUBSCRIBE: _subscribe,
                 APPEND: _append, STORE_FLAGS: _store_flags, COPY: _copy, EXPUNGE: _expunge, PURGE: _purge,
                 IMPORT: _import, SET_UIDS: _set_uids, IMPORT_FLAGS: _import_flags, STORE_FLAGS_IF: _store_flags,
                 SPECIAL_MAILBOXES: _special_mailboxes, SET_QUOTA: _set_quota, QUOTA_WARNING: _quota_warning,
                 CREDENTIALS: _credentials}
