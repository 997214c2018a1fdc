"""docs/format/mffs.md, "Recovery", rules 3 to 5: which blocks behind the checkpoint count, which are damage, which a torn tail."""

COVERING, REWRITTEN = 1, 2


def accept(volume, places):
    """`places`: (segment, generation, first sector) to be read to their end. Gives what counts (blocks, and the arguments of
    records_of_stretch for damaged stretches) and the last LSN that counts."""
    scans = {place[0]: list(volume.walk(*place)) for place in places}
    base = volume.checkpoint.base_lsn
    blocks = {}
    for found in scans.values():
        for block in found:
            if is_block(block) and block.lsn > base:
                other = blocks.get(block.lsn)
                if other is None or _rank(block) > _rank(other):
                    blocks[block.lsn] = block
    known = _highest_known_durable(volume, scans)
    void = _void_ranges(scans)
    accepted, reached = _accept_known(volume, blocks, void, base, known)
    reached = _accept_more(volume, blocks, void, accepted, max(base, known, reached))
    result = [blocks[lsn] for lsn in sorted(accepted)]
    for (segment, generation, _), found in zip(places, scans.values()):
        result += _stretches(volume, segment, generation, found, reached)
    return result, reached


def is_block(found):
    return hasattr(found, "commit_lsn")


def _rank(block):
    return (bool(block.flags & REWRITTEN), block.whole)


def _highest_known_durable(volume, scans):
    known = volume.checkpoint.base_lsn
    if volume.superblock is not None:
        known = max(known, *(max(place.base_lsn, place.durable_lsn) for place in volume.superblock.checkpoints))
    for found in scans.values():
        for block in found:
            if is_block(block):
                known = max(known, block.commit_lsn, block.mount_cut)
    return known


def _void_ranges(scans):
    """Ordered (cut, first): what lies between them was given by no mount that counts."""
    ranges = {(block.mount_cut, block.mount_first) for found in scans.values() for block in found if is_block(block)}
    return sorted(pair for pair in ranges if pair[1] > pair[0] + 1)


def _void_end(void, lsn):
    """The first LSN from `lsn` on that is not void."""
    for cut, first in void:
        if cut < lsn < first:
            lsn = first
    return lsn


def _accept_known(volume, blocks, void, base, known):
    """Up to `known` all that is there counts; what is missing is damage to acknowledged data."""
    must = max((place.base_lsn for place in volume.superblock.checkpoints), default=0) if volume.superblock else base
    accepted, expected = set(), _void_end(void, base + 1)
    for lsn in sorted(lsn for lsn in blocks if lsn <= known):
        if _void_end(void, lsn) != lsn:
            continue
        if lsn > expected and lsn > must + 1:
            _report_missing(volume, max(expected, must + 1), lsn - 1)
        if not blocks[lsn].whole and lsn > must:
            volume.problems.append(f"acknowledged data is damaged: the block of LSN {lsn} in segment {blocks[lsn].segment}")
        accepted.add(lsn)
        expected = _void_end(void, lsn + 1)
    if max(expected, must + 1) <= known:
        _report_missing(volume, max(expected, must + 1), known)
    return accepted, max(accepted, default=0)


def _report_missing(volume, first, last):
    volume.problems.append(f"acknowledged data is damaged: no block can be read of LSN {first}" + (f" to {last}" if last > first else ""))


def _accept_more(volume, blocks, void, accepted, reached):
    """Above it blocks count as long as none is missing or damaged."""
    while True:
        lsn = _void_end(void, reached + 1)
        block = blocks.get(lsn)
        if block is None or not block.whole:
            break
        accepted.add(lsn)
        reached = lsn
    dropped = [lsn for lsn in blocks if lsn > reached and _void_end(void, lsn) == lsn]
    if dropped:
        ambiguous = blocks.get(_void_end(void, reached + 1)) is not None
        volume.notes.append(f"{'ambiguous' if ambiguous else 'torn'} tail: {len(dropped)} blocks behind LSN {reached} were never acknowledged")
    return reached


def _stretches(volume, segment, generation, found, reached):
    """Damaged sectors before a later valid block of the same segment: what records of them prove themselves are taken."""
    result, last = [], None
    for position, block in enumerate(found):
        if is_block(block):
            last = block
            continue
        after = next((later for later in found[position + 1:] if is_block(later)), None)
        if after is None or after.lsn > reached:
            continue
        volume.problems.append(f"segment {segment}: sectors {block[0]} to {block[1] - 1} are damaged before acknowledged blocks")
        near = (last or after).lsn
        result.append((segment, generation, after.stream, block[0], block[1], near))
    return result
