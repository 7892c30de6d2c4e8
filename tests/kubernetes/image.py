#!/usr/bin/env python3
"""Writes an image (an OCI archive) from files of this machine, with no container engine.

    image.py OUT.tar NAME:TAG --add FROM:TO... --program NAME... --entrypoint /app [--arg X] [--user 65532] [--env K=V]

--add puts a file or a whole folder into the image; --program a program from PATH (or NAME:TO), with every shared library
that it and the programs in added folders need. One layer, not compressed: it is read once, on the same machine.
"""

import argparse
import hashlib
import io
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("name")
    parser.add_argument("--add", action="append", default=[], metavar="FROM:TO")
    parser.add_argument("--program", action="append", default=[], metavar="NAME[:TO]")
    parser.add_argument("--file", action="append", default=[], metavar="TO=TEXT")
    parser.add_argument("--entrypoint", action="append", default=[])
    parser.add_argument("--arg", action="append", default=[])
    parser.add_argument("--env", action="append", default=[])
    parser.add_argument("--user", default="")
    parser.add_argument("--stop-signal", default="SIGTERM")
    return parser.parse_args()


def is_elf(path):
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def libraries(path):
    """What the dynamic linker would load for it, the linker included."""
    linked = subprocess.run(["ldd", path], capture_output=True, text=True, check=False)
    for line in linked.stdout.splitlines():
        for word in line.split():
            if word.startswith("/") and os.path.exists(word):
                yield word


class Layer:
    """A tar in a file, each path once."""

    def __init__(self, path):
        self.tar = tarfile.open(path, "w")  # noqa: SIM115
        self.seen = set()

    def put(self, source, target):
        target = os.path.normpath(target).lstrip("/")
        if target in self.seen:
            return
        self.parents(target)
        self.seen.add(target)
        info = self.tar.gettarinfo(source, target)
        self.write(info, source)

    def write(self, info, source):
        info.uid = info.gid = info.mtime = 0
        info.uname = info.gname = ""
        if info.islnk():  # a second name of a file that is in already: as a file of its own
            info.type, info.linkname, info.size = tarfile.REGTYPE, "", os.path.getsize(source)
        if info.isreg():
            with open(source, "rb") as file:
                self.tar.addfile(info, file)
        else:
            self.tar.addfile(info)

    def parents(self, target):
        folder = os.path.dirname(target)
        if folder and folder not in self.seen:
            self.parents(folder)
            self.seen.add(folder)
            info = tarfile.TarInfo(folder)
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            self.tar.addfile(info)

    def text(self, target, text):
        target = target.lstrip("/")
        self.parents(target)
        self.seen.add(target)
        info = tarfile.TarInfo(target)
        data = text.encode()
        info.size, info.mode = len(data), 0o755 if text.startswith("#!") else 0o644
        self.tar.addfile(info, io.BytesIO(data))

    def tree(self, source, target):
        """A file, followed if it is a link; or a folder with what is in it. Returns the programs and libraries in it."""
        source = os.path.realpath(source)
        if not os.path.isdir(source):
            self.put(source, target)
            return [source] if is_elf(source) else []
        found = []
        for folder, folders, files in os.walk(source):
            for name in folders + files:
                path = os.path.join(folder, name)
                self.put(path, os.path.join(target, os.path.relpath(path, source)))
                if name in files and not os.path.islink(path) and is_elf(path):
                    found.append(path)
        return found


def fill(layer, options):
    binaries = []
    for pair in options.add:
        source, target = pair.rsplit(":", 1)
        binaries += layer.tree(source, target)
    for pair in options.program:
        name, _, target = pair.partition(":")
        path = shutil.which(name) or sys.exit(f"image.py: there is no program {name}")
        binaries += layer.tree(path, target or f"/usr/bin/{os.path.basename(name)}")
    for pair in options.file:
        target, text = pair.split("=", 1)
        layer.text(target, text)
    for library in sorted({library for binary in binaries for library in libraries(binary)}):
        layer.put(os.path.realpath(library), library)


def configuration(options, digest):
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    return {
        "architecture": machine,
        "os": "linux",
        "config": {
            "Entrypoint": options.entrypoint,
            "Cmd": options.arg,
            "User": options.user,
            "WorkingDir": "/",
            "StopSignal": options.stop_signal,
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"] + options.env,
        },
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest]},
        "history": [{"created_by": "image.py"}],
    }


def full_name(name):
    """As a pod's image is looked up: postgres:17 is docker.io/library/postgres:17."""
    first, _, rest = name.partition("/")
    if rest and ("." in first or ":" in first):
        return name
    return "docker.io/" + (name if rest else "library/" + name)


def archive(options, layer):
    with open(layer, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    kind = "application/vnd.oci.image."
    blobs = {}

    def blob(value, media):
        data = json.dumps(value, sort_keys=True).encode()
        blobs[hashlib.sha256(data).hexdigest()] = data
        return {"mediaType": kind + media, "digest": "sha256:" + hashlib.sha256(data).hexdigest(), "size": len(data)}

    layers = [{"mediaType": kind + "layer.v1.tar", "digest": "sha256:" + digest, "size": os.path.getsize(layer)}]
    config = blob(configuration(options, digest), "config.v1+json")
    manifest = blob({"schemaVersion": 2, "mediaType": kind + "manifest.v1+json", "config": config, "layers": layers},
                    "manifest.v1+json")
    manifest["annotations"] = {
        "io.containerd.image.name": full_name(options.name),
        "org.opencontainers.image.ref.name": options.name.rsplit(":", 1)[-1],
    }
    with tarfile.open(options.out, "w") as out:
        def put(path, data):
            info = tarfile.TarInfo(path)
            info.size = len(data)
            out.addfile(info, io.BytesIO(data))
        put("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        put("index.json", json.dumps({"schemaVersion": 2, "manifests": [manifest]}).encode())
        for name, data in blobs.items():
            put("blobs/sha256/" + name, data)
        out.add(layer, "blobs/sha256/" + digest)


def main():
    options = arguments()
    path = options.out + ".layer"
    layer = Layer(path)
    fill(layer, options)
    layer.tar.close()
    archive(options, path)
    os.remove(path)


if __name__ == "__main__":
    main()
