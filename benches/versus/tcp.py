#!/usr/bin/env python3
"""Queries over TCP, and connections at rest: see ../README.md.

  tcp.py run  [--only RE] [--rounds 3] [--secs 2]    pipelined, and a connection for each query
  tcp.py idle [--only RE] [--connections 10000]      what connections at rest cost
"""
import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time

import running
from cost import cpu, memory, settle, tree

ONLY = "^(gazetteer|gdnsd|knot|nsd|bind)$"
# What each server needs to keep connections: lines of its configuration, by what they follow.
KEEP = {
    "gazetteer": ("workers = 1\n", 'tcp-connections = 12000\ntcp-idle = "10m"\n'),
    "gdnsd": ("tcp_threads = 1", ", tcp_clients_per_thread = 12000, tcp_timeout = 300"),
    "knot": ("tcp-workers: 1\n", "    tcp-max-clients: 12000\n    tcp-idle-timeout: 600\n"),
    "nsd": ("server-count: 1\n", "    tcp-count: 12000\n    tcp-timeout: 600\n"),
    "bind": ("recursion no;\n", "    tcp-clients 12000;\n    tcp-idle-timeout 1200;\n"),
}
# Seconds until memory is what it stays: allocators give pages back after ten.
REST = 15
WAYS = {"pipelined": ["--connections", "8", "--window", "20"], "a connection each": ["--connections", "16", "--each", "yes"]}


def started(options):
    """Each server that can be started, one after the other."""
    for server in running.servers(options.only, options.world):
        after, lines = KEEP[server["name"]]
        server["files"] = {path: text.replace(after, after + lines) for path, text in server["files"].items()}
        if running.start(server, options.world):
            try:
                yield server
            finally:
                running.stop(server)


def command(server, options, *more):
    """The load over TCP."""
    return [os.path.join(running.programs()["@BIN@"], "tcp"), "--port", str(server["port"]),
            "--queries", running.work("worlds", options.world, "queries-mix"), "--expect", server["expect"],
            "--secs", str(options.secs), *more]


def run(options):
    """Queries a second, and what each costs."""
    print("| server | way | answers/s | user µs | system µs | total µs | wrong | broken |\n|---|---|---|---|---|---|---|---|")
    for server in started(options):
        for way, arguments in WAYS.items():
            rows, pids = [], tree(server["process"].pid)
            for number in range(options.rounds):
                before = cpu(pids)
                seen = json.loads(running.launch(0, command(server, options, "--offset", str(number * 7919), *arguments),
                                                 stdout=subprocess.PIPE, text=True).communicate()[0])
                after = cpu(pids)
                settle(server)
                seen["user"], seen["system"], seen["nanos"] = (now - then for now, then in zip(after[:3], before[:3]))
                rows.append(seen)
            each = statistics.median(row["nanos"] / 1e3 / max(row["answers"], 1) for row in rows)
            ticks = [sum(row[key] for row in rows) for key in ("user", "system")]
            user = each * ticks[0] / max(sum(ticks), 1)
            print(f"| {server['name']} | {way} | {statistics.median(row['qps'] for row in rows):,.0f} | {user:.2f} | {each - user:.2f} "
                  f"| {each:.2f} | {sum(row['wrong'] for row in rows)} | {sum(row['broken'] for row in rows)} |", flush=True)


def kernel():
    """MiB of the kernel's memory: slabs, and pages of TCP buffers."""
    slab = next(int(line.split()[1]) for line in open("/proc/meminfo") if line.startswith("Slab:")) / 1024
    pages = next(int(line.split()[-1]) for line in open("/proc/net/sockstat") if line.startswith("TCP:"))
    return slab + pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def idle(options):
    """What connections at rest take, and whether others are served beside them."""
    print("| server | open | MiB before | KiB each | kernel KiB each, both ends | CPU at rest % | answers/s beside | wrong | still answered |\n"
          "|---|---|---|---|---|---|---|---|---|")
    for server in started(options):
        pids = tree(server["process"].pid)
        # What the start and the first queries took is given back after a while.
        running.launch(0, command(server, options), stdout=subprocess.DEVNULL).wait()
        time.sleep(REST)
        before, kernel_before = memory(pids)[0], kernel()
        with running.launch(0, command(server, options, "--idle", str(options.connections)), stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, text=True) as queries:
            queries.stdout.readline()
            time.sleep(REST)
            after, kernel_after = memory(pids)[0], kernel()
            rest = cpu(pids)[2]
            time.sleep(5)
            rest = (cpu(pids)[2] - rest) / 5e9
            queries.stdin.write("go\n")
            queries.stdin.flush()
            seen = json.loads(queries.stdout.readline())
        count = max(seen["idle_answered"], 1)
        print(f"| {server['name']} | {seen['idle_answered']:,} | {before:.0f} | {(after - before) * 1024 / count:.2f} "
              f"| {(kernel_after - kernel_before) * 1024 / count:.1f} | {rest * 100:.2f} | {seen['qps']:,.0f} | {seen['wrong']} "
              f"| {seen['idle_answered_again']:,} |", flush=True)


def main():
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "idle"))
    parser.add_argument("--world", default="10k", choices=running.WORLDS)
    parser.add_argument("--only", default=ONLY)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--secs", type=float, default=2)
    parser.add_argument("--connections", type=int, default=10_000, help="at rest")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    {"run": run, "idle": idle}[options.what](options)


if __name__ == "__main__":
    main()
