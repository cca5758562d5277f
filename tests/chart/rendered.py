"""The chart as manifests: rendered by Helm's own SDK over the releases that people make."""

import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import helm_python
import jsonschema
import kubernetes_validate
import yaml

from services.cleaning.settings import CleaningSettings
from services.extraction.settings import ExtractionSettings
from services.gateway.settings import GatewaySettings
from services.serving.settings import ServingSettings
from services.serving.stages.engine_pods import Asked, EnginePods, Patience, engine_deployment, engine_service
from services.serving.stages.identity import EngineIdentity, Seat
from services.training.settings import TrainingSettings
from shared.backup.settings import BackupSettings

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "lectern"
KUBERNETES = "1.37"
Manifest = dict[str, Any]

SETTINGS = {
    "adapters": ServingSettings,
    "backup": BackupSettings,
    "cleaning": CleaningSettings,
    "engine": ServingSettings,
    "extraction": ExtractionSettings,
    "gateway": GatewaySettings,
    "publish-base": TrainingSettings,
    "ray": TrainingSettings,
    "restore": BackupSettings,
    "serving": ServingSettings,
    "training": TrainingSettings,
    "weights": ServingSettings,
}
"""What the services with settings of their own read; the others read those that all share."""

TRIAL = {
    "store": {"endpoint": "http://store:9000"},
    "secret": {
        "catalogUrl": "postgresql+psycopg://lectern:trial@postgres/lectern",
        "queueUrl": "redis://:trial@valkey:6379/0",
        "s3AccessKey": "lectern",
        "s3SecretKey": "trial",
    },
}
BROUGHT = {"trial": {"enabled": True, "password": "ofnoworthatall"}}
"""A trial with servers of the chart's own."""
OWN_SECRET = {"secret": {"existingSecret": "credentials"}}
GPU_NODE = {
    "resources": {"limits": {"nvidia.com/gpu": 1, "memory": "64Gi"}},
    "nodeSelector": {"accelerator": "h100"},
    "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
}

ENGINE_PODS = {"serving": {"enginesOn": "kubernetes"}, "secret": {**TRIAL["secret"], "engineApiKey": "long-and-random"}}
"""Engines as Deployments of their own, in a trial."""

KUBERAY = {"workers": {"training": {"settings": {"rayAddress": "kuberay", "rayjobRetries": 3}}}}

ELSEWHERE = {
    "store": {"store": TRIAL["store"], "secret": {name: TRIAL["secret"][name] for name in ("s3AccessKey", "s3SecretKey")}},
    "catalog": {"secret": {"catalogUrl": TRIAL["secret"]["catalogUrl"]}},
    "queue": {"secret": {"queueUrl": TRIAL["secret"]["queueUrl"]}},
}
"""What names each server where the chart does not bring it."""


def _brought(*names: str) -> Manifest:
    """A trial that brings these servers, and is told where the others are."""
    values: Manifest = {"trial": {"enabled": True}, "secret": {}}
    for name, told in ELSEWHERE.items():
        if name in names:
            continue
        values["trial"][name] = {"enabled": False}
        values["secret"] |= told["secret"]
        values |= {key: one for key, one in told.items() if key != "secret"}
    return values


RELEASES: dict[str, Manifest] = {
    "trial": TRIAL,
    "trial with its own servers": BROUGHT,
    "trial from a mirror": {
        "trial": {"enabled": True, "storageClass": "local-path", "catalog": {"size": "1Gi", **GPU_NODE}},
        "image": {"registry": "mirror.example.org:5000/apps", "pullSecrets": ["mirror"]},
        "networkPolicy": {"enabled": True},
    },
    **{f"trial that brings {name} alone": _brought(name) for name in ELSEWHERE},
    **{f"trial that brings all but {name}": _brought(*(one for one in ELSEWHERE if one != name)) for name in ELSEWHERE},
    "production": {
        **OWN_SECRET,
        "gateway": {
            "replicas": 3,
            "ingress": {"enabled": True, "className": "nginx", "host": "lectern.example.org", "tlsSecret": "tls"},
        },
        "serving": {"enabled": False},
        "workers": {"extraction": {"replicas": 20}, "cleaning": {"replicas": 4}},
        "cache": {"existingClaim": "models"},
        "settings": {"logLevel": "WARNING"},
    },
    "gpu": {**OWN_SECRET, "workers": {"training": GPU_NODE}, "serving": {**GPU_NODE, "engine": {"device": "gpu"}}},
    "air-gapped": {
        **OWN_SECRET,
        "image": {
            "registry": "mirror.example.org:5000/apps",
            "tag": "0.1.0-1",
            "pullPolicy": "Always",
            "pullSecrets": ["mirror"],
        },
    },
    "cloud role": {
        **OWN_SECRET,
        "store": {"url": "s3://bucket/lectern"},
        "serviceAccount": {"create": False, "name": "with-role"},
    },
    "plain http": {**TRIAL, "gateway": {"ingress": {"enabled": True, "host": "lectern.local"}}},
    "behind a gateway of the cluster": {
        **OWN_SECRET,
        "gateway": {
            "route": {
                "enabled": True,
                "host": "lectern.example.org",
                "parent": {"name": "public", "namespace": "gateways", "listener": "https"},
            }
        },
    },
    "single sign-on": {
        **OWN_SECRET,
        "gateway": {
            "settings": {
                "publicUrl": "https://lectern.example.org",
                "oidcIssuer": "https://id.example.org",
                "oidcClientId": "lectern",
                "oidcRoles": {"library-staff": "reviewer"},
                "oidcDefaultRole": "viewer",
            }
        },
    },
    "kuberay": {**TRIAL, **KUBERAY},
    "kuberay on gpus by a cloud role": {
        **OWN_SECRET,
        **KUBERAY,
        "kuberay": {"worker": GPU_NODE, "operatorNamespace": "ray-system"},
        "serviceAccount": {"create": False, "name": "with-role"},
    },
    "engines on kubernetes": {**TRIAL, **ENGINE_PODS},
    "engines on kubernetes in a trial with its own servers": {**BROUGHT, "serving": ENGINE_PODS["serving"]},
    "engines on gpu nodes, behind several gateways": {
        **OWN_SECRET,
        "image": {"registry": "mirror.example.org:5000/apps", "pullSecrets": ["mirror"]},
        "gateway": {"replicas": 3},
        "cache": {"existingClaim": "models"},
        "serving": {
            **GPU_NODE,
            "enginesOn": "kubernetes",
            "engine": {
                "device": "gpu",
                "image": "mirror.example.org:5000/apps/lectern/serving-gpu:0.1.0",
                "runtimeClassName": "nvidia",
            },
        },
    },
    "engines on kubernetes by a cloud role, gateways scaled": {
        **OWN_SECRET,
        "store": {"url": "s3://bucket/lectern"},
        "serviceAccount": {"create": False, "name": "with-role"},
        "serving": ENGINE_PODS["serving"],
        "gateway": {"autoscaling": {"enabled": True}},
    },
    "autoscaled": {
        **OWN_SECRET,
        "serving": {"enabled": False},
        "gateway": {"autoscaling": {"enabled": True}},
        "workers": {
            "extraction": {"autoscaling": {"enabled": True, "minReplicas": 0}},
            "cleaning": {"autoscaling": {"enabled": True}},
            "training": {"autoscaling": {"enabled": True}},
        },
    },
    "watched": {
        **OWN_SECRET,
        "monitoring": {"serviceMonitor": True, "alerts": True, "dashboard": True, "labels": {"release": "prometheus"}},
    },
    "more environment": {**TRIAL, "extraEnv": [{"name": "OTEL_SERVICE_NAME", "value": "lectern"}]},
    **{f"without {name}": {**TRIAL, "workers": {name: {"enabled": False}}} for name in ("extraction", "cleaning", "training")},
    "without serving": {**TRIAL, "serving": {"enabled": False}},
    "backups": {**OWN_SECRET, "backup": {"enabled": True, "endpoint": "https://elsewhere.example.org", "region": "eu-west-1"}},
    "from a backup": {**TRIAL, "backup": {"restoreFrom": "s3://kept/lectern"}},
    "without jobs": {**TRIAL, "jobs": {"migrate": {"enabled": False}, "publishBase": {"enabled": False}}},
}


def _closed(node: Any) -> Any:
    """As the API server with strict field validation: an object has the fields that its schema names, and no more."""
    if isinstance(node, list):
        return [_closed(one) for one in node]
    if not isinstance(node, dict):
        return node
    closed = {name: _closed(one) for name, one in node.items()}
    if isinstance(closed.get("properties"), dict):
        closed.setdefault("additionalProperties", False)
    return closed


def _custom(name: str) -> Manifest:
    return dict(_closed(json.loads((ROOT / "tests" / "schemas" / f"{name}.json").read_text())))


CUSTOM = {
    ("gateway.networking.k8s.io/v1", "HTTPRoute"): _custom("httproute"),
    ("keda.sh/v1alpha1", "ScaledObject"): _custom("scaledobject"),
    ("monitoring.coreos.com/v1", "PrometheusRule"): _custom("prometheusrule"),
    ("monitoring.coreos.com/v1", "ServiceMonitor"): _custom("servicemonitor"),
}


def render(values: Manifest, chart: Path = CHART, name: str = "lectern") -> list[Manifest]:
    """The manifests of a release, and with them what serving makes of its template: an engine's Deployment and Service. Raises
    HelmError where values are refused."""
    loaded = helm_python.Chart.load(str(chart))
    try:
        texts = loaded.render(values, name=name, namespace="lectern")
    finally:
        loaded.close()
    files = {path: text for path, text in texts.items() if path.endswith(".yaml")}
    documents = [document for text in files.values() for document in yaml.safe_load_all(text) if document]
    return [*documents, *(made for found in engine_pods(documents) for made in engine(found))]


def engine_pods(manifests: list[Manifest]) -> list[EnginePods]:
    """What the chart tells serving of engines, where each is a Deployment."""
    told = [json.loads(one["data"]["pod.json"]) for one in manifests if "pod.json" in one.get("data", {})]
    return [EnginePods(one["name"], one["owner"], one["template"]) for one in told]


def engine(pods: EnginePods, lora_rank: int = 16) -> list[Manifest]:
    """What serving makes of an engine, by the code that it makes it by."""
    asked = Asked(seat=Seat(engine=EngineIdentity(base="tiny")), context_tokens=2_048, lora_rank=lora_rank)
    return [engine_deployment(asked, pods, Patience(600, 10, 3), "an-id"), engine_service(asked, pods, "another-id")]


def invalid(manifests: list[Manifest]) -> list[str]:
    """What Kubernetes would refuse, or the operators whose kinds we make. An unknown kind counts."""
    found = []
    for manifest in manifests:
        if own := CUSTOM.get((manifest["apiVersion"], manifest["kind"])):
            errors = jsonschema.Draft202012Validator(own).iter_errors(manifest)
            found += [f"{manifest['kind']} {manifest['metadata']['name']}: {error.message}" for error in errors]
            continue
        try:
            kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
        except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
            found.append(f"{manifest['kind']} {manifest['metadata']['name']}: {error}")
    return found


def pods(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """The pods that the manifests would make, by the name of their owner."""
    for manifest in manifests:
        if manifest["kind"] in {"Deployment", "DaemonSet", "Job"}:
            yield manifest["metadata"]["name"], manifest["spec"]["template"]["spec"]
        if manifest["kind"] == "StatefulSet":
            pod = manifest["spec"]["template"]["spec"]
            claimed = [{"name": one["metadata"]["name"]} for one in manifest["spec"]["volumeClaimTemplates"]]
            yield manifest["metadata"]["name"], {**pod, "volumes": [*pod["volumes"], *claimed]}
        if manifest["kind"] == "Pod":
            yield manifest["metadata"]["name"], manifest["spec"]
        if manifest["kind"] == "CronJob":
            yield manifest["metadata"]["name"], manifest["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        if manifest["kind"] == "ConfigMap" and "pods.json" in manifest["data"]:
            for kind, template in json.loads(manifest["data"]["pods.json"]).items():
                yield f"{manifest['metadata']['name']}-{kind}", template["spec"]


def containers(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    for owner, pod in pods(manifests):
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            yield f"{owner}/{container['name']}", container


def ours(container: Manifest) -> bool:
    """Whether a container is of an image of ours, and no server of a trial."""
    return "lectern/" in container["image"]


def runnable(module: str) -> bool:
    """Whether `python -m MODULE` finds something to run; nothing is imported but packages on the way."""
    try:
        spec = find_spec(module)
        return spec is not None and (spec.submodule_search_locations is None or find_spec(f"{module}.__main__") is not None)
    except ModuleNotFoundError:
        return False
