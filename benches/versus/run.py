#!/usr/bin/env python3
"""Compares gazetteer with other servers: see ../README.md.

  run.py build                    builds gazetteer and the programs here, and CoreDNS where there is Go
  run.py world 10k|100k|1m|wide   makes a world
  run.py check [--only RE]        starts each server once, compares every answer, tells its memory
  run.py run [--mix M] [--tag T]  interleaved rounds
  run.py report [--tag T]         their table, in Markdown
  run.py latency [--only RE]      latency at a fixed rate: many short phases in random order
  run.py profile NAME             where the time of a server goes, by symbol
  run.py instructions [--only RE] instructions for each answer outside the kernel, by callgrind
  run.py memory [--only RE]       start-up time and memory
"""
import argparse
import glob
import json
import os
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys

from cost import memory, settle, tree, used
from running import HERE, ROOT, WORLDS, load, programs, servers, start, stop, work


def build(_options):
    """Builds what runs."""
    os.makedirs(work(), exist_ok=True)
    subprocess.run(["cargo", "build", "--release", "--bin", "gazetteer"], cwd=ROOT, check=True)
    subprocess.run(["cargo", "build", "--release", "--target-dir", work("build")], cwd=HERE, check=True)
    if shutil.which("go"):
        environment = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-trimpath -mod=readonly -buildvcs=false"}
        subprocess.run(["go", "build", "-ldflags", "-s -w", "-o", work("coredns"), "."],
                       cwd=os.path.join(HERE, "coredns"), env=environment, check=True)


def make_world(options):
    """Makes a world."""
    folder = work("worlds", options.name)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    program = os.path.join(programs()["@BIN@"], "world")
    subprocess.run([program, "--out", folder, *WORLDS[options.name]], check=True)


def check(options):
    """Starts each server once."""
    for server in servers(options.only, options.world):
        if not start(server, options.world):
            continue
        try:
            resident, peak = memory(tree(server["process"].pid))
            seen = load(server, options, 1.0)
            shown = {key: seen[key] for key in ("qps", "lost", "stray", "wrong", "nxdomain", "with_records", "size")}
            print(f"{server['name']}: first answer {server['first']:.2f} s, loaded {server['load']:.2f} s, "
                  f"{resident:.0f} MiB, peak {peak:.0f} MiB\n  {shown}", flush=True)
            if seen["complaint"]:
                print(" ", seen["complaint"][:1200], flush=True)
        finally:
            stop(server)


def run(options):
    """Interleaved rounds."""
    running = []
    os.makedirs(work("results"), exist_ok=True)
    try:
        for server in servers(options.only, options.world):
            if start(server, options.world):
                running.append(server)
                print(f"{server['name']}: up after {server['load']:.2f} s", flush=True)
        with open(work("results", options.tag), "w") as results:
            for number in range(options.rounds):
                for server in running:
                    visit(server, options, number, results)
    finally:
        for server in running:
            stop(server)
    report(options)


def visit(server, options, number, results):
    """One server in one round: saturated, then at a fixed rate."""
    offset = number * 7919
    load(server, options, server.get("warm", 0.5), offset=offset)
    saturated = load(server, options, options.secs, offset=offset)
    settle(server)
    rate = min(options.rate, server.get("rate", options.rate))
    paced = load(server, options, options.secs, rate=rate, offset=offset)
    settle(server)
    resident, _ = memory(tree(server["process"].pid))
    row = {"name": server["name"], "round": number, "rate": rate, "mix": options.mix, "world": options.world,
           "saturated": saturated, "paced": paced, "resident": resident}
    results.write(json.dumps(row) + "\n")
    results.flush()
    print(f"{number} {server['name']:12} {saturated['qps']:8.0f}/s {saturated['each']:6.2f} us "
          f"p99 {paced['p99']:.0f} us, of 20 ms {paced['p99_stretch']:.0f} us, wrong {saturated['wrong']}+{paced['wrong']}, "
          f"lost {saturated['lost']}+{paced['lost']}, foreign {saturated['foreign']:.2f}", flush=True)


def report(options):
    """The table of a run."""
    with open(work("results", options.tag)) as file:
        rows = [json.loads(line) for line in file]
    names = list(dict.fromkeys(row["name"] for row in rows))
    of = {name: [row for row in rows if row["name"] == name] for name in names}

    def median(name, phase, key):
        return statistics.median(row[phase][key] for row in of[name])

    def user(name):
        """Microseconds of user CPU for each answer: the ticks of all rounds together split the total."""
        ticks = [sum(row["saturated"][key] for row in of[name]) for key in ("user", "system")]
        return median(name, "saturated", "each") * ticks[0] / max(sum(ticks), 1)

    def ratio(name, base, phase="saturated", key="each"):
        """Of the total CPU, or of what is named, in the same round, then the median."""
        other = {row["round"]: row[phase][key] for row in of.get(base, [])}
        pairs = [row[phase][key] / other[row["round"]] for row in of[name] if row["round"] in other]
        return f"{statistics.median(pairs):.2f}" if pairs else "-"

    row = rows[0]
    rounds = max(len(of[name]) for name in names)
    foreign = [row["saturated"]["foreign"] for row in rows]
    print(f"\nWorld {row['world']}, mix {row['mix']}, medians of {rounds} rounds of {row['saturated']['secs']:.0f} s; "
          f"other work on the machine took {statistics.median(foreign):.2f} cores (at most {max(foreign):.2f}).\n")
    print("| server | answers/s | user µs | system µs | total µs | beside µs | × echo | × gdnsd | user × gdnsd's | rate "
          "| p50 µs | p99 µs | p99 of 20 ms, µs | × echo's | p99.9 µs | octets | core used | wrong | lost |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|")
    for name in names:
        each = median(name, "saturated", "each")
        base = f"{user(name) / user('gdnsd'):.2f}" if "gdnsd" in names and user("gdnsd") else "-"
        count = lambda key: sum(row[phase][key] for row in of[name] for phase in ("saturated", "paced"))
        print(f"| {name} | {median(name, 'saturated', 'qps'):,.0f} | {user(name):.2f} | {each - user(name):.2f} "
              f"| {each:.2f} | {median(name, 'saturated', 'beside'):.2f} | {ratio(name, 'echo')} | {ratio(name, 'gdnsd')} | {base} | {of[name][0]['rate']:,} "
              f"| {median(name, 'paced', 'p50'):.0f} | {median(name, 'paced', 'p99'):.0f} "
              f"| {median(name, 'paced', 'p99_stretch'):.0f} | {ratio(name, 'echo', 'paced', 'p99_stretch')} "
              f"| {median(name, 'paced', 'p999'):.0f} | {median(name, 'saturated', 'size'):.0f} "
              f"| {median(name, 'saturated', 'use'):.2f} | {count('wrong')} | {count('lost')} |")


def latency(options):
    """Latency at a fixed rate: many short phases in random order, so that what other guests of the
    host do meets all alike."""
    running, seen = [], {}
    try:
        for server in servers(options.only, options.world):
            if start(server, options.world):
                running.append(server)
                seen[server["name"]] = []
                load(server, options, 1.0)
        for number in range(options.rounds):
            for server in random.sample(running, len(running)):
                load(server, options, 0.1, rate=options.rate, offset=number * 7919)
                seen[server["name"]].append(load(server, options, options.secs, rate=options.rate, offset=number * 7919))
    finally:
        for server in running:
            stop(server)
    keys = {"p50": "p50", "p99_stretch": "p99 of 20 ms", "p99": "p99", "p999": "p99.9"}
    print(f"\nWorld {options.world}, {options.rounds} rounds of {options.secs} s, {options.rate:,} queries a second: "
          "medians in µs, and of the ratios to echo's in the same round.\n")
    print(f"| server | {' | '.join(f'{name} | × echo' for name in keys.values())} | wrong | lost |")
    print("|---" * (len(keys) * 2 + 3) + "|")
    for name, rows in seen.items():
        cells = []
        for key in keys:
            ratios = [row[key] / echo[key] for row, echo in zip(rows, seen.get("echo", rows))]
            cells += [f"{statistics.median(row[key] for row in rows):,.0f}", f"{statistics.median(ratios):.2f}"]
        bad = [str(sum(row[key] for row in rows)) for key in ("wrong", "lost")]
        print(f"| {' | '.join([name, *cells, *bad])} |")


def profile(options):
    """Where the time of a server goes."""
    (server,) = servers(f"^{options.name}$", options.world)
    if not start(server, options.world):
        return
    try:
        load(server, options, server.get("warm", 1.0))
        data = work("logs", f"{server['name']}.perf")
        pids = ",".join(str(pid) for pid in tree(server["process"].pid))
        record = subprocess.Popen(["perf", "record", "-q", "-e", "cpu-clock", "-F", "4999", "-o", data, "-p", pids])
        load(server, options, options.secs)
        record.send_signal(signal.SIGINT)
        record.wait()
    finally:
        stop(server)
    for sort in ("dso", "dso,symbol"):
        shown = subprocess.run(["perf", "report", "-i", data, "--no-children", "--sort", sort, "--stdio"],
                               capture_output=True, text=True, check=False).stdout.splitlines()
        lines = [line for line in shown if line.strip() and not line.startswith("#")]
        print("\n".join(lines[:options.lines]), "\n", flush=True)


def instructions(options):
    """Instructions of the thread that answers, for each answer, without those of the kernel."""
    print("| server | answers | instructions each |\n|---|---|---|")
    for server in servers(options.only, options.world):
        output = work("logs", f"{server['name']}.callgrind")
        for old in glob.glob(output + "*"):
            os.remove(old)
        server["command"] = "valgrind --tool=callgrind --instr-atstart=no --separate-threads=yes " \
            + f"--callgrind-out-file={output} " + server["command"]
        if not start(server, options.world):
            continue
        pid = str(server["process"].pid)
        try:
            load(server, options, 1.0)
            subprocess.run(["callgrind_control", "-i", "on", pid], check=True, capture_output=True)
            load(server, options, 1.0)
            subprocess.run(["callgrind_control", "-z", pid], check=True, capture_output=True)
            seen = load(server, options, options.secs)
            subprocess.run(["callgrind_control", "-d", pid], check=True, capture_output=True)
        finally:
            stop(server)
        # One file for each thread; the one that answers does most.
        total, path = max((int(re.search(r"^totals: (\d+)", open(path).read(), re.M)[1]), path)
                          for path in glob.glob(f"{output}.1-*"))
        wrong = f", {seen['wrong']} wrong" if seen["wrong"] else ""
        print(f"| {server['name']} | {seen['answers']}{wrong} | {total / max(seen['answers'], 1):.0f} |", flush=True)
        if options.lines:
            show_functions(path, seen["answers"], options.lines)


def show_functions(path, answers, lines):
    """The functions of a callgrind file that take most, inlined ones with what they are inlined into."""
    shown = subprocess.run(["callgrind_annotate", "--auto=no", "--threshold=99.9", path],
                           capture_output=True, text=True, check=False).stdout
    taken = {}
    for count, function in re.findall(r"^\s*([\d,]+) \([\s\d.]+%\)\s+[^\s:]*:(.*?)(?: \[.*)?$", shown, re.M):
        taken[function] = taken.get(function, 0) + int(count.replace(",", ""))
    for function, count in sorted(taken.items(), key=lambda item: -item[1])[:lines]:
        print(f"{count / max(answers, 1):8.0f}  {function}", flush=True)


def start_up(options):
    """Start-up time and memory of each server, one after the other, each with both cores."""
    print("| server | first answer s | loaded s | CPU s | resident MiB | peak MiB |\n|---|---|---|---|---|---|")
    for server in servers(options.only, options.world):
        if options.restored:
            leave_facts(server, options.world)
        if not start(server, options.world, fresh=not options.restored, cores="0,1"):
            continue
        try:
            pids = tree(server["process"].pid)
            resident, peak = memory(pids)
            print(f"| {server['name']} | {server['first']:.2f} | {server['load']:.2f} | {used(pids):.1f} "
                  f"| {resident:.0f} | {peak:.0f} |", flush=True)
        finally:
            stop(server)
            if options.restored:
                move(options.world, ".toml.away", ".toml")


def leave_facts(server, world):
    """Lets a gazetteer persist its facts, and takes the facts files away: the next start is from
    what was persisted alone, as it is where no member can be reached."""
    start(server, world)
    stop(server)
    move(world, ".toml", ".toml.away")


def move(world, old, new):
    """Gives the facts files another suffix."""
    for path in glob.glob(work("worlds", world, "gazetteer", f"*-*{old}")):
        os.rename(path, path.removesuffix(old) + new)


def main():
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(required=True)
    verbs.add_parser("build").set_defaults(run=build)
    verb = verbs.add_parser("world")
    verb.add_argument("name", choices=WORLDS)
    verb.set_defaults(run=make_world)
    for name, function in (("check", check), ("run", run), ("report", report), ("latency", latency), ("profile", profile),
                           ("instructions", instructions), ("memory", start_up)):
        verb = verbs.add_parser(name)
        verb.set_defaults(run=function)
        verb.add_argument("--world", default="10k", choices=WORLDS)
        verb.add_argument("--mix", default="mix", choices=("mix", "ecs", "chains"))
        verb.add_argument("--only", default=".", help="servers whose names match")
        verb.add_argument("--secs", type=float, default=0.5 if name == "latency" else 4, help="of each phase")
        verb.add_argument("--tag", default="last", help="name of the results")
        if name in ("run", "latency"):
            verb.add_argument("--rounds", type=int, default=7 if name == "run" else 60)
            verb.add_argument("--rate", type=int, default=20000, help="queries per second of the paced phase")
        if name == "profile":
            verb.add_argument("name")
            verb.add_argument("--lines", type=int, default=30)
        if name == "instructions":
            verb.add_argument("--lines", type=int, default=0, help="functions shown")
        if name == "memory":
            verb.add_argument("--restored", action="store_true", help="start from persisted facts, for gazetteer")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    options.run(options)


if __name__ == "__main__":
    main()
