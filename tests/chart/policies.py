"""What no manifest of ours may do, each as a function from manifests to those that break it."""

import json
from collections.abc import Callable

from tests.chart.rendered import Manifest, containers, pods

Policy = Callable[[list[Manifest]], list[str]]
KEPT = {"Deployment", "StatefulSet"}
"""Kinds that keep pods running."""


def no_container_runs_as_root(manifests: list[Manifest]) -> list[str]:
    return [
        owner
        for owner, pod in pods(manifests)
        if not pod.get("securityContext", {}).get("runAsNonRoot") or pod["securityContext"].get("runAsUser", 0) == 0
    ]


def no_container_can_write_to_its_image(manifests: list[Manifest]) -> list[str]:
    return [name for name, one in containers(manifests) if not one.get("securityContext", {}).get("readOnlyRootFilesystem")]


def no_container_can_gain_privileges(manifests: list[Manifest]) -> list[str]:
    def bound(context: Manifest) -> bool:
        return context.get("allowPrivilegeEscalation") is False and context.get("capabilities") == {"drop": ["ALL"]}

    return [name for name, one in containers(manifests) if not bound(one.get("securityContext", {}))]


def every_pod_has_the_default_seccomp_profile(manifests: list[Manifest]) -> list[str]:
    wanted = {"type": "RuntimeDefault"}
    return [owner for owner, pod in pods(manifests) if pod.get("securityContext", {}).get("seccompProfile") != wanted]


def no_pod_holds_a_token_of_the_kubernetes_api_but_those_that_make_rayjobs_and_engines(manifests: list[Manifest]) -> list[str]:
    def holds(pod: Manifest) -> bool:
        sources = [source for volume in pod.get("volumes", []) for source in volume.get("projected", {}).get("sources", [])]
        return pod.get("automountServiceAccountToken") is not False or any("serviceAccountToken" in one for one in sources)

    makers = [{"name": "LECTERN_RAY_ADDRESS", "value": "kuberay"}, {"name": "LECTERN_ENGINES_ON", "value": "kubernetes"}]

    def makes(pod: Manifest) -> bool:
        return any(one in pod["containers"][0].get("env", []) for one in makers)

    return [owner for owner, pod in pods(manifests) if holds(pod) and not makes(pod)]


RIGHTS = {
    "training": [{"apiGroups": ["ray.io"], "resources": ["rayjobs"], "verbs": ["create", "get", "list", "watch", "delete"]}],
    "serving": [
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["create", "get", "list", "update", "delete"]},
        {"apiGroups": [""], "resources": ["services"], "verbs": ["create", "list"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
    ],
}


def no_role_allows_more_than_making_rayjobs_and_engines(manifests: list[Manifest]) -> list[str]:
    wide = [one["metadata"]["name"] for one in manifests if one["kind"] in {"ClusterRole", "ClusterRoleBinding"}]
    roles = [one for one in manifests if one["kind"] == "Role"]
    of = "app.kubernetes.io/component"
    return wide + [one["metadata"]["name"] for one in roles if one["rules"] != RIGHTS.get(one["metadata"]["labels"][of])]


def no_engine_holds_a_secret_but_the_key_that_it_demands(manifests: list[Manifest]) -> list[str]:
    found = []
    for owner, pod in pods(manifests):
        secret = {one["name"] for one in pod.get("volumes", []) if "secret" in one or "projected" in one}
        for engine in (one for one in pod["containers"] if one["name"] == "engine"):
            held = [one["name"] for one in engine.get("env", []) if "secretKeyRef" in one.get("valueFrom", {})]
            found += [f"{owner} {name}" for name in held if name != "LECTERN_ENGINE_API_KEY"]
            found += [f"{owner} {one['secretRef']['name']}" for one in engine.get("envFrom", []) if "secretRef" in one]
            found += [f"{owner} {one['name']}" for one in engine.get("volumeMounts", []) if one["name"] in secret]
    return found


def no_engine_writes_what_others_trust(manifests: list[Manifest]) -> list[str]:
    return [
        name
        for name, one in containers(manifests)
        if name.endswith("/engine")
        for mount in one["volumeMounts"]
        if mount["name"] == "cache" and not mount.get("readOnly")
    ]


def no_engine_answers_but_the_gateway_and_serving(manifests: list[Manifest]) -> list[str]:
    """Of its own release and namespace: a peer is the labels that the release's pods have, and nothing beside."""
    of = "app.kubernetes.io/component"
    engines = [one["spec"]["template"]["metadata"]["labels"] for one in manifests if one["kind"] == "Deployment"]
    policies = [one["spec"] for one in manifests if one["kind"] == "NetworkPolicy"]
    found = []
    for labels in (one for one in engines if one[of] == "engine"):
        release = {name: labels[name] for name in ("app.kubernetes.io/name", "app.kubernetes.io/instance")}
        allowed = {"engine": [{**release, of: "gateway"}, {**release, of: "serving"}], "adapters": [{**release, of: "serving"}]}
        rules = [spec.get("ingress", []) for spec in policies if spec["podSelector"]["matchLabels"].items() <= labels.items()]
        for opening in (opening for rule in rules for opening in rule):
            asking = opening.get("from") or [{}]
            ports = [port["port"] for port in opening["ports"]] or ["any"]
            let = {port: [{"podSelector": {"matchLabels": one}} for one in allowed.get(port, [])] for port in ports}
            found += [f"{port} {who}" for port in ports for who in asking if who not in let[port]]
        found += [] if rules else ["open"]
    return found


def no_ray_pod_takes_connections_but_from_its_like_and_the_operator(manifests: list[Manifest]) -> list[str]:
    templates = [json.loads(one["data"]["pods.json"]) for one in manifests if "pods.json" in one.get("data", {})]
    labels = [one["metadata"]["labels"] for found in templates for one in found.values()]
    policies = [one["spec"] for one in manifests if one["kind"] == "NetworkPolicy"]
    found = []
    for one in labels:
        rules = [spec.get("ingress", []) for spec in policies if spec["podSelector"]["matchLabels"].items() <= one.items()]
        openings = [opening for rule in rules for opening in rule]
        if not rules or any("from" not in opening for opening in openings):
            found.append("ray")
    return found


def no_pod_reaches_into_its_node(manifests: list[Manifest]) -> list[str]:
    return [
        owner
        for owner, pod in pods(manifests)
        if any(pod.get(field) for field in ("hostNetwork", "hostPID", "hostIPC"))
        or any("hostPath" in volume for volume in pod.get("volumes", []))
    ]


def every_container_says_what_it_needs_and_its_memory_is_bounded(manifests: list[Manifest]) -> list[str]:
    def stated(resources: Manifest) -> bool:
        return "memory" in resources.get("limits", {}) and {"cpu", "memory"} <= resources.get("requests", {}).keys()

    return [name for name, one in containers(manifests) if not stated(one.get("resources", {}))]


def every_container_that_listens_has_probes(manifests: list[Manifest]) -> list[str]:
    wanted = {"livenessProbe", "readinessProbe"}
    return [name for name, one in containers(manifests) if one.get("ports") and not wanted <= one.keys()]


def no_image_floats(manifests: list[Manifest]) -> list[str]:
    def pinned(image: str) -> bool:
        tag = image.rsplit("/", 1)[-1].partition(":")[2]
        return "@sha256:" in image or tag not in {"", "latest"}

    return [name for name, one in containers(manifests) if not pinned(one["image"])]


def no_secret_stands_in_an_environment(manifests: list[Manifest]) -> list[str]:
    secret = ("PASSWORD", "SECRET", "ACCESS_KEY", "API_KEY", "CATALOG_URL", "QUEUE_URL", "TOKEN")
    return [
        f"{name} {variable['name']}"
        for name, one in containers(manifests)
        for variable in one.get("env", [])
        if any(word in variable["name"] for word in secret) and "value" in variable
    ]


def every_mount_has_its_volume(manifests: list[Manifest]) -> list[str]:
    found = []
    for owner, pod in pods(manifests):
        volumes = {volume["name"] for volume in pod.get("volumes", [])}
        every = [*pod.get("initContainers", []), *pod["containers"]]
        mounted = {mount["name"] for one in every for mount in one.get("volumeMounts", [])}
        found += [f"{owner} {name}" for name in mounted ^ volumes]
    return found


def every_service_finds_its_pods(manifests: list[Manifest]) -> list[str]:
    labels = [one["spec"]["template"]["metadata"]["labels"] for one in manifests if one["kind"] in KEPT]
    services = [one for one in manifests if one["kind"] == "Service"]
    return [
        one["metadata"]["name"]
        for one in services
        if not any(one["spec"]["selector"].items() <= found.items() for found in labels)
    ]


def no_two_deployments_claim_the_same_pods(manifests: list[Manifest]) -> list[str]:
    selectors = [str(one["spec"]["selector"]["matchLabels"]) for one in manifests if one["kind"] in KEPT]
    return [selector for selector in set(selectors) if selectors.count(selector) > 1]


def every_deployment_of_several_pods_has_a_disruption_budget(manifests: list[Manifest]) -> list[str]:
    budgets = [one["spec"]["selector"]["matchLabels"] for one in manifests if one["kind"] == "PodDisruptionBudget"]
    return [
        one["metadata"]["name"]
        for one in manifests
        if one["kind"] == "Deployment" and most(one, manifests) > 1 and one["spec"]["selector"]["matchLabels"] not in budgets
    ]


def most(deployment: Manifest, manifests: list[Manifest]) -> int:
    """The most pods that a deployment may have: what scales it decides, where something does."""
    for one in manifests:
        target = one["spec"].get("scaleTargetRef", {}) if "spec" in one else {}
        if target.get("name") == deployment["metadata"]["name"]:
            return int(one["spec"].get("maxReplicaCount") or one["spec"]["maxReplicas"])
    return int(deployment["spec"]["replicas"])


def nothing_is_scaled_by_two(manifests: list[Manifest]) -> list[str]:
    """Each upgrade would set the count of replicas back to the chart's, under the hands of what scales."""
    scaled = [one["spec"]["scaleTargetRef"]["name"] for one in manifests if "scaleTargetRef" in one.get("spec", {})]
    counted = [one["metadata"]["name"] for one in manifests if one["kind"] == "Deployment" and "replicas" in one["spec"]]
    return [name for name in set(scaled) if name in counted or scaled.count(name) > 1]


def every_deployment_takes_connections_on_its_declared_ports_alone(manifests: list[Manifest]) -> list[str]:
    """Policies add up: a pod is closed once any of them selects it, and each rule opens what it names."""
    policies = [one["spec"] for one in manifests if one["kind"] == "NetworkPolicy" and "Ingress" in one["spec"]["policyTypes"]]
    found = []
    for one in (one for one in manifests if one["kind"] in KEPT):
        labels, pod = one["spec"]["template"]["metadata"]["labels"], one["spec"]["template"]["spec"]
        declared = {port["name"] for container in pod["containers"] for port in container.get("ports", [])}
        rules = [spec.get("ingress", []) for spec in policies if spec["podSelector"]["matchLabels"].items() <= labels.items()]
        opened = {port["port"] for rule in rules for opening in rule for port in opening.get("ports", [{"port": "any"}])}
        if not rules or opened != declared:
            found.append(one["metadata"]["name"])
    return found


def no_server_of_a_trial_takes_connections_but_from_its_release(manifests: list[Manifest]) -> list[str]:
    policies = [one["spec"] for one in manifests if one["kind"] == "NetworkPolicy"]
    found = []
    for one in (one for one in manifests if one["kind"] == "StatefulSet"):
        labels = one["spec"]["template"]["metadata"]["labels"]
        release = {name: labels[f"app.kubernetes.io/{name}"] for name in ("name", "instance")}
        wanted = [{"podSelector": {"matchLabels": {f"app.kubernetes.io/{name}": value for name, value in release.items()}}}]
        rules = [spec.get("ingress", []) for spec in policies if spec["podSelector"]["matchLabels"].items() <= labels.items()]
        openings = [opening.get("from") for rule in rules for opening in rule]
        if not rules or any(opening != wanted for opening in openings):
            found.append(one["metadata"]["name"])
    return found


def what_a_server_of_a_trial_keeps_outlives_its_pod(manifests: list[Manifest]) -> list[str]:
    """Data lies on a claim, and none of it is deleted with the release."""
    sets = [one for one in manifests if one["kind"] == "StatefulSet"]
    return [
        one["metadata"]["name"]
        for one in sets
        if not one["spec"]["volumeClaimTemplates"] or "persistentVolumeClaimRetentionPolicy" in one["spec"]
    ]


def no_gateway_behind_tls_gives_cookies_that_travel_in_the_clear(manifests: list[Manifest]) -> list[str]:
    if not any(one["kind"] == "HTTPRoute" or (one["kind"] == "Ingress" and one["spec"].get("tls")) for one in manifests):
        return []
    secure = {"name": "LECTERN_COOKIES_SECURE", "value": "true"}
    return [
        name
        for name, one in containers(manifests)
        if one.get("args") == ["services.gateway"] and secure not in one.get("env", [])
    ]


def every_way_in_leads_to_a_port_of_a_service(manifests: list[Manifest]) -> list[str]:
    services = [one for one in manifests if one["kind"] == "Service"]
    ports = {
        (one["metadata"]["name"], key)
        for one in services
        for port in one["spec"]["ports"]
        for key in (port["name"], port["port"])
    }
    ways = [
        (one["metadata"]["name"], backend["name"], backend["port"])
        for one in manifests
        if one["kind"] == "HTTPRoute"
        for rule in one["spec"]["rules"]
        for backend in rule["backendRefs"]
    ]
    ways += [
        (one["metadata"]["name"], path["backend"]["service"]["name"], next(iter(path["backend"]["service"]["port"].values())))
        for one in manifests
        if one["kind"] == "Ingress"
        for rule in one["spec"]["rules"]
        for path in rule["http"]["paths"]
    ]
    return [name for name, service, port in ways if (service, port) not in ports]


POLICIES: tuple[Policy, ...] = (
    no_container_runs_as_root,
    no_container_can_write_to_its_image,
    no_container_can_gain_privileges,
    every_pod_has_the_default_seccomp_profile,
    no_pod_holds_a_token_of_the_kubernetes_api_but_those_that_make_rayjobs_and_engines,
    no_role_allows_more_than_making_rayjobs_and_engines,
    no_engine_holds_a_secret_but_the_key_that_it_demands,
    no_engine_writes_what_others_trust,
    no_engine_answers_but_the_gateway_and_serving,
    no_ray_pod_takes_connections_but_from_its_like_and_the_operator,
    no_pod_reaches_into_its_node,
    every_container_says_what_it_needs_and_its_memory_is_bounded,
    every_container_that_listens_has_probes,
    no_image_floats,
    no_secret_stands_in_an_environment,
    every_mount_has_its_volume,
    every_service_finds_its_pods,
    no_two_deployments_claim_the_same_pods,
    every_deployment_of_several_pods_has_a_disruption_budget,
    nothing_is_scaled_by_two,
    every_deployment_takes_connections_on_its_declared_ports_alone,
    no_server_of_a_trial_takes_connections_but_from_its_release,
    what_a_server_of_a_trial_keeps_outlives_its_pod,
    no_gateway_behind_tls_gives_cookies_that_travel_in_the_clear,
    every_way_in_leads_to_a_port_of_a_service,
)
