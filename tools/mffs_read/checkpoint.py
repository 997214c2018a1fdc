"""docs/format/mffs.md, "Checkpoint": the segment table and the owner's state at one moment."""

import dataclasses
import struct

from mffs_read.wire import Cursor, Damaged, read_location

FREE, OPEN, SEALED = 0, 1, 2
STATES = ("free", "open", "sealed")
ROOT, SEGMENTS, OWNER = 0xF0, 0xF1, 0xF2


@dataclasses.dataclass
class Entry:
    """What a checkpoint says of one segment."""

    segment: int
    generation: int
    state: int
    stream: int
    first_lsn: int
    last_lsn: int
    end_sector: int
    records: int
    live_records: int
    live_bytes: int
    map_kind: int = 0
    bitmap: bytes = b""

    @classmethod
    def nothing(cls, segment):
        return cls(segment, 0, FREE, 0, 0, 0, 1, 0, 0, 0)

    def is_live(self, ordinal):
        if self.map_kind < 2:
            return self.map_kind == 1
        return ordinal < self.records and bool(self.bitmap[ordinal // 8] >> (ordinal % 8) & 1)


class Checkpoint:
    """Number 0: there is none, and nothing is known of any segment."""

    def __init__(self, number=0, base_lsn=0):
        self.number = number
        self.base_lsn = base_lsn
        self.entries = {}
        self.owner_state = None
        self.is_newest = False


def read_checkpoint(volume, root_location):
    record, body = volume.read(root_location)
    if record.type != ROOT:
        raise Damaged("the location of a checkpoint's root names another record")
    cursor = Cursor(body, "a checkpoint's root")
    cursor.version()
    checkpoint = Checkpoint(cursor.u64(), cursor.u64())
    segment_count, below = cursor.u32(), cursor.u64()
    if checkpoint.number != record.epoch or segment_count != volume.segment_count and volume.superblock is not None:
        raise Damaged("a checkpoint's root is not of this volume")
    lists = [[read_location(cursor) for _ in range(cursor.count(1 << 20, 20))] for _ in range(3)]
    cursor.end()
    full_parts, changed_parts, owner_parts = lists
    for number, locations in ((below, full_parts), (checkpoint.number, changed_parts)):
        text = Cursor(_text(volume, locations, SEGMENTS, number, 0), "a checkpoint's segment table")
        while text.left():
            entry = _entry(text, volume)
            checkpoint.entries[entry.segment] = entry
    # The parts of one checkpoint are numbered through, the table's first.
    before = len(full_parts) if below == checkpoint.number else len(changed_parts)
    checkpoint.owner_state = _text(volume, owner_parts, OWNER, checkpoint.number, before)
    return checkpoint


def _text(volume, locations, kind, number, first_index):
    """The parts of one type, joined."""
    text = []
    for index, location in enumerate(locations, first_index):
        record, body = volume.read(location)
        if (record.type, record.epoch, record.index) != (kind, number, index):
            raise Damaged(f"part {index} of checkpoint {number} is another record")
        text.append(body)
    return b"".join(text)


def _entry(cursor, volume):
    entry = Entry(*struct.unpack("<2I2B2Q4I", cursor.take(42)))
    entry.map_kind = cursor.u8()
    if entry.segment >= volume.segment_count or entry.state > SEALED or entry.map_kind > 2 or entry.records > volume.segment_bytes // 48:
        raise Damaged("a checkpoint's segment table holds an entry that cannot be")
    if entry.end_sector >= volume.segment_bytes // 4096 or entry.stream > 5:
        raise Damaged("a checkpoint's segment table holds an entry that cannot be")
    if entry.map_kind == 2:
        entry.bitmap = cursor.take((entry.records + 7) // 8)
    return entry
