#!/usr/bin/env python3
"""Whether changes, and a member that fails, move the latency of queries: see ../README.md.

  paired.py changes|fails [--world 10k|100k|1m] [--rounds 7] [--secs 4] [--changes-rate 200] [--rate QPS]

Each round has two phases of queries at a fixed rate. In one the daemon gets changes, or a member of
a thousand services fails and comes back. In the other it gets none, and at the same moments a
process on the same core takes the CPU that all threads of the daemon beside the one that answers
took in the phase before: what is left between the two is what publishing does to queries, beyond
the CPU that any work takes. The order of the phases changes from round to round.
"""
import argparse
import itertools
import json
import os
import signal
import statistics
import subprocess
import sys
import time

import running
from api import Api
from cost import cpu, settle, tree
from update import served

APEX = running.FIRST.partition(".svc.")[2]
# Services of the world, which other members serve too.
SERVICES = [(f"ns{number % 97}", f"svc{number:07}") for number in range(1000)]
# In a phase with a failure: when the member goes and comes, in seconds. It counts as lost after 5.
FAILS, RETURNS = 0.5, 6.5
# How often the CPU of such a phase is looked at, to be taken in the same way in the other, in seconds.
LOOK = 0.02


def burn():
    """On each line of the input takes CPU until this process has taken that many nanoseconds of it
    since the last line that begins anew."""
    begin = 0
    for line in sys.stdin.buffer:
        word = line.split(None, 1)[0]
        if word == b"anew":
            begin = time.thread_time_ns()
            continue
        until = begin + int(word)
        while time.thread_time_ns() < until:
            pass


class Burner:
    """The process that takes CPU in place of the daemon."""

    def __init__(self):
        """Starts it on the core of the daemon."""
        self.process = running.launch(1, [sys.executable, os.path.abspath(__file__), "burn"], stdin=subprocess.PIPE)

    def take(self, nanos, event=""):
        """Lets it take CPU up to `nanos`; an event is sent along as it is to the daemon."""
        self.process.stdin.write(f"{int(nanos)} {event}\n".encode())
        self.process.stdin.flush()

    def anew(self):
        """Lets it count from here."""
        self.process.stdin.write(b"anew\n")
        self.process.stdin.flush()

    def end(self):
        """Ends it."""
        self.process.stdin.close()
        self.process.wait()


class Phase:
    """What one phase saw."""

    def __init__(self, server, burner, options, act):
        """Runs `act(begin)` beside queries."""
        pids = tree(server["process"].pid)
        publisher = cpu(pids, "publish")[2]
        before, burnt = cpu(pids, server["threads"]), cpu([burner.process.pid])[2]
        queries = running.launch(
            0, [os.path.join(running.programs()["@BIN@"], "load"), "--port", str(server["port"]),
             "--queries", running.work("worlds", options.world, "queries-mix"), "--expect", "some",
             "--secs", str(options.secs), "--rate", str(options.rate)], stdout=subprocess.PIPE, text=True)
        act(time.perf_counter())
        self.seen = json.loads(queries.communicate()[0])
        after = cpu(pids, server["threads"])
        self.publisher = cpu(pids, "publish")[2] - publisher
        self.others = after[3] - before[3]
        self.burnt = cpu([burner.process.pid])[2] - burnt
        settle(server)


def changes(api, burner, options, server):
    """Two acts: changes at a rate, and CPU at the same moments; and how many there are."""
    rate = options.changes_rate
    count = int(options.secs * 0.95 * rate)
    turns = itertools.count()

    def events(begin):
        turn = next(turns) % 250
        for number in range(count):
            time.sleep(max(0, begin + number / rate - time.perf_counter()))
            yield number, SERVICES[number % len(SERVICES)], f"198.51.{turn}.{number % 250 + 1}"

    def change(begin):
        for _, key, address in events(begin):
            last = api.change(key, address)
        name = f"{key[1]}.{key[0]}.fed.svc.{APEX}"
        if served(server["port"], name, address, last, 5) > 5000:
            sys.exit(f"{address} is not served")

    def control(begin, nanos):
        burner.anew()
        for number, key, address in events(begin):
            burner.take(nanos * (number + 1) / count, json.dumps(api.event(key, address)))

    return change, control, count


def fails(api, burner, options, server):
    """Two acts: a member fails and comes back, and CPU at the same moments."""
    name = f"{SERVICES[0][1]}.{SERVICES[0][0]}.fed.svc.{APEX}"
    taken = []

    def moments(begin):
        for number in range(int(options.secs * 0.98 / LOOK)):
            time.sleep(max(0, begin + number * LOOK - time.perf_counter()))
            yield number, number * LOOK, cpu(tree(server["process"].pid), server["threads"])[3]

    def change(begin):
        while not has_address(server["port"], name):
            time.sleep(LOOK)
            begin = time.perf_counter()
        taken.clear()
        state, told = "up", []
        for number, now, nanos in moments(begin):
            taken.append(nanos)
            if state == "up" and now >= FAILS:
                api.down()
                state = "down"
            elif state == "down" and now >= RETURNS:
                told.append("still there" if has_address(server["port"], name) else "withdrawn")
                api.up()
                state = "back"
            elif state == "back" and number % 10 == 0 and has_address(server["port"], name):
                told.append(f"back after {now - RETURNS:.1f} s")
                state = "done"
        print(f"  {', '.join(told)}", flush=True)

    def control(begin, nanos):
        burner.anew()
        last = 0
        for number, _, _ in moments(begin):
            until = nanos * (taken[number] - taken[0]) / max(taken[-1] - taken[0], 1)
            # Less is not worth waking up for.
            if until > last + 100_000:
                burner.take(until)
                last = until

    return change, control, 2


def has_address(port, name):
    """Whether the member's address is among those of a name."""
    answer = running.ask(port, name)
    return answer is not None and bytes([192, 0, 2, 1]) in answer


def measure(options):
    """Pairs of phases."""
    (server,) = running.servers("^gazetteer$", options.world)
    api = Api(SERVICES)
    api.configure(server)
    if options.what == "fails":
        with open(running.work("worlds", options.world, "gazetteer", "world.toml")) as file:
            world = file.read().replace('policy = "nearest"', 'policy = "nearest"\nhold = "100ms"')
        for path, text in server["files"].items():
            server["files"][path] = text.replace("@INCLUDE(@WORLD@/gazetteer/world.toml)@", world)
    if not running.start(server, options.world):
        return
    burner = Burner()
    try:
        act = {"changes": changes, "fails": fails}[options.what]
        change, control, count = act(api, burner, options, server)
        last, own = Phase(server, burner, options, change), 0
        ratios, rows = {"p99_stretch": [], "p99": []}, []
        print("| round | p50 µs, with / without | p99 of 20 ms, µs | ratio | p99 µs | ratio | CPU beside | wrong, lost |\n"
              "|---|---|---|---|---|---|---|---|", flush=True)
        for number in range(options.rounds):
            if number % 2 == 0:
                last = treated = Phase(server, burner, options, change)
            nanos = max(last.others - own, 0)
            quiet = Phase(server, burner, options, lambda begin, nanos=nanos: control(begin, nanos))
            if number % 2 == 1:
                last = treated = Phase(server, burner, options, change)
            own = quiet.others
            for key, known in ratios.items():
                known.append(treated.seen[key] / quiet.seen[key])
            rows.append((treated, quiet))
            share = [100 * nanos / options.secs / 1e9 for nanos in (treated.others, quiet.others + quiet.burnt)]
            bad = [phase.seen["wrong"] + phase.seen["lost"] for phase in (treated, quiet)]
            cells = [f"{treated.seen[key]:.0f} / {quiet.seen[key]:.0f}" + (f" | {ratios[key][-1]:.3f}" if key in ratios else "")
                     for key in ("p50", "p99_stretch", "p99")]
            print(f"| {number} | {' | '.join(cells)} | {share[0]:.1f} % / {share[1]:.1f} % | {bad[0]} / {bad[1]} |", flush=True)
        each = statistics.median(treated.publisher for treated, _ in rows) / count / 1e3
        print(f"\n{options.what}, world {options.world}: the writer took {each:.1f} µs for each of {count} changes")
        for key, name in (("p99_stretch", "p99 of 20 ms"), ("p99", "p99")):
            quartiles = statistics.quantiles(ratios[key], n=4)
            print(f"{name} with / without: median {quartiles[1]:.3f}, quartiles {quartiles[0]:.3f} and {quartiles[2]:.3f}, "
                  f"from {min(ratios[key]):.3f} to {max(ratios[key]):.3f}")
    finally:
        running.stop(server)
        burner.end()
        api.down()


def main():
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("changes", "fails", "burn"))
    parser.add_argument("--world", default="10k", choices=running.WORLDS)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--secs", type=float, default=4, help="of each phase")
    parser.add_argument("--changes-rate", type=float, default=200, help="changes per second")
    parser.add_argument("--rate", type=int, default=20000, help="queries per second")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if options.what == "burn":
        burn()
    else:
        measure(options)


if __name__ == "__main__":
    main()
