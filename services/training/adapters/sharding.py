"""The frozen base shared out among a run's workers, by torch's FSDP2: each keeps its part of every weight, and the whole of a
layer only while it computes. The adapter is whole on every worker, and its gradients are averaged as in any run on several."""

from typing import Any

import torch
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel


def shared_out(model: Any) -> DistributedDataParallel:
    """The model, whose base is sharded in place, under the averaging of what learns. Called by all workers at once."""
    learning = {one for one in model.parameters() if one.requires_grad}
    frozen = [name for name, one in model.named_parameters() if not one.requires_grad]
    mesh = init_device_mesh(next(iter(learning)).device.type, (torch.distributed.get_world_size(),))
    for layer in _layers(model):
        fully_shard(layer, mesh=mesh, ignored_params=learning)
    fully_shard(model, mesh=mesh, ignored_params=learning, reshard_after_forward=True)
    # Else it would send every worker the base once more, to make them the same.
    DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(model, frozen)
    return DistributedDataParallel(model)


def _layers(model: Any) -> torch.nn.ModuleList:
    """The blocks: the longest list of modules that a model of this kind has."""
    return max((one for one in model.modules() if isinstance(one, torch.nn.ModuleList)), key=len)
