#!/usr/bin/env python3
"""1,000 destinations through the whole program, with and without 10 of them that hang: p99 of the delivery of mail for the others.

Runs with and without alternate, each on a fresh node; a mail's time is from the client's first byte of it until the far server has it. The figure is the
median of the pairwise ratios. Noise: the ratios of two runs without, one after the other. What a run is like stands in test/e2e/isolation.py.

Usage: isolation.py [--pairs 7] [--seconds 30] [--rate 100] [--seed S]
"""

import argparse
import os
import sys

from bench_lib import ROOT, Results, median, spread

sys.path.insert(0, os.path.join(ROOT, "test/e2e"))
from isolation import Round, p99  # pylint: disable=wrong-import-position

BAR = 1.2


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--rate", type=float, default=100)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "little"))
    arguments = parser.parse_args()
    print(f"  seed {arguments.seed}")
    results = Results("isolation")
    figures = {False: [], True: []}
    for number in range(arguments.pairs):
        for hanging in (False, True) if number % 2 == 0 else (True, False):
            figures[hanging].append(p99(Round(hanging, arguments.rate, arguments.seconds, arguments.seed + number).run()) * 1e3)
        print(f"  pair {number + 1}: p99 {figures[True][-1]:.1f} ms beside 10 that hang, {figures[False][-1]:.1f} ms without", flush=True)
    ratios = [a / b for a, b in zip(figures[True], figures[False])]
    noise = [a / b for a, b in zip(figures[False], figures[False][1:])]
    print(f"  ratios {spread(ratios)}" + (f", noise {spread(noise)}" if noise else ""))
    results.add("10-of-1000-hang", "p99 of the others", median(figures[True]), "ms", "none hangs", median(figures[False]), median(ratios), BAR,
                median(ratios) <= BAR, arguments.pairs)


if __name__ == "__main__":
    main()
