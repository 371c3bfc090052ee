#!/usr/bin/env python3
"""What gazetteer needs by services and members: memory, CPU and disk, with every member a scripted Kubernetes API.

./sizing.py [SERVICESxMEMBERS ...]: prints a table, one row for each, in which every service is in every member. The
program is $GAZETTEER, else target/release/gazetteer. It measures memory and CPU alone, which other work disturbs little.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

import running
from api import KINDS, Api

SIZES = ["100x3", "1000x3", "1000x30", "1000x100", "10000x3", "10000x30", "100000x3"]
QUIET = 30.0     # seconds for which nothing happens
CHANGES = 500    # changes of an address, 50 in a second
HEAD = """version = "v1"
state-dir = "{folder}/state"
shutdown-delay = "0s"
[listen]
dns = ["127.0.0.1:{dns}"]
admin = "127.0.0.1:{admin}"
[[federation]]
name = "fed"
apex = "example.com"
nameservers = [{{ name = "ns1.example.com", addresses = ["192.0.2.53"] }}]
probe = {{ kind = "none" }}
"""
MEMBER = """[[member]]
name = "m{number}"
source = {{ kubeconfig = "{folder}/kubeconfig", context = "m{number}" }}
"""
TICKS = os.sysconf("SC_CLK_TCK")


class Daemon:
    """A running gazetteer."""

    def __init__(self, program, folder, admin):
        """Starts it, and waits until it is ready."""
        self.admin = admin
        with open(os.path.join(folder, "log"), "ab") as log:
            command = [program, "serve", os.path.join(folder, "gazetteer.toml")]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)  # pylint: disable=consider-using-with
        while not self.is_ready():
            if self.process.poll() is not None:
                sys.exit(f"gazetteer ended: see {folder}/log")
            time.sleep(0.05)

    def is_ready(self):
        """Whether it says so."""
        try:
            return self.read("readyz") is not None
        except OSError:
            return False

    def read(self, path):
        """What the admin address says."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/{path}", timeout=60) as reply:
            return reply.read().decode()

    def metric(self, name):
        """A metric without labels."""
        lines = self.read("metrics").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(name + " "))

    def lists(self):
        """How often members were listed."""
        lines = self.read("metrics").splitlines()
        return sum(int(line.rsplit(" ", 1)[1]) for line in lines if 'sources_events_total{event="relist"' in line)

    def cpu(self):
        """Seconds of CPU of all its threads."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self, field):
        """MiB, by a field of its status: VmRSS or VmHWM."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            line = next(line for line in file if line.startswith(field + ":"))
        return int(line.split()[1]) / 1024

    def end(self):
        """Ends it, its state written."""
        self.process.terminate()
        self.process.wait()


def configure(folder, apis, ports):
    """Writes a configuration with a member for each API."""
    with open(os.path.join(folder, "kubeconfig"), "w", encoding="ascii") as file:
        json.dump({
            "apiVersion": "v1", "kind": "Config", "users": [{"name": "u", "user": {}}],
            "clusters": [{"name": f"m{n}", "cluster": {"server": f"http://127.0.0.1:{api.port}"}} for n, api in enumerate(apis)],
            "contexts": [{"name": f"m{n}", "context": {"cluster": f"m{n}", "user": "u"}} for n, _ in enumerate(apis)],
        }, file)
    with open(os.path.join(folder, "gazetteer.toml"), "w", encoding="ascii") as file:
        file.write(HEAD.format(folder=folder, dns=ports[0], admin=ports[1]))
        for number, _ in enumerate(apis):
            file.write(MEMBER.format(folder=folder, number=number))


class ReadyApi(Api):
    """One that has its first lists ready: while it makes one it would answer nothing, and count as lost."""

    def prepare(self):
        """Makes the lists."""
        self.ready = {kind: (self.version, super(ReadyApi, self).listed(kind)) for kind in KINDS}

    def listed(self, kind):
        version, text = self.ready[kind]
        return text if version == self.version else super().listed(kind)


def scripted(number, services):
    """The API of one member: no two services have one address."""
    api = ReadyApi([(f"ns{index % 50}", f"service-{index:06}") for index in range(services)])
    for index, key in enumerate(api.services):
        api.addresses[key] = f"10.{number % 200}.{index // 250 % 250}.{index % 250 + 1}"
    api.prepare()
    return api


def on_disk(folder):
    """MiB of the files in a folder."""
    files = (os.path.join(place, name) for place, _, names in os.walk(folder) for name in names)
    return sum(os.path.getsize(path) for path in files) / 1048576


def undisturbed(daemon, act):
    """Seconds of CPU, and of time, while `act` runs. A member that was listed anew meanwhile, as its API here was slow,
    spoils that: then again."""
    for attempt in range(5):
        listed, before, begin = daemon.lists(), daemon.cpu(), time.monotonic()
        is_whole = act(attempt)
        took = daemon.cpu() - before, time.monotonic() - begin
        if is_whole and daemon.lists() == listed:
            return took
        time.sleep(20)
    return float("nan"), 1


def rest(_attempt):
    """Nothing happens."""
    time.sleep(QUIET)
    return True


def change(apis, services, attempt):
    """Changes addresses. False where an API had lost its watch."""
    begin = time.monotonic()
    for number in range(CHANGES):
        api = apis[number % len(apis)]
        try:
            api.change(api.services[number % services], f"172.{16 + attempt}.{number // 250}.{number % 250 + 1}")
        except OSError:
            return False
        time.sleep(max(0, begin + number / 50 - time.monotonic()))
    time.sleep(2)
    return True


def measure(program, services, members):
    """A row of the table."""
    apis = [scripted(number, services) for number in range(members)]
    folder = tempfile.mkdtemp(prefix="sizing-")
    ports = [running.free_port(), running.free_port()]
    configure(folder, apis, ports)
    daemon = Daemon(program, folder, ports[1])
    try:
        known = daemon.metric("gazetteer_snapshot_services")
        started = daemon.cpu()
        time.sleep(15)  # the allocator gives back what the start took
        resident = daemon.memory("VmRSS")
        cpu, lasted = undisturbed(daemon, rest)
        quiet = cpu / lasted
        cpu, lasted = undisturbed(daemon, lambda attempt: change(apis, services, attempt))
        each = (cpu - quiet * lasted) / CHANGES
        peak = daemon.memory("VmHWM")
        daemon.end()
        kept = on_disk(os.path.join(folder, "state"))
        for api in apis:
            api.down()
        daemon = Daemon(program, folder, ports[1])
        restored = daemon.cpu()
        assert daemon.metric("gazetteer_snapshot_services") == known == services, f"{known} services"
    finally:
        daemon.end()
    shutil.rmtree(folder)
    return (f"| {services:,} | {members} | {resident:.0f} | {peak:.0f} | {started:.1f} | {restored:.1f} | {quiet * 100:.1f} "
            f"| {each * 1000:.1f} | {kept:.1f} |")


def main():
    """Measures each size."""
    program = running.programs()["@GAZETTEER@"]
    print("| services | members | resident MiB | peak MiB | first start, CPU s | restart, CPU s | at rest, % of a core "
          "| a change, CPU ms | state folder MiB |\n|---|---|---|---|---|---|---|---|---|", flush=True)
    for size in sys.argv[1:] or SIZES:
        services, members = map(int, size.split("x"))
        print(measure(program, services, members), flush=True)


if __name__ == "__main__":
    main()
