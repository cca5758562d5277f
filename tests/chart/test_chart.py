"""The Helm chart: every release renders to valid manifests that hold to our policies, and a fault would be seen."""

import json
import re
import shutil
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import helm_python
import pytest
import yaml
from prometheus_client import generate_latest

from services.gateway.metrics import Metrics
from services.training.settings import TrainingSettings
from services.training.stages.rayjob import Limits, Pods, rayjob_manifest
from shared.queue import queues
from shared.settings import SharedSettings
from tests.chart.policies import POLICIES, Policy
from tests.chart.rendered import (
    BROUGHT,
    CHART,
    ENGINE_PODS,
    OWN_SECRET,
    RELEASES,
    ROOT,
    SETTINGS,
    TRIAL,
    Manifest,
    containers,
    engine,
    engine_pods,
    invalid,
    ours,
    pods,
    render,
    runnable,
)
from tests.rayjobs import faults_of


class NoCatalog:
    def count_jobs(self) -> dict[tuple[str, str], int]:
        return {("run", "done"): 1}


class NoQueue:
    def depth(self, queue: str) -> int:
        return len(queue)


@pytest.fixture(scope="module", params=RELEASES.values(), ids=RELEASES.keys())
def manifests(request: pytest.FixtureRequest) -> list[Manifest]:
    return render(request.param)


@pytest.mark.parametrize("values", RELEASES.values(), ids=RELEASES.keys())
def test_helm_finds_nothing_to_complain_of(values: Manifest) -> None:
    report = helm_python.lint(str(CHART), values, strict=True)
    assert [message for message in report["messages"] if message["severity"] > 1] == []
    assert report["errors"] == []


def test_every_manifest_is_one_that_kubernetes_accepts(manifests: list[Manifest]) -> None:
    assert manifests
    assert invalid(manifests) == []


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.__name__)
def test_policy_holds(policy: Policy, manifests: list[Manifest]) -> None:
    assert policy(manifests) == []


def test_every_variable_is_a_setting_of_the_service_that_gets_it(manifests: list[Manifest]) -> None:
    for name, container in containers(manifests):
        fields = SETTINGS.get(container["name"], SharedSettings).model_fields
        variables = [one["name"] for one in container.get("env", []) if one["name"].startswith("LECTERN_")]
        unknown = [one for one in variables if one.removeprefix("LECTERN_").lower() not in fields]
        assert not unknown, f"{name} is given {unknown}, which no setting reads"


def test_every_container_starts_a_module_that_there_is(manifests: list[Manifest]) -> None:
    for name, container in containers(manifests):
        if not ours(container):
            continue
        module = container.get("args", ["services.training.in_cluster"])[0]  # Ray's pods run what the RayJob names
        assert runnable(module), f"{name} starts {module}"


def test_a_release_turns_off_what_it_is_told_to() -> None:
    names = {one["metadata"]["name"] for one in render({**TRIAL, "workers": {"training": {"enabled": False}}})}
    assert "lectern-extraction" in names
    assert "lectern-training" not in names


def test_an_own_secret_is_named_and_none_is_made() -> None:
    manifests = render(OWN_SECRET)
    assert not [one for one in manifests if one["kind"] == "Secret"]
    names = {
        variable["valueFrom"]["secretKeyRef"]["name"]
        for _, container in containers(manifests)
        for variable in container.get("env", [])
        if "valueFrom" in variable
    }
    assert names == {"credentials"}


def test_the_migration_and_its_secret_come_before_the_rest() -> None:
    hooks = {
        one["metadata"]["name"]: one["metadata"].get("annotations", {})
        for one in render(TRIAL)
        if one["kind"] in {"Job", "Secret"}
    }
    assert hooks["lectern-migrate"]["helm.sh/hook"] == hooks["lectern"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert int(hooks["lectern"]["helm.sh/hook-weight"]) < 0
    assert hooks["lectern-publish-base"]["helm.sh/hook"] == "post-install,post-upgrade"


def test_a_first_install_from_a_backup_fills_the_store_before_the_migration_looks_at_it() -> None:
    jobs = {one["metadata"]["name"]: one for one in render(RELEASES["from a backup"]) if one["kind"] == "Job"}
    restore, migrate = (jobs[f"lectern-{name}"]["metadata"]["annotations"] for name in ("restore", "migrate"))
    assert restore["helm.sh/hook"] == "pre-install"
    assert int(restore["helm.sh/hook-weight"]) < int(migrate.get("helm.sh/hook-weight", 0))
    (container,) = jobs["lectern-restore"]["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["shared.backup", "restore", "s3://kept/lectern", "--resume"]


def test_backups_are_taken_one_at_a_time_and_go_on_where_one_was_cut_short() -> None:
    (backup,) = [one for one in render(RELEASES["backups"]) if one["kind"] == "CronJob"]
    assert backup["spec"]["concurrencyPolicy"] == "Forbid"
    (container,) = backup["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["shared.backup", "take", "s3://lectern-backups", "--keep", "7", "--resume"]


def test_two_gateways_with_serving_are_refused_since_each_would_serve_the_same_wishes() -> None:
    with pytest.raises(helm_python.HelmError, match=r"serving\.enabled=false"):
        render({**TRIAL, "gateway": {"replicas": 2}})


def test_a_release_without_credentials_is_refused_and_told_what_to_set() -> None:
    with pytest.raises(helm_python.HelmError, match=r"secret\.existingSecret"):
        render({})


def test_gateways_that_scale_are_refused_beside_serving() -> None:
    with pytest.raises(helm_python.HelmError, match=r"serving\.enabled=false"):
        render({**TRIAL, "gateway": {"autoscaling": {"enabled": True}}})


def test_what_scales_and_what_watches_ask_for_figures_that_the_gateway_tells() -> None:
    told = Metrics(NoCatalog(), NoQueue())
    told.observe("GET", "/", 200, 0.1)
    exposed = set(re.findall(r"^(lectern_\w+)", generate_latest(told.registry).decode(), re.MULTILINE))
    manifests = render({**RELEASES["autoscaled"], **RELEASES["watched"], "serving": {"enabled": False}})
    wanted = set(re.findall(r"\blectern_(?:jobs|queue|http)\w*", json.dumps(manifests)))
    assert {"lectern_queue_depth", "lectern_jobs", "lectern_http_requests_total"} <= wanted <= exposed
    scaled = {one["metadata"]["name"].removeprefix("lectern-") for one in manifests if one["kind"] == "ScaledObject"}
    assert scaled == {"extraction", "cleaning", "training"} <= set(queues())


def test_a_scaler_on_a_deployment_that_counts_itself_is_caught() -> None:
    manifests = deepcopy(render(RELEASES["autoscaled"]))
    deployments = (one for one in manifests if one["kind"] == "Deployment")
    next(one for one in deployments if one["metadata"]["name"] == "lectern-cleaning")["spec"]["replicas"] = 3
    assert next(policy for policy in POLICIES if policy.__name__ == "nothing_is_scaled_by_two")(manifests) == [
        "lectern-cleaning"
    ]


@pytest.mark.parametrize("kind", ["ScaledObject", "ServiceMonitor", "PrometheusRule", "HTTPRoute"])
def test_a_misspelt_field_of_an_operators_kind_is_caught(kind: str) -> None:
    releases = ("autoscaled", "watched", "behind a gateway of the cluster")
    manifests = deepcopy([one for release in releases for one in render(RELEASES[release])])
    next(one for one in manifests if one["kind"] == kind)["spec"]["maxReplicasCount"] = 3
    assert invalid(manifests)


@pytest.mark.parametrize(
    "wrong",
    [
        {"gatway": {"replicas": 2}},
        {"gateway": {"replicas": "two"}},
        {"gateway": {"replicas": 0}},
        {"workers": {"scanning": {"enabled": True}}},
        {"store": {"url": "/var/lib/objects"}},
        {"settings": {"logLevel": "LOUD"}},
        {"serving": {"engine": {"device": "abacus"}}},
        {"workers": {"training": {"resources": {"limits": {"memory": "much"}}}}},
        {"secret": {"existingSecret": "credentials", "queueUrl": "amqp://broker"}},
    ],
    ids=str,
)
def test_a_wrong_value_is_refused(wrong: Manifest) -> None:
    with pytest.raises(helm_python.HelmError):
        render({**OWN_SECRET, **wrong})


def test_every_value_is_explained_in_the_schema() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())

    def unexplained(value: object, node: Manifest, path: str) -> list[str]:
        node = schema["$defs"][node["$ref"].rsplit("/", 1)[-1]] if "$ref" in node else node
        found = [] if len(node.get("description", "")) > 10 else [path]
        if isinstance(value, dict) and "properties" in node:
            for name, inner in value.items():
                found += unexplained(inner, node["properties"][name], f"{path}.{name}")
        return found

    assert unexplained(yaml.safe_load((CHART / "values.yaml").read_text()), schema, "values") == []


def _pod(manifests: list[Manifest]) -> Manifest:
    return next(one for one in manifests if one["kind"] == "Deployment")["spec"]["template"]["spec"]


FAULTS = {
    "no_container_runs_as_root": lambda pod: pod["securityContext"].update(runAsUser=0),
    "no_container_can_write_to_its_image": lambda pod: pod["containers"][0]["securityContext"].pop("readOnlyRootFilesystem"),
    "no_container_can_gain_privileges": lambda pod: pod["containers"][0]["securityContext"].update(
        capabilities={"add": ["SYS_ADMIN"]}
    ),
    "every_pod_has_the_default_seccomp_profile": lambda pod: pod["securityContext"].pop("seccompProfile"),
    "no_pod_holds_a_token_of_the_kubernetes_api_but_those_that_make_rayjobs_and_engines": lambda pod: pod.pop(
        "automountServiceAccountToken"
    ),
    "no_pod_reaches_into_its_node": lambda pod: pod["volumes"].append({"name": "node", "hostPath": {"path": "/"}}),
    "every_container_says_what_it_needs_and_its_memory_is_bounded": lambda pod: pod["containers"][0]["resources"].pop("limits"),
    "every_container_that_listens_has_probes": lambda pod: pod["containers"][0].pop("readinessProbe"),
    "no_image_floats": lambda pod: pod["containers"][0].update(image="lectern/gateway:latest"),
    "no_secret_stands_in_an_environment": lambda pod: pod["containers"][0]["env"].append(
        {"name": "S3_SECRET_KEY", "value": "x"}
    ),
    "every_mount_has_its_volume": lambda pod: pod["volumes"].pop(),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_caught(name: str) -> None:
    manifests = deepcopy(render(TRIAL))
    policy = next(one for one in POLICIES if one.__name__ == name)
    assert policy(manifests) == []
    FAULTS[name](_pod(manifests))
    assert policy(manifests) != []


def test_a_service_that_finds_no_pod_is_caught() -> None:
    manifests = deepcopy(render(TRIAL))
    next(one for one in manifests if one["kind"] == "Service")["spec"]["selector"]["app.kubernetes.io/component"] = "gatway"
    assert next(policy for policy in POLICIES if policy.__name__ == "every_service_finds_its_pods")(manifests)


@pytest.mark.parametrize(
    ("kind", "policy"),
    [
        ("PodDisruptionBudget", "every_deployment_of_several_pods_has_a_disruption_budget"),
        ("NetworkPolicy", "every_deployment_takes_connections_on_its_declared_ports_alone"),
    ],
)
def test_a_release_that_lacks_what_guards_its_pods_is_caught(kind: str, policy: str) -> None:
    manifests = [one for one in render(RELEASES["production"]) if one["kind"] != kind]
    assert next(one for one in POLICIES if one.__name__ == policy)(manifests)


@pytest.mark.parametrize("release", ["production", "behind a gateway of the cluster"])
def test_a_way_in_that_leads_nowhere_is_caught(release: str) -> None:
    manifests = deepcopy(render(RELEASES[release]))
    policy = next(one for one in POLICIES if one.__name__ == "every_way_in_leads_to_a_port_of_a_service")
    assert policy(manifests) == []
    next(one for one in manifests if one["kind"] == "Service")["metadata"]["name"] = "lectern-gatway"
    assert policy(manifests) == ["lectern-gateway"]


def test_a_route_without_a_gateway_or_a_host_is_refused() -> None:
    for route in ({"enabled": True, "host": "lectern.example.org"}, {"enabled": True, "parent": {"name": "public"}}):
        with pytest.raises(helm_python.HelmError, match=r"gateway\.route"):
            render({**OWN_SECRET, "gateway": {"route": route}})


@pytest.mark.parametrize("release", ["production", "behind a gateway of the cluster"])
def test_a_cookie_that_travels_in_the_clear_behind_tls_is_caught(release: str) -> None:
    manifests = deepcopy(render(RELEASES[release]))
    gateway = dict(containers(manifests))["lectern-gateway/gateway"]
    gateway["env"].remove({"name": "LECTERN_COOKIES_SECURE", "value": "true"})
    policy = next(one for one in POLICIES if one.__name__ == "no_gateway_behind_tls_gives_cookies_that_travel_in_the_clear")
    assert policy(manifests) == ["lectern-gateway/gateway"]


def test_the_rayjob_that_a_release_makes_is_one_that_kuberay_accepts() -> None:
    for release in ("kuberay", "kuberay on gpus by a cloud role"):
        (templates,) = [one["data"]["pods.json"] for one in render(RELEASES[release]) if "pods.json" in one.get("data", {})]
        pods = Pods(**json.loads(templates))
        assert faults_of(rayjob_manifest("ab" * 32, "python -m x", 2, pods, Limits(60, 60, 1), "2.60.0")) == []


def test_the_worker_that_makes_rayjobs_has_the_right_to_and_the_templates() -> None:
    manifests = render(RELEASES["kuberay"])
    (binding,) = [one for one in manifests if one["kind"] == "RoleBinding"]
    (training,) = [one for one in manifests if one["metadata"]["name"] == "lectern-training" and one["kind"] == "Deployment"]
    pod = training["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == binding["subjects"][0]["name"] == "lectern-training"
    mounted = {one["mountPath"] for one in pod["containers"][0]["volumeMounts"]}
    settings = TrainingSettings()
    assert {str(settings.kubernetes_account_dir), str(settings.rayjob_pods.parent)} <= mounted


def test_without_kuberay_nothing_may_speak_to_the_kubernetes_api() -> None:
    kinds = {one["kind"] for one in render(TRIAL)}
    assert not kinds & {"Role", "RoleBinding", "ConfigMap"}


ANYWHERE = {"namespaceSelector": {}}


@pytest.mark.parametrize(
    ("policy", "kind", "name", "change"),
    [
        ("no_role_allows_more", "Role", "training", lambda one: one["rules"][0].update(resources=["rayjobs", "secrets"])),
        ("no_role_allows_more", "Role", "serving", lambda one: one["rules"][2].update(resources=["pods", "pods/exec"])),
        ("no_ray_pod_takes", "NetworkPolicy", "ray", lambda one: one["spec"].update(ingress=[{"ports": [{"port": 8265}]}])),
        ("no_engine_answers", "NetworkPolicy", "engine", lambda one: one["spec"]["ingress"][0].pop("from")),
        ("no_engine_answers", "NetworkPolicy", "engine", lambda one: one["spec"]["ingress"][0]["ports"].pop()),
        ("no_engine_answers", "NetworkPolicy", "engine", lambda one: one["spec"]["ingress"][0]["from"][0].update(ANYWHERE)),
        (
            "no_engine_answers",
            "NetworkPolicy",
            "engine",
            lambda one: one["spec"]["ingress"][0]["from"][0]["podSelector"]["matchLabels"].pop("app.kubernetes.io/instance"),
        ),
        (
            "no_engine_answers",
            "NetworkPolicy",
            "engine",
            lambda one: one["spec"]["ingress"][1].update(one["spec"]["ingress"][0] | {"ports": [{"port": "adapters"}]}),
        ),
    ],
)
def test_what_would_open_the_clusters_of_runs_or_the_engines_is_caught(
    policy: str, kind: str, name: str, change: Callable[[Manifest], None]
) -> None:
    manifests = deepcopy(render({**RELEASES["kuberay"], **ENGINE_PODS}))
    found = next(one for one in POLICIES if one.__name__.startswith(policy))
    assert found(manifests) == []
    change(next(one for one in manifests if one["kind"] == kind and one["metadata"]["name"] == f"lectern-{name}"))
    assert found(manifests) != []


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("env", {"name": "S3", "valueFrom": {"secretKeyRef": {"name": "lectern", "key": "s3-secret-key"}}}),
        ("envFrom", {"secretRef": {"name": "lectern"}}),
        ("volumeMounts", {"name": "credentials", "mountPath": "/etc/credentials"}),
    ],
)
def test_an_engine_that_is_given_the_stores_credentials_is_caught(field: str, given: Manifest) -> None:
    manifests = deepcopy(render({**TRIAL, **ENGINE_PODS}))
    policy = next(one for one in POLICIES if one.__name__ == "no_engine_holds_a_secret_but_the_key_that_it_demands")
    assert policy(manifests) == []
    (pod,) = [pod for _, pod in pods(manifests) if any(one["name"] == "engine" for one in pod["containers"])]
    pod["volumes"].append({"name": "credentials", "secret": {"secretName": "lectern"}})
    (engine_container,) = [one for one in pod["containers"] if one["name"] == "engine"]
    engine_container.setdefault(field, []).append(given)
    assert policy(manifests) != []


def test_an_engine_that_could_rewrite_weights_is_caught() -> None:
    manifests = deepcopy(render({**TRIAL, **ENGINE_PODS}))
    policy = next(one for one in POLICIES if one.__name__ == "no_engine_writes_what_others_trust")
    (engine_container,) = [one for _, one in containers(manifests) if one["name"] == "engine"]
    assert policy(manifests) == []
    (mount,) = [one for one in engine_container["volumeMounts"] if one["name"] == "cache"]
    del mount["readOnly"]
    assert policy(manifests) != []
    cache = next(one["value"] for one in engine_container["env"] if one["name"] == "LECTERN_CACHE_DIR")
    assert not cache.startswith(mount["mountPath"]), "what it compiles has to lie somewhere"


def test_rights_are_not_given_to_the_account_that_all_pods_of_a_namespace_have() -> None:
    with pytest.raises(helm_python.HelmError, match=r"serviceAccount\.name"):
        render({**TRIAL, **ENGINE_PODS, "serviceAccount": {"create": False}})
    bound = render({**TRIAL, **ENGINE_PODS, "serviceAccount": {"create": False, "name": "ours"}})
    (binding,) = [one for one in bound if one["kind"] == "RoleBinding"]
    assert [one["name"] for one in binding["subjects"]] == ["ours"]
    assert render({**TRIAL, "serviceAccount": {"create": False}})


def test_an_engine_without_adapters_has_nobody_in_its_pod_who_enters_the_store_while_it_answers() -> None:
    (pods,) = engine_pods(render({**TRIAL, **ENGINE_PODS}))
    deployment, service = engine(pods, lora_rank=0)
    assert [one["name"] for one in deployment["spec"]["template"]["spec"]["containers"]] == ["engine"]
    assert [one["name"] for one in service["spec"]["ports"]] == ["engine"]
    assert invalid([deployment, service]) == []


def test_engines_go_where_the_values_say_and_of_the_image_that_they_say() -> None:
    manifests = render(RELEASES["engines on gpu nodes, behind several gateways"])
    deployments = {one["metadata"]["name"]: one for one in manifests if one["kind"] == "Deployment"}
    (made,) = [one for name, one in deployments.items() if name.startswith("lectern-engine-")]
    pod = made["spec"]["template"]["spec"]
    engine_container = next(one for one in pod["containers"] if one["name"] == "engine")
    assert engine_container["image"].endswith("/serving-gpu:0.1.0")
    assert engine_container["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert (pod["runtimeClassName"], pod["nodeSelector"]) == ("nvidia", {"accelerator": "h100"})
    assert pod["imagePullSecrets"] == [{"name": "mirror"}]
    assert all(one["image"].startswith("mirror.example.org:5000/") for one in [*pod["initContainers"], *pod["containers"]])
    gateway = deployments["lectern-gateway"]
    assert gateway["spec"]["replicas"] == 3 and "nodeSelector" not in gateway["spec"]["template"]["spec"]
    assert [one["name"] for one in gateway["spec"]["template"]["spec"]["containers"]] == ["gateway"]


def test_engines_in_pods_of_their_own_want_a_key() -> None:
    with pytest.raises(helm_python.HelmError, match=r"engine-api-key"):
        render({**TRIAL, "serving": ENGINE_PODS["serving"]})
    secret = next(one for one in render({**BROUGHT, "serving": ENGINE_PODS["serving"]}) if one["kind"] == "Secret")
    again = next(one for one in render({**BROUGHT, "serving": ENGINE_PODS["serving"]}) if one["kind"] == "Secret")
    assert len(secret["stringData"]["engine-api-key"]) == 64
    assert secret["stringData"]["engine-api-key"] == again["stringData"]["engine-api-key"], "an upgrade keeps it"


def test_cleaning_reaches_this_releases_own_gateway_for_questions() -> None:
    manifests = render(TRIAL)
    cleaning = dict(containers(manifests))["lectern-cleaning/cleaning"]
    url = next(one["value"] for one in cleaning["env"] if one["name"] == "LECTERN_GATEWAY_URL")
    assert url == "http://lectern-gateway/v1"
    assert "lectern-gateway" in {one["metadata"]["name"] for one in manifests if one["kind"] == "Service"}


@pytest.mark.parametrize(
    ("right", "wrong"), [("readOnlyRootFilesystem", "readOnlyRootFileSystem"), ("kind: Deployment", "kind: Deploymint")]
)
def test_a_misspelt_template_is_caught_by_the_schemas_of_kubernetes(right: str, wrong: str, tmp_path: Path) -> None:
    chart = tmp_path / "lectern"
    shutil.copytree(CHART, chart)
    for template in (one for one in (chart / "templates").rglob("*") if one.is_file()):
        template.write_text(template.read_text().replace(right, wrong))
    assert invalid(render(TRIAL, chart))


def _guide() -> list[Manifest]:
    """The values that the installation guide shows."""
    text = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    return [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]


@pytest.mark.parametrize("values", _guide(), ids=" ".join)
def test_the_values_of_the_guide_make_a_release(values: Manifest) -> None:
    manifests = render({**OWN_SECRET, **values})
    assert invalid(manifests) == []
    assert [policy.__name__ for policy in POLICIES if policy(manifests)] == []
