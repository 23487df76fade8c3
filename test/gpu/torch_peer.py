#!/usr/bin/env python3
"""torch_peer.py NET BATCH VARIANT[,VARIANT...] SECONDS - training speed of PyTorch on a GPU: a JSON line each.

VARIANT: fp32 (TF32 on), bf16 (autocast, channels_last), with -graph (a captured step), -compile
(torch.compile, reduce-overhead). The same work as bench_train: random pictures in the GPU's memory,
forward, backward, SGD with momentum 0.9; the median over repeats of at least a second. What compiling
and capturing took is apart.
"""
import contextlib
import json
import os
import statistics
import sys
import time

import torch
from torch import nn

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench"))
from torch_peer import layers  # noqa: E402


def measure(name, batch, variant, seconds):
    precision, *how = variant.split("-")
    torch.manual_seed(1)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    net = layers(name).cuda()
    x = torch.randn(batch, 3, 32, 32, device="cuda")
    y = torch.randint(0, 10, (batch,), device="cuda")
    if precision == "bf16":
        net, x = net.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    run_net = torch.compile(net, mode="reduce-overhead") if "compile" in how else net
    loss_of = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.001, momentum=0.9)

    def step():
        optimizer.zero_grad(set_to_none="graph" not in how)
        with torch.autocast("cuda", torch.bfloat16) if precision == "bf16" else contextlib.nullcontext():
            loss = loss_of(run_net(x).float(), y)
        loss.backward()
        optimizer.step()

    begin = time.perf_counter()
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(5):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    run = step
    if "graph" in how:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            step()
        run = graph.replay
    torch.cuda.synchronize()
    ready_s = time.perf_counter() - begin

    def rate(n):
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(n):
            run()
        torch.cuda.synchronize()
        return batch * n / (time.perf_counter() - start)

    n_steps = max(20, int(rate(20) / batch * seconds / 3))
    rates = [rate(n_steps) for _ in range(3)]
    print(json.dumps({
        "hop": "bench/1", "bench": "train", "peer": "torch " + torch.__version__, "device": "cuda",
        "variant": variant, "net": name, "batch": batch, "ready_s": round(ready_s, 3),
        "images_per_s": round(statistics.median(rates), 1), "min": round(min(rates), 1),
        "max": round(max(rates), 1), "repeats": 3}), flush=True)


if len(sys.argv) != 5:
    sys.exit(__doc__)
for each in sys.argv[3].split(","):
    measure(sys.argv[1], int(sys.argv[2]), each, float(sys.argv[4]))
