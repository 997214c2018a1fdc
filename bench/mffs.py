#!/usr/bin/env python3
"""MFFS: durable mails by concurrent writers, against the disk itself (fio), one file a mail, RocksDB with WAL sync and SQLite.

Ours and each peer alternate, round by round; a figure is the median of the rounds' ratios. All of them write to the file system below build/.
MFFS: coroutines on one io_context, a volume of its own on a file that is written once beforehand, as fio's is (the same file). After each run it is
opened again, and the mails must be exactly those acknowledged. One file a mail: write, fsync, rename, fsync of the directory, one directory for all;
RocksDB: sync writes, threads, its own group commit; SQLite: WAL, synchronous=FULL, a transaction a mail, threads through one connection.
fio: sequential, O_DIRECT, io_uring, depth 1, O_DSYNC; beside it the same with fdatasync, which MFFS uses where a disk has a cache and no FUA.

Cases: SIZE-WRITERS, SIZE one of 4k, 64k, specmail, power2 (data/mail-workload.md), WRITERS one of 1, 8, 64, 512; gathering and prefetch (off and on, on
the plain disk and on one limited to 200 operations/s and 100 MB/s, which is a throttle in the benchmark); amplification (a queue fills and drains);
mailbox (write amplification of a volume of 2 GiB that stays 80 % full, in 1,023 segments as 16 GiB has, while mails are deleted from 1,000 mailboxes. uniform:
any mail; skewed: of five deletions four of the same fifth of the mails, that of a fifth of the mailboxes; skewed-unknown: the same, but each mailbox has mails of
both kinds. Which mailbox a mail comes to is known when it arrives, and nothing else; mffs::Turnover learns from the deletions which of them are quick, as it
does in the node. With uniform and skewed-unknown there is nothing to learn); streams (the same of parked mail among transit mail, with the parked in a stream of their own and without).

Usage: mffs.py [--seconds 1.5] [--pairs 3] [--quick] [--cases CASE ...]
"""

import argparse
import json
import os
import shutil
import subprocess
import sys

from bench_lib import ROOT, WORK, Results, median, spread

FOLDER = os.path.join(WORK, "mffs")
VOLUME = os.path.join(FOLDER, "volume")
PEER_FOLDER = os.path.join(FOLDER, "peer")
BUILD = os.path.join(ROOT, "build/release")
LOAD = os.path.join(BUILD, "bench/mffs/mffs_load")
VOLUME_BYTES = 8 << 30
WARM_UP = 0.3

SIZES = {"4k": "4096", "64k": "65536", "specmail": "specmail", "power2": "power2"}
WRITERS = (1, 8, 64, 512)
ENGINES = ("mffs", "file", "rocksdb", "sqlite")
NAMES = {"file": "a file a mail", "rocksdb": "RocksDB, sync", "sqlite": "SQLite, FULL"}
# (case, peer) -> what ours must be, as a multiple of the peer's mails/s.
BARS = {("4k-64", "file"): 30, ("4k-64", "rocksdb"): 3, ("4k-512", "rocksdb"): 3}
# case -> (fio's write size, what ours must be of its bandwidth).
DISK_BARS = {"4k-64": ("256k", 0.7), "4k-512": ("1m", 0.9)}
SINGLE_WRITER_BAR = 1.3
ABLATION_BAR = 10
AMPLIFICATION_BAR = 1.1
MAILBOX_BARS = {"uniform": 3.2, "skewed": 2.5, "skewed-unknown": None}
CHURN_BYTES = 2 << 30
LIMITED = ["--limit-operations", "200", "--limit-bytes", "100000000"]

GRID = [f"{size}-{writers}" for size in SIZES for writers in WRITERS]
CASES = [*GRID, "gathering", "prefetch", "amplification", "mailbox", "streams"]
QUICK = ["4k-1", "4k-64", "4k-512", "64k-64", "specmail-64", "gathering", "prefetch", "amplification", "mailbox", "streams"]


def build():
    """Configured again, since its libraries may have been installed after the first time."""
    for command in (["cmake", "-S", ROOT, "-B", BUILD], ["cmake", "--build", BUILD, "--target", "mffs_load"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"mffs.py: {' '.join(command)}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")


def run_load(arguments):
    done = subprocess.run([LOAD, *arguments], capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        sys.exit(f"mffs.py: {LOAD} {' '.join(arguments)}: {done.stderr[:1000]}")
    return json.loads(done.stdout) if done.stdout else None


def run_mffs(seconds, *arguments):
    return run_load(["--engine", "mffs", "--volume", VOLUME, "--seconds", str(seconds), "--warm-up", str(WARM_UP), *arguments])


def run_engine(engine, size, writers, seconds, *more):
    common = ["--size", SIZES[size], "--writers", str(writers), *more]
    if engine == "mffs":
        return run_mffs(seconds, *common)
    shutil.rmtree(PEER_FOLDER, ignore_errors=True)
    os.makedirs(PEER_FOLDER)
    answer = run_load(["--engine", engine, "--folder", PEER_FOLDER, "--seconds", str(seconds), "--warm-up", str(WARM_UP), *common])
    shutil.rmtree(PEER_FOLDER)
    return answer


def run_fio(block, durable_by, seconds):
    """(bytes a second, median microseconds of a durable write)."""
    sync = ["--sync=dsync"] if durable_by == "dsync" else ["--fdatasync=1"]
    command = ["fio", "--name=disk", f"--filename={VOLUME}", f"--size={VOLUME_BYTES}", "--rw=write", f"--bs={block}", "--ioengine=io_uring",
               "--iodepth=1", "--direct=1", "--fallocate=none", "--overwrite=1", "--time_based", f"--runtime={seconds}", f"--ramp_time={WARM_UP}",
               "--lat_percentiles=1", "--clat_percentiles=0", "--output-format=json", *sync]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        sys.exit(f"mffs.py: fio: {done.stderr[:1000]}")
    job = json.loads(done.stdout[done.stdout.index("{"):])["jobs"][0]
    return job["write"]["bw_bytes"], job["write"]["lat_ns"].get("percentile", {}).get("50.000000", 0) / 1000


def print_runs(case, engine, runs):
    """One line of the table of throughput beside waits: medians of the runs."""
    figures = {key: median([run[key] for run in runs]) for key in runs[0]}
    print(f"  {case:<13} {engine:<14} {figures['mails_per_second']:>9,.0f} mails/s {figures['bytes_per_second'] / 1e6:>8.1f} MB/s   p50 {figures['p50_us'] / 1e3:>8.2f}"
          f"  p99 {figures['p99_us'] / 1e3:>8.2f}  p99.9 {figures['p999_us'] / 1e3:>8.2f} ms   disk {figures['disk_writes']:>7,.0f} writes"
          f" {figures['disk_bytes'] / 1e6:>7.0f} MB", flush=True)


def add_ratio(results, case, metric, unit, mine, peer, theirs, bar=None, at_most=False):
    """The median of the pairwise ratios, against a bar that it must reach (or must not exceed)."""
    ratios = [ours / other for ours, other in zip(mine, theirs)]
    holds = None if bar is None else (median(ratios) <= bar if at_most else median(ratios) >= bar)
    results.add(case, metric, median(mine), unit, peer, median(theirs), median(ratios), bar, holds, len(ratios))
    print(f"{'':<28} pairwise ratios {spread(ratios)}", flush=True)


def measure_grid(results, case, seconds, pairs):
    size, writers = case.split("-")
    runs = {engine: [] for engine in ENGINES}
    disk = {}
    for _ in range(pairs):
        for engine in ENGINES:
            runs[engine].append(run_engine(engine, size, int(writers), seconds))
            # The disk right after ours, since it is a neighbour's disk too.
            block = DISK_BARS[case][0] if case in DISK_BARS else "4k" if case == "4k-1" else None
            if engine == "mffs" and block:
                for durable_by in ("dsync", "fdatasync"):
                    disk.setdefault((block, durable_by), []).append(run_fio(block, durable_by, seconds))
        if case == "4k-64":
            runs.setdefault("file, 64 dirs", []).append(run_engine("file", size, int(writers), seconds, "--directories", writers))
    for engine, list_of_runs in runs.items():
        print_runs(case, engine, list_of_runs)
    ours = [run["mails_per_second"] for run in runs["mffs"]]
    for engine in ENGINES[1:]:
        theirs = [run["mails_per_second"] for run in runs[engine]]
        add_ratio(results, case, f"mails/s vs {engine}", "mails/s", ours, NAMES[engine], theirs, BARS.get((case, engine)))
    if case == "4k-64":
        spread_out = [run["mails_per_second"] for run in runs["file, 64 dirs"]]
        add_ratio(results, case, "mails/s vs file, 64 dirs", "mails/s", ours, "a directory each", spread_out)
    for quantile in ("p50", "p99", "p999"):
        results.add(case, f"wait {quantile}", median([run[f"{quantile}_us"] for run in runs["mffs"]]), "us", runs=pairs)
    for (block, durable_by), figures in disk.items():
        add_disk_ratio(results, case, (block, durable_by), runs["mffs"], figures)


def add_disk_ratio(results, case, kind, ours, figures):
    block, durable_by = kind
    if case == "4k-1":
        # fio counts the fdatasync apart from the write; its rate has both.
        waits = [wait if durable_by == "dsync" else 4096 / rate * 1e6 for rate, wait in figures]
        bar = SINGLE_WRITER_BAR if durable_by == "dsync" else None
        add_ratio(results, case, f"p50 wait vs {durable_by}", "us", [run["p50_us"] for run in ours], f"fio {block} {durable_by}", waits, bar, True)
        return
    bar = DISK_BARS[case][1] if durable_by == "dsync" else None
    add_ratio(results, case, f"MB/s vs {durable_by}", "MB/s", [run["bytes_per_second"] / 1e6 for run in ours], f"fio {block} {durable_by}",
              [rate / 1e6 for rate, _ in figures], bar)


def measure_ablation(results, what, seconds, pairs):
    """`what` off and on. On the limited disk the gain has a bar."""
    off, base = {"gathering": ("--no-gathering", ["--work", "append"]), "prefetch": ("--no-prefetching", ["--work", "read"])}[what]
    for writers in (64, 512) if what == "gathering" else (64,):
        for disk, limits in (("plain disk", []), ("limited disk", LIMITED)):
            runs = {"on": [], "off": []}
            for _ in range(pairs):
                for state, flags in (("on", []), ("off", [off])):
                    runs[state].append(run_mffs(seconds, *base, "--size", SIZES["4k"], "--writers", str(writers), *limits, *flags))
            case = f"{what}-{writers}" if what == "gathering" else what
            on, without = ([run["mails_per_second"] for run in runs[state]] for state in ("on", "off"))
            add_ratio(results, case, f"mails/s, {disk}", "mails/s", on, f"without {what}", without, ABLATION_BAR if limits else None)


def measure_amplification(results, seconds):
    """A queue of 4 KiB mails fills to 128 MiB and drains, over and over; counted at the device, checkpoints and delivery notes included."""
    run = run_mffs(max(4, 3 * seconds), "--work", "drain", "--size", SIZES["4k"], "--writers", "64", "--backlog-bytes", str(128 << 20))
    ratio = run["volume_bytes"] / run["appended_bytes"]
    results.add("amplification", "device bytes", run["volume_bytes"] / 1e6, "MB", "appended", run["appended_bytes"] / 1e6, ratio, AMPLIFICATION_BAR,
                ratio <= AMPLIFICATION_BAR)
    results.add("amplification", "device bytes vs bodies", run["volume_bytes"] / 1e6, "MB", "bodies of mails", run["mail_bytes"] / 1e6,
                run["volume_bytes"] / run["mail_bytes"])
    print(f"{'':<28} {run['rounds']} rounds, {run['acknowledged']:,} mails", flush=True)


def run_churn(lives, size, *more):
    """On a file of its own, so that the volume is small."""
    volume = os.path.join(FOLDER, "churn")
    run_load(["--work", "prepare", "--volume", volume, "--volume-bytes", str(CHURN_BYTES)])
    return run_load(["--work", "churn", "--volume", volume, "--lives", lives, "--size", SIZES[size], "--writers", "64", *more])


def amplification(run):
    return run["volume_bytes"] / run["appended_bytes"]


def measure_mailbox(results):
    """Counted at the device: checkpoints, summaries, padding and the cleaner's copies included; appended: mails and 48 bytes of envelope each."""
    for lives, bar in MAILBOX_BARS.items():
        for size in ("4k", "specmail"):
            run = run_churn(lives, size, "--fill", "0.8")
            ratio = amplification(run)
            results.add(f"mailbox-{size}", f"device bytes, {lives}", run["volume_bytes"] / 1e6, "MB", "appended", run["appended_bytes"] / 1e6, ratio,
                        bar, None if bar is None else ratio <= bar)
            print(f"{'':<28} {run['mails_per_second']:,.0f} mails/s, p99 {run['p99_us'] / 1e3:.1f} ms, {run['segments_cleaned']} segments cleaned", flush=True)


def measure_streams(results):
    """40 % of the volume is parked mail that stays; the transit mail among which it comes is gone soon."""
    for disk, limits in (("plain disk", []), ("limited disk", [*LIMITED, "--volumes", "1"])):
        runs = {state: run_churn("parked", "4k", "--fill", "0.4", *flags, *limits) for state, flags in (("on", []), ("off", ["--no-streams"]))}
        for state, run in runs.items():
            results.add(f"streams {state}", f"device bytes, {disk}", run["volume_bytes"] / 1e6, "MB", "appended", run["appended_bytes"] / 1e6,
                        amplification(run))
        add_ratio(results, "streams", f"mails/s, {disk}", "mails/s", [runs["on"]["mails_per_second"]], "in one stream",
                  [runs["off"]["mails_per_second"]])


def measure(results, case, seconds, pairs):
    if case in ("gathering", "prefetch"):
        measure_ablation(results, case, seconds, pairs)
    elif case == "amplification":
        measure_amplification(results, seconds)
    elif case == "mailbox":
        measure_mailbox(results)
    elif case == "streams":
        measure_streams(results)
    else:
        measure_grid(results, case, seconds, pairs)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, help="a run (1.5; with --quick 1)")
    parser.add_argument("--pairs", type=int, help="rounds (3; with --quick 1)")
    parser.add_argument("--quick", action="store_true", help="about 2 minutes: one round of the cases that have bars")
    parser.add_argument("--cases", nargs="+", choices=CASES, metavar="CASE", help=", ".join(CASES))
    arguments = parser.parse_args()
    seconds = arguments.seconds or (1 if arguments.quick else 1.5)
    pairs = arguments.pairs or (1 if arguments.quick else 3)
    os.makedirs(FOLDER, exist_ok=True)
    build()
    results = Results("mffs")
    try:
        run_load(["--work", "prepare", "--volume", VOLUME, "--volume-bytes", str(VOLUME_BYTES)])
        for case in arguments.cases or (QUICK if arguments.quick else CASES):
            measure(results, case, seconds, pairs)
    finally:
        shutil.rmtree(FOLDER, ignore_errors=True)


if __name__ == "__main__":
    main()
