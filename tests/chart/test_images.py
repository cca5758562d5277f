"""`make images`: what of this machine reaches a build, and what is said where none can be made."""

import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from tests.chart.rendered import ROOT

SCRIPT = ROOT / "scripts" / "build_images.py"
_spec = spec_from_file_location("build_images", SCRIPT)
assert _spec is not None
assert _spec.loader is not None
images = module_from_spec(_spec)
_spec.loader.exec_module(images)


def test_pips_settings_name_what_is_mounted_and_the_environment_has_the_last_word(tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    (tmp_path / "index" / "simple").mkdir(parents=True)
    (tmp_path / "authority.crt").write_text("a certificate")
    told = (
        f":env:.find-links='{tmp_path}/wheels'\n"
        ":env:.default-timeout='180'\n"
        f"global.cert='{tmp_path}/authority.crt'\n"
        "global.default-timeout='15'\n"
        f"global.extra-index-url='\\nfile://{tmp_path}/index/simple\\nhttps://user:word@index.example.org/simple'\n"
        "freeze.timeout='10'\n"
    )
    settings, places = images.pip_settings(told)
    assert dict(line.split(" = ") for line in settings.splitlines()[1:]) == {
        "cert": "/mnt/0/authority.crt",
        "default-timeout": "180",
        "extra-index-url": "file:///mnt/1/simple https://user:word@index.example.org/simple",
        "find-links": "/mnt/2",
    }
    assert places == [tmp_path / "authority.crt", tmp_path / "index", tmp_path / "wheels"]


def test_a_place_that_is_not_there_is_left_as_it_is() -> None:
    assert images.pip_settings("global.cert='/no/such/file'\n") == ("[global]\ncert = /no/such/file\n", [])


@pytest.mark.parametrize(
    ("platform", "user", "tools", "word"),
    [
        ("darwin", 0, set(), "docker compose build"),
        ("linux", 1000, {"buildah", "debootstrap"}, "sudo make images"),
        ("linux", 0, set(), "apt-get install buildah debootstrap"),
        ("linux", 0, {"buildah"}, "apt-get install debootstrap"),
    ],
)
def test_a_machine_that_cannot_build_is_told_what_it_lacks(
    platform: str, user: int, tools: set[str], word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images.sys, "platform", platform)
    monkeypatch.setattr(images.os, "geteuid", lambda: user)
    monkeypatch.setattr(images.shutil, "which", lambda tool: tool if tool in tools else None)
    assert word in images.missing(has_base=False)


def test_a_machine_with_buildah_and_a_base_needs_no_debootstrap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images.os, "geteuid", lambda: 0)
    monkeypatch.setattr(images.shutil, "which", lambda tool: tool if tool == "buildah" else None)
    assert images.missing(has_base=True) is None


def test_an_unknown_service_is_refused_and_those_that_there_are_named() -> None:
    done = subprocess.run([sys.executable, SCRIPT, "scanning"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "gateway, extraction, cleaning, training, serving" in done.stderr


def test_every_dockerfile_that_runs_pip_takes_its_settings_from_the_secret_and_keeps_none() -> None:
    for path in (ROOT / "docker").glob("*.Dockerfile"):
        runs = [one for one in path.read_text().replace("\\\n", " ").splitlines() if one.startswith("RUN ") and "pip" in one]
        runs += [one for one in path.read_text().replace("\\\n", " ").splitlines() if "install_vllm.sh" in one and "RUN" in one]
        assert runs, path
        assert all("--mount=type=secret,id=pip,target=/etc/pip.conf" in one for one in runs), path


LEFT_OUT = {
    "extraction": ["services.extraction.adapters.nougat", "shared.kubernetes"],
    "cleaning": [
        "shared.kubernetes",
        *(f"services.cleaning.adapters.{name}" for name in ("encoder", "encoder_tagger", "encoder_training", "tagger_torch")),
        "services.cleaning.adapters.ray_sketches",
    ],
    "training": ["services.training.kernels.flash", "services.training.kernels.launch"],
}
"""Modules that want an extra of their own (nougat, encoder, Ray), or Triton, which torch brings for CUDA alone; and the
client of Kubernetes, by httpx, which those who ask it have."""


@pytest.mark.parametrize("service", images.SERVICES)
def test_every_module_of_a_service_is_found_in_an_image_with_its_own_extra_alone(service: str) -> None:
    """A gateway without `packaging`, which kombu wants for Redis, was built, started, and could queue nothing."""
    command = [sys.executable, "-m", "tests.chart.own_extra", service, *LEFT_OUT.get(service, ())]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
