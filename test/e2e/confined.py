#!/usr/bin/env python3
"""Runs the program with the address families that packaging/systemd/posthorn.service leaves it, by the means that systemd has: a seccomp filter.

Other sockets are refused with EAFNOSUPPORT. Usage: confined.py UNIT PROGRAM [ARGUMENT ...]
"""

import ctypes
import errno
import os
import re
import socket
import struct
import sys

PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO = 0x7FFF0000, 0x00050000
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06  # Classic BPF, words of 32 bits.
SYS_SOCKET, NUMBER_AT, ARGUMENT_AT = 41, 0, 16  # x86-64; struct seccomp_data.


def families(unit):
    with open(unit, encoding="utf-8") as file:
        listed = re.search(r"^RestrictAddressFamilies=(.*)$", file.read(), re.MULTILINE).group(1)
    return [int(getattr(socket, name)) for name in listed.split()]


def confine(allowed):
    """From here on this process and its children make sockets of these families alone."""
    # Every call but socket() goes on to the last instruction, and so does socket() of an allowed family.
    program = [(LOAD, 0, 0, NUMBER_AT), (JUMP_IF_EQUAL, 0, len(allowed) + 2, SYS_SOCKET), (LOAD, 0, 0, ARGUMENT_AT)]
    program += [(JUMP_IF_EQUAL, len(allowed) - place, 0, family) for place, family in enumerate(allowed)]
    program += [(RETURN, 0, 0, SECCOMP_RET_ERRNO | errno.EAFNOSUPPORT), (RETURN, 0, 0, SECCOMP_RET_ALLOW)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *instruction) for instruction in program))
    filter_program = ctypes.create_string_buffer(struct.pack("<HxxxxxxQ", len(program), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    arguments = [ctypes.c_ulong(number) for number in (1, 0, 0, 0)]
    if libc.prctl(PR_SET_NO_NEW_PRIVS, *arguments) != 0 or libc.prctl(PR_SET_SECCOMP, ctypes.c_ulong(SECCOMP_MODE_FILTER), ctypes.byref(filter_program)) != 0:
        sys.exit(f"confined.py: no seccomp filter here: {os.strerror(ctypes.get_errno())}")


def main():
    confine(families(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
