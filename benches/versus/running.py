"""The servers: how they are started, loaded and ended."""
import glob
import json
import os
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import time
import tomllib

from cost import busy, cpu, settle, tree

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
WORLDS = {
    "10k": ["--services", "10000", "--queries", "100000"],
    "100k": ["--services", "100000", "--shards", "2", "--chains", "no"],
    "wide": ["--services", "100000", "--shards", "10", "--static-places", "1", "--chains", "no", "--endpoints", "10"],
    "1m": ["--services", "1000000", "--queries", "1000000", "--static-places", "1", "--chains", "no"],
}
FIRST = "svc0000000.ns0.fed.svc.fed.example"


def work(*parts):
    """A path in the folder for everything that is made."""
    return os.path.join(os.environ.get("VERSUS_DIR", os.path.join(ROOT, "target", "versus")), *parts)


def programs():
    """Where the programs are; each can be set by a variable."""
    return {
        "@BIN@": os.environ.get("VERSUS_BIN", work("build", "release")),
        "@GAZETTEER@": os.environ.get("GAZETTEER", os.path.join(ROOT, "target", "release", "gazetteer")),
        "@COREDNS@": os.environ.get("COREDNS", work("coredns")),
        "@HICKORY@": os.environ.get("HICKORY", work("hickory", "bin", "hickory-dns")),
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


def launch(core, command, **more):
    """Starts a program on a core, before all other work on it as far as this user may ask for that."""
    program = subprocess.Popen(["nice", "-n", "-20", "taskset", "-c", str(core), *command], start_new_session=True, **more)
    try:
        # Where the kernel groups by session, the session counts.
        with open(f"/proc/{program.pid}/autogroup", "w") as group:
            group.write("-20")
    except OSError:
        pass
    return program


def start(server, world, wait=600, fresh=True, cores=1):
    """Starts a server on core 1, or on those given until it is up; its times go into `server`."""
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
    for command in server.get("before", []):
        subprocess.run(fill(command, server, world).split(), check=True, stdout=subprocess.DEVNULL)
    os.makedirs(work("logs"), exist_ok=True)
    log = work("logs", server["name"])
    begin = time.monotonic()
    with open(log, "w") as output:
        server["process"] = launch(cores, fill(server["command"], server, world).split(),
                                   stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    server["first"] = None
    while time.monotonic() - begin < wait and server["process"].poll() is None:
        if server["first"] is None and is_answered(server["port"]):
            server["first"] = time.monotonic() - begin
        if server["first"] is not None and is_loaded(server, open(log).read(), fresh):
            server["load"] = time.monotonic() - begin
            pin(server)
            settle(server, 240)
            return True
        time.sleep(0.002)
    print(f"{server['name']}: does not start:\n{open(log).read()[-800:]}", flush=True)
    stop(server)
    return False


def is_loaded(server, log, fresh):
    """Whether a server says that it is ready, and, from nothing, that it has read all that there is."""
    count = server.get("whole-count", 0) if fresh else 0
    return server.get("ready", "") in log and log.count(server.get("whole", "")) >= count


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
        # A daemon that writes a million facts takes its time.
        process.wait(120)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pid in pids[1:]:
        try:
            os.kill(pid, signal.SIGTERM)
        except OSError:
            pass


def wire(name):
    """A name in wire form."""
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def signed_query(name, qtype, number, size):
    """A query with DO for a name in wire form, whose answer may have so many octets."""
    return (struct.pack(">HHHHHH", number & 0xffff, 0, 1, 0, 0, 1) + name + struct.pack(">HH", qtype, 1)
            + b"\0" + struct.pack(">HHIH", 41, size, 0x8000, 0))


def ask(port, name, qtype=1, timeout=0.3):
    """Asks once; None without an answer."""
    query = struct.pack(">HHHHHH", 0x1234, 0, 1, 0, 0, 0) + wire(name) + struct.pack(">HH", qtype, 1)
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


def load(server, options, secs, rate=0, offset=0, prefix=()):
    """Loads a server from core 0; what was seen and what it cost. `prefix` is put before the command."""
    pids = tree(server["process"].pid)
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    threads = server.get("threads", "")
    busy_before, begin, before = busy(), time.monotonic(), cpu(pids, threads)
    program = launch(0, [*prefix, os.path.join(programs()["@BIN@"], "load"), "--port", str(server["port"]),
                         "--queries", work("worlds", options.world, f"queries-{options.mix}"), "--expect", server["expect"],
                         "--secs", str(secs), "--rate", str(rate), "--offset", str(offset), *server.get("ask-with", [])],
                     stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    told, complaint = program.communicate()
    after, wall = cpu(pids, threads), time.monotonic() - begin
    busy_after = busy()
    usage_after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seen = json.loads(told)
    user, system, nanos, others = (now - then for now, then in zip(after, before))
    own = usage_after.ru_utime + usage_after.ru_stime - usage.ru_utime - usage.ru_stime
    answers = max(seen["answers"], 1)
    seen |= {
        "user": user, "system": system, "nanos": nanos,
        "each": nanos / 1e3 / answers, "beside": others / 1e3 / answers,
        "use": (nanos + others) / 1e9 / seen["secs"], "load_use": own / wall,
        "foreign": max(0.0, busy_after - busy_before - own - (nanos + others) / 1e9) / wall,
        "complaint": complaint.strip(),
    }
    return seen
