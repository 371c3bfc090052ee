"""What processes cost: CPU by the scheduler's count, and memory."""
import glob
import os
import re
import time

TICK = os.sysconf("SC_CLK_TCK")


def tree(pid):
    """A process and all below it."""
    children = {}
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            text = open(path).read()
        except OSError:
            continue
        parent = int(text.rsplit(")", 1)[1].split()[1])
        children.setdefault(parent, []).append(int(text.split()[0]))
    found, rest = [], [pid]
    while rest:
        found.append(rest.pop())
        rest += children.get(found[-1], [])
    return found


def cpu(pids, answering=""):
    """User and system ticks and the scheduler's nanoseconds of the threads that answer, those whose names
    begin with `answering`; and the nanoseconds of all others."""
    user = system = nanos = others = 0
    for pid in pids:
        for task in glob.glob(f"/proc/{pid}/task/*"):
            try:
                fields = open(f"{task}/stat").read().rsplit(")", 1)[1].split()
                own = int(open(f"{task}/schedstat").read().split()[0])
                name = open(f"{task}/comm").read()
            except OSError:
                continue
            if name.startswith(answering):
                user += int(fields[11])
                system += int(fields[12])
                nanos += own
            else:
                others += own
    return user, system, nanos, others


def used(pids):
    """Seconds of CPU so far, those of threads that have ended too."""
    total = 0
    for pid in pids:
        try:
            fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def busy():
    """Seconds that all cores were busy."""
    fields = [int(field) for field in open("/proc/stat").readline().split()[1:]]
    return (fields[0] + fields[1] + fields[2] + fields[5] + fields[6]) / TICK


def memory(pids):
    """Resident MiB, shared pages once, and the sum of the peaks."""
    now = peak = 0
    for pid in pids:
        try:
            rollup = open(f"/proc/{pid}/smaps_rollup").read()
            status = open(f"/proc/{pid}/status").read()
        except OSError:
            continue
        now += int(re.search(r"^Pss:\s+(\d+)", rollup, re.M)[1])
        peak += int(re.search(r"^VmHWM:\s+(\d+)", status, re.M)[1])
    return now / 1024, peak / 1024


def settle(server, limit=25):
    """Waits until a server has nothing to do: its queue is empty, and what its start left is tidied up."""
    pids, begin = tree(server["process"].pid), time.monotonic()
    while time.monotonic() - begin < limit:
        before = cpu(pids)[2]
        time.sleep(0.15)
        if cpu(pids)[2] - before < 10_000_000:
            return
