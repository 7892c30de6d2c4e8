#!/usr/bin/env python3
"""Prints who is connected to whom among the pods of this node, in lines of `from to port`.

    connections.py PODS.json    what `kubectl get pods --output json` has printed

It looks at the sockets of the side that listens: the other one may see the address of a Service instead of a pod's.
"""

import glob
import json
import os
import re
import sys

ESTABLISHED, LISTENS = "01", "0A"


def address(text):
    """10.244.0.7:9090 of 0700F40A:2382, and of the same in IPv6."""
    host, port = text.split(":")
    octets = bytes.fromhex(host[-8:])[::-1]
    return ".".join(str(octet) for octet in octets), int(port, 16)


def sockets(pid):
    for kind in ("tcp", "tcp6"):
        try:
            with open(f"/proc/{pid}/net/{kind}") as table:
                lines = table.readlines()[1:]
        except OSError:
            continue
        for line in lines:
            _, local, remote, state, *_ = line.split()
            yield address(local), address(remote), state


def processes():
    """One process of each pod, by the pod's uid."""
    found = {}
    for path in glob.glob("/proc/[0-9]*/cgroup"):
        try:
            with open(path) as file:
                uid = re.search(r"kubepods.*/pod([0-9a-f_-]{36})/", file.read())
        except OSError:
            continue
        if uid:
            found[uid.group(1).replace("_", "-")] = path.split("/")[2]
    return found


def main():
    with open(sys.argv[1]) as file:
        pods = json.load(file)["items"]
    part = {pod["status"].get("podIP"): pod["metadata"]["labels"].get("app.kubernetes.io/name") for pod in pods}
    running = processes()
    seen = set()
    for pod in pods:
        pid = running.get(pod["metadata"]["uid"])
        if not pid or not os.path.exists(f"/proc/{pid}"):
            continue
        table = list(sockets(pid))
        ports = {local[1] for local, _, state in table if state == LISTENS}
        for local, remote, state in table:
            # Policies do not apply to a pod's connections to itself.
            others = remote[0] != local[0] and part.get(remote[0])
            if state == ESTABLISHED and local[1] in ports and others:
                seen.add((others, part[pod["status"]["podIP"]], local[1]))
    for line in sorted(seen):
        print(*line)


if __name__ == "__main__":
    main()
