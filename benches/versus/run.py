#!/usr/bin/env python3
"""Compares gazetteer with other servers: see ../README.md.

  run.py build                    builds gazetteer and the programs here, and CoreDNS where there is Go
  run.py world 10k|100k|1m        makes a world
  run.py check [--only RE]        starts each server once, compares every answer, tells its memory
  run.py run [--mix M] [--tag T]  interleaved rounds
  run.py report [--tag T]         their table, in Markdown
  run.py profile NAME             where the time of a server goes, by symbol
  run.py instructions [--only RE] instructions for each answer outside the kernel, by callgrind
  run.py memory [--only RE]       start-up time and memory
"""
import argparse
import glob
import json
import os
import re
import resource
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import time
import tomllib

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
TICK = os.sysconf("SC_CLK_TCK")
WORLDS = {
    "10k": ["--services", "10000", "--queries", "100000"],
    "100k": ["--services", "100000", "--shards", "2", "--chains", "no"],
    "1m": ["--services", "1000000", "--queries", "1000000", "--static-places", "1", "--chains", "no"],
}
FIRST = "svc0000000.ns0.fed.svc.fed.example"


# -- what runs

def work(*parts):
    """A path in the folder for everything that is made."""
    return os.path.join(os.environ.get("VERSUS_DIR", os.path.join(ROOT, "target", "versus")), *parts)


def programs():
    """Where the programs are; each can be set by a variable."""
    return {
        "@BIN@": os.environ.get("VERSUS_BIN", work("build", "release")),
        "@GAZETTEER@": os.environ.get("GAZETTEER", os.path.join(ROOT, "target", "release", "gazetteer")),
        "@COREDNS@": os.environ.get("COREDNS", work("coredns")),
    }


def servers(only, world):
    """The servers whose names match, those left out that are not installed."""
    found = []
    with open(os.path.join(HERE, "servers.toml"), "rb") as file:
        for server in tomllib.load(file)["server"]:
            words = [fill(word, server, world) for word in server["command"].split()]
            program = words[2] if words[0] == "env" else words[0]
            if not re.search(only, server["name"]):
                continue
            if server.get("when-named") and server["name"] not in re.split(r"[^a-z-]+", only):
                continue
            if shutil.which(program) is None:
                print(f"{server['name']}: left out, there is no {program}", flush=True)
                continue
            found.append(server)
    return found


def fill(text, server, world):
    """A text of servers.toml with everything put in."""
    known = programs() | {
        "@PORT@": str(server.get("port", 0)),
        "@RUN@": work("run", server["name"]),
        "@WORLD@": work("worlds", world),
    }
    for name, value in known.items():
        text = text.replace(name, value)
    return re.sub(r"@INCLUDE\((.*?)\)@", lambda found: open(found[1]).read(), text)


def free_port():
    """A port that neither UDP nor TCP uses."""
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        udp.bind(("127.0.0.1", tcp.getsockname()[1]))
        return tcp.getsockname()[1]


def start(server, world, wait=600, fresh=True):
    """Starts a server on core 1; its times go into `server`."""
    server["port"] = free_port()
    run = work("run", server["name"])
    if fresh:
        shutil.rmtree(run, ignore_errors=True)
    os.makedirs(run, exist_ok=True)
    for path, target in server.get("links", {}).items():
        path = fill(path, server, world)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.symlink(fill(target, server, world), path)
    for path, text in server.get("files", {}).items():
        with open(fill(path, server, world), "w") as file:
            file.write(fill(text, server, world))
    os.makedirs(work("logs"), exist_ok=True)
    log = work("logs", server["name"])
    begin = time.monotonic()
    with open(log, "w") as output:
        server["process"] = subprocess.Popen(
            ["taskset", "-c", "1", *fill(server["command"], server, world).split()],
            stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True)
    server["first"] = None
    while time.monotonic() - begin < wait and server["process"].poll() is None:
        if server["first"] is None and is_answered(server["port"]):
            server["first"] = time.monotonic() - begin
        if server["first"] is not None and server.get("ready", "") in open(log).read():
            server["load"] = time.monotonic() - begin
            pin(server)
            settle(server, 60)
            return True
        time.sleep(0.002)
    print(f"{server['name']}: does not start:\n{open(log).read()[-800:]}", flush=True)
    stop(server)
    return False


def pin(server):
    """Puts every thread on core 1: some servers undo what they were started with."""
    for pid in tree(server["process"].pid):
        for task in glob.glob(f"/proc/{pid}/task/*"):
            try:
                os.sched_setaffinity(int(os.path.basename(task)), {1})
            except OSError:
                pass


def stop(server):
    """Ends a server and what it started."""
    process = server.pop("process", None)
    if process is None:
        return
    pids = tree(process.pid)
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pid in pids[1:]:
        try:
            os.kill(pid, signal.SIGTERM)
        except OSError:
            pass


def ask(port, name, qtype=1, timeout=0.3):
    """Asks once; None without an answer."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    query = struct.pack(">HHHHHH", 0x1234, 0, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", qtype, 1)
    with socket.socket(type=socket.SOCK_DGRAM) as udp:
        udp.settimeout(timeout)
        try:
            udp.connect(("127.0.0.1", port))
            udp.send(query)
            return udp.recv(4096)
        except OSError:
            return None


def is_answered(port):
    """Whether the first service has addresses."""
    response = ask(port, FIRST)
    return response is not None and response[3] & 15 == 0 and response[7] > 0


# -- what it costs

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


def cpu(pids, beside=None):
    """User and system ticks and the scheduler's nanoseconds of all threads, and the nanoseconds of those
    whose names do not match `beside`."""
    user = system = nanos = others = 0
    for pid in pids:
        for task in glob.glob(f"/proc/{pid}/task/*"):
            try:
                fields = open(f"{task}/stat").read().rsplit(")", 1)[1].split()
                own = int(open(f"{task}/schedstat").read().split()[0])
                name = open(f"{task}/comm").read()
            except OSError:
                continue
            nanos += own
            others += own if beside and not re.match(beside, name) else 0
            user += int(fields[11])
            system += int(fields[12])
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


def load(server, options, secs, rate=0, offset=0):
    """Loads a server from core 0; what was seen and what it cost."""
    pids = tree(server["process"].pid)
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    threads = server.get("threads")
    busy_before, begin, before = busy(), time.monotonic(), cpu(pids, threads)
    result = subprocess.run(
        ["taskset", "-c", "0", os.path.join(programs()["@BIN@"], "load"), "--port", str(server["port"]),
         "--queries", work("worlds", options.world, f"queries-{options.mix}"),
         "--expect", server["expect"], "--secs", str(secs), "--rate", str(rate), "--offset", str(offset)],
        capture_output=True, text=True, check=True)
    after, wall = cpu(pids, threads), time.monotonic() - begin
    busy_after = busy()
    usage_after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seen = json.loads(result.stdout)
    user, system, nanos, others = (now - then for now, then in zip(after, before))
    own = usage_after.ru_utime + usage_after.ru_stime - usage.ru_utime - usage.ru_stime
    answers = max(seen["answers"], 1)
    seen |= {
        "user": user, "system": system, "nanos": nanos,
        "each": nanos / 1e3 / answers, "beside": others / 1e3 / answers,
        "use": nanos / 1e9 / seen["secs"], "load_use": own / wall,
        "foreign": max(0.0, busy_after - busy_before - own - nanos / 1e9) / wall,
        "complaint": result.stderr.strip(),
    }
    return seen


def settle(server, limit=25):
    """Waits until a server has nothing to do: its queue is empty, and what its start left is tidied up."""
    pids, begin = tree(server["process"].pid), time.monotonic()
    while time.monotonic() - begin < limit:
        before = cpu(pids)[2]
        time.sleep(0.15)
        if cpu(pids)[2] - before < 10_000_000:
            return


# -- the verbs

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
          f"p99 {paced['p99']:.0f} us, wrong {saturated['wrong']}+{paced['wrong']}, "
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

    def ratio(name, base):
        """Of the total CPU, in the same round, then the median."""
        other = {row["round"]: row["saturated"]["each"] for row in of.get(base, [])}
        pairs = [row["saturated"]["each"] / other[row["round"]] for row in of[name] if row["round"] in other]
        return f"{statistics.median(pairs):.2f}" if pairs else "-"

    row = rows[0]
    rounds = max(len(of[name]) for name in names)
    foreign = [row["saturated"]["foreign"] for row in rows]
    print(f"\nWorld {row['world']}, mix {row['mix']}, medians of {rounds} rounds of {row['saturated']['secs']:.0f} s; "
          f"other work on the machine took {statistics.median(foreign):.2f} cores (at most {max(foreign):.2f}).\n")
    print("| server | answers/s | user µs | system µs | total µs | of which beside | × echo | × gdnsd | user × gdnsd's | rate "
          "| p50 µs | p99 µs | p99.9 µs | octets | core used | wrong | lost |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|")
    for name in names:
        each = median(name, "saturated", "each")
        base = f"{user(name) / user('gdnsd'):.2f}" if "gdnsd" in names and user("gdnsd") else "-"
        count = lambda key: sum(row[phase][key] for row in of[name] for phase in ("saturated", "paced"))
        print(f"| {name} | {median(name, 'saturated', 'qps'):,.0f} | {user(name):.2f} | {each - user(name):.2f} "
              f"| {each:.2f} | {median(name, 'saturated', 'beside'):.2f} | {ratio(name, 'echo')} | {ratio(name, 'gdnsd')} | {base} | {of[name][0]['rate']:,} "
              f"| {median(name, 'paced', 'p50'):.0f} | {median(name, 'paced', 'p99'):.0f} "
              f"| {median(name, 'paced', 'p999'):.0f} | {median(name, 'saturated', 'size'):.0f} "
              f"| {median(name, 'saturated', 'use'):.2f} | {count('wrong')} | {count('lost')} |")


def profile(options):
    """Where the time of a server goes."""
    (server,) = servers(f"^{options.name}$", options.world)
    if not start(server, options.world):
        return
    try:
        load(server, options, 1.0)
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
    """Instructions for each answer, without those of the kernel."""
    print("| server | answers | instructions each |\n|---|---|---|")
    for server in servers(options.only, options.world):
        output = work("logs", f"{server['name']}.callgrind")
        for old in glob.glob(output + "*"):
            os.remove(old)
        server["command"] = f"valgrind --tool=callgrind --instr-atstart=no --callgrind-out-file={output} " \
            + server["command"]
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
        total = int(re.search(r"^totals: (\d+)", open(f"{output}.1").read(), re.M)[1])
        wrong = f", {seen['wrong']} wrong" if seen["wrong"] else ""
        print(f"| {server['name']} | {seen['answers']}{wrong} | {total / max(seen['answers'], 1):.0f} |", flush=True)
        if options.lines:
            show_functions(f"{output}.1", seen["answers"], options.lines)


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
    """Start-up time and memory of each server, one after the other."""
    print("| server | first answer s | loaded s | CPU s | resident MiB | peak MiB |\n|---|---|---|---|---|---|")
    for server in servers(options.only, options.world):
        if options.restored:
            leave_facts(server, options.world)
        if not start(server, options.world, fresh=not options.restored):
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
    for name, function in (("check", check), ("run", run), ("report", report), ("profile", profile),
                           ("instructions", instructions), ("memory", start_up)):
        verb = verbs.add_parser(name)
        verb.set_defaults(run=function)
        verb.add_argument("--world", default="10k", choices=WORLDS)
        verb.add_argument("--mix", default="mix", choices=("mix", "ecs", "chains"))
        verb.add_argument("--only", default=".", help="servers whose names match")
        verb.add_argument("--secs", type=float, default=4, help="of each phase")
        verb.add_argument("--tag", default="last", help="name of the results")
        if name == "run":
            verb.add_argument("--rounds", type=int, default=7)
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
