#!/usr/bin/env python3
"""Peak proportional set size of a command and its children, and the seconds that it took.

usage: peak_memory.py COMMAND…

The proportional size counts a page that several maps share once, where the resident size that the system reports counts the weights of
an export once for each session that has them mapped. Sampled ten times a second (Linux, /proc).
"""

import pathlib
import subprocess
import sys
import time


def family(pid):
    found = [pid]
    for parent in found:  # grows while it is walked
        try:
            found += map(int, pathlib.Path(f"/proc/{parent}/task/{parent}/children").read_text().split())
        except OSError:
            pass
    return found


def sizes(pid):
    kilobytes = {"Pss": 0, "Pss_Anon": 0, "Pss_File": 0}
    for member in family(pid):
        try:
            lines = pathlib.Path(f"/proc/{member}/smaps_rollup").read_text().splitlines()[1:]
        except OSError:
            continue
        for name, value in (line.split(":") for line in lines):
            if name in kilobytes:
                kilobytes[name] += int(value.split()[0])
    return kilobytes


def main():
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        sys.exit(__doc__)
    begin, peak = time.monotonic(), {"Pss": 0}
    with subprocess.Popen(sys.argv[1:]) as process:
        while process.poll() is None:
            peak = max(peak, sizes(process.pid), key=lambda size: size["Pss"])
            time.sleep(0.1)
    print(f"exit {process.returncode}, {time.monotonic() - begin:.1f} s, peak " + ", ".join(f"{name} {value // 1000} MB" for name, value in peak.items()))
    sys.exit(process.returncode)


if __name__ == "__main__":
    main()
