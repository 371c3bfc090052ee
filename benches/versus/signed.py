#!/usr/bin/env python3
"""What signing costs: see ../README.md. The world `10k` has to be there (run.py world 10k).

  signed.py [made] [first] [memory] [flood] [--secs 60] [--pairs 15]

made    signatures for each second of the signer's CPU, while every query needs one
first   how long the first signed answer for a name takes
memory  octets for each signature that is kept
flood   random absent names at five times what is signed of them, beside names whose signatures are there
"""
import argparse
import contextlib
import json
import os
import random
import re
import socket
import statistics
import subprocess
import time
import urllib.request

from cost import memory, tree
from running import free_port, launch, load, programs, servers, signed_query, start, stop, work

WORLD = "10k"


def server(settings):
    """A signed gazetteer with other settings, and metrics."""
    (found,) = servers("^gazetteer-signed$", WORLD)
    (path,) = found["files"]
    text = found["files"][path]
    for key, value in settings.items():
        text = re.sub(rf"^{key} = .*$", f"{key} = {value}", text, count=1, flags=re.M)
    found["admin"] = free_port()
    found["files"][path] = text.replace("workers = 1\n", f'workers = 1\nadmin = "127.0.0.1:{found["admin"]}"\n')
    return found


def metrics(of, prefix="gazetteer_dnssec_"):
    """Metrics of a server whose names begin so."""
    with urllib.request.urlopen(f"http://127.0.0.1:{of['admin']}/metrics") as reply:
        lines = reply.read().decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if line.startswith(prefix))
    return {name: float(value) for name, value in pairs}


def signed(seen):
    """Signatures made in all."""
    return sum(value for name, value in seen.items() if "signatures_total" in name)


def signer_cpu(of):
    """Nanoseconds of the threads that sign."""
    total = 0
    for pid in tree(of["process"].pid):
        for task in os.listdir(f"/proc/{pid}/task"):
            if open(f"/proc/{pid}/task/{task}/comm").read().startswith("signer-"):
                total += int(open(f"/proc/{pid}/task/{task}/schedstat").read().split()[0])
    return total


def options(secs=3.0):
    """What `load` wants to know."""
    return argparse.Namespace(world=WORLD, mix="mix", secs=secs)


def made(_options):
    """Signatures for each second of the signer's CPU."""
    of = server({"cache": 1024})
    if not start(of, WORLD):
        return
    try:
        load(of, options(), 1.0)
        rows = []
        for number in range(5):
            before, cpu = signed(metrics(of)), signer_cpu(of)
            load(of, options(), 3.0, offset=number * 7919)
            rows.append((signed(metrics(of)) - before) / (signer_cpu(of) - cpu) * 1e9)
        print(f"made: {statistics.median(rows):,.0f} signatures for each second of the signer's CPU "
              f"({min(rows):,.0f} to {max(rows):,.0f})", flush=True)
    finally:
        stop(of)


def names():
    """The different names of the world's queries for A records, in wire form."""
    octets, at, found = open(work("worlds", WORLD, "queries-mix"), "rb").read(), 0, {}
    while at < len(octets):
        length = int.from_bytes(octets[at:at + 2], "big")
        packet = octets[at + 2:at + 2 + length]
        end = packet.index(0, 12) + 1
        if packet[end:end + 2] == b"\0\1":
            found[packet[12:end]] = True
        # What is expected follows.
        at += 2 + length + 19
    return list(found)


def first(_options):
    """How long the first signed answer for a name takes."""
    of = server({})
    if not start(of, WORLD):
        return
    try:
        times = {"first": [], "again": []}
        with socket.socket(type=socket.SOCK_DGRAM) as udp:
            udp.settimeout(1)
            udp.connect(("127.0.0.1", of["port"]))
            for number, name in enumerate(random.sample(names(), 4_000)):
                for when in times:
                    message = signed_query(name, 1, number, 1232)
                    begin = time.perf_counter()
                    udp.send(message)
                    answer = udp.recv(4096)
                    if answer[7] > 1:
                        times[when].append((time.perf_counter() - begin) * 1e6)
        for when, all_of in times.items():
            if all_of:
                cuts = statistics.quantiles(all_of, n=100)
                print(f"{when}: {len(all_of)} signed answers, p50 {cuts[49]:.0f} us, p99 {cuts[98]:.0f} us, most {max(all_of):.0f} us", flush=True)
    finally:
        stop(of)


def keep(_options):
    """Octets for each place of a table of the usual size that is full, beside a server that signs nothing."""
    slots = 65536
    grown = {}
    for kind in ("signed", "unsigned"):
        of = server({"cache": slots})
        if kind == "unsigned":
            path = next(iter(of["files"]))
            of["files"][path] = of["files"][path].replace("dnssec = {}\n", "").replace('[[zone]]\napex = "fed.example"\n', "")
        if not start(of, WORLD):
            return
        try:
            before = memory(tree(of["process"].pid))[0]
            load(of, options(), 6.0)
            load(of | {"ask-with": ["--dnssec", "yes", "--absent", "yes"]}, options(), 6.0, rate=8000)
            grown[kind] = memory(tree(of["process"].pid))[0] - before
        finally:
            stop(of)
    places = slots + slots // 4
    print(f"memory: {grown['signed']:.1f} MiB more signed, {grown['unsigned']:.1f} MiB more unsigned: "
          f"{(grown['signed'] - grown['unsigned']) * 2**20 / places:.0f} octets for each of {places:,} places", flush=True)


def flood(given):
    """A flood of absent names beside names whose signatures are there."""
    of = server({})
    if not start(of, WORLD):
        return
    known = ["--port", str(of["port"]), "--queries", work("worlds", WORLD, "queries-mix"), "--dnssec", "yes"]
    program = os.path.join(programs()["@BIN@"], "load")
    try:
        load(of, options(), 8.0)
        begin = memory(tree(of["process"].pid))[0]
        rows, absent, before = [], [], metrics(of)
        for _ in range(given.pairs):
            pair = {}
            for kind in random.sample(("quiet", "flood"), 2):
                secs = given.secs / given.pairs
                strangers = None
                if kind == "flood":
                    strangers = launch(0, [program, *known, "--expect", "absent", "--absent", "yes", "--rate", "50000", "--secs", str(secs + 0.5)],
                                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
                    time.sleep(0.25)
                # The flood comes from the same core: it must not hold up what is measured.
                pair[kind] = load(of, options(), secs, rate=10_000, prefix=["chrt", "-f", "1"])
                if strangers:
                    absent.append(json.loads(strangers.communicate()[0]))
            rows.append(pair)
        seen = metrics(of)
        total = {kind: {key: sum(row[kind][key] for row in rows) for key in ("sent", "answers", "wrong", "lost")} for kind in ("quiet", "flood")}
        ratio = statistics.median(row["flood"]["p99_stretch"] / row["quiet"]["p99_stretch"] for row in rows)
        p99 = {kind: statistics.median(row[kind]["p99_stretch"] for row in rows) for kind in ("quiet", "flood")}
        for kind, of_all in total.items():
            right = (of_all["answers"] - of_all["wrong"]) / max(of_all["sent"], 1)
            print(f"flood: {kind}: {of_all}, {right:.3%} answered, p99 of stretches of 20 ms {p99[kind]:.0f} us", flush=True)
        sent, right = sum(row["sent"] for row in absent), sum(row["answers"] - row["wrong"] for row in absent)
        print(f"flood: p99 {ratio:.2f} x quiet (median of {len(rows)} pairs); of {sent:,} absent names {right:,} got NXDOMAIN, the others TC or "
              f"nothing; resident {begin:.0f} to {memory(tree(of['process'].pid))[0]:.0f} MiB")
        print({name: seen[name] - before[name] for name in seen if re.search("signatures_total|refused_total", name)}, flush=True)
    finally:
        stop(of)


def main():
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=["made", "first", "memory", "flood"])
    parser.add_argument("--secs", type=float, default=60, help="of each side of the flood")
    parser.add_argument("--pairs", type=int, default=15, help="of quiet and flood, in random order")
    given = parser.parse_args()
    # Clients that are measured come before other work on the machine, as the servers do.
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, -20)
        open("/proc/self/autogroup", "w").write("-20")
    for what in given.what:
        {"made": made, "first": first, "memory": keep, "flood": flood}[what](given)


if __name__ == "__main__":
    main()
