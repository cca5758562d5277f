"""The template of engines' pods, which the chart writes and serving reads when it starts."""

import json
from pathlib import Path
from typing import Any

from services.serving.stages.engine_pods import EnginePods
from shared.errors import InvalidInput


def read_pods(path: Path) -> EnginePods:
    """What the chart wrote. Raises InvalidInput where there is none."""
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
        template = found["template"]
        names = {one["name"] for one in [*template["spec"]["initContainers"], *template["spec"]["containers"]]}
        if not {"weights", "engine", "adapters"} <= names:
            raise ValueError("a container lacks")
        return EnginePods(str(found["name"]), found.get("owner"), template)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidInput(
            f"{path} holds no template of an engine's pod (JSON with name and template, and in it the containers weights, "
            "engine and adapters): the chart writes it where serving.enginesOn is kubernetes; elsewhere, write the file and "
            "name it in LECTERN_ENGINE_POD, or set LECTERN_ENGINES_ON=machine"
        ) from error


def port_of(pods: EnginePods, name: str) -> int:
    """The port of that name of the pod's containers."""
    ports = [port for one in pods.template["spec"]["containers"] for port in one["ports"]]
    return int(next(one["containerPort"] for one in ports if one["name"] == name))
