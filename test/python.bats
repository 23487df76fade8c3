# Model files and shards in Python: the safetensors package reads what hop writes. HOP_PYTHON names
# the interpreter (python3).
load lib
load tiny

local_setup()
{
    PYTHON=${HOP_PYTHON:-python3}
    command -v "$PYTHON" >/dev/null || skip "no $PYTHON here"
    "$PYTHON" -c 'import numpy, safetensors.numpy' 2>/dev/null ||
        skip "$PYTHON has no package safetensors with numpy"
    tiny_data 3
    cat >net.json <<'JSON'
{"class_name": "Sequential", "config": {"name": "tiny", "layers": [
  {"class_name": "InputLayer", "config": {"batch_input_shape": [null, 3]}},
  {"class_name": "Dense", "config": {"units": 8, "activation": "relu", "name": "hidden"}},
  {"class_name": "BatchNormalization", "config": {}},
  {"class_name": "Dense", "config": {"units": 3, "activation": "softmax"}}]}}
JSON
}

@test "a shard opens in Python: names, types, shapes, classes, mean of the values" {
    hop-shard -q -n 2 --label label -o whole table.csv >/dev/null
    run -0 "$PYTHON" - <<'PYTHON'
import csv, json, numpy as np
from safetensors import safe_open

xs, ys, classes = [], [], None
for i in range(2):
    with safe_open("whole/train-%03d.safetensors" % i, framework="numpy") as f:
        assert sorted(f.keys()) == ["x", "y"], f.keys()
        x, y, meta = f.get_tensor("x"), f.get_tensor("y"), f.metadata()
    assert x.dtype == np.float32 and x.shape == (120, 3), (x.dtype, x.shape)
    assert y.dtype == np.int32 and y.shape == (120,), (y.dtype, y.shape)
    assert meta["hop.kind"] == "shard/1" and meta["hop.split"] == "train"
    assert (meta["hop.index"], meta["hop.count"]) == (str(i), "2")
    assert len(meta["hop.digest"]) == 32 and len(meta["hop.dataset"]) == 32
    classes = json.loads(meta["hop.classes"])
    mean, std = json.loads(meta["hop.mean"]), json.loads(meta["hop.std"])
    xs.append(x)
    ys.append(y)
x, y = np.concatenate(xs), np.concatenate(ys)
assert classes == ["x", "y", "z"], classes
assert np.allclose(x.astype(np.float64).mean(0), mean, rtol=1e-5)
assert np.allclose(x.astype(np.float64).std(0), std, rtol=1e-5)
# Row by row what was in the table.
table = [(*map(np.float32, r[:3]), r[3]) for r in list(csv.reader(open("table.csv")))[1:]]
assert sorted(table) == sorted((*a, classes[b]) for a, b in zip(x, y))
PYTHON
}

@test "a model file opens in Python: weights as in Keras, slots, metadata; the net computes there" {
    tiny_config c1 | hop-train --init | hop-train -q --device ref \
        --shard data/train-001.safetensors >m.safetensors
    hop-eval -q --device ref --shard data/val-000.safetensors <m.safetensors >eval.json
    run -0 "$PYTHON" - <<'PYTHON'
import json, numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file

t = load_file("m.safetensors")
with safe_open("m.safetensors", framework="numpy") as f:
    meta = f.metadata()
bn = "batch_normalization/"
trained = {"hidden/kernel": (3, 8), "hidden/bias": (8,), bn + "gamma": (8,), bn + "beta": (8,),
           "dense/kernel": (8, 3), "dense/bias": (3,)}
want = dict(trained, **{bn + "moving_mean": (8,), bn + "moving_variance": (8,)})
for slot in "m", "v":
    want.update({"optimizer/%s/%s" % (slot, name): shape for name, shape in trained.items()})
assert {k: v.shape for k, v in t.items()} == want, {k: v.shape for k, v in t.items()}
assert all(v.dtype == np.float32 and np.isfinite(v).all() for v in t.values())
assert meta["hop.kind"] == "model/1" and len(meta["hop.digest"]) == 32
assert json.loads(meta["hop.config"])["id"] == "c1"
assert json.loads(meta["hop.architecture"])["class_name"] == "Sequential"
progress, history = json.loads(meta["hop.progress"]), json.loads(meta["hop.history"])
assert progress["visits"] == 1 and progress["step"] == history[0]["steps"] > 0, progress
assert [h["hop"] for h in history] == ["train/1"] and history[0]["shard"] == "train-001"
data = json.loads(meta["hop.data"])
assert data["classes"] == ["x", "y", "z"]

# The loss that hop-eval found follows from the file alone.
s = load_file("data/val-000.safetensors")
x = (s["x"] - np.float32(data["mean"])) / np.float32(data["std"])
h = np.maximum(x @ t["hidden/kernel"] + t["hidden/bias"], 0)
h = (h - t[bn + "moving_mean"]) / np.sqrt(t[bn + "moving_variance"] + 1e-3)
z = (h * t[bn + "gamma"] + t[bn + "beta"]) @ t["dense/kernel"] + t["dense/bias"]
z -= z.max(1, keepdims=True)
loss = (np.log(np.exp(z).sum(1)) - z[np.arange(len(z)), s["y"]]).mean()
found = json.load(open("eval.json"))
assert abs(loss - found["loss"]) < 1e-5 * loss, (loss, found)
assert (z.argmax(1) == s["y"]).mean() == found["accuracy"], found
PYTHON
}
