"""`python -m tests.unit.training.kernel_builds`: the kernels compiled for GPUs, which needs none; bytes of shared memory."""

import json

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from services.training.kernels import flash

SIZES = {"BLOCK_M": 64, "BLOCK_N": 64}
SHAPE = {"GROUP": 4, "D": 80, "BLOCK_D": 128, "CAUSAL": True, "WINDOW": 64}


def built(kernel: triton.JITFunction, capability: int, constants: dict[str, int | bool]) -> int:
    """Bytes of shared memory that the compiled kernel takes."""
    floats, ints = {"LSE": "*fp32", "DELTA": "*fp32", "scale": "fp32"}, {"ENDS": "*i32", "tokens": "i32", "LENGTH": "i32"}
    signature = {}
    for name in kernel.arg_names:
        kind = floats.get(name) or ints.get(name) or ("*bf16" if name.isupper() else "i32")
        signature[name] = "constexpr" if name in constants else kind
    source = ASTSource(
        fn=kernel, signature=signature, constexprs={(kernel.arg_names.index(k),): v for k, v in constants.items()}
    )
    return int(triton.compile(source, target=GPUTarget("cuda", capability, 32)).metadata.shared)


if __name__ == "__main__":
    told = {}
    for capability in (80, 90):
        for kernel in (flash.forward, flash.backward_keys, flash.backward_queries):
            told[f"{kernel.__name__} sm_{capability}"] = built(kernel, capability, {**SHAPE, **SIZES})
        inner = {"D": 80, "BLOCK_D": 128, "BLOCK_M": 128}
        told[f"inner_products sm_{capability}"] = built(flash.inner_products, capability, inner)
    print(json.dumps(told))
