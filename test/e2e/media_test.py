"""Volumes on a raw block device (loop), on ext4 and on XFS, through io_uring and through the thread pool, zeroed by the disk and by writing.

The contract of block devices on each medium; then the life of a volume: made, written by many clients, kill -9, opened again, each mail that
got 250 there once, `mffs check` without a finding. Needs root and loop devices, else it is skipped (exit code 77). All runs in a mount and a
process namespace of its own, and loop devices detach at their last close: whatever kills the test, nothing of it stays behind.

Usage: media_test.py [--rounds N] [--seed S]
"""

import argparse
import contextlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import crash_test
from posthorn_node import POSTHORN, ROOT, Node

crash_test.ACCOUNTS = crash_test.ACCOUNTS[:8]  # A volume, not an account, is what is tested.
MFFS_TEST = os.environ.get("MFFS_TEST", os.path.join(ROOT, "build/release/src/mffs_test"))
SKIPPED = 77
IMAGE_BYTES = 320 << 20  # XFS wants 300 MiB.
VOLUME = "192MiB"
CONTRACT_BYTES = 4 << 20
ON_FILES = "Devices/BlockDeviceContract.*:BackgroundZeroer*:PreallocateFile.Reserves*:OpenDevice.*"
ON_DEVICES = "Devices/BlockDeviceContract.*/Uring*:Devices/BlockDeviceContract.*/ThreadPool"


def skip(why):
    print(f"SKIPPED: {why}")
    sys.exit(SKIPPED)


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout.strip()


def enter_namespaces():
    """Runs this script again where its mounts and processes end with it."""
    if os.environ.get("POSTHORN_MEDIA") == "inside":
        return
    if os.geteuid() != 0:
        skip("loop devices and mounts need root")
    missing = [tool for tool in ("losetup", "mount", "unshare", "mkfs.ext4", "mkfs.xfs") if shutil.which(tool) is None]
    if missing:
        skip(f"these programs are missing: {' '.join(missing)}")
    if not os.path.exists("/dev/loop-control"):
        skip("this machine has no loop devices")
    namespaces = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if subprocess.run([*namespaces, "true"], capture_output=True, check=False).returncode != 0:
        skip("this container may not make namespaces")
    os.environ["POSTHORN_MEDIA"] = "inside"
    os.execvp("unshare", [*namespaces, sys.executable, *sys.argv])


@contextlib.contextmanager
def loop_device(image, size):
    """A raw block device over a sparse file, there as long as this process holds it open."""
    with open(image, "wb") as file:
        file.truncate(size)
    attached = subprocess.run(["losetup", "--find", "--show", "--direct-io=on", image], capture_output=True, text=True, check=False)
    if attached.returncode != 0:
        skip(f"no loop device can be attached: {attached.stderr.strip()}")
    device = attached.stdout.strip()
    with open(device, "rb") as hold:
        run("losetup", "--detach", device)  # Takes effect at the last close, whoever closes last.
        try:
            yield device
        finally:
            hold.close()
            os.unlink(image)


@contextlib.contextmanager
def file_system(kind, folder):
    image, target = os.path.join(folder, f"{kind}.image"), os.path.join(folder, kind)
    with open(image, "wb") as file:
        file.truncate(IMAGE_BYTES)
    run(f"mkfs.{kind}", "-q", image)
    os.mkdir(target)
    run("mount", "-o", "loop", image, target)  # Detaches itself with the last unmount.
    try:
        yield target
    finally:
        run("umount", target)
        os.rmdir(target)
        os.unlink(image)


def contract(what, tests, **environment):
    """The C++ contract test with its file on the medium, or on the device itself."""
    done = subprocess.run([MFFS_TEST, f"--gtest_filter={tests}", "--gtest_brief=1"], capture_output=True, text=True, check=False,
                          env={**os.environ, **environment})
    if done.returncode != 0:
        raise AssertionError(f"{what}: {done.stdout[-3000:]}{done.stderr[-1000:]}")
    print(f"{what}: {done.stdout.strip().splitlines()[-1].strip('[] ')}", flush=True)


def life(what, volume, seed, rounds):
    """A node on that volume, killed under load; what it acknowledged is compared and every sector checked."""
    choice, ledger, node = random.Random(seed), crash_test.Ledger(), Node(volume=volume, volume_size=VOLUME, segment_size="4MiB")
    try:
        node.start()
        crash_test.add_accounts(node)
        for _ in range(rounds):
            stop = threading.Event()
            senders = crash_test.start_senders(node, ledger, stop, choice)
            time.sleep(choice.uniform(0.2, 0.6))  # The moment of the kill is the random input of this test.
            node.kill()
            stop.set()
            for sender in senders:
                sender.join()
            node.start()
        crash_test.drain(node)
        crash_test.check(ledger, crash_test.read_all(node.ports["imap"]), what)
        if node.stop() != 0:
            raise AssertionError(f"{what}: the node did not stop cleanly")
        if "volume_corrupt" in node.log():
            raise AssertionError(f"{what}: a kill was taken for corruption:\n{node.log()}")
        if "io_uring_refused" in node.log():
            raise AssertionError(f"{what}: io_uring was to be used")
        path = next(line.split('"')[1] for line in volume.splitlines() if line.startswith("path"))
        checked = subprocess.run([POSTHORN, "mffs", "check", path], capture_output=True, text=True, check=False)
        if checked.returncode != 0:
            raise AssertionError(f"{what}: mffs check says {checked.returncode}: {checked.stdout}{checked.stderr}")
        if not ledger.acknowledged:
            raise AssertionError(f"{what}: nothing was acknowledged: the load did not run")
        print(f"{what}: {len(ledger.acknowledged)} mails over {rounds} kills, each there once; mffs check is content", flush=True)
    finally:
        if node.process:
            node.kill()
        shutil.rmtree(node.folder)


def on_files(kind, folder, options):
    with file_system(kind, folder) as target:
        contract(f"{kind}, contract", ON_FILES, POSTHORN_TEST_FOLDER=target)
        for io in ("io_uring", "threads"):
            for zero_fill in ("auto", "write"):
                path = os.path.join(target, "volume.mffs")
                life(f"{kind}, {io}, zeroes by {zero_fill}", f'path = "{path}"\nio = "{io}"\nzero_fill = "{zero_fill}"', options.seed, options.rounds)
                os.unlink(path)


def on_devices(folder, options):
    with loop_device(os.path.join(folder, "small.image"), CONTRACT_BYTES) as device:
        contract("raw device, contract", ON_DEVICES, POSTHORN_TEST_DEVICE=device)
    for io in ("io_uring", "threads"):
        with loop_device(os.path.join(folder, "raw.image"), IMAGE_BYTES) as device:
            run(POSTHORN, "mffs", "format", device, "--segment-size", "4MiB", "--force")
            life(f"raw device, {io}", f'path = "{device}"\nio = "{io}"', options.seed, options.rounds)


def main():
    enter_namespaces()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    os.makedirs(os.path.join(ROOT, "build/e2e"), exist_ok=True)
    folder = tempfile.mkdtemp(dir=os.path.join(ROOT, "build/e2e"))
    try:
        on_devices(folder, options)
        on_files("ext4", folder, options)
        on_files("xfs", folder, options)
        left = [line for line in run("losetup", "--list", "--noheadings", "--output", "BACK-FILE").splitlines() if folder in line]
        if left:
            raise AssertionError(f"loop devices stay behind: {left}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
