"""Where a run trains: on a Ray of this machine's own, on a cluster's, or as a RayJob that KubeRay makes a cluster for."""

from services.training.adapters import machine
from services.training.adapters.handover import ClusterJob, Rows
from services.training.adapters.jobs import Diverged, Job, PointFile, Sink
from services.training.adapters.ray_train import refused_as_diverged, run_on_ray
from services.training.adapters.rayjobs import OUTSIDE, RayJobs
from services.training.settings import KUBERAY, TrainingSettings
from services.training.spec import LIVE_CURVE, TrainingSpec
from services.training.stages.precision import choose_precision
from shared.contracts.work import Rejected
from shared.kubernetes import KubernetesApi
from shared.objects import open_store


def train(spec: TrainingSpec, settings: TrainingSettings, packing: str, rows: Rows) -> Rejected | None:
    """Train until the last checkpoint stands in the object store, or say what the machine cannot do. Raises what is broken."""
    place = _train_on_kuberay if settings.ray_address == KUBERAY else _train_on_ray
    return place(spec, settings, packing, rows)


def _train_on_ray(spec: TrainingSpec, settings: TrainingSettings, packing: str, rows: Rows) -> Rejected | None:
    """On this machine, or on a cluster whose machines are like this one."""
    capabilities = machine.capabilities()
    precision = choose_precision(spec.recipe, capabilities)
    if isinstance(precision, Rejected):
        return precision
    job = Job(
        run=spec.run, base_name=spec.base_name, recipe=spec.recipe, precision=precision, settings=settings,
        threads=max(1, settings.threads // spec.recipe.workers), work=spec.work, packing=packing, heldout=rows.heldout,
        continuing=rows.continuing, judge=rows.judge,
    )  # fmt: skip
    use_gpu = capabilities.device == "cuda" if settings.use_gpu is None else settings.use_gpu
    points = Sink(PointFile, (str(spec.work / LIVE_CURVE),))
    try:
        run_on_ray(job, rows.table, points, use_gpu, rows.begins_from)
    except Diverged as error:
        return refused_as_diverged(error)
    return None


def _train_on_kuberay(spec: TrainingSpec, settings: TrainingSettings, packing: str, rows: Rows) -> Rejected | None:
    """What it computes in is decided in the cluster, where the machines are known."""
    job = ClusterJob(run=spec.run, base_name=spec.base_name, recipe=spec.recipe, packing=packing)
    patience = settings.kubernetes_patience_seconds
    api = KubernetesApi(settings.kubernetes_url, settings.kubernetes_account_dir, patience, OUTSIDE)
    return RayJobs(api, open_store(settings), settings).train(job, rows, spec.work / LIVE_CURVE)
