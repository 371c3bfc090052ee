#!/usr/bin/env python3
"""How long operators and new clients wait while strangers fill every core: see ../README.md. Standard library only.

  loaded.py PROGRAM [--loads quiet,tcp,crowd,parse,udp,all] [--secs 10] [--ends 3]    gazetteer
  loaded.py --knot  [--loads quiet,tcp,crowd]                                          Knot, new TCP clients alone

Loads: `tcp` is a pipelining connection for each core, `crowd` 256 of them, `parse` two facts files with 20,000 mistakes
each that are written anew all the time, `udp` a flood for each core, `all` is tcp, parse and udp together. Everything is on
loopback, in a temporary folder; every process started is ended.
"""
import argparse
import contextlib
import json
import multiprocessing
import os
import pathlib
import random
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

NAME = "my-service.my-namespace.my-federation.svc.example.com"
LOADS = {"quiet": "", "tcp": "tcp", "crowd": "crowd", "parse": "parse", "udp": "udp", "all": "tcp parse udp"}
# Nothing is waited for any longer; what was not there by then counts as this.
LIMIT = 5.0
CORES = os.cpu_count() or 1


def query(name, qtype=1):
    """One query with EDNS."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return (struct.pack(">HHHHHH", random.randrange(65536), 0x100, 1, 0, 0, 1) + labels + b"\0" + struct.pack(">HH", qtype, 1)
            + b"\0" + struct.pack(">HHIH", 41, 1232, 0, 0))


def framed(message):
    """A message as it goes over TCP."""
    return struct.pack(">H", len(message)) + message


def ask_udp(port, limit):
    """The answer over UDP, or nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(limit)
        client.sendto(query(NAME), ("127.0.0.1", port))
        try:
            return client.recv(65535)
        except OSError:
            return b""


def ask_tcp(port, source="127.0.0.99"):
    """The answer to a new client."""
    with socket.socket() as client:
        client.settimeout(LIMIT)
        client.bind((source, 0))
        client.connect(("127.0.0.1", port))
        client.sendall(framed(query(NAME)))
        length, = struct.unpack(">H", client.recv(2, socket.MSG_WAITALL))
        got = client.recv(length, socket.MSG_WAITALL)
        assert len(got) == length and got[7] > 0, "no answer"
        return got


def get(port, path, limit=LIMIT):
    """Status of a GET."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=limit) as reply:
            return reply.status
    except urllib.error.HTTPError as error:
        return error.code


def fill_tcp(port, connections, host):
    """Keeps connections full of queries, and discards the answers, until it is ended."""
    frames = framed(query(NAME)) * 500
    streams = []
    for number in range(connections):
        stream = socket.socket()
        stream.bind((f"127.0.{host}.{1 + number // 32}", 0))
        stream.connect(("127.0.0.1", port))
        stream.setblocking(False)
        streams.append([stream, 0])
    room = bytearray(1 << 20)
    while True:
        idle = True
        for entry in streams:
            with contextlib.suppress(BlockingIOError):
                entry[1] = (entry[1] + entry[0].send(memoryview(frames)[entry[1]:])) % len(frames)
                idle = False
            with contextlib.suppress(BlockingIOError):
                idle = not entry[0].recv_into(room) and idle
        if idle:
            time.sleep(.0001)


def flood_udp(port):
    """Sends as fast as it can, and reads nothing, until it is ended."""
    datagram = query(NAME)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", port))
        while True:
            with contextlib.suppress(OSError):
                client.send(datagram)


def service(name, address):
    """A service of a facts file."""
    return f'[[service]]\nnamespace = "my-namespace"\nname = "{name}"\naddresses = ["{address}"]\n'


def put(path, text):
    """Replaces a file."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.rename(path)


def write_mistakes(folder):
    """Writes facts files that are wrong in many places, until it is ended."""
    while True:
        for member in ("m3", "m4"):
            put(folder / f"{member}.toml", "".join(service(f"s{number}", "x") for number in range(20_000)) + f"# {time.time()}\n")
        time.sleep(.2)


def free_port():
    """A port that nobody has, of UDP and TCP."""
    with socket.socket() as stream, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        stream.bind(("127.0.0.1", 0))
        datagrams.bind(("127.0.0.1", stream.getsockname()[1]))
        return stream.getsockname()[1]


@contextlib.contextmanager
def running(command, port):
    """A server that answers."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 20
        while not ask_udp(port, .2)[7:8] > b"\0":
            assert process.poll() is None and time.monotonic() < end, f"{command[0]} does not start"
        yield process
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def under(load, port, folder):
    """The load, while it lasts."""
    of = {"tcp": [(fill_tcp, (port, 1, 2 + core)) for core in range(CORES)],
          "crowd": [(fill_tcp, (port, 256 // CORES, 2 + core)) for core in range(CORES)],
          "parse": [(write_mistakes, (folder,))],
          "udp": [(flood_udp, (port,)) for _ in range(CORES)]}
    processes = [multiprocessing.Process(target=run, args=arguments, daemon=True)
                 for kind in LOADS[load].split() for run, arguments in of[kind]]
    try:
        for process in processes:
            process.start()
        time.sleep(1 if processes else 0)
        yield
    finally:
        for process in processes:
            process.kill()
            process.join()


def timed(what):
    """Seconds that something takes, LIMIT where it fails."""
    began = time.monotonic()
    try:
        done = what()
    except (OSError, AssertionError, struct.error):
        done = False
    return min(time.monotonic() - began, LIMIT) if done else LIMIT


def change(folder, port):
    """Whether a change of a facts file is served in time."""
    octets = [203, 0, 113, random.randrange(1, 255)]
    put(folder / "m1.toml", service("my-service", ".".join(map(str, octets))))
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        # Over TCP: a query over UDP is lost in a flood, whatever is served.
        if bytes(octets) in ask_tcp(port):
            return True
        time.sleep(.002)
    return False


def ending(process, admin):
    """Whether the daemon says in time that it ends."""
    process.send_signal(signal.SIGTERM)
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        if get(admin, "/readyz") == 503:
            return True
    return False


def show(name, load, rows):
    """One line for each figure."""
    for what, seconds in rows.items():
        if seconds:
            cuts = sorted(seconds)
            p99 = cuts[min(len(cuts) - 1, int(len(cuts) * .99))]
            print(f"| {name} | {load} | {what} | {len(cuts)} | {statistics.median(cuts) * 1e3:.1f} | {p99 * 1e3:.1f} | {cuts[-1] * 1e3:.1f} |", flush=True)


def gazetteer(options, folder):
    """The daemon of the command line, in a folder of its own."""
    for load in options.loads.split(","):
        rows = {"/livez": [], "new TCP client": [], "change": [], "SIGTERM": []}
        for _ in range(options.ends):
            port, admin = free_port(), free_port()
            shutil.rmtree(folder, True)
            folder.mkdir()
            for number in range(1, 5):
                put(folder / f"m{number}.toml", service("my-service", f"203.0.113.{number}"))
            members = "".join(f'[[member]]\nname = "m{number}"\nregion = "r{number}"\nsource = {{ file = "m{number}.toml" }}\n' for number in range(1, 5))
            put(folder / "g.toml", f'version = "v1"\nstate-dir = "state"\nshutdown-delay = "30s"\n[listen]\ndns = ["127.0.0.1:{port}"]\n'
                f'admin = "127.0.0.1:{admin}"\n[[federation]]\nname = "my-federation"\napex = "example.com"\nprobe = {{ kind = "none" }}\n'
                f'nameservers = [{{ name = "ns.example.net" }}]\n{members}')
            with running([options.program, "serve", str(folder / "g.toml")], port) as process:
                while get(admin, "/readyz") != 200:
                    time.sleep(.05)
                with under(load, port, folder):
                    end = time.monotonic() + options.secs / options.ends
                    while time.monotonic() < end:
                        rows["/livez"].append(timed(lambda: get(admin, "/livez") == 200))
                        rows["new TCP client"].append(timed(lambda: ask_tcp(port)))
                        rows["change"].append(timed(lambda: change(folder, port)))
                    rows["SIGTERM"].append(timed(lambda: ending(process, admin)))
        show("gazetteer", load, rows)


def knot(options, folder):
    """Knot, with the same name."""
    port = free_port()
    folder.mkdir()
    (folder / "example.com.zone").write_text(f"$ORIGIN example.com.\n$TTL 30\n@ SOA ns.example.net. h.example.net. 1 60 60 60 5\n@ NS ns.example.net.\n{NAME}. A 203.0.113.1\n")
    (folder / "knot.conf").write_text(f"server:\n    listen: 127.0.0.1@{port}\n    rundir: {folder}\n    udp-workers: {CORES}\n    tcp-workers: {CORES}\n    tcp-max-clients: 512\n"
                                      f"database:\n    storage: {folder}\ntemplate:\n  - id: default\n    storage: {folder}\nzone:\n  - domain: example.com\n    file: example.com.zone\n")
    for load in options.loads.split(","):
        rows = {"new TCP client": []}
        with running(["knotd", "-c", str(folder / "knot.conf")], port), under(load, port, folder):
            end = time.monotonic() + options.secs
            while time.monotonic() < end:
                rows["new TCP client"].append(timed(lambda: ask_tcp(port)))
                time.sleep(.02)
        show("knot", load, rows)


def main():
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", nargs="?", help="gazetteer")
    parser.add_argument("--knot", action="store_true")
    parser.add_argument("--loads", default="")
    parser.add_argument("--secs", type=float, default=10, help="of each load")
    parser.add_argument("--ends", type=int, default=3, help="runs of each load, each ended by SIGTERM")
    options = parser.parse_args()
    options.loads = options.loads or ("quiet,tcp,crowd,udp" if options.knot else ",".join(LOADS))
    print(f"Load average at the start: {json.dumps(os.getloadavg())}\n")
    print("| server | load | what | samples | p50 ms | p99 ms | most ms |\n|---|---|---|---|---|---|---|")
    signal.signal(signal.SIGTERM, lambda *_: exit(1))
    with tempfile.TemporaryDirectory(prefix="loaded-") as base:
        (knot if options.knot else gazetteer)(options, pathlib.Path(base) / "run")


if __name__ == "__main__":
    main()
