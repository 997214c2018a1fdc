#!/usr/bin/env python3
"""Lists the mails of an MFFS volume: a second reader, written from docs/format/ alone, with the standard library only.

It opens the image for reading only and needs neither Posthorn nor its index. It reads the superblocks, the newest checkpoint and what was
written behind it, then the partitions' logs; without superblocks it finds the segments by their headers. Mails have the names that
`posthorn mffs rescue` gives them.

Usage: mffs_reader.py IMAGE [--json] [--entries | --records] [--eml FOLDER [--mail NAME]] [--ignore superblocks|checkpoints]
Exit code 0: all was read. 1: something is damaged or missing (the sentences on standard error say what). 2: no volume, or wrong usage.
"""

import argparse
import collections
import hashlib
import json
import os
import sys

from mffs_read import queue, replog, store
from mffs_read.checkpoint import STATES
from mffs_read.volume import STREAMS, Image, Volume
from mffs_read.wire import Damaged

PROBLEMS_SHOWN = 100


def main():
    options = parse_arguments()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")
    try:
        with open(options.image, "rb", buffering=0) as file:
            return read(options, Image(file))
    except OSError as error:
        print(f"{error.filename or options.image}: {error.strerror}", file=sys.stderr)
    except Damaged as error:
        print(f"{options.image}: {error}", file=sys.stderr)
    return 2


def parse_arguments():
    parser = argparse.ArgumentParser(description="Lists the mails of an MFFS volume, by docs/format/ alone.")
    parser.add_argument("image", help="the volume: a file or a block device")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--records", action="store_true", help="list the live records, whatever they are, instead of mails")
    parser.add_argument("--entries", action="store_true", help="list the log's entries too")
    parser.add_argument("--eml", metavar="FOLDER", help="write the mails below this folder")
    parser.add_argument("--mail", metavar="NAME", help="with --eml: only this one, as the list names it")
    parser.add_argument("--ignore", choices=("superblocks", "checkpoints"), action="append", default=[],
                        help="read as if they were gone")
    options = parser.parse_args()
    if options.mail and not options.eml:
        parser.error("--mail needs --eml FOLDER")
    return options


def read(options, image):
    volume = Volume(image, "superblocks" not in options.ignore, "checkpoints" not in options.ignore)
    records = [record for record, live in volume.records() if live]
    result = {"volume": describe_volume(volume), "streams": count_streams(records)}
    problems = []
    if options.records:
        result["records"] = [describe_record(record) for record in records]
    else:
        problems = read_logs(options, replog.Log(volume, records), result)
    problems = list(dict.fromkeys(volume.problems + problems))
    result["notes"], result["problems"] = volume.notes, problems
    if options.json:
        print(json.dumps(result, indent=1))
    else:
        print_text(result)
    for sentence in problems[:PROBLEMS_SHOWN]:
        print(f"damage: {printable(sentence)}", file=sys.stderr)
    if len(problems) > PROBLEMS_SHOWN:
        print(f"and {len(problems) - PROBLEMS_SHOWN} more", file=sys.stderr)
    return 1 if problems else 0


def read_logs(options, log, result):
    """Adds entries and mails to the result, writes the mails that are asked for, and gives what is wrong."""
    mails, reached = read_mails(log)
    result["partitions"] = {f"{partition:08x}": index for partition, index in reached.items()}
    if options.entries:
        result["entries"] = [describe_entry(log, log.entries[partition][index])
                             for partition in log.partitions() for index in sorted(log.entries[partition])]
    result["mails"] = [mail.described for mail in mails]
    if options.eml:
        result["written"] = write_mails(options, mails, log)
    return log.problems


# Mails

Mail = collections.namedtuple("Mail", "described prefix body")


def read_mails(log):
    """All mails that the logs hold now, each verified, and how far each partition's log goes."""
    mails, reached = [], {}
    for partition in log.partitions():
        is_queue = partition >= replog.FIRST_QUEUE_PARTITION
        machine = queue.QueueState(partition) if is_queue else store.StoreState(partition)
        reached[partition] = log.replay(partition, machine)
        for described, prefix, body in queued_mails(machine) if is_queue else mailbox_mails(machine):
            mails.append(Mail(verify(log, described, prefix, body), prefix, body))
    return mails, reached


def queued_mails(machine):
    for index, mail in sorted(machine.mails.items()):
        recipients = [{"address": one.address, "state": queue.STATES.get(one.state, str(one.state)), "attempts": one.attempts,
                       "last_answer": one.answer} for one in mail.recipients]
        yield {"name": f"queue/{machine.partition:08x}-{index:x}", "class": queue.CLASSES[mail.mail_class % len(queue.CLASSES)],
               "sender": mail.envelope["sender"], "recipients": recipients, "envelope": mail.envelope}, b"", mail.body


def mailbox_mails(machine):
    for number, mailbox in sorted(machine.mailboxes.items()):
        account = machine.accounts.get(mailbox.account)
        for uid, message in sorted(mailbox.messages.items()):
            yield {"name": f"mailbox/{machine.partition:05d}/{number:08x}-{uid:08x}", "account": account.address if account else None,
                   "mailbox": mailbox.name, "uid": uid, "uid_validity": mailbox.uid_validity, "flags": mailbox.flags_of(message),
                   "internal_date": message.date}, message.prefix, message.body


def verify(log, described, prefix, body):
    described["size"] = len(prefix) + (body.size if body else 0)
    try:
        text = log.mail(body) if body else b""
        described["sha256"] = hashlib.sha256(prefix + text).hexdigest()
        described["complete"] = True
    except Damaged as error:
        described["complete"] = False
        log.problems.append(f"{described['name']}: {error}")
    return described


def write_mails(options, mails, log):
    written = 0
    for mail in mails:
        name = mail.described["name"]
        if options.mail not in (None, name) or not mail.described["complete"]:
            continue
        path = os.path.join(options.eml, name + ".eml")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(mail.prefix + (log.mail(mail.body) if mail.body else b""))
        written += 1
    if options.mail and not written:
        log.problems.append(f"there is no whole mail {options.mail}")
    return written


# What is printed

def describe_volume(volume):
    entries = volume.checkpoint.entries.values()
    superblock = volume.superblock
    return {
        "uuid": superblock.uuid.hex() if superblock else None,
        "superblock_copies_valid": volume.valid_copies,
        "superblock_sequence": superblock.sequence if superblock else None,
        "segment_bytes": volume.segment_bytes,
        "segments": volume.segment_count,
        "checkpoint": volume.checkpoint.number,
        "base_lsn": volume.checkpoint.base_lsn,
        "last_lsn": volume.recovered,
        "segments_by_state": {name: sum(entry.state == state for entry in entries) for state, name in enumerate(STATES)},
    }


def count_streams(records):
    streams = {name: {"records": 0, "bytes": 0} for name in STREAMS}
    for record in records:
        streams[STREAMS[record.stream]]["records"] += 1
        streams[STREAMS[record.stream]]["bytes"] += (record.location.size + 7) // 8 * 8
    return streams


def describe_record(record):
    return {"segment": record.location.segment, "generation": record.location.generation, "offset": record.location.offset,
            "size": record.location.size, "ordinal": record.location.ordinal, "lsn": record.block_lsn, "stream": STREAMS[record.stream],
            "type": record.type, "copy": bool(record.flags & 1), "partition": record.partition, "epoch": record.epoch, "index": record.index}


def describe_entry(log, record):
    described = {"partition": f"{record.partition:08x}", "index": record.index, "epoch": record.epoch, "lsn": record.block_lsn}
    try:
        entry = replog.Entry(log, record)
        described.update(type=entry.type, meta_bytes=len(entry.meta()))
        if entry.flags & replog.HAS_MAIL:
            described.update(body=f"{entry.body_id:x}", mail_bytes=entry.mail_size, parts=entry.parts, digest=f"{entry.digest:08x}")
            described["mail_is_whole"] = entry.mail_digest_is_right()
    except Damaged as error:
        described["damaged"] = str(error)
    return described


def printable(text):
    """Mail is hostile: nothing of it may steer a terminal."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape", "surrogatepass").decode() for letter in text)


def print_text(result):
    for name, value in result["volume"].items():
        print(f"{name.replace('_', ' '):<24} {value}")
    for name, counts in result["streams"].items():
        print(f"{'live in stream ' + name:<24} {counts['records']} records, {counts['bytes']} bytes")
    for partition, reached in result.get("partitions", {}).items():
        print(f"{'partition ' + partition:<24} {reached} entries")
    for kind in ("records", "entries"):
        for described in result.get(kind, ()):
            print(kind + ": " + " ".join(f"{name}={value}" for name, value in described.items()))
    if "mails" in result:
        for mail in result["mails"]:
            print(printable(mail_line(mail)))
        print(f"{len(result['mails'])} mails" + (f", {result['written']} written" if "written" in result else ""))
    for note in result["notes"]:
        print(f"note: {printable(note)}")


def mail_line(mail):
    what = f"{mail['name']} {mail['size']} bytes, " + (f"SHA-256 {mail['sha256']}" if mail["complete"] else "DAMAGED")
    if "uid" in mail:
        return f"{what}: {mail['account']}, {mail['mailbox']}, UID {mail['uid']} {' '.join(mail['flags'])}"
    recipients = ", ".join(f"{one['address']} ({one['state']})" for one in mail["recipients"])
    return f"{what}: {mail['class']}, from <{mail['sender']}> to {recipients}"


if __name__ == "__main__":
    sys.exit(main())
