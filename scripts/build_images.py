#!/usr/bin/env python3
"""Builds the images of docker/ where there is neither a container engine nor a registry to pull from.

By Debian's buildah, on a base that debootstrap makes. With an engine, `docker compose build` does the same on the public base.
"""

import argparse
import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SERVICES = ("gateway", "extraction", "cleaning", "training", "serving")
NOT_NEEDED = ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale", "var/log", "tmp")
"""Directories of a new Debian whose contents no container reads."""
MOUNTED = "/mnt"
"""Where the build finds what pip's settings name: a directory that every Debian has, and that is empty again in the image."""


class CannotBuildError(Exception):
    """What is missing, and what to do; for people."""


def run(*command: str | Path, quiet: bool = True) -> str:
    """What a command printed. Raises CannotBuildError with its last words."""
    done = subprocess.run(
        [str(word) for word in command],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if quiet else None,
        text=True,
    )
    if done.returncode != 0:
        raise CannotBuildError(f"{done.stdout[-3000:]}\n{command[0]} {command[1]} failed; its last words stand above")
    return done.stdout


def missing(has_base: bool) -> str | None:
    """Why images cannot be built on this machine, with what to do; None where they can."""
    engine = "With an engine instead: docker compose build"
    if sys.platform != "linux":
        return f"Images are built on Linux. {engine}"
    if os.geteuid() != 0:
        return f"debootstrap and buildah's chroot want root: sudo make images. {engine}"
    wanted = ["buildah"] if has_base else ["buildah", "debootstrap"]
    if absent := [tool for tool in wanted if shutil.which(tool) is None]:
        return f"There is no {' and no '.join(absent)} here. On Debian or Ubuntu: apt-get install {' '.join(absent)}. {engine}"
    return None


def is_there(image: str) -> bool:
    return (
        shutil.which("buildah") is not None
        and subprocess.run(["buildah", "inspect", "--type", "image", image], check=False, capture_output=True).returncode == 0
    )


def make_base(name: str, suite: str, mirror: str, work: Path) -> None:
    """A base like python:3.11-slim: the smallest Debian with Python and venv, less package lists, manuals and translations."""
    print(f"Making {name} from {mirror} (two minutes) ...", flush=True)
    root = work / "root"
    run(
        "debootstrap",
        "--variant=minbase",
        "--include=ca-certificates,python3,python3-venv,python-is-python3",
        suite,
        root,
        mirror,
    )
    for directory in NOT_NEEDED:
        for entry in (root / directory).iterdir():
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    container = run("buildah", "from", "scratch").strip()
    run("buildah", "add", "--quiet", container, root, "/")
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    run("buildah", "config", "--env", f"PATH={path}", "--cmd", "python", container)
    run("buildah", "commit", "--quiet", "--rm", container, name)
    shutil.rmtree(root)


def pip_settings(told: str) -> tuple[str, list[Path]]:
    """pip.conf as this machine has it, with the files and directories that it names below MOUNTED; and those,
    in their order there: 0, 1, ..."""
    settings: dict[str, str] = {}
    for line in sorted(told.splitlines(), key=lambda one: one.startswith(":env:")):  # the environment's word comes last
        key, _, value = line.partition("=")
        section, _, name = key.rpartition(".")
        if section in ("global", "install", ":env:"):
            settings[name] = " ".join(ast.literal_eval(value).split())
    places: list[Path] = []

    def moved(match: re.Match[str]) -> str:
        place = Path(match[2])
        if not place.exists():
            return match[0]
        mounted = place.parent if place.name == "simple" else place  # an index of files links to what lies beside it
        if mounted not in places:
            places.append(mounted)
        inner = place.name if place.is_file() or mounted != place else ""
        return f"{match[1]}{MOUNTED}/{places.index(mounted)}/{inner}".rstrip("/")

    moved_settings = {name: re.sub(r"(?<!\S)(file://|)(/\S+)", moved, value) for name, value in settings.items()}
    return "[global]\n" + "".join(f"{name} = {value}\n" for name, value in moved_settings.items()), places


@contextmanager
def mounted_places(places: list[Path], directory: Path) -> Iterator[None]:
    """The places below one directory, read only: files as copies, directories as they are."""
    directory.mkdir()
    bound: list[Path] = []
    try:
        for number, place in enumerate(places):
            target = directory / str(number)
            target.mkdir()
            if place.is_dir():
                run("mount", "--bind", "--options", "ro", place, target)
                bound.append(target)
            else:
                shutil.copy(place, target)
        yield
    finally:
        for target in bound:
            run("umount", target)


def build(service: str, image: str, base: str, torch_index: str, work: Path) -> None:
    print(f"Building {image} ...", flush=True)
    run(
        "buildah", "bud", "--isolation", "chroot", "--pull-never", "--format", "docker", "--layers",
        "--build-arg", f"PYTHON_IMAGE={base}", "--build-arg", f"TORCH_INDEX_URL={torch_index}",
        "--secret", f"id=pip,src={work / 'pip.conf'}", "--volume", f"{work / 'pip'}:{MOUNTED}:ro",
        "--file", ROOT / "docker" / f"{service}.Dockerfile", "--tag", image, ROOT,
    )  # fmt: skip


def layers(image: str) -> list[int]:
    """Bytes of each layer as it lies on disk, the base's first."""
    graph = json.loads(run("buildah", "info"))["store"]
    store, driver = Path(graph["GraphRoot"]), graph["GraphDriverName"]
    known = {one["id"]: one for one in json.loads((store / f"{driver}-layers" / "layers.json").read_text())}
    images = json.loads((store / f"{driver}-images" / "images.json").read_text())
    top = next(one["layer"] for one in images if image in one.get("names", ()))
    sizes = []
    while top:
        sizes.append(int(known[top].get("diff-size", 0)))
        top = known[top].get("parent")
    return sizes[::-1]


def weight(image: str) -> str:
    sizes = layers(image)
    parts = " + ".join(f"{size / 1e6:.1f}" for size in sizes if size > 50_000)
    return f"{image}: {sum(sizes) / 1e6:.0f} MB = {parts} (base first)"


def make_images(wanted: argparse.Namespace) -> list[str]:
    """Their names. Raises CannotBuildError."""
    base = wanted.base or f"localhost/lectern-base:{wanted.suite}"
    has_base = is_there(base)
    if (reason := missing(has_base or wanted.base is not None)) is not None:
        raise CannotBuildError(reason)
    if wanted.base and not has_base:
        raise CannotBuildError(f"There is no local image {base}; buildah images shows what there is")
    images = {service: f"{wanted.prefix}/{service}:{wanted.tag}" for service in wanted.services}
    with tempfile.TemporaryDirectory(prefix="lectern-images-") as directory:
        work = Path(directory)
        if not has_base:
            make_base(base, wanted.suite, wanted.mirror, work)
        settings, places = pip_settings(run(sys.executable, "-m", "pip", "config", "list", quiet=False))
        (work / "pip.conf").write_text(settings)
        with mounted_places(places, work / "pip"):
            for service, image in images.items():
                build(service, image, base, wanted.torch_index, work)
    return list(images.values())


def main() -> int:
    parser = argparse.ArgumentParser(prog="make images", description=__doc__)
    parser.add_argument(
        "services",
        nargs="*",
        default=SERVICES,
        metavar="SERVICE",
        help=f"which of {', '.join(SERVICES)}; all where none is named",
    )
    parser.add_argument("--prefix", default="localhost/lectern", help="the images are PREFIX/SERVICE:TAG (%(default)s)")
    parser.add_argument("--tag", default="local", help="(%(default)s)")
    parser.add_argument("--base", help="a local image with Python 3.11 or 3.12 and venv, instead of one made by debootstrap")
    parser.add_argument("--suite", default="bookworm", help="Debian's release that the base is made of (%(default)s)")
    parser.add_argument("--mirror", default="http://deb.debian.org/debian", help="where debootstrap finds it (%(default)s)")
    parser.add_argument("--torch-index", default="", help="a pip index of torch's builds for training and serving")
    wanted = parser.parse_args()
    if unknown := set(wanted.services) - set(SERVICES):
        parser.error(f"there is no service {', '.join(sorted(unknown))}; there are {', '.join(SERVICES)}")
    try:
        images = make_images(wanted)
        print("\n".join(weight(image) for image in images))
        print(f"They are in the local storage (buildah images). Elsewhere: buildah push {images[0]} docker-archive:image.tar")
    except CannotBuildError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
