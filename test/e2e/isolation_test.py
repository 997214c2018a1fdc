"""1,000 destinations, 10 of which hang: mail for the others is as fast as without them. The short form of `make bench-isolation`.

Usage: isolation_test.py [--pairs 4] [--seconds 4] [--rate 100] [--seed S]
"""

import argparse
import os
import sys

from isolation import Round, p99

BAR = 1.2
# Beside other load the slowest of a few hundred mails says more of the machine than of the node: a difference below this is none. Mail that waits
# for one that hangs waits for its time-out, 300 s, or for a place that another gives up.
NOISE_SECONDS = 0.1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=4, help="at most so many; it ends with the first that holds")
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rate", type=float, default=100)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "little"))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    for number in range(arguments.pairs):
        without, beside = (p99(Round(hanging, arguments.rate, arguments.seconds, arguments.seed + number).run()) for hanging in (False, True))
        print(f"p99 {beside * 1e3:.1f} ms beside 10 that hang, {without * 1e3:.1f} ms without: {beside / without:.2f} x", flush=True)
        if beside <= max(BAR * without, without + NOISE_SECONDS):
            return
    sys.exit("mail for the others is slower while 10 destinations hang, each time")


if __name__ == "__main__":
    main()
