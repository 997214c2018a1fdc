"""docs/format/replog.md: what the records of the partitions' logs say, and the mails that entries name.

A partition's snapshot and entries are given to a state machine (queue.py, store.py): it has load(piece) and apply(entry).
"""

import collections
import struct

from mffs_read.wire import Cursor, Damaged, crc32c, read_location, u32

ENTRY, PART, PIECE, SNAPSHOT_END, MOVE = 1, 2, 3, 4, 5
HAS_MAIL, IN_PARTS, META_IN_BODY = 1, 2, 4
KIND_STATE_MACHINE = 0
FIRST_QUEUE_PARTITION = 1 << 31
LOCATION_CYCLE = 64

# A stretch of a mail: the first `size` bytes of the body of the record at `location`.
Extent = collections.namedtuple("Extent", "location size")
Body = collections.namedtuple("Body", "id size extents")
PartitionState = collections.namedtuple("PartitionState", "partition epoch committed snapshot_index snapshot_epoch snapshot_end")


def read_body_reference(cursor):
    """The `BodyRef` of the queue's and the store's snapshots."""
    identity, size = cursor.varint(), cursor.varint()
    extents = [Extent(read_location(cursor), cursor.varint()) for _ in range(cursor.count(1 << 20, 21))]
    return Body(identity, size, tuple(extents))


class Entry:
    """One log entry: its head, its meta, and the mail that it names (a Body) if any."""

    def __init__(self, log, record):
        self.record = record
        self.index, self.epoch = record.index, record.epoch
        cursor = Cursor(record.head, f"entry {record.index} of partition {record.partition:08x}")
        cursor.version()
        self.type, self.mail_class, self.flags = cursor.u8(), cursor.u8(), cursor.u8()
        self.checksum, self.digest = cursor.u32(), cursor.u32()
        self.meta_size, self.parts = cursor.u32(), cursor.u32()
        cursor.u32()
        body_id = cursor.u64()
        self.mail_size, self.committed = cursor.u64(), cursor.u64()
        self.log = log
        self.body_id = body_id
        self.head_meta = cursor.take(cursor.left())
        self._read = None

    def _body(self):
        """(extents, meta, the parts' checksums), verified against the record and the entry's checksum; Damaged if they are not as written."""
        if self._read is not None:
            return self._read
        body = self.log.volume.payload(self.record)[1]
        meta, table_end = self.head_meta, len(body)
        if self.flags & META_IN_BODY:
            table_end -= self.meta_size
            meta = body[table_end:] if table_end >= 0 else b""
        if len(meta) != self.meta_size:
            raise Damaged(f"the meta of entry {self.index} is not as long as its head says")
        compared = struct.pack("<BBQI", self.type, self.mail_class, self.mail_size, self.digest) + meta
        if crc32c(compared) != self.checksum:
            raise Damaged(f"the checksum of entry {self.index} is wrong")
        extents, sums = [], []
        if self.flags & IN_PARTS:
            if self.parts * 28 != table_end:
                raise Damaged(f"the extent table of entry {self.index} is not as long as its head says")
            cursor = Cursor(body[:table_end], "an extent table")
            for _ in range(self.parts):
                extents.append(Extent(read_location(cursor), cursor.u32()))
                sums.append(cursor.u32())
        elif self.flags & HAS_MAIL:
            if self.mail_size != table_end:
                raise Damaged(f"the mail of entry {self.index} is not as long as its head says")
            extents.append(Extent(self.record.location, self.mail_size))
        self._read = (tuple(extents), meta, sums)
        return self._read

    def meta(self):
        return self._body()[1]

    def mail(self):
        """The Body that this entry brings, or None."""
        if not self.flags & HAS_MAIL:
            return None
        return Body(self.body_id, self.mail_size, self._body()[0])

    def mail_digest_is_right(self):
        """Compares the mail's bytes with the entry's digest."""
        extents, _, sums = self._body()
        if not self.flags & IN_PARTS:
            return crc32c(self.log.extent(extents[0])) == self.digest
        found = [crc32c(self.log.extent(extent)) for extent in extents]
        return found == sums and crc32c(b"".join(map(u32, sums))) == self.digest


class Log:
    """All partitions of a volume. `records`: those that are live."""

    def __init__(self, volume, records):
        self.volume = volume
        self.problems = []
        self.entries = collections.defaultdict(dict)    # partition -> {index: record}
        self.moves = {}
        self.states = {}
        self.mailbox_partitions = self.queue_partitions = 0
        self.scan_lsn = 0
        if volume.checkpoint.owner_state:
            self._read_state(volume.checkpoint.owner_state)
        self.ends = collections.defaultdict(list)
        moves = []
        for record in records:
            if record.type == ENTRY:
                self._keep_entry(record)
            elif record.type == SNAPSHOT_END:
                self.ends[record.partition].append(record)
            elif record.type == MOVE:
                moves.append(record)
        for record in sorted(moves, key=lambda move: move.block_lsn):
            self._keep_moves(record)

    def _read_state(self, text):
        cursor = Cursor(text, "the log's state in the checkpoint")
        try:
            version = cursor.version(1, 2)
            cursor.take(3)
            self.mailbox_partitions, self.queue_partitions = cursor.u32(), cursor.u32()
            self.settled_lsn, self.scan_lsn = cursor.u64(), cursor.u64()
            for _ in range(cursor.u32()):
                partition, epoch, committed, index, index_epoch = cursor.number("<I"), *struct.unpack("<4Q", cursor.take(32))
                self.states[partition] = PartitionState(partition, epoch, committed, index, index_epoch, read_location(cursor))
            if version == 2:
                cursor.take(cursor.u32())   # Of the history.
            cursor.end()
        except Damaged as error:
            self.problems.append(str(error))

    def _keep_entry(self, record):
        """At one index the highest epoch counts, and of two equal entries the earlier: the later is a copy that may not count yet."""
        known = self.entries[record.partition].get(record.index)
        if known is None or (record.epoch, -record.block_lsn) > (known.epoch, -known.block_lsn):
            self.entries[record.partition][record.index] = record

    def _keep_moves(self, record):
        try:
            head, body = self.volume.payload(record)
            head = Cursor(head, "a move")
            head.version()
            head.take(3)
            cursor = Cursor(body, "a move")
            for _ in range(head.u32()):
                cursor.take(17)
                source = read_location(cursor)
                self.moves[source] = read_location(cursor)
        except Damaged as error:
            self.problems.append(str(error))

    def follow(self, location):
        for _ in range(LOCATION_CYCLE):
            if location not in self.moves:
                return location
            location = self.moves[location]
        raise Damaged("moves of a record lead nowhere")

    def read(self, location):
        return self.volume.read(self.follow(location))

    def extent(self, extent):
        body = self.read(extent.location)[1]
        if extent.size > len(body):
            raise Damaged(f"a mail names {extent.size} bytes of a record that has {len(body)}")
        return body[:extent.size]

    def mail(self, body):
        """The bytes of a mail."""
        text = b"".join(self.extent(extent) for extent in body.extents)
        if len(text) != body.size:
            raise Damaged(f"a mail of {body.size} bytes has parts of {len(text)} bytes")
        return text

    def partitions(self):
        return sorted(set(self.states) | set(self.entries) | set(self.ends))

    def replay(self, partition, machine):
        """Loads the snapshot into the state machine, then gives it the entries behind it. Problems are told, not raised."""
        name = f"partition {partition:08x}"
        state = self.states.get(partition)
        index, epoch = self._load_snapshot(partition, state, machine, name)
        entries = self.entries[partition]
        committed = state.committed if state else 0
        while index + 1 in entries and entries[index + 1].epoch >= epoch:
            index += 1
            epoch = entries[index].epoch
            try:
                entry = Entry(self, entries[index])
                committed = max(committed, entry.committed)
                machine.apply(entry)
            except Damaged as error:
                self.problems.append(f"{name}: {error}")
        for later in entries:
            if later > index:
                try:
                    committed = max(committed, Entry(self, entries[later]).committed)
                except Damaged:
                    continue
        if committed > index:
            self.problems.append(f"{name}: the acknowledged entry {index + 1} is missing; what came behind it is not known")
        return index

    def _load_snapshot(self, partition, state, machine, name):
        if state is not None:
            if state.snapshot_index == 0:
                return 0, 0
            try:
                self._load(state.snapshot_end, partition, machine)
                return state.snapshot_index, state.snapshot_epoch
            except Damaged as error:
                self.problems.append(f"{name}: its snapshot cannot be read: {error}")
                return state.snapshot_index, state.snapshot_epoch
        # No checkpoint names one: the newest that can be read is the best guess.
        for end in sorted(self.ends[partition], key=lambda record: record.index, reverse=True):
            try:
                epoch = self._load(end.location, partition, machine)
                self.problems.append(f"{name}: no checkpoint names its snapshot; the one of index {end.index} is taken")
                return end.index, epoch
            except Damaged:
                continue
        first = min(self.entries[partition], default=1)
        if first > 1:
            self.problems.append(f"{name}: its snapshot is gone; entries before {first} are not known")
        return first - 1, 0

    def _load(self, location, partition, machine):
        end, body = self.read(location)
        if end.type != SNAPSHOT_END or end.partition != partition:
            raise Damaged("the location of a snapshot's end names another record")
        head = Cursor(end.head, "a snapshot's end")
        head.version()
        head.take(3)
        pieces, _, epoch, size = head.u32(), head.u64(), head.u64(), head.u64()
        cursor = Cursor(body, "a snapshot's end")
        texts, total = [], 0
        for _ in range(pieces):
            place, kind = read_location(cursor), cursor.u8()
            record, piece = self.read(place)
            if record.type != PIECE or record.partition != partition:
                raise Damaged("the location of a snapshot's piece names another record")
            total += len(piece)
            if kind == KIND_STATE_MACHINE:
                texts.append(piece)
        if total != size:
            raise Damaged(f"the snapshot's pieces have {total} bytes, its end says {size}")
        for piece in texts:
            machine.load(piece)
        return epoch
