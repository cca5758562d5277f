"""FlashAttention-2 (Dao 2023) in Triton, forward and backward, over packed rows.

Queries, keys and values lie as [tokens, heads, head]; `ends` says where each example begins. A program holds one tile of
queries (or of keys, on the way back) in fast memory and passes over the other side tile by tile with an online softmax
(Milakov & Gimelshein 2018), so nothing of size tokens x tokens ever exists. Only the logarithm of each row's sum is kept.
"""

import triton
import triton.language as tl

LOG2E = tl.constexpr(1.4426950408889634)
MASKED = tl.constexpr(-1.0e30)
"""Stands for minus infinity: a tile without any visible key must not make NaN of exp(-inf + inf)."""

WIDEN = tl.constexpr(triton.knobs.runtime.interpret)
"""Triton's interpreter multiplies the bits of bf16 as integers. Products of bf16 in fp32 are exact, as on tensor cores."""


@triton.jit
def product(left, right):
    """A matrix product, accumulated in fp32."""
    if WIDEN:
        left, right = left.to(tl.float32), right.to(tl.float32)
    return tl.dot(left, right, input_precision="ieee")


@triton.jit
def visible(rows, columns, length, CAUSAL: tl.constexpr, WINDOW: tl.constexpr):
    """Which keys (columns) a query (row) of an example sees: [rows, columns]."""
    seen = (rows[:, None] < length) & (columns[None, :] < length)
    if CAUSAL:
        seen = seen & (rows[:, None] >= columns[None, :])
    if WINDOW > 0:
        seen = seen & (rows[:, None] - columns[None, :] < WINDOW)
    return seen


@triton.jit
def reach(first, length, CAUSAL: tl.constexpr, WINDOW: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr):
    """Where the keys begin and end that a tile of queries from `first` on may see."""
    low = 0
    if WINDOW > 0:
        low = (tl.maximum(first - WINDOW + 1, 0) // BLOCK_N) * BLOCK_N
    high = length
    if CAUSAL:
        high = tl.minimum(first + BLOCK_M, length)
    return low, high


@triton.jit
def weights_again(q, k, lse, seen, scale):
    """The weights of a tile, [rows, columns], from the sums that the forward pass kept."""
    scores = product(q, tl.trans(k)) * (scale * LOG2E)
    return tl.where(seen, tl.exp2(tl.where(seen, scores, MASKED) - lse[:, None]), 0.0)


@triton.jit
def tile(pointer, begin, rows, head, stride_token, stride_head, length, D: tl.constexpr, BLOCK_D: tl.constexpr):
    """Rows of one example and head as [rows, BLOCK_D], zero outside of it."""
    columns = tl.arange(0, BLOCK_D)
    place = (begin + rows)[:, None].to(tl.int64) * stride_token + head * stride_head + columns[None, :]
    return tl.load(pointer + place, mask=(rows < length)[:, None] & (columns < D)[None, :], other=0.0)


@triton.jit
def put(pointer, value, begin, rows, head, stride_token, stride_head, length, D: tl.constexpr, BLOCK_D: tl.constexpr):
    columns = tl.arange(0, BLOCK_D)
    place = (begin + rows)[:, None].to(tl.int64) * stride_token + head * stride_head + columns[None, :]
    tl.store(pointer + place, value.to(pointer.dtype.element_ty), mask=(rows < length)[:, None] & (columns < D)[None, :])


@triton.jit
def forward(
    Q, K, V, OUT, LSE, ENDS, scale, tokens,
    q_token, q_head, k_token, k_head, v_token, v_head, o_token, o_head,
    GROUP: tl.constexpr, D: tl.constexpr, BLOCK_D: tl.constexpr, CAUSAL: tl.constexpr, WINDOW: tl.constexpr,
    LENGTH: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    """One tile of queries of one head of one example: its output, and LSE [heads, tokens] in base 2."""
    example, head = tl.program_id(1), tl.program_id(2)
    begin = tl.load(ENDS + example)
    length = tl.load(ENDS + example + 1) - begin
    first = tl.program_id(0) * BLOCK_M
    if first < length:
        rows = first + tl.arange(0, BLOCK_M)
        q = tile(Q, begin, rows, head, q_token, q_head, length, D, BLOCK_D)
        best = tl.full([BLOCK_M], MASKED, tl.float32)
        total = tl.zeros([BLOCK_M], tl.float32)
        sums = tl.zeros([BLOCK_M, BLOCK_D], tl.float32)
        low, high = reach(first, length, CAUSAL, WINDOW, BLOCK_M, BLOCK_N)
        for start in range(low, high, BLOCK_N):
            columns = start + tl.arange(0, BLOCK_N)
            k = tile(K, begin, columns, head // GROUP, k_token, k_head, length, D, BLOCK_D)
            scores = product(q, tl.trans(k)) * (scale * LOG2E)
            seen = visible(rows, columns, length, CAUSAL, WINDOW)
            scores = tl.where(seen, scores, MASKED)
            better = tl.maximum(best, tl.max(scores, 1))
            weights = tl.where(seen, tl.exp2(scores - better[:, None]), 0.0)
            shrink = tl.exp2(best - better)
            total = total * shrink + tl.sum(weights, 1)
            v = tile(V, begin, columns, head // GROUP, v_token, v_head, length, D, BLOCK_D)
            sums = sums * shrink[:, None] + product(weights.to(v.dtype), v)
            best = better
        total = tl.where(total > 0.0, total, 1.0)
        put(OUT, sums / total[:, None], begin, rows, head, o_token, o_head, length, D, BLOCK_D)
        tl.store(LSE + head * tokens + begin + rows, best + tl.log2(total), mask=rows < length)


@triton.jit
def inner_products(
    OUT, DO, DELTA, tokens, o_token, o_head, d_token, d_head,
    D: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_M: tl.constexpr,
):  # fmt: skip
    """DELTA [heads, tokens]: the inner product of each output and its gradient (Dao 2023, algorithm 2, line 4)."""
    head = tl.program_id(1)
    rows = tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)
    o = tile(OUT, 0, rows, head, o_token, o_head, tokens, D, BLOCK_D).to(tl.float32)
    do = tile(DO, 0, rows, head, d_token, d_head, tokens, D, BLOCK_D).to(tl.float32)
    tl.store(DELTA + head * tokens + rows, tl.sum(o * do, 1), mask=rows < tokens)


@triton.jit
def backward_keys(
    Q, K, V, DO, DK, DV, LSE, DELTA, ENDS, scale, tokens,
    q_token, q_head, k_token, k_head, v_token, v_head, d_token, d_head, dk_token, dk_head,
    GROUP: tl.constexpr, D: tl.constexpr, BLOCK_D: tl.constexpr, CAUSAL: tl.constexpr, WINDOW: tl.constexpr,
    LENGTH: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    """One tile of keys of one key head: its gradients, summed over the query heads that share it, so without atomics."""
    example, head = tl.program_id(1), tl.program_id(2)
    begin = tl.load(ENDS + example)
    length = tl.load(ENDS + example + 1) - begin
    first = tl.program_id(0) * BLOCK_N
    if first < length:
        columns = first + tl.arange(0, BLOCK_N)
        k = tile(K, begin, columns, head, k_token, k_head, length, D, BLOCK_D)
        v = tile(V, begin, columns, head, v_token, v_head, length, D, BLOCK_D)
        dk = tl.zeros([BLOCK_N, BLOCK_D], tl.float32)
        dv = tl.zeros([BLOCK_N, BLOCK_D], tl.float32)
        low = 0
        if CAUSAL:
            low = (first // BLOCK_M) * BLOCK_M
        high = length
        if WINDOW > 0:
            high = tl.minimum(length, first + BLOCK_N + WINDOW)
        for member in range(0, GROUP):
            query = head * GROUP + member
            for start in range(low, high, BLOCK_M):
                rows = start + tl.arange(0, BLOCK_M)
                q = tile(Q, begin, rows, query, q_token, q_head, length, D, BLOCK_D)
                do = tile(DO, begin, rows, query, d_token, d_head, length, D, BLOCK_D)
                lse = tl.load(LSE + query * tokens + begin + rows, mask=rows < length, other=0.0)
                delta = tl.load(DELTA + query * tokens + begin + rows, mask=rows < length, other=0.0)
                weights = weights_again(q, k, lse, visible(rows, columns, length, CAUSAL, WINDOW), scale)
                dv += product(tl.trans(weights.to(do.dtype)), do)
                dp = product(do, tl.trans(v))
                ds = weights * (dp - delta[:, None]) * scale
                dk += product(tl.trans(ds.to(q.dtype)), q)
        put(DK, dk, begin, columns, head, dk_token, dk_head, length, D, BLOCK_D)
        put(DV, dv, begin, columns, head, dk_token, dk_head, length, D, BLOCK_D)


@triton.jit
def backward_queries(
    Q, K, V, DO, DQ, LSE, DELTA, ENDS, scale, tokens,
    q_token, q_head, k_token, k_head, v_token, v_head, d_token, d_head, dq_token, dq_head,
    GROUP: tl.constexpr, D: tl.constexpr, BLOCK_D: tl.constexpr, CAUSAL: tl.constexpr, WINDOW: tl.constexpr,
    LENGTH: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    """One tile of queries of one head: its gradient."""
    example, head = tl.program_id(1), tl.program_id(2)
    begin = tl.load(ENDS + example)
    length = tl.load(ENDS + example + 1) - begin
    first = tl.program_id(0) * BLOCK_M
    if first < length:
        rows = first + tl.arange(0, BLOCK_M)
        q = tile(Q, begin, rows, head, q_token, q_head, length, D, BLOCK_D)
        do = tile(DO, begin, rows, head, d_token, d_head, length, D, BLOCK_D)
        lse = tl.load(LSE + head * tokens + begin + rows, mask=rows < length, other=0.0)
        delta = tl.load(DELTA + head * tokens + begin + rows, mask=rows < length, other=0.0)
        dq = tl.zeros([BLOCK_M, BLOCK_D], tl.float32)
        low, high = reach(first, length, CAUSAL, WINDOW, BLOCK_M, BLOCK_N)
        for start in range(low, high, BLOCK_N):
            columns = start + tl.arange(0, BLOCK_N)
            k = tile(K, begin, columns, head // GROUP, k_token, k_head, length, D, BLOCK_D)
            v = tile(V, begin, columns, head // GROUP, v_token, v_head, length, D, BLOCK_D)
            weights = weights_again(q, k, lse, visible(rows, columns, length, CAUSAL, WINDOW), scale)
            dp = product(do, tl.trans(v))
            ds = weights * (dp - delta[:, None]) * scale
            dq += product(ds.to(k.dtype), k)
        put(DQ, dq, begin, rows, head, dq_token, dq_head, length, D, BLOCK_D)
