#!/usr/bin/env python3
"""Golden files: what Keras 2 makes of the same weights and examples in ten steps.

    python3.11 -m venv venv
    venv/bin/pip install tensorflow-cpu==2.15.1
    venv/bin/python test/golden/keras/make.py

writes the *.json beside it, which test/unit/t_keras.c holds every device to. Keras is needed here
only. Weights, examples, order and dropout masks come from formulas that the test computes as well:
counter-based random numbers (lib/base/rng.h) under the keys written in each file. SGD, RMSprop and
Adam are tf.keras.optimizers.legacy, which have `decay`; where a case has weight decay, clipping or
a schedule, and for all other optimizers, they are tf.keras.optimizers.

The nets of nets.py are written as Keras's to_json() gives them; keras3.py writes what Keras 3 makes
of them beside it.

The talk's nets are deep, and ReLU and max-pooling are kinks: an activation that rounding puts on
the other side of one changes a step by up to some percent, and ten long steps multiply that. So
they run in double (Keras's float32 sums over a batch are good to 4e-6 only), take short steps, and
the biases of net 2, whose batch normalisation makes it the most sensitive, keep most of its
units away from zero. The nets of layers-*.json and optimizers.json need no such care, run in
float32, and are compared more sharply.
"""
import json
import os
import sys

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="", TF_ENABLE_ONEDNN_OPTS="0")
import numpy as np
import tensorflow as tf

from nets import BUILDERS

HERE = os.path.dirname(os.path.abspath(__file__))
NETS = os.path.join(HERE, "..", "..", "..", "share", "nets")
F = np.float32
KEY_INIT, KEY_TRAIN, KEY_EVAL = 0x1122334455667788, 0x0123456789ABCDEF, 0x1F2E3D4C5B6A7988
KEY_SHUFFLE, KEY_DROPOUT = 0x2468ACE013579BDF, 0x13579BDF2468ACE0
VISIT, PASS = 3, 1  # not 1 and 0, so that swapping the two counters shows


# ---- lib/base/rng.h again ----

def philox(key, c0, c1=0, c2=0, c3=0):
    """hop_philox for arrays c0..c3 -> uint32 [..., 4]"""
    c = [np.asarray(v, np.uint64) for v in np.broadcast_arrays(c0, c1, c2, c3)]
    k0, k1, m = key & 0xFFFFFFFF, key >> 32, np.uint64(0xFFFFFFFF)
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        hi = np.uint64(32)
        c = [p1 >> hi ^ c[1] ^ np.uint64(k0), p1 & m, p0 >> hi ^ c[3] ^ np.uint64(k1), p0 & m]
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack(c, -1).astype(np.uint32)


def draw(key, n, c2=0, c3=0):
    """n numbers, the one at e from counter (e / 4, e / 4 >> 32, c2, c3) and place e % 4"""
    q = np.arange((n + 3) // 4, dtype=np.uint64)
    return philox(key, q & np.uint64(0xFFFFFFFF), q >> np.uint64(32), c2, c3).reshape(-1)[:n]


def permutation(n, key, c0, c1):
    half = 1
    while half < 32 and 1 << 2 * half < n:
        half += 1
    mask = (1 << half) - 1
    keys = [int(k) for k in np.concatenate([philox(key, 0, 0, c0, c1), philox(key, 1, 0, c0, c1)])]

    def at(i):
        while True:
            left, r = i >> half & mask, i & mask
            for k in keys[:6]:
                f = r ^ k
                f = (f ^ f >> 16) * 0x85EBCA6B & 0xFFFFFFFF
                f = (f ^ f >> 13) * 0xC2B2AE35 & 0xFFFFFFFF
                left, r = r, (left ^ f ^ f >> 16) & mask
            i = left << half | r
            if i < n:
                return i

    return np.array([at(i) for i in range(n)])


# ---- inputs ----

def examples(key, n, spec):
    """Labels e % classes; values 0..255: a slope that differs by class, and noise; standardised."""
    d = int(np.prod(spec["shape"]))
    e, j = np.arange(n)[:, None], np.arange(d)[None, :]
    y = e % spec["classes"]
    x = (y * 53 + j * (1 + y % 4)) % 160 + (draw(key, n * d).reshape(n, d) % 96).astype(np.int64)
    x = (x.astype(F) - F(spec["mean"])) * F(spec["inv_std"])
    return x.reshape([n] + spec["shape"]), y[:, 0].astype(np.int32)


def start_of(name, shape, n_classes, bias):
    """Weights start at center + spread * u, u uniform in [-1, 1)."""
    kind = name.rsplit("/", 1)[1]
    if kind.endswith("kernel"):
        n = np.prod(shape[:2] if kind == "depthwise_kernel" else shape[:-1])
        return 0.0, float(F(np.sqrt(4.5 / n)))
    if kind == "bias" and shape[0] != n_classes:
        return bias
    return {"gamma": (1.0, 0.25), "moving_variance": (1.0, 0.5)}.get(kind, (0.0, 0.125))


def initial(i_weight, shape, start, i_slot=0):
    """i_slot: 0 for the weight itself, from 1 for its optimizer slots"""
    u = (draw(KEY_INIT, int(np.prod(shape)), i_weight, i_slot) >> np.uint32(8)).astype(F)
    return (F(start[0]) + F(start[1]) * (u * F(2.0 ** -23) - F(1))).reshape(shape)


masks = {}  # outside of the layers, or Keras would count them as weights


class Dropout(tf.keras.layers.Layer):
    """keras.layers.Dropout with the mask put in from outside."""

    def __init__(self, rate, **kwargs):
        super().__init__(**kwargs)
        self.rate = rate

    def build(self, shape):
        masks[self.name] = tf.Variable(
            np.ones([1] + self.mask_shape(shape)), trainable=False, dtype=tf.keras.backend.floatx(),
            shape=tf.TensorShape([None] + self.mask_shape(shape)))

    def mask_shape(self, shape):
        return [int(d) for d in shape[1:]]

    def call(self, x, training=None):
        return tf.ensure_shape(x * masks[self.name], x.shape) if training else x

    def draw(self, n, i_layer, step):
        shape = [n] + list(masks[self.name].shape[1:])
        r = draw(KEY_DROPOUT, int(np.prod(shape)), i_layer, step).reshape(shape)
        keep = r >= np.uint32(int(self.rate * 2.0 ** 32))
        masks[self.name].assign(keep * F(1 / (1 - self.rate)))


class SpatialDropout2D(Dropout):
    """The same for keras.layers.SpatialDropout2D: one decision per image and channel."""

    def mask_shape(self, shape):
        return [1, 1, int(shape[3])]


def dropouts(model):
    """(layer, its index in hop's list): InputLayer has none, an `activation` has its own, so has
    the pointwise half of SeparableConv2D."""
    i, found = 0, []
    for layer in model.layers:
        if type(layer).__name__ == "InputLayer":
            continue
        i += type(layer).__name__ == "SeparableConv2D"
        if isinstance(layer, Dropout):
            found.append((layer, i))
        act = layer.get_config().get("activation", "linear")
        i += 1 if type(layer).__name__ == "Activation" or act == "linear" else 2
    return found


def target(spec, y, key):
    """Class ids, one-hot, or with n_targets numbers in [0, 1) of a cross-entropy (rows that add up
    to 1 of a categorical one), else in [-2, 2)."""
    k, name = spec.get("n_targets", 0), loss_name(spec["loss"])
    if k:
        u = draw(key ^ 1, len(y) * k).reshape(len(y), k)
        u = (u >> np.uint32(8)).astype(F) * F(2.0 ** -23) - F(1)
        if "entropy" not in name:
            return u * F(2)
        u = u * F(0.5) + F(0.5)
        return u / u.sum(1, keepdims=True) if name == "categorical_crossentropy" else u
    if name.startswith("sparse") or spec.get("units") == 1:
        return y
    return np.eye(spec["classes"], dtype=F)[y]


def loss_name(loss):
    return loss if isinstance(loss, str) else loss["name"]


def keras_loss(loss):
    """A config line's loss as Keras's"""
    if isinstance(loss, str):
        return loss
    loss = dict(loss)
    name = "".join(w.capitalize() for w in loss.pop("name").split("_"))
    return getattr(tf.keras.losses, name)(**loss)


def hits(spec):
    """Keras takes an output over 0.5 for class 1, also where it is a logit."""
    if spec.get("n_targets"):
        return []
    if spec.get("units") == 1 and not isinstance(spec["loss"], str) and \
            spec["loss"].get("from_logits"):
        return [tf.keras.metrics.BinaryAccuracy(threshold=0.0)]
    return ["accuracy"]


def unbias(before, n):
    """Keras's moving variance takes the unbiased variance where the fused kernel runs, that is for
    pictures in float32. In double there is no such kernel: put right what the step did."""
    for layer, v in before:
        if len(layer.input_shape) == 4 and not layer.fused:
            m = n * layer.input_shape[1] * layer.input_shape[2]
            kept = layer.momentum * v
            new = layer.moving_variance.numpy()
            layer.moving_variance.assign(kept + (new - kept) * m / (m - 1))


def moving_variances(model):
    return [(l, l.moving_variance.numpy()) for l in model.layers if hasattr(l, "moving_variance")]


# The slots of tf.keras.optimizers, by hop's names.
SLOTS = {"SGD": {"momentum": "momentums"}, "Lion": {"m": "momentums"},
         "Adagrad": {"accumulator": "_accumulators"},
         "Adadelta": {"accumulated_grad": "_accumulated_grads",
                      "accumulated_delta_var": "_accumulated_delta_vars"},
         "Adam": {"m": "_momentums", "v": "_velocities", "vhat": "_velocity_hats"}}
SLOTS["AdamW"] = SLOTS["Nadam"] = SLOTS["Adam"]


def schedule(conf, lr):
    """The config line's schedule as Keras's; its keys leave conf."""
    s = tf.keras.optimizers.schedules
    kind, take = conf.pop("schedule"), conf.pop
    warmup, steps = take("warmup_steps", 0), take("decay_steps", 0)
    if kind == "cosine":
        return s.CosineDecay(0.0 if warmup else lr, steps, take("alpha", 0.0),
                             warmup_target=lr if warmup else None, warmup_steps=warmup)
    assert not warmup, "Keras warms up for cosine only"
    if kind == "exponential":
        return s.ExponentialDecay(lr, steps, take("decay_rate"), take("staircase", False))
    if kind == "step":
        return s.ExponentialDecay(lr, steps, take("decay_rate"), True)
    if kind == "inverse_time":
        return s.InverseTimeDecay(lr, steps, take("decay_rate"), take("staircase", False))
    if kind == "polynomial":
        return s.PolynomialDecay(lr, steps, take("alpha", 0.0) * lr, take("power", 1.0))
    assert kind == "piecewise"
    return s.PiecewiseConstantDecay(take("boundaries"), [f * lr for f in take("factors")])


class Legacy:
    """What run() asks of an optimizer, from tf.keras.optimizers.legacy."""

    def __init__(self, kind, conf):
        self.keras = getattr(tf.keras.optimizers.legacy, kind)(**conf)

    def start(self, model, step):
        self.keras.iterations.assign(step)
        self.keras._create_all_weights(model.trainable_variables)
        self.slot_names = self.keras.get_slot_names()

    def slot(self, w, name):
        return self.keras.get_slot(w, name)

    def lr(self, step):
        self.keras.iterations.assign(step)
        return float(self.keras._decayed_lr(tf.float32))


class New:
    """The same from tf.keras.optimizers. Nadam must run eagerly: its cache of the product of its
    momentum factors counts while it is traced, so a graph multiplies once per weight and step in
    place of once per step. Keras 3 does as the eager one."""

    def __init__(self, kind, conf):
        self.kind = kind
        self.keras = getattr(tf.keras.optimizers, kind)(**conf)

    def start(self, model, step):
        opt = self.keras
        opt.iterations.assign(step)
        opt.build(model.trainable_variables)
        if self.kind == "Nadam":
            product = np.prod([opt.beta_1 * (1 - 0.5 * 0.96 ** i) for i in range(1, step + 1)])
            opt._u_product.assign(product)
            opt._u_product_counter = step + 1
        self.slot_names = [s for s, a in SLOTS[self.kind].items() if hasattr(opt, a)]
        if self.kind == "SGD" and opt.momentum == 0:
            self.slot_names = []

    def slot(self, w, name):
        opt = self.keras
        return getattr(opt, SLOTS[self.kind][name])[opt._index_dict[opt._var_key(w)]]

    def lr(self, step):
        lr = self.keras._learning_rate
        return float(lr(step) if callable(lr) else lr)


def optimizer(conf):
    kinds = {"sgd": "SGD", "rmsprop": "RMSprop", "adam": "Adam", "adamw": "AdamW",
             "nadam": "Nadam", "adagrad": "Adagrad", "adadelta": "Adadelta", "lion": "Lion"}
    conf = dict(conf)
    kind, lr = kinds[conf.pop("optimizer")], conf.pop("lr")
    new = {"schedule", "weight_decay", "clipnorm", "clipvalue", "global_clipnorm"} & set(conf)
    conf["learning_rate"] = schedule(conf, lr) if "schedule" in conf else lr
    return (New if new or kind not in ("SGD", "RMSprop", "Adam") else Legacy)(kind, conf)


# ---- outputs ----

def number(v):
    return float("%.9g" % v)


def tensor_out(name, v, start, n_samples):
    """Whole if small, else some values spread evenly; norm and sum of all, norm of the change."""
    d, n = v.reshape(-1).astype(np.float64), v.size
    m = min(n, n_samples)
    return {"name": name, "n": n, "norm": number(np.sqrt((d * d).sum())), "sum": number(d.sum()),
            "change": number(np.linalg.norm(d - start.reshape(-1).astype(np.float64))),
            "at": [number(x) for x in d[np.arange(m) * n // m]]}


def run(spec, net, conf):
    """One case: conf is the optimizer's; "step" and "slots" say where it starts from."""
    tf.keras.backend.clear_session()
    masks.clear()
    tf.keras.backend.set_floatx(spec["keras_dtype"])
    conf = dict(conf)
    own = {k: conf.pop(k) for k in OF_CASE if k in conf}
    if own:
        spec, net = {**spec, **own}, table(own["units"], own["activation"])
    name, step, slots = conf.pop("name"), conf.pop("step", 0), conf.pop("slots", {})
    if spec["builder"]:
        model = BUILDERS[spec["builder"]](tf.keras, Dropout, SpatialDropout2D)
    else:
        model = tf.keras.models.model_from_json(json.dumps(net),
                                                custom_objects={"Dropout": Dropout})
    weights = [w for l in model.layers for w in l.weights]  # model.weights has statistics last
    names = [w.name[:-2] for w in weights]
    if own:
        own["net"], own["objective"] = net, own.pop("loss")
        own["start"] = spec["start"] = {
            n: start_of(n, w.shape, spec["classes"], (0.0, 0.125)) for n, w in zip(names, weights)}
    start = {n: initial(i, w.shape, spec["start"][n])
             for i, (n, w) in enumerate(zip(names, weights))}
    for n, w in zip(names, weights):
        w.assign(start[n])
    opt = optimizer(conf)
    model.compile(optimizer=opt.keras, loss=keras_loss(spec["loss"]), metrics=hits(spec),
                  run_eagerly=conf["optimizer"] == "nadam")
    opt.start(model, step)
    slot_names = opt.slot_names
    for i, (n, w) in enumerate(zip(names, weights)):
        for s in slot_names if w.trainable else []:
            start["optimizer/%s/%s" % (s, n)] = v = initial(
                i, w.shape, slots.get(s, (0, 0)), 1 + slot_names.index(s))
            opt.slot(w, s).assign(v)

    b, n = spec["batch_size"], spec["n"]
    x, y = examples(KEY_TRAIN, n, spec)
    t = target(spec, y, KEY_TRAIN)
    weights_of = dict(enumerate(spec["class_weight"])) if "class_weight" in spec else None
    order = permutation(n, KEY_SHUFFLE, VISIT, PASS)
    loss = n_correct = 0
    for i in range(0, n, b):
        at = order[i:i + b]
        for layer, i_layer in dropouts(model):
            layer.draw(len(at), i_layer, step)
        before = moving_variances(model)
        l, *a = np.atleast_1d(model.train_on_batch(x[at], t[at], class_weight=weights_of))
        unbias(before, len(at))
        loss += l * len(at) / n
        n_correct += int(round(sum(a) * len(at)))
        step += 1
    ex, ey = examples(KEY_EVAL, spec["n_eval"], spec)
    et = target(spec, ey, KEY_EVAL)
    eval_loss, *a = np.atleast_1d(model.evaluate(ex, et, verbose=0, batch_size=b))
    if own:
        own["eval_metrics"] = metrics(spec, model, ex, et)
    tensors = [tensor_out(n, w.numpy(), start[n], spec["samples"]) for n, w in zip(names, weights)]
    for s in slot_names:
        for n, w in zip(names, weights):
            if w.trainable:
                full = "optimizer/%s/%s" % (s, n)
                tensors.append(tensor_out(full, opt.slot(w, s).numpy(), start[full],
                                          spec["slot_samples"]))
    lr = opt.lr(step - 1)  # of the last step
    print("  %s: loss %.5f, %d of %d; then %.5f" % (name, loss, n_correct, spec["n"], eval_loss))
    return {**own, "name": name, "step": step - (spec["n"] + b - 1) // b, "slots": slots,
            "optimizer": conf, "loss": number(loss), "n_correct": n_correct,
            "lr": number(lr),
            "eval_loss": number(eval_loss),
            "eval_n_correct": int(round(sum(a) * spec["n_eval"])), "tensors": tensors}


def metrics(spec, model, x, t):
    """Keras's metrics of an evaluation, by hop's keys; precision and recall of many classes are the
    means over them."""
    m = tf.keras.metrics
    p = model.predict(x, verbose=0)
    if not isinstance(spec["loss"], str) and spec["loss"].get("from_logits"):
        p = (tf.sigmoid if "binary" in spec["loss"]["name"] else tf.nn.softmax)(p).numpy()
    if loss_name(spec["loss"]).startswith("sparse"):
        t = np.eye(spec["classes"], dtype=F)[t]
    wanted = {"mae": [m.MeanAbsoluteError()], "mse": [m.MeanSquaredError()]}
    if not spec.get("n_targets"):
        each = [{}] if spec["units"] == 1 else [dict(class_id=c, top_k=1)
                                                for c in range(spec["classes"])]
        wanted["precision"] = [m.Precision(**o) for o in each]
        wanted["recall"] = [m.Recall(**o) for o in each]
        if spec["units"] > 1:
            wanted["top_2"] = [m.TopKCategoricalAccuracy(2)]
    return {k: number(np.mean([f(t.reshape(p.shape), p) for f in v])) for k, v in wanted.items()}


# ---- what is run ----

def layer(class_name, **config):
    return {"class_name": class_name, "config": config}


def sequential(name, shape, *layers):
    first = layer("InputLayer", batch_input_shape=[None] + list(shape), name="input_1")
    counts = {}
    for l in layers:  # names as Keras gives them
        base = {"Conv2D": "conv2d", "MaxPooling2D": "max_pooling2d",
                "AveragePooling2D": "average_pooling2d", "Dense": "dense", "Dropout": "dropout",
                "GlobalAveragePooling2D": "global_average_pooling2d", "Flatten": "flatten",
                "BatchNormalization": "batch_normalization", "Activation": "activation",
                "Rescaling": "rescaling", "Normalization": "normalization"}[l["class_name"]]
        k = counts[base] = counts.get(base, -1) + 1
        l["config"]["name"] = base + ("_%d" % k if k else "")
    return {"class_name": "Sequential", "config": {"name": name, "layers": [first, *layers]}}


def l2(factor):
    return {"class_name": "L2", "config": {"l2": factor}}


TABLE = sequential(
    "table", [6],
    layer("Dense", units=7, activation="tanh"), layer("Dense", units=4, activation="softmax"))



def table(units, activation):
    """The net of a case of `losses`"""
    return sequential("table", [6], layer("Dense", units=7, activation="tanh"),
                      layer("Dense", units=units, activation=activation))


# What a case has of its own, if anything; the optimizer's settings are the rest.
OF_CASE = ["loss", "units", "activation", "classes", "n_targets", "class_weight"]


def loss_case(name, loss, units, activation, classes=4, **more):
    return dict(name=name, loss=loss, units=units, activation=activation, classes=classes,
                optimizer="sgd", lr=0.1, momentum=0.5, **more)


XENT, SPARSE, BCE = ("categorical_crossentropy", "sparse_categorical_crossentropy",
                     "binary_crossentropy")
WEIGHTS = [0.5, 2.0, 1.25, 3.0]
LOSSES = [
    loss_case("softmax of logits", {"name": XENT, "from_logits": True}, 4, "linear"),
    loss_case("softmax smoothed", {"name": XENT, "label_smoothing": 0.2}, 4, "softmax"),
    loss_case("softmax of logits, smoothed, weighted",
              {"name": XENT, "from_logits": True, "label_smoothing": 0.1}, 4, "linear",
              class_weight=WEIGHTS),
    loss_case("softmax of targets", XENT, 3, "softmax", n_targets=3),
    loss_case("softmax weighted", XENT, 4, "softmax", class_weight=WEIGHTS),
    loss_case("sparse weighted", SPARSE, 4, "softmax", class_weight=WEIGHTS),
    loss_case("sparse of logits", {"name": SPARSE, "from_logits": True}, 4, "linear"),
    loss_case("sigmoid, one output", BCE, 1, "sigmoid", 2),
    loss_case("sigmoid, one output, smoothed, weighted", {"name": BCE, "label_smoothing": 0.3}, 1,
              "sigmoid", 2, class_weight=[0.75, 2.5]),
    loss_case("sigmoid of logits, one output", {"name": BCE, "from_logits": True}, 1, "linear", 2),
    loss_case("sigmoid, one output for each class", BCE, 4, "sigmoid", class_weight=WEIGHTS),
    loss_case("sigmoid of logits and targets, smoothed",
              {"name": BCE, "from_logits": True, "label_smoothing": 0.1}, 3, "linear",
              n_targets=3),
    loss_case("mse", "mean_squared_error", 1, "linear", n_targets=1),
    loss_case("mse, three targets", "mean_squared_error", 3, "linear", n_targets=3),
    loss_case("mse of classes", "mean_squared_error", 4, "softmax", class_weight=WEIGHTS),
    loss_case("mse of a sigmoid", "mean_squared_error", 1, "sigmoid", 2),
    loss_case("mae", "mean_absolute_error", 2, "linear", n_targets=2),
    loss_case("huber", "huber", 2, "linear", n_targets=2),
    loss_case("huber, delta", {"name": "huber", "delta": 0.4}, 2, "tanh", n_targets=2),
]

# Between them every kind of layer and every activation.
LAYERS_GAP = sequential(
    "layers-gap", [11, 9, 3],
    layer("Rescaling", scale=1 / 127.5, offset=-1.0),
    layer("Conv2D", filters=6, kernel_size=[3, 3], padding="same", activation="tanh",
          kernel_regularizer=l2(0.02)),
    layer("BatchNormalization", momentum=0.8),
    layer("MaxPooling2D", pool_size=[3, 3], strides=[2, 2], padding="same"),
    layer("Conv2D", filters=8, kernel_size=[3, 2], strides=[2, 1], padding="same",
          activation="elu"),
    layer("AveragePooling2D", pool_size=[2, 2], padding="same"),
    layer("Conv2D", filters=7, kernel_size=[1, 1], activation="sigmoid"),
    layer("GlobalAveragePooling2D"),
    layer("Dense", units=12, activation="relu", kernel_regularizer=l2(0.01)),
    layer("Dropout", rate=0.3),  # before: else BN cancels the bias of a unit that is always on
    layer("BatchNormalization", momentum=0.7, epsilon=0.01),
    layer("Dense", units=5), layer("Activation", activation="softmax"))
LAYERS_FLAT = sequential(
    "layers-flat", [10, 13, 2],
    layer("Normalization", axis=-1, mean=[100.0, 120.0], variance=[2500.0, 3600.0]),
    layer("Conv2D", filters=5, kernel_size=[3, 3], strides=[2, 2], use_bias=False,
          activation="relu"),
    layer("BatchNormalization", scale=False, momentum=0.9),
    layer("AveragePooling2D", pool_size=[2, 3], strides=[1, 1]),
    layer("Conv2D", filters=6, kernel_size=[2, 2], strides=[1, 1], padding="same",
          activation="linear"),
    layer("Activation", activation="tanh"),
    layer("Dropout", rate=0.25),
    layer("MaxPooling2D", pool_size=[2, 2], strides=[1, 1]),
    layer("Flatten"),
    layer("Dense", units=9, activation="elu", use_bias=False),
    layer("BatchNormalization", center=False, momentum=0.6),
    layer("Dense", units=8, activation="sigmoid"),
    layer("Dense", units=4, activation="softmax"))


def both(name, **conf):
    """without and with decay"""
    return [dict(conf, name=name), dict(conf, name=name + " decay", decay=0.05)]


OPTIMIZERS = [
    *both("sgd", optimizer="sgd", lr=0.3),
    *both("sgd momentum", optimizer="sgd", lr=0.1, momentum=0.9),
    *both("sgd nesterov", optimizer="sgd", lr=0.1, momentum=0.9, nesterov=True),
    *both("rmsprop", optimizer="rmsprop", lr=0.02, epsilon=1e-3),
    *both("rmsprop momentum", optimizer="rmsprop", lr=0.01, momentum=0.8, rho=0.8, epsilon=1e-3),
    *both("rmsprop centered", optimizer="rmsprop", lr=0.02, centered=True, epsilon=1e-3),
    *both("rmsprop centered momentum", optimizer="rmsprop", lr=0.01, momentum=0.8, centered=True,
          epsilon=1e-3),
    *both("adam", optimizer="adam", lr=0.03),
    *both("adam betas", optimizer="adam", lr=0.03, beta_1=0.8, beta_2=0.95, epsilon=1e-2),
    *both("adam amsgrad", optimizer="adam", lr=0.03, beta_2=0.7, amsgrad=True),
    # From the middle of a training run: slots and steps count.
    dict(name="sgd on from step 7", optimizer="sgd", lr=0.1, momentum=0.9, decay=0.05, step=7,
         slots={"momentum": (0, 0.02)}),
    dict(name="rmsprop on from step 7", optimizer="rmsprop", lr=0.02, decay=0.05, step=7,
         slots={"rms": (0.01, 0.005)}),
    dict(name="adam on from step 7", optimizer="adam", lr=0.03, decay=0.05, step=7,
         slots={"m": (0, 0.05), "v": (0.01, 0.005)}),
]
FEW = [
    dict(name="sgd", optimizer="sgd", lr=0.01, momentum=0.9, nesterov=True, decay=0.05),
    dict(name="rmsprop", optimizer="rmsprop", lr=6e-4),
    dict(name="adam", optimizer="adam", lr=6e-4, decay=0.05),
]
BIG = [
    dict(name="sgd", optimizer="sgd", lr=3e-5, momentum=0.9, decay=0.01),
    dict(name="rmsprop", optimizer="rmsprop", lr=1e-5),
    dict(name="adam", optimizer="adam", lr=3e-5, decay=0.01),
]
STEP_7 = {"m": (0, 0.05), "v": (0.01, 0.005)}
OPTIMIZERS2 = [
    dict(name="adamw", optimizer="adamw", lr=0.03),
    dict(name="adamw amsgrad", optimizer="adamw", lr=0.03, weight_decay=0.5, beta_2=0.7,
         amsgrad=True),
    dict(name="adamw on from step 7", optimizer="adamw", lr=0.03, weight_decay=0.1, step=7,
         slots=STEP_7),
    dict(name="nadam", optimizer="nadam", lr=0.03),
    dict(name="nadam betas", optimizer="nadam", lr=0.03, beta_1=0.8, beta_2=0.95, epsilon=1e-2),
    dict(name="nadam on from step 7", optimizer="nadam", lr=0.03, step=7, slots=STEP_7),
    dict(name="adagrad", optimizer="adagrad", lr=0.1),
    dict(name="adagrad epsilon", optimizer="adagrad", lr=0.1, epsilon=0.1, step=3,
         slots={"accumulator": (0.02, 0.01)}),
    dict(name="adadelta", optimizer="adadelta", lr=1.0, epsilon=1e-3),
    dict(name="adadelta on from step 7", optimizer="adadelta", lr=0.5, rho=0.8, step=7,
         slots={"accumulated_grad": (0.01, 0.005), "accumulated_delta_var": (0.01, 0.005)}),
    dict(name="lion", optimizer="lion", lr=0.01),
    dict(name="lion betas", optimizer="lion", lr=0.02, beta_1=0.7, beta_2=0.8, weight_decay=0.5),
    dict(name="sgd weight decay", optimizer="sgd", lr=0.1, momentum=0.9, weight_decay=0.3),
    dict(name="sgd clipnorm", optimizer="sgd", lr=0.5, momentum=0.5, clipnorm=0.2),
    dict(name="sgd clipvalue", optimizer="sgd", lr=0.5, momentum=0.5, clipvalue=0.05),
    dict(name="sgd global_clipnorm", optimizer="sgd", lr=0.5, global_clipnorm=0.3),
    dict(name="sgd clipnorm and clipvalue", optimizer="sgd", lr=0.5, clipnorm=0.2,
         clipvalue=0.02),
    dict(name="sgd global_clipnorm and clipvalue", optimizer="sgd", lr=0.5, global_clipnorm=0.3,
         clipvalue=0.02),
    dict(name="adagrad clipnorm weight decay", optimizer="adagrad", lr=0.1, clipnorm=0.2,
         weight_decay=0.2),
    dict(name="adam weight decay", optimizer="adam", lr=0.03, weight_decay=0.2),
    dict(name="exponential", optimizer="sgd", lr=0.3, schedule="exponential", decay_steps=4,
         decay_rate=0.5),
    dict(name="exponential staircase", optimizer="adam", lr=0.03, schedule="exponential",
         decay_steps=4, decay_rate=0.5, staircase=True),
    dict(name="step", optimizer="sgd", lr=0.3, schedule="step", decay_steps=3, decay_rate=0.4,
         step=7),
    dict(name="inverse time", optimizer="sgd", lr=0.3, schedule="inverse_time", decay_steps=4,
         decay_rate=0.8),
    dict(name="inverse time staircase", optimizer="sgd", lr=0.3, schedule="inverse_time",
         decay_steps=4, decay_rate=0.8, staircase=True),
    dict(name="polynomial", optimizer="adamw", lr=0.03, schedule="polynomial", decay_steps=8,
         alpha=0.2, power=2.0),
    dict(name="cosine", optimizer="sgd", lr=0.3, momentum=0.9, schedule="cosine", decay_steps=12,
         alpha=0.1),
    dict(name="cosine warm-up", optimizer="sgd", lr=0.3, schedule="cosine", decay_steps=6,
         warmup_steps=3, weight_decay=0.1),
    dict(name="cosine still warming up", optimizer="sgd", lr=0.3, schedule="cosine",
         decay_steps=40, warmup_steps=30, step=4),
    dict(name="piecewise", optimizer="lion", lr=0.02, schedule="piecewise", boundaries=[3, 6],
         factors=[1.0, 0.5, 0.1]),
]
FUNCTIONAL = [
    dict(name="sgd", optimizer="sgd", lr=0.01, momentum=0.9, nesterov=True),
    dict(name="adamw", optimizer="adamw", lr=6e-4, schedule="cosine", decay_steps=12,
         global_clipnorm=1.0),
]
BIG_SPEC = {"shape": [32, 32, 3], "dtype": "U8", "mean": 128, "inv_std": 1 / 64, "classes": 10,
            "n": 76, "batch_size": 8, "n_eval": 20, "samples": 24, "slot_samples": 8,
            "loss": "categorical_crossentropy", "keras_dtype": "float64"}
FILES = {
    "optimizers": (TABLE, OPTIMIZERS, {
        "shape": [6], "dtype": "F32", "mean": 128, "inv_std": 1 / 64, "classes": 4, "n": 77,
        "batch_size": 8, "n_eval": 30, "loss": "sparse_categorical_crossentropy", "samples": 64,
        "slot_samples": 16}),
    "optimizers2": (TABLE, OPTIMIZERS2, {
        "shape": [6], "dtype": "F32", "mean": 128, "inv_std": 1 / 64, "classes": 4, "n": 77,
        "batch_size": 8, "n_eval": 30, "loss": "categorical_crossentropy", "samples": 9,
        "slot_samples": 4}),
    "losses": (TABLE, LOSSES, {
        "shape": [6], "dtype": "F32", "mean": 128, "inv_std": 1 / 64, "classes": 4, "n": 77,
        "batch_size": 8, "n_eval": 30, "loss": "categorical_crossentropy", "samples": 24,
        "slot_samples": 4}),
    "small-resnet": ("small-resnet", FUNCTIONAL, {
        "shape": [12, 10, 3], "dtype": "U8", "mean": 128, "inv_std": 1 / 64, "classes": 5,
        "n": 155, "batch_size": 16, "n_eval": 50, "loss": "categorical_crossentropy",
        "samples": 8, "slot_samples": 3}),
    "small-mobilenet": ("small-mobilenet", FUNCTIONAL, {
        "shape": [13, 11, 3], "dtype": "U8", "mean": 0, "inv_std": 1, "classes": 4, "n": 155,
        "batch_size": 16, "n_eval": 50, "loss": "categorical_crossentropy", "samples": 8,
        "slot_samples": 3}),
    "more-layers": ("more-layers", FUNCTIONAL, {
        "shape": [12, 9, 2], "dtype": "U8", "mean": 0, "inv_std": 1, "classes": 4, "n": 155,
        "batch_size": 16, "n_eval": 50, "loss": "sparse_categorical_crossentropy", "samples": 12,
        "slot_samples": 4}),
    "regularizers": ("regularizers", FUNCTIONAL, {
        "shape": [9, 8, 2], "dtype": "U8", "mean": 0, "inv_std": 1, "classes": 4, "n": 155,
        "batch_size": 16, "n_eval": 50, "loss": "sparse_categorical_crossentropy", "samples": 12,
        "slot_samples": 4}),
    "sequences": ("sequences", FUNCTIONAL, {
        "shape": [39], "dtype": "F32", "mean": 128, "inv_std": 1 / 64, "classes": 4, "n": 155,
        "batch_size": 16, "n_eval": 50, "loss": "sparse_categorical_crossentropy", "samples": 12,
        "slot_samples": 4}),
    "layers-gap": (LAYERS_GAP, FEW, {
        "shape": [11, 9, 3], "dtype": "U8", "mean": 0, "inv_std": 1, "classes": 5, "n": 155,
        "batch_size": 16, "n_eval": 50, "loss": "categorical_crossentropy", "samples": 48,
        "slot_samples": 12}),
    "layers-flat": (LAYERS_FLAT, FEW, {
        "shape": [10, 13, 2], "dtype": "U8", "mean": 0, "inv_std": 1, "classes": 4, "n": 155,
        "batch_size": 16, "n_eval": 50, "loss": "sparse_categorical_crossentropy", "samples": 48,
        "slot_samples": 12}),
    "cifar10-cnn1": (None, BIG, BIG_SPEC),
    "cifar10-cnn2": (None, BIG, dict(BIG_SPEC, bias=(2.5, 2.5))),
    "cifar10-cnn3": (None, BIG, BIG_SPEC),
}


def main(wanted):
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    for name, (net, cases, spec) in FILES.items():
        if wanted and name not in wanted:
            continue
        print(name)
        spec = dict(spec)
        builder = net if isinstance(net, str) else None
        if builder:
            tf.keras.backend.clear_session()
            spec["net"] = net = json.loads(BUILDERS[builder](tf.keras).to_json())
            spec["has_keras3"] = True
        elif net is None:
            with open(os.path.join(NETS, name + ".json")) as f:
                net = json.load(f)
        else:
            spec["net"] = net
        model = tf.keras.models.model_from_json(json.dumps(net))  # with Keras's own Dropout
        spec["params"] = model.count_params()
        bias = spec.pop("bias", (0.0, 0.125))
        spec["start"] = {w.name[:-2]: start_of(w.name[:-2], w.shape, spec["classes"], bias)
                         for w in model.weights}
        spec["keys"] = {"init": KEY_INIT, "train": KEY_TRAIN, "eval": KEY_EVAL,
                        "shuffle": KEY_SHUFFLE, "dropout": KEY_DROPOUT}
        spec.setdefault("keras_dtype", "float32")
        spec["visit"], spec["pass"] = VISIT, PASS
        results = [run({**spec, "builder": builder}, net, c) for c in cases]
        spec = {"made_by": "make.py, TensorFlow %s, Keras %s" % (tf.__version__,
                keras_version()), **spec}
        write(os.path.join(HERE, name + ".json"), spec, results)


def keras_version():
    from importlib.metadata import version
    return version("keras")


def write(path, spec, results):
    """One line per setting and per tensor."""
    lines = ["{"]
    for k, v in spec.items():
        lines.append(" %s: %s," % (json.dumps(k), json.dumps(v)))
    lines.append(' "cases": [')
    for i, r in enumerate(results):
        tensors = r.pop("tensors")
        lines.append("  {%s," % json.dumps(r)[1:-1])
        lines.append('   "tensors": [')
        lines += ["    %s," % json.dumps(t, separators=(",", ":")) for t in tensors]
        lines[-1] = lines[-1][:-1]
        lines.append("   ]}%s" % ("," if i < len(results) - 1 else ""))
    lines += [" ]", "}", ""]
    with open(path, "w") as f:
        f.write("\n".join(lines))


if __name__ == "__main__":
    main(sys.argv[1:])
