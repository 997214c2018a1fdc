"""What all formats share: little-endian numbers, LEB128, texts, CRC-32C forwards and backwards, and one kind of error."""

import collections
import struct
import sys


# Where a record is; docs/format/mffs.md.
Location = collections.namedtuple("Location", "segment generation offset size ordinal")


class Damaged(Exception):
    """Bytes that are not what the format says; the text is a sentence for the operator."""


def _byte_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_BYTE = _byte_table()
_BYTE_OF_TOP = {value >> 24: index for index, value in enumerate(_BYTE)}


def _after_zeroes(state, count):
    for _ in range(count):
        state = _BYTE[state & 255] ^ (state >> 8)
    return state


def _halves_after_four_bytes(shift):
    """What each value of half a word becomes after four bytes. CRC is linear: its two bytes are joined by xor."""
    low = [_after_zeroes(value << shift, 4) for value in range(256)]
    return [high ^ one for high in (_after_zeroes(value << (shift + 8), 4) for value in range(256)) for one in low]


# Four bytes a step: what the low and the high half of (state xor word) become, to be joined by xor.
_LOW = _halves_after_four_bytes(0)
_HIGH = _halves_after_four_bytes(16)


def crc32c(data, seed=0):
    """CRC-32C of `data`, going on from the finished checksum `seed`."""
    state = seed ^ 0xFFFFFFFF
    view = memoryview(data)
    whole = len(view) & ~3 if sys.byteorder == "little" else 0
    for word in view[:whole].cast("I"):
        word ^= state
        state = _LOW[word & 0xFFFF] ^ _HIGH[word >> 16]
    for byte in view[whole:]:
        state = _BYTE[(state ^ byte) & 255] ^ (state >> 8)
    return state ^ 0xFFFFFFFF


def crc32c_before(data, finished):
    """The seed from which `data` gives the checksum `finished`: CRC run backwards."""
    state = finished ^ 0xFFFFFFFF
    for byte in reversed(data):
        index = _BYTE_OF_TOP[state >> 24]
        state = (((state ^ _BYTE[index]) << 8) & 0xFFFFFFFF) | (index ^ byte)
    return state ^ 0xFFFFFFFF


def u32(value):
    return struct.pack("<I", value)


def unzigzag(value):
    """A difference in either direction, as a varint holds it."""
    return value >> 1 ^ -(value & 1)


class Cursor:
    """Reads fields one after the other; every read past the end is Damaged."""

    def __init__(self, data, what):
        self.data = bytes(data)
        self.at = 0
        self.what = what

    def left(self):
        return len(self.data) - self.at

    def take(self, count):
        if count > self.left():
            raise Damaged(f"{self.what} is cut short: {count} bytes are missing at {self.at} of {len(self.data)}")
        self.at += count
        return self.data[self.at - count:self.at]

    def number(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def u8(self):
        return self.number("<B")

    def u16(self):
        return self.number("<H")

    def u32(self):
        return self.number("<I")

    def u64(self):
        return self.number("<Q")

    def i64(self):
        return self.number("<q")

    def varint(self):
        value = 0
        for shift in range(0, 70, 7):
            byte = self.u8()
            value |= (byte & 127) << shift
            if byte < 128:
                if value >> 64:
                    break
                return value
        raise Damaged(f"{self.what} has a number of more than 64 bits")

    def count(self, limit, item_bytes=1):
        """A varint that says how many items follow; never more than can be there."""
        value = self.varint()
        if value > limit or value * item_bytes > self.left():
            raise Damaged(f"{self.what} claims {value} items where there cannot be so many")
        return value

    def text(self):
        return self.take(self.varint())

    def string(self):
        """A text for people. Bytes that are not UTF-8 stay visible and can be given back."""
        return self.text().decode("utf-8", "surrogateescape")

    def version(self, known=1, newest=None):
        version = self.u8()
        if not known <= version <= (newest or known):
            raise Damaged(f"{self.what} has version {version}; this reader knows {newest or known}")
        return version

    def end(self):
        if self.left():
            raise Damaged(f"{self.what} has {self.left()} bytes too many")


def read_location(cursor):
    return Location(*struct.unpack("<5I", cursor.take(20)))
