#!/usr/bin/env python3
# image_archive.py - a `docker load` archive of images that hold one static program.
#
# SPDX-License-Identifier: Apache-2.0
# image_archive.py PROGRAM ARCHIVE NAME:TAG=ROLE,MODE,RELEASE...
# One layer for all; made by hand so that the same program always gives the same image
# ids, without an engine's help.
import hashlib
import io
import json
import platform
import sys
import tarfile

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def add(archive, name, data, mode=0o644):
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    entry.mode = mode
    archive.addfile(entry, io.BytesIO(data))


def layer_of(program):
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        for directory in ("bin", "etc", "proc", "run", "sys", "tmp", "var"):
            entry = tarfile.TarInfo(directory)
            entry.type = tarfile.DIRTYPE
            entry.mode = 0o1777 if directory == "tmp" else 0o755
            archive.addfile(entry)
        with open(program, "rb") as file:
            add(archive, "bin/calico-standin", file.read(), 0o755)
    return layer.getvalue()


def config_of(role, mode, release, layer_id):
    return json.dumps({
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "created": "2018-01-01T00:00:00Z",
        "config": {
            "Entrypoint": ["/bin/calico-standin", role],
            "Env": ["PATH=/bin", f"STANDIN_MODE={mode}", f"STANDIN_RELEASE={release}"],
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_id}"]},
        "history": [{"created": "2018-01-01T00:00:00Z", "created_by": "stand-in"}],
    }).encode()


def main(program, output, *images):
    layer = layer_of(program)
    layer_id = hashlib.sha256(layer).hexdigest()
    configs, tags = {}, {}
    for image in images:
        name, settings = image.split("=")
        config = config_of(*settings.split(","), layer_id)
        config_id = hashlib.sha256(config).hexdigest()
        configs[config_id] = config
        tags.setdefault(config_id, []).append(name)
    with tarfile.open(output, mode="w") as archive:
        add(archive, f"{layer_id}/layer.tar", layer)
        for config_id, config in configs.items():
            add(archive, f"{config_id}.json", config)
        add(archive, "manifest.json", json.dumps([
            {"Config": f"{config_id}.json", "RepoTags": names,
             "Layers": [f"{layer_id}/layer.tar"]}
            for config_id, names in tags.items()]).encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
