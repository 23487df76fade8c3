#!/usr/bin/env python3
"""resnet20_torch.py DATA NET EPOCHS SEED LR SCHEDULE MOMENTUM BATCH - train a net with PyTorch on hop's shards.
resnet20_torch.py DATA NET MODEL - evaluate a model file of hop with PyTorch.

DATA: a folder of hop-shard(1). NET: Keras JSON, functional (share/nets/resnet20.json). One JSON line:
accuracy and cross-entropy on val after every epoch, or accuracy and loss of the model, where loss has
the L2, too, as Keras's and hop's have. Everything that decides what is learned is what the JSON says and
Keras means by it: initialisers, paddings, epsilon and momentum of BatchNormalization, L2 of the kernels.
SCHEDULE: constant, or cosine: half a cosine from LR to 0 over all steps. Every epoch shuffles the whole train split; train_accuracy is that of each batch before its step, as hop
counts it. One thread.
"""
import glob
import json
import math
import sys
import time

import numpy
import torch
from torch import nn
from torch.nn import functional

EVAL_BATCH = 500


def tensors(path):
    """Metadata and tensors, by name, of a safetensors file."""
    kinds = {"U8": "u1", "I32": "<i4", "F32": "<f4", "I64": "<i8"}
    raw = numpy.fromfile(path, dtype=numpy.uint8)
    size = int(raw[:8].view("<u8")[0])
    header, area = json.loads(raw[8:8 + size].tobytes()), raw[8 + size:]
    meta = header.pop("__metadata__")
    return meta, {name: area[slice(*t["data_offsets"])].view(kinds[t["dtype"]]).reshape(t["shape"])
                  for name, t in header.items()}


def shards(data, split):
    """All examples of a split as x [N,C,H,W] in 0..255 and y [N], and the metadata of its first shard."""
    paths = sorted(glob.glob("%s/%s-*.safetensors" % (data, split)))
    if not paths:
        sys.exit("resnet20_torch.py: %s: no shards of %s" % (data, split))
    metas, parts = zip(*map(tensors, paths))
    x = torch.from_numpy(numpy.concatenate([p["x"] for p in parts])).permute(0, 3, 1, 2)
    return x, torch.from_numpy(numpy.concatenate([p["y"] for p in parts]).astype("i8")), metas[0]


class Conv(nn.Conv2d):
    """Conv2D as Keras pads it: what "same" adds that is odd goes to the right and the bottom."""

    def forward(self, v):
        pads = []
        for n, k, s in zip(v.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1]):
            total = max((-(-n // s) - 1) * s + k - n, 0)
            pads += [total // 2, total - total // 2]
        if pads[0] == pads[1] and pads[2] == pads[3]:  # the faster way to the same
            return functional.conv2d(v, self.weight, self.bias, self.stride, (pads[2], pads[0]))
        return super().forward(functional.pad(v, pads))


class Net(nn.Module):
    """A functional Keras net: the layers that ResNet-20 is made of, and no other key than they have."""

    known = {"Conv2D": {"filters", "kernel_size", "strides", "padding", "kernel_initializer",
                        "kernel_regularizer"},
             "Dense": {"units", "activation", "kernel_initializer"}, "Activation": {"activation"},
             "InputLayer": {"batch_input_shape"}, "BatchNormalization": set(), "Add": set(),
             "GlobalAveragePooling2D": set()}

    def __init__(self, path):
        super().__init__()
        with open(path, encoding="utf-8") as f:
            config = json.load(f)["config"]
        self.output = config["output_layers"][0][0]
        self.graph, self.parts, self.l2, channels = [], nn.ModuleDict(), [], {}
        for entry in config["layers"]:
            kind, name, c = entry["class_name"], entry["name"], entry["config"]
            if kind not in self.known or set(c) - {"name"} - self.known[kind]:
                sys.exit("resnet20_torch.py: %s: a layer or a key that is not known here" % name)
            reads = [r[0] for r in entry["inbound_nodes"][0]] if entry["inbound_nodes"] else []
            n = channels[reads[0]] if reads else c["batch_input_shape"][3]
            if kind == "Conv2D":
                assert c["padding"] == "same" and c["kernel_initializer"] == "he_normal"
                assert c["kernel_regularizer"]["class_name"] == "L2"
                self.parts[name] = Conv(n, c["filters"], c["kernel_size"], c["strides"])
                self.l2.append((self.parts[name].weight, c["kernel_regularizer"]["config"]["l2"]))
                n = c["filters"]
            elif kind == "Dense":
                assert c["activation"] == "softmax" and name == self.output  # in the loss
                assert c["kernel_initializer"] == "he_normal"
                self.parts[name] = nn.Linear(n, c["units"])
            elif kind == "BatchNormalization":  # Keras's defaults; its 0.99 is PyTorch's 0.01
                self.parts[name] = nn.BatchNorm2d(n, eps=1e-3, momentum=0.01)
            elif kind == "Activation":
                assert c["activation"] == "relu"
            channels[name] = n
            self.graph.append((kind, name, reads))
        for part in self.parts.values():
            if not isinstance(part, nn.BatchNorm2d):  # he_normal: truncated at 2 sigma, then of that variance
                sd = math.sqrt(2 / part.weight[0].numel()) / 0.87962566103423978
                nn.init.trunc_normal_(part.weight, 0, sd, -2 * sd, 2 * sd)
                nn.init.zeros_(part.bias)

    def forward(self, x):
        """Logits [N,classes]."""
        values = {}
        for kind, name, reads in self.graph:
            if kind == "InputLayer":
                values[name] = x
            elif kind == "Add":
                values[name] = values[reads[0]] + values[reads[1]]
            elif kind == "Activation":
                values[name] = functional.relu(values[reads[0]], inplace=True)  # read here only
            elif kind == "GlobalAveragePooling2D":
                values[name] = values[reads[0]].mean((2, 3))
            else:
                values[name] = self.parts[name](values[reads[0]])
        return values[self.output]


    def load(self, path):
        """Take the weights of a model file of hop, every one."""
        names = {"kernel": "weight", "gamma": "weight", "beta": "bias", "moving_mean": "running_mean",
                 "moving_variance": "running_var"}
        turned = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}
        state = {k: v for k, v in self.state_dict().items() if k.endswith("num_batches_tracked")}
        for name, w in tensors(path)[1].items():
            layer, _, kind = name.partition("/")
            if layer != "optimizer":
                state["parts.%s.%s" % (layer, names.get(kind, kind))] = torch.from_numpy(
                    w.transpose(turned[w.ndim]).copy())
        self.load_state_dict(state)


class Task:
    """The net, the data, and what is measured."""

    def __init__(self, data, path):
        self.x, self.y, meta = shards(data, "train")
        self.val_x, self.val_y, _ = shards(data, "val")
        self.mean = torch.tensor(json.loads(meta["hop.mean"])).reshape(1, -1, 1, 1)
        self.std = torch.tensor(json.loads(meta["hop.std"])).reshape(1, -1, 1, 1)
        self.net = Net(path).to(memory_format=torch.channels_last)

    def logits(self, x):
        x = (x.float() - self.mean) / self.std
        return self.net(x.contiguous(memory_format=torch.channels_last))

    def epoch(self, optimizer, schedule, batch):
        """Train once over all; accuracy on the way."""
        self.net.train()
        right = 0
        for part in torch.randperm(len(self.x)).split(batch):
            optimizer.zero_grad(set_to_none=True)
            out = self.logits(self.x[part])
            functional.cross_entropy(out, self.y[part]).backward()
            optimizer.step()
            schedule.step()
            right += (out.argmax(1) == self.y[part]).sum().item()
        return right / len(self.x)

    def evaluate(self):
        """Accuracy and cross-entropy on val."""
        self.net.eval()
        right = loss = 0.0
        with torch.no_grad():
            for x, y in zip(self.val_x.split(EVAL_BATCH), self.val_y.split(EVAL_BATCH)):
                out = self.logits(x)
                right += (out.argmax(1) == y).sum().item()
                loss += functional.cross_entropy(out, y, reduction="sum").item()
        return right / len(self.val_x), loss / len(self.val_x)

    def say(self, **more):
        print(json.dumps({
            "hop": "bench/1", "bench": "resnet20", "version": torch.__version__,
            "parameters": sum(w.numel() for w in self.net.parameters()), "train": len(self.x),
            "val": len(self.val_x), **more}))


def train(data, path, epochs, seed, lr, schedule, momentum, batch):
    torch.manual_seed(int(seed))
    task = Task(data, path)
    # Keras adds l2 * sum(w^2) to the loss; PyTorch adds weight_decay * w to the gradient
    held = {id(w) for w, _ in task.net.l2}
    groups = [{"params": [w], "weight_decay": 2 * l2} for w, l2 in task.net.l2]
    groups.append({"params": [w for w in task.net.parameters() if id(w) not in held]})
    optimizer = torch.optim.SGD(groups, lr=float(lr), momentum=float(momentum))
    n_steps = int(epochs) * math.ceil(len(task.x) / int(batch))
    factor = {"constant": lambda t: 1, "cosine": lambda t: 0.5 + 0.5 * math.cos(math.pi * t / n_steps)}[schedule]
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    table, begin = [], time.perf_counter()
    for i in range(int(epochs)):
        table.append((task.epoch(optimizer, scheduler, int(batch)), *task.evaluate()))
        print("resnet20_torch.py: seed %s, epoch %d: accuracy %.4f" % (seed, i + 1, table[-1][1]),
              file=sys.stderr)
    train_accuracy, accuracy, cross_entropy = ([round(v, 4) for v in column] for column in zip(*table))
    task.say(who="torch", schedule=schedule, seed=int(seed), accuracy=accuracy, cross_entropy=cross_entropy, train_accuracy=train_accuracy,
             wall_s=round(time.perf_counter() - begin, 1))


def evaluate(data, path, model):
    task = Task(data, path)
    task.net.load(model)
    accuracy, cross_entropy = task.evaluate()
    penalty = sum(l2 * w.detach().double().square().sum().item() for w, l2 in task.net.l2)
    task.say(who="torch-of-hop", accuracy=round(accuracy, 4), loss=round(cross_entropy + penalty, 6))


if __name__ == "__main__":
    torch.set_num_threads(1)
    if len(sys.argv) == 9:
        train(*sys.argv[1:])
    elif len(sys.argv) == 4:
        evaluate(*sys.argv[1:])
    else:
        sys.exit(__doc__)
