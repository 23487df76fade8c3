#!/usr/bin/env python3
"""torch_peer.py NET BATCH THREADS VARIANT REPEATS STEPS - training speed of PyTorch: one JSON line.

NET: cifar10-cnn1 or cifar10-cnn2 (share/nets). VARIANT: nchw, channels_last, mkldnn; with -bf16
(not mkldnn) forward runs under CPU autocast to bfloat16; with -compile (PyTorch 2) the net is
compiled first. The same work
as bench_train: random pictures in memory, forward, backward, SGD with momentum 0.9; the median over
repeats of STEPS steps each, after one that warms up. Threads are set by hand: PyTorch's own choice may
be half the cores.
"""
import contextlib
import json
import resource
import statistics
import sys
import time

import torch
from torch import nn

NETS = ("cifar10-cnn1", "cifar10-cnn2")


def layers(name):
    """The Keras JSON net as PyTorch modules; only what the two nets need."""
    with open("share/nets/%s.json" % name, encoding="utf-8") as f:
        config = json.load(f)["config"]
    acts = {"relu": nn.ReLU, "elu": nn.ELU, "linear": nn.Identity, "softmax": nn.Identity}
    shape, out = None, []
    for entry in config["layers"] if isinstance(config, dict) else config:
        kind, c = entry["class_name"], entry["config"]
        size = c.get("batch_input_shape") or c.get("batch_shape")
        if size:
            shape = [size[3], size[1], size[2]]
        if kind == "Conv2D":
            k = c["kernel_size"]
            k = k if isinstance(k, int) else k[0]
            pad = k // 2 if c.get("padding") == "same" else 0
            out.append(nn.Conv2d(shape[0], c["filters"], k, padding=pad))
            shape = [c["filters"]] + [n + 2 * pad - k + 1 for n in shape[1:]]
        elif kind == "Dense":
            out.append(nn.Linear(shape[0], c["units"]))
            shape = [c["units"]]
        elif kind == "MaxPooling2D":
            out.append(nn.MaxPool2d(2))
            shape = [shape[0], shape[1] // 2, shape[2] // 2]
        elif kind == "BatchNormalization":
            out.append((nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d)(shape[0]))
        elif kind == "Dropout":
            out.append(nn.Dropout(c["rate"]))
        elif kind == "Flatten":
            out.append(nn.Flatten())
            shape = [shape[0] * shape[1] * shape[2]]
        elif kind == "Activation":
            out.append(acts[c["activation"]]())
        elif kind != "InputLayer":
            sys.exit("torch_peer.py: no layer %s here" % kind)
        if kind in ("Conv2D", "Dense"):
            out.append(acts[c.get("activation", "linear")]())
    return nn.Sequential(*out)


def main():
    name, batch, threads, variant, repeats, steps = sys.argv[1:7]
    batch, repeats, steps = int(batch), int(repeats), int(steps)
    torch.set_num_threads(int(threads))
    torch.manual_seed(1)
    net = layers(name)
    x, y = torch.randn(batch, 3, 32, 32), torch.randint(0, 10, (batch,))
    layout, *flags = variant.split("-")
    if layout == "channels_last":
        net, x = net.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    run_net = torch.compile(net) if "compile" in flags else net
    loss_of = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.001, momentum=0.9)

    def forward(v):
        if layout != "mkldnn":
            with torch.autocast("cpu", torch.bfloat16) if "bf16" in flags else contextlib.nullcontext():
                return run_net(v).float()
        v = v.to_mkldnn()  # oneDNN's own layouts through the trunk
        for m in net:
            if isinstance(m, (nn.Dropout, nn.Flatten)) and v.is_mkldnn:
                v = v.to_dense()
            if isinstance(m, nn.Conv2d) and not v.is_mkldnn:
                v = v.to_mkldnn()
            v = m(v)
        return v

    def run():
        begin = time.perf_counter()
        for _ in range(steps):
            optimizer.zero_grad(set_to_none=True)
            loss_of(forward(x), y).backward()
            optimizer.step()
        return batch * steps / (time.perf_counter() - begin)

    run()
    rates = [run() for _ in range(repeats)]
    print(json.dumps({
        "hop": "bench/1", "bench": "train", "peer": "torch " + torch.__version__, "variant": variant,
        "net": name, "batch": batch, "threads": int(threads), "parameters":
        sum(p.numel() for p in net.parameters()), "images_per_s": round(statistics.median(rates), 1),
        "min": round(min(rates), 1), "max": round(max(rates), 1), "repeats": repeats,
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}))


if __name__ == "__main__":
    if len(sys.argv) != 7 or sys.argv[1] not in NETS:
        sys.exit(__doc__)
    main()
