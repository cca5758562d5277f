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
    """Keys of a tile of queries from `first` on: (low, whole, high). All see all keys of [low, whole), so nothing is masked
    there; of [whole, high) some see some."""
    low = 0
    high = length
    whole = (length // BLOCK_N) * BLOCK_N
    if CAUSAL:
        high = tl.minimum(first + BLOCK_M, length)
        whole = (first // BLOCK_N) * BLOCK_N
    if WINDOW > 0:
        low = (tl.maximum(first - WINDOW + 1, 0) // BLOCK_N) * BLOCK_N
        whole = low
    return low, whole, high


@triton.jit
def place(begin, rows, head, stride_token, stride_head, BLOCK_D: tl.constexpr):
    """Where the elements of one example's rows and one head lie: [rows, BLOCK_D]."""
    columns = tl.arange(0, BLOCK_D)
    return (begin + rows)[:, None].to(tl.int64) * stride_token + head * stride_head + columns[None, :]


@triton.jit
def tile(pointer, begin, rows, head, stride_token, stride_head, length, D: tl.constexpr, BLOCK_D: tl.constexpr,
         WHOLE: tl.constexpr):  # fmt: skip
    """Rows of one example and head as [rows, BLOCK_D], zero outside of it. WHOLE: none of them lies outside."""
    where = pointer + place(begin, rows, head, stride_token, stride_head, BLOCK_D)
    inside = tl.arange(0, BLOCK_D)[None, :] < D
    if not WHOLE:
        found = tl.load(where, mask=(rows < length)[:, None] & inside, other=0.0)
    elif D < BLOCK_D:
        found = tl.load(where, mask=inside, other=0.0)
    else:
        found = tl.load(where)
    return found


@triton.jit
def put(pointer, value, begin, rows, head, stride_token, stride_head, length, D: tl.constexpr, BLOCK_D: tl.constexpr):
    inside = (rows < length)[:, None] & (tl.arange(0, BLOCK_D)[None, :] < D)
    where = pointer + place(begin, rows, head, stride_token, stride_head, BLOCK_D)
    tl.store(where, value.to(pointer.dtype.element_ty), mask=inside)


@triton.jit
def attend(
    best, total, sums, q, rows, K, V, begin, length, low, high, head, k_token, k_head, v_token, v_head, scale,
    D: tl.constexpr, BLOCK_D: tl.constexpr, CAUSAL: tl.constexpr, WINDOW: tl.constexpr, BLOCK_N: tl.constexpr,
    WHOLE: tl.constexpr,
):  # fmt: skip
    """Carry the online softmax of a tile of queries over the keys of [low, high)."""
    for start in range(low, high, BLOCK_N):
        columns = start + tl.arange(0, BLOCK_N)
        k = tile(K, begin, columns, head, k_token, k_head, length, D, BLOCK_D, WHOLE)
        scores = product(q, tl.trans(k))
        if not WHOLE:
            scores = tl.where(visible(rows, columns, length, CAUSAL, WINDOW), scores, MASKED)
        better = tl.maximum(best, tl.max(scores, 1) * scale)
        weights = tl.exp2(scores * scale - better[:, None])
        if not WHOLE:
            # A row that sees nothing yet has MASKED as its best, and exp2(0) for what it must not see.
            weights = tl.where(scores > 0.5 * MASKED, weights, 0.0)
        shrink = tl.exp2(best - better)
        total = total * shrink + tl.sum(weights, 1)
        v = tile(V, begin, columns, head, v_token, v_head, length, D, BLOCK_D, WHOLE)
        sums = sums * shrink[:, None] + product(weights.to(v.dtype), v)
        best = better
    return best, total, sums


@triton.jit
def forward(
    Q, K, V, OUT, LSE, ENDS, scale, tokens,
    q_token, q_head, k_token, k_head, v_token, v_head, o_token, o_head, LENGTH,
    GROUP: tl.constexpr, D: tl.constexpr, BLOCK_D: tl.constexpr, CAUSAL: tl.constexpr, WINDOW: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    """One tile of queries of one head of one example: its output, and LSE [heads, tokens] in base 2."""
    example, head = tl.program_id(1), tl.program_id(2)
    begin = tl.load(ENDS + example)
    length = tl.load(ENDS + example + 1) - begin
    # The last tile of queries has the most keys before it: begun first, it is not what all others wait for.
    first = (tl.num_programs(0) - 1 - tl.program_id(0)) * BLOCK_M
    if first < length:
        rows = first + tl.arange(0, BLOCK_M)
        q = tile(Q, begin, rows, head, q_token, q_head, length, D, BLOCK_D, False)
        best = tl.full([BLOCK_M], MASKED, tl.float32)
        total = tl.zeros([BLOCK_M], tl.float32)
        sums = tl.zeros([BLOCK_M, BLOCK_D], tl.float32)
        low, whole, high = reach(first, length, CAUSAL, WINDOW, BLOCK_M, BLOCK_N)
        best, total, sums = attend(
            best, total, sums, q, rows, K, V, begin, length, low, whole, head // GROUP, k_token, k_head, v_token, v_head,
            scale * LOG2E, D, BLOCK_D, CAUSAL, WINDOW, BLOCK_N, True,
        )  # fmt: skip
        best, total, sums = attend(
            best, total, sums, q, rows, K, V, begin, length, whole, high, head // GROUP, k_token, k_head, v_token, v_head,
            scale * LOG2E, D, BLOCK_D, CAUSAL, WINDOW, BLOCK_N, False,
        )  # fmt: skip
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
    o = tile(OUT, 0, rows, head, o_token, o_head, tokens, D, BLOCK_D, False).to(tl.float32)
    do = tile(DO, 0, rows, head, d_token, d_head, tokens, D, BLOCK_D, False).to(tl.float32)
    tl.store(DELTA + head * tokens + rows, tl.sum(o * do, 1), mask=rows < tokens)


@triton.jit
def weights_again(
    q, k, lse, rows, columns, length, scale, CAUSAL: tl.constexpr, WINDOW: tl.constexpr, WHOLE: tl.constexpr
):  # fmt: skip
    """The weights of a tile, [rows, columns], from the sums that the forward pass kept."""
    weights = tl.exp2(product(q, tl.trans(k)) * (scale * LOG2E) - lse[:, None])
    if not WHOLE:
        weights = tl.where(visible(rows, columns, length, CAUSAL, WINDOW), weights, 0.0)
    return weights


@triton.jit
def gather_keys(
    dk, dv, k, v, columns, Q, DO, LSE, DELTA, begin, length, tokens, low, high, query,
    q_token, q_head, d_token, d_head, scale,
    D: tl.constexpr, BLOCK_D: tl.constexpr, CAUSAL: tl.constexpr, WINDOW: tl.constexpr, BLOCK_M: tl.constexpr,
    WHOLE: tl.constexpr,
):  # fmt: skip
    """Add to a tile of keys what the queries of [low, high) give it."""
    for start in range(low, high, BLOCK_M):
        rows = start + tl.arange(0, BLOCK_M)
        q = tile(Q, begin, rows, query, q_token, q_head, length, D, BLOCK_D, WHOLE)
        do = tile(DO, begin, rows, query, d_token, d_head, length, D, BLOCK_D, WHOLE)
        lse = tl.load(LSE + query * tokens + begin + rows, mask=rows < length, other=0.0)
        delta = tl.load(DELTA + query * tokens + begin + rows, mask=rows < length, other=0.0)
        weights = weights_again(q, k, lse, rows, columns, length, scale, CAUSAL, WINDOW, WHOLE)
        dv += product(tl.trans(weights.to(do.dtype)), do)
        dp = product(do, tl.trans(v))
        ds = weights * (dp - delta[:, None])
        dk += product(tl.trans(ds.to(q.dtype)), q)
    return dk, dv


@triton.jit
def backward_keys(
    Q, K, V, DO, DK, DV, LSE, DELTA, ENDS, scale, tokens,
    q_token, q_head, k_token, k_head, v_token, v_head, d_token, d_head, dk_token, dk_head, LENGTH,
    GROUP: tl.constexpr, D: tl.constexpr, BLOCK_D: tl.constexpr, CAUSAL: tl.constexpr, WINDOW: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    """One tile of keys of one key head: its gradients, summed over the query heads that share it, so without atomics."""
    example, head = tl.program_id(1), tl.program_id(2)
    begin = tl.load(ENDS + example)
    length = tl.load(ENDS + example + 1) - begin
    first = tl.program_id(0) * BLOCK_N
    if first < length:
        columns = first + tl.arange(0, BLOCK_N)
        k = tile(K, begin, columns, head, k_token, k_head, length, D, BLOCK_D, False)
        v = tile(V, begin, columns, head, v_token, v_head, length, D, BLOCK_D, False)
        dk = tl.zeros([BLOCK_N, BLOCK_D], tl.float32)
        dv = tl.zeros([BLOCK_N, BLOCK_D], tl.float32)
        # Queries of [low, middle) and [end, high) see some of these keys, those of [middle, end) all of them. Keys beyond the
        # example are of no account: their gradients are not written.
        low, high = 0, length
        middle, end = 0, (length // BLOCK_M) * BLOCK_M
        if CAUSAL:
            low = (first // BLOCK_M) * BLOCK_M
            middle = tl.cdiv(first + BLOCK_N, BLOCK_M) * BLOCK_M
        if WINDOW > 0:
            high = tl.minimum(length, first + BLOCK_N + WINDOW)
            middle = high
        middle = tl.minimum(middle, high)
        end = tl.maximum(tl.minimum(end, high), middle)
        for member in range(0, GROUP):
            query = head * GROUP + member
            dk, dv = gather_keys(
                dk, dv, k, v, columns, Q, DO, LSE, DELTA, begin, length, tokens, low, middle, query,
                q_token, q_head, d_token, d_head, scale, D, BLOCK_D, CAUSAL, WINDOW, BLOCK_M, False,
            )  # fmt: skip
            dk, dv = gather_keys(
                dk, dv, k, v, columns, Q, DO, LSE, DELTA, begin, length, tokens, middle, end, query,
                q_token, q_head, d_token, d_head, scale, D, BLOCK_D, CAUSAL, WINDOW, BLOCK_M, True,
            )  # fmt: skip
            dk, dv = gather_keys(
                dk, dv, k, v, columns, Q, DO, LSE, DELTA, begin, length, tokens, end, high, query,
                q_token, q_head, d_token, d_head, scale, D, BLOCK_D, CAUSAL, WINDOW, BLOCK_M, False,
            )  # fmt: skip
        put(DK, dk * scale, begin, columns, head, dk_token, dk_head, length, D, BLOCK_D)
        put(DV, dv, begin, columns, head, dk_token, dk_head, length, D, BLOCK_D)


@triton.jit
def gather_queries(
    dq, q, do, lse, delta, rows, K, V, begin, length, low, high, head, k_token, k_head, v_token, v_head, scale,
    D: tl.constexpr, BLOCK_D: tl.constexpr, CAUSAL: tl.constexpr, WINDOW: tl.constexpr, BLOCK_N: tl.constexpr,
    WHOLE: tl.constexpr,
):  # fmt: skip
    """Add to a tile of queries what the keys of [low, high) give it."""
    for start in range(low, high, BLOCK_N):
        columns = start + tl.arange(0, BLOCK_N)
        k = tile(K, begin, columns, head, k_token, k_head, length, D, BLOCK_D, WHOLE)
        v = tile(V, begin, columns, head, v_token, v_head, length, D, BLOCK_D, WHOLE)
        weights = weights_again(q, k, lse, rows, columns, length, scale, CAUSAL, WINDOW, WHOLE)
        dp = product(do, tl.trans(v))
        ds = weights * (dp - delta[:, None])
        dq += product(ds.to(k.dtype), k)
    return dq


@triton.jit
def backward_queries(
    Q, K, V, DO, DQ, LSE, DELTA, ENDS, scale, tokens,
    q_token, q_head, k_token, k_head, v_token, v_head, d_token, d_head, dq_token, dq_head, LENGTH,
    GROUP: tl.constexpr, D: tl.constexpr, BLOCK_D: tl.constexpr, CAUSAL: tl.constexpr, WINDOW: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    """One tile of queries of one head: its gradient."""
    example, head = tl.program_id(1), tl.program_id(2)
    begin = tl.load(ENDS + example)
    length = tl.load(ENDS + example + 1) - begin
    first = (tl.num_programs(0) - 1 - tl.program_id(0)) * BLOCK_M
    if first < length:
        rows = first + tl.arange(0, BLOCK_M)
        q = tile(Q, begin, rows, head, q_token, q_head, length, D, BLOCK_D, False)
        do = tile(DO, begin, rows, head, d_token, d_head, length, D, BLOCK_D, False)
        lse = tl.load(LSE + head * tokens + begin + rows, mask=rows < length, other=0.0)
        delta = tl.load(DELTA + head * tokens + begin + rows, mask=rows < length, other=0.0)
        dq = tl.zeros([BLOCK_M, BLOCK_D], tl.float32)
        low, whole, high = reach(first, length, CAUSAL, WINDOW, BLOCK_M, BLOCK_N)
        dq = gather_queries(
            dq, q, do, lse, delta, rows, K, V, begin, length, low, whole, head // GROUP, k_token, k_head, v_token, v_head,
            scale, D, BLOCK_D, CAUSAL, WINDOW, BLOCK_N, True,
        )  # fmt: skip
        dq = gather_queries(
            dq, q, do, lse, delta, rows, K, V, begin, length, whole, high, head // GROUP, k_token, k_head, v_token, v_head,
            scale, D, BLOCK_D, CAUSAL, WINDOW, BLOCK_N, False,
        )  # fmt: skip
        put(DQ, dq * scale, begin, rows, head, dq_token, dq_head, length, D, BLOCK_D)
