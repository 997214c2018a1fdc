"""docs/format/mffs.md: superblocks, segments, blocks, records, checkpoints, and what of the last blocks counts.

Nothing is written. What cannot be read is a sentence in Volume.problems; Damaged is raised only when nothing at all can be said.
"""

import collections
import struct

from mffs_read import tail
from mffs_read.checkpoint import Checkpoint, Entry, OPEN, read_checkpoint
from mffs_read.wire import Cursor, Damaged, Location, crc32c, crc32c_before, read_location, u32, unzigzag

SECTOR = 4096
MIB = 1 << 20
BLOCK_HEADER = 1088
RECORD_HEADER = 48
LSN_MAX = 1 << 62
GENERATION_MAX = 0xFFFFFFF0
U64_MAX = (1 << 64) - 1
HEAD_MAX = 1024
BODY_MAX = 512 * 1024
VERSIONS = (1, 2)
STREAMS = ("meta", "transit", "parked", "mailbox", "cold", "history", "brief")
META = 0
ROOT = 0xF0
COPY_FLAG = 1

CheckpointPlace = collections.namedtuple("CheckpointPlace", "base_lsn durable_lsn root")
# `raw` is the record header; `block_lsn` is the LSN of the block that holds it.
Record = collections.namedtuple("Record", "location stream block_lsn type flags partition epoch index head body_size raw")
Block = collections.namedtuple("Block", "segment generation stream sector sectors lsn commit_lsn mount_first mount_cut records flags used whole")


class Image:
    """The bytes of the volume; reads never go past its end."""

    def __init__(self, file):
        self.file = file
        self.size = file.seek(0, 2)
        self.end = self.size // MIB * MIB

    def read(self, offset, size):
        if offset < 0 or offset + size > self.size:
            raise Damaged(f"the image has {self.size} bytes, and {size} at {offset} are needed: it was cut short")
        try:
            self.file.seek(offset)
            data = self.file.read(size)
        except OSError as error:
            raise Damaged(f"{size} bytes at {offset} cannot be read: {error.strerror}") from None
        if len(data) != size:
            raise Damaged(f"only {len(data)} of {size} bytes at {offset} can be read")
        return data


class Superblock:
    """One copy, checked. Two copies are equal when everything but magic, version and checksum is."""

    def __init__(self, image, offset):
        sector = image.read(offset, SECTOR)
        cursor = Cursor(sector, f"the superblock copy at {offset}")
        if cursor.take(8) != b"MFFSsup1":
            raise Damaged(f"there is no superblock at {offset}")
        self.version = cursor.u32()
        if self.version not in VERSIONS:
            return
        from_end = offset - image.end
        seed = crc32c(struct.pack("<q", from_end if offset >= image.end - MIB else offset))
        if cursor.u32() != crc32c(sector[12 + 4:], crc32c(sector[:12], seed)):
            raise Damaged(f"the superblock copy at {offset} has a wrong checksum")
        self.state = sector[16:136]
        self.uuid = cursor.take(16)
        self.segment_bytes, self.segment_count = cursor.u32(), cursor.u32()
        self.device_end, self.sequence = cursor.u64(), cursor.u64()
        self.checkpoints = []
        for _ in range(2):
            self.checkpoints.append(CheckpointPlace(cursor.u64(), cursor.u64(), read_location(cursor)))
            cursor.take(4)
        self.check(offset, image)

    def check(self, offset, image):
        size, count = self.segment_bytes, self.segment_count
        fits = size % MIB == 0 and 0 < size <= 1024 * MIB and count >= 16 and MIB + size * count <= self.device_end - MIB
        if not fits or max(place.durable_lsn for place in self.checkpoints) > LSN_MAX:
            raise Damaged(f"the superblock copy at {offset} describes a volume that cannot be")
        if max(place.base_lsn for place in self.checkpoints) > LSN_MAX:
            raise Damaged(f"the superblock copy at {offset} names an LSN that cannot be")
        self.is_cut_short = self.device_end > image.size


class Volume:
    """A volume as its checkpoints and blocks describe it. Call recover(), then records() and body()."""

    def __init__(self, image, trust_superblocks=True, trust_checkpoints=True):
        self.image = image
        self.problems = []
        self.notes = []
        self.superblock = None
        self.valid_copies = 0
        if trust_superblocks:
            self.choose_superblock()
        if self.superblock is not None:
            self.volume_seed = crc32c(self.superblock.uuid)
            self.segment_bytes, self.segment_count = self.superblock.segment_bytes, self.superblock.segment_count
        else:
            self.find_geometry()
        self.checkpoint = Checkpoint()
        if trust_checkpoints:
            self.choose_checkpoint()
        self.extra = []     # Accepted blocks and stretches behind the checkpoint.
        self.recover()

    # Superblocks

    def choose_superblock(self):
        copies, foreign = [], collections.Counter()
        for offset in (0, 512 * 1024, self.image.end - MIB, self.image.end - MIB // 2):
            try:
                copy = Superblock(self.image, offset)
            except Damaged as error:
                self.notes.append(str(error))
                continue
            if copy.version not in VERSIONS:
                foreign[copy.version] += 1
            else:
                copies.append(copy)
        self.valid_copies = len(copies)
        pairs = [copy for copy in copies if sum(other.state == copy.state for other in copies) >= 2]
        if pairs:
            self.superblock = max(pairs, key=lambda copy: copy.sequence)
            if self.superblock.is_cut_short:
                self.problems.append(f"the volume has {self.superblock.device_end} bytes, the image only {self.image.size}: it was cut short")
        elif foreign and foreign.most_common(1)[0][1] >= 2:
            raise Damaged(f"the volume has format version {foreign.most_common(1)[0][0]}; this reader knows {' and '.join(map(str, VERSIONS))}")
        else:
            self.problems.append("no two superblock copies are valid and equal; the segment headers are used instead")

    def find_geometry(self):
        """ "Without superblocks": every segment header gives the volume's seed and the size of a segment."""
        votes, first_seed = collections.Counter(), None
        for offset in range(MIB, self.image.size - SECTOR + 1, MIB):
            try:
                sector = self.image.read(offset, SECTOR)
            except Damaged:
                continue
            if not sector.startswith(b"MFFSseg1"):
                continue
            checksum, segment, generation = struct.unpack_from("<3I", sector, 8)
            seed = crc32c_before(struct.pack("<3I", segment, generation, 0) + sector[:8] + sector[12:], checksum)
            if offset == MIB and segment == 0:
                first_seed = seed
            elif segment > 0 and (offset - MIB) % segment == 0 and ((offset - MIB) // segment) % MIB == 0:
                votes[seed, (offset - MIB) // segment] += 1
        if not votes:
            raise Damaged("there is no volume on this image: neither two equal superblock copies nor segment headers"
                          + ("; only the first segment has one, which does not tell the size of a segment" if first_seed else ""))
        (self.volume_seed, self.segment_bytes), _ = max(votes.items(), key=lambda vote: vote[1] + (vote[0][0] == first_seed))
        if self.segment_bytes > 1024 * MIB:
            raise Damaged("the segment headers agree on no possible size of a segment")
        self.segment_count = -(-(self.image.size - MIB) // self.segment_bytes)

    # Places and seeds

    def place(self, segment, offset=0):
        return MIB + segment * self.segment_bytes + offset

    def segment_seed(self, segment, generation):
        return crc32c(struct.pack("<2I", segment, generation), self.volume_seed)

    def sectors_in_segment(self):
        return self.segment_bytes // SECTOR

    # Checkpoints

    def choose_checkpoint(self):
        places = self.superblock.checkpoints if self.superblock else ()
        for place in places:
            if place.root.generation == 0:
                continue
            try:
                self.checkpoint = read_checkpoint(self, place.root)
                self.checkpoint.is_newest = place is places[0]
                return
            except Damaged as error:
                self.problems.append(f"the checkpoint of LSN {place.base_lsn} cannot be read: {error}")
        if places and all(place.root.generation == 0 for place in places):
            return
        self.choose_scanned_checkpoint()

    def choose_scanned_checkpoint(self):
        roots = []
        for segment in range(self.segment_count):
            header = self.segment_header(segment)
            if header is not None and header[1] == META:
                roots += [record for record in self.records_of_blocks(segment, header[0], META) if record.type == ROOT]
        for record in sorted(roots, key=lambda root: root.epoch, reverse=True):
            try:
                self.checkpoint = read_checkpoint(self, record.location)
                self.notes.append(f"checkpoint {self.checkpoint.number} was found by reading all segments of stream meta")
                return
            except Damaged:
                continue
        self.problems.append("no checkpoint can be read; all segments are read, and it is not known what was deleted")

    # Segments and blocks

    def segment_header(self, segment):
        """(generation, stream), or None when it is damaged."""
        try:
            sector = self.image.read(self.place(segment), SECTOR)
        except Damaged:
            return None
        if not sector.startswith(b"MFFSseg1"):
            return None
        checksum, number, generation, stream = struct.unpack_from("<3IB", sector, 8)
        seed = crc32c(u32(0), self.segment_seed(segment, generation))
        if number != segment or checksum != crc32c(sector[12:], crc32c(sector[:8], seed)):
            return None
        first_lsn = struct.unpack_from("<Q", sector, 24)[0]
        if not 0 < generation <= GENERATION_MAX or first_lsn > LSN_MAX or stream >= len(STREAMS):
            return None
        return generation, stream

    def block_at(self, segment, sector, generation=None, verify=True):
        """The block that begins at this sector, or None. Without `generation` its own is taken."""
        try:
            first = self.image.read(self.place(segment, sector * SECTOR), SECTOR)
        except Damaged:
            return None
        if not first.startswith(b"MFb1"):
            return None
        (checksum, number, own_generation, lsn, commit, mount_first, mount_cut, sectors, records, flags, stream, _, _,
         used) = struct.unpack_from("<3I4Q3H2B2I", first, 4)
        if number != segment or (generation is not None and own_generation != generation):
            return None
        seed = self.segment_seed(segment, own_generation)
        if checksum != crc32c(first[8:], crc32c(first[:4], crc32c(u32(sector), seed))):
            return None
        possible = (0 < own_generation <= GENERATION_MAX and max(lsn, commit, mount_first, mount_cut) <= LSN_MAX and stream < len(STREAMS)
                    and 1 <= sectors <= 256 and sector + sectors < self.sectors_in_segment() and BLOCK_HEADER <= used <= sectors * SECTOR)
        if not possible:
            return None
        whole = not verify or self.sectors_are_whole(segment, sector, sectors, struct.unpack_from("<255I", first, 64), seed)
        return Block(segment, own_generation, stream, sector, sectors, lsn, commit, mount_first, mount_cut, records, flags, used, whole)

    def sectors_are_whole(self, segment, sector, sectors, checksums, seed):
        for i in range(1, sectors):
            try:
                data = self.image.read(self.place(segment, (sector + i) * SECTOR), SECTOR)
            except Damaged:
                return False
            if crc32c(data, crc32c(u32(sector + i), seed)) != checksums[i - 1]:
                return False
        return True

    def walk(self, segment, generation, first=1, end=None, verify=True):
        """Blocks in order; where there is none, the sectors up to the next valid one are given as (first, after the last)."""
        end = self.sectors_in_segment() - 1 if end is None else end
        sector, bad = first, None
        while sector < end:
            block = self.block_at(segment, sector, generation, verify)
            if block is None:
                bad = sector if bad is None else bad
                sector += 1
                continue
            if bad is not None:
                yield bad, sector
                bad = None
            yield block
            sector += block.sectors
        if bad is not None:
            yield bad, end

    # Records

    def record_at(self, segment, generation, stream, offset, lsn, head=None, raw=None):
        """The record whose header is at this offset, if the header proves itself; body and (without a summary) head are not checked yet."""
        try:
            raw = self.image.read(self.place(segment, offset), RECORD_HEADER) if raw is None else raw
            checksum, _, kind, flags, head_size, body_size, partition, ordinal, epoch, index, _, _ = struct.unpack("<2I2BH3I2Q2I", raw)
            if checksum != crc32c(raw[4:], crc32c(u32(offset), self.segment_seed(segment, generation))):
                return None
            if head_size > HEAD_MAX or body_size > BODY_MAX or offset + RECORD_HEADER + head_size + body_size > self.segment_bytes:
                return None
            head = self.image.read(self.place(segment, offset + RECORD_HEADER), head_size) if head is None else head
        except Damaged:
            return None
        location = Location(segment, generation, offset, RECORD_HEADER + head_size + body_size, ordinal)
        return Record(location, stream, lsn, kind, flags, partition, epoch, index, head, body_size, raw)

    def records_of_block(self, block):
        """In a damaged block the records that prove themselves."""
        base = block.sector * SECTOR
        offset, end, found = BLOCK_HEADER, block.used, 0
        while offset + RECORD_HEADER <= end and found < block.records:
            record = self.record_at(block.segment, block.generation, block.stream, base + offset, block.lsn)
            if record is None:
                offset += 8
                continue
            yield record
            found += 1
            offset += (record.location.size + 7) // 8 * 8
        if found < block.records:
            self.problems.append(f"segment {block.segment}, LSN {block.lsn}: {block.records - found} of {block.records} records are damaged")

    def records_of_stretch(self, segment, generation, stream, first, end, lsn_near):
        """Records in sectors that belong to no valid block: the header says in which block it is and the low half of its LSN."""
        offset = first * SECTOR
        while offset + RECORD_HEADER <= end * SECTOR:
            record = self.record_at(segment, generation, stream, offset, 0)
            if record is None:
                offset += 8
                continue
            lsn = (lsn_near & ~0xFFFFFFFF) | struct.unpack_from("<I", record.raw, 44)[0]
            yield record._replace(block_lsn=lsn)
            offset += (record.location.size + 7) // 8 * 8

    def records_of_blocks(self, segment, generation, stream, end=None):
        for found in self.walk(segment, generation, 1, end, verify=False):
            if isinstance(found, Block):
                yield from self.records_of_block(found)
            elif end is not None:
                self.problems.append(f"segment {segment}: sectors {found[0]} to {found[1] - 1} are damaged")
                near = self.checkpoint.entries[segment].first_lsn if segment in self.checkpoint.entries else 0
                yield from self.records_of_stretch(segment, generation, stream, *found, near)

    def records_of_summary(self, segment, entry):
        """All records of a sealed segment by its summary, or None when that is missing or wrong."""
        try:
            last = self.sectors_in_segment() - 1
            footer = self.image.read(self.place(segment, last * SECTOR), SECTOR)
            (checksum, number, generation, _, records, first_sector, size, summary_sum, first_lsn, _) = struct.unpack_from("<8I2Q", footer, 8)
            seed = self.segment_seed(segment, entry.generation)
            if not footer.startswith(b"MFFSfoo2") or (number, generation, records) != (segment, entry.generation, entry.records):
                return None
            if checksum != crc32c(footer[12:], crc32c(footer[:8], crc32c(u32(last), seed))):
                return None
            if first_sector == 0 or first_sector * SECTOR + size > last * SECTOR:
                return None
            summary = self.image.read(self.place(segment, first_sector * SECTOR), size)
            if crc32c(summary, crc32c(u32(first_sector), seed)) != summary_sum:
                return None
            return list(self.records_in_summary(segment, entry, first_lsn, records, Cursor(summary, "a summary")))
        except Damaged:
            return None

    def records_in_summary(self, segment, entry, first_lsn, count, cursor):
        """Block by block; within a block an entry names what differs from the one before it, and the headers are put together from that."""
        ordinal = 0
        while ordinal < count:
            sector, lsn, records, _ = cursor.varint(), first_lsn + cursor.varint(), cursor.varint(), cursor.varint()
            offset = BLOCK_HEADER
            kind = flags = partition = epoch = index = 0
            head = b""
            for _ in range(records):
                fields, payload_sum = cursor.u8(), cursor.u32()
                kind = cursor.u8() if fields & 1 else kind
                flags = cursor.u8() if fields & 2 else flags
                partition = cursor.varint() if fields & 4 else partition
                epoch += unzigzag(cursor.varint()) if fields & 8 else 0
                index += unzigzag(cursor.varint()) if fields & 16 else 1
                epoch, index = epoch & U64_MAX, index & U64_MAX
                body_size = cursor.varint()
                if fields & 32:
                    shared = cursor.varint()
                    head = head[:shared] + cursor.take(cursor.varint())
                if sector >= self.sectors_in_segment() or offset >= self.segment_bytes or partition >> 32 or body_size > BODY_MAX or len(head) > HEAD_MAX:
                    raise Damaged("a summary names a record that cannot be")
                raw = struct.pack("<IBBH3I2Q2I", payload_sum, kind, flags, len(head), body_size, partition, ordinal, epoch, index, offset, lsn & 0xFFFFFFFF)
                at = sector * SECTOR + offset
                raw = u32(crc32c(raw, crc32c(u32(at), self.segment_seed(segment, entry.generation)))) + raw
                record = self.record_at(segment, entry.generation, entry.stream, at, lsn, head, raw)
                if record is None:
                    raise Damaged("a summary names a record that cannot be")
                yield record
                offset += (record.location.size + 7) // 8 * 8
                ordinal += 1

    def payload(self, record):
        """(head, body) of a record that was found, verified."""
        data = self.image.read(self.place(record.location.segment, record.location.offset + RECORD_HEADER), record.location.size - RECORD_HEADER)
        if crc32c(data, self.volume_seed) != struct.unpack_from("<I", record.raw, 4)[0]:
            raise Damaged(f"the record at segment {record.location.segment}, offset {record.location.offset} is damaged")
        head_size = len(data) - record.body_size
        return data[:head_size], data[head_size:]

    def read(self, location):
        """The record that a location names, and its body; everything verified."""
        where = f"segment {location.segment}, offset {location.offset}"
        if location.segment >= self.segment_count or location.offset % 8 or location.offset + RECORD_HEADER > self.segment_bytes:
            raise Damaged(f"{where}: no record can be there")
        record = self.record_at(location.segment, location.generation, None, location.offset, 0)
        if record is None or record.location != location:
            raise Damaged(f"{where}: the record that should be there is damaged, or was overwritten")
        head, body = self.payload(record)
        return record._replace(head=head), body

    # What counts

    def recover(self):
        """Finds what was written behind the checkpoint and decides what of it counts ("Recovery")."""
        found = []
        for segment in range(self.segment_count):
            entry = self.checkpoint.entries.get(segment, Entry.nothing(segment))
            header = self.segment_header(segment)
            generation = header[0] if header else None
            if generation is None:
                block = self.block_at(segment, 1)
                generation = block.generation if block else None
            if generation is not None and generation > entry.generation:
                if entry.live_records and self.checkpoint.is_newest:
                    self.problems.append(f"segment {segment} was taken again although {entry.live_records} records in it were needed")
                self.checkpoint.entries.pop(segment, None)
                found.append((segment, generation, 1))
            elif entry.state == OPEN:
                found.append((segment, entry.generation, entry.end_sector))
        self.extra, self.recovered = tail.accept(self, found)

    def records(self):
        """All records that count: (record, live)."""
        for segment, entry in sorted(self.checkpoint.entries.items()):
            if entry.live_records == 0:
                continue
            known = self.records_of_summary(segment, entry) if entry.state != OPEN else None
            if known is None:
                known = self.records_of_blocks(segment, entry.generation, entry.stream, entry.end_sector)
            seen = 0
            for record in known:
                live = entry.is_live(record.location.ordinal)
                seen += live
                yield record, live
            if seen != entry.live_records:
                self.problems.append(f"segment {segment}: {entry.live_records} records in it are needed, {seen} can be read")
        for found in self.extra:
            records = self.records_of_block(found) if isinstance(found, Block) else self.records_of_stretch(*found)
            for record in records:
                yield record, True
