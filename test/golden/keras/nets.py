"""Nets built by Keras's own classes: their to_json() is what hop must read. `keras` is tf.keras of
Keras 2 or the module of Keras 3; Dropout and SpatialDropout2D may be put in from outside.
"""


def block(L, x, filters, stride):
    """A residual block; its input is read by two layers."""
    short = x
    y = L.Conv2D(filters, 3, strides=stride, padding="same", use_bias=False)(x)
    y = L.BatchNormalization(momentum=0.8)(y)
    y = L.Activation("relu")(y)
    y = L.Conv2D(filters, 3, padding="same", use_bias=False)(y)
    y = L.BatchNormalization(momentum=0.8)(y)
    if stride != 1:
        short = L.Conv2D(filters, 1, strides=stride, use_bias=False)(x)
        short = L.BatchNormalization(momentum=0.8)(short)
    return L.ReLU()(L.Add()([short, y]))


def small_resnet(keras, Dropout=None, SpatialDropout2D=None):
    """Also Multiply as a gate, Concatenate of images and of vectors, values with three readers."""
    L = keras.layers
    i = keras.Input([12, 10, 3])
    x = L.ZeroPadding2D(((1, 0), (2, 1)))(i)
    x = L.Conv2D(6, 3, use_bias=False)(x)
    x = L.BatchNormalization(momentum=0.8)(x)
    x = L.Activation("relu")(x)
    x = block(L, x, 6, 1)
    a = block(L, x, 8, 2)
    b = L.AveragePooling2D(2, padding="same")(x)
    c = L.Conv2D(4, 1, activation="tanh")(a)
    d = L.Concatenate()([a, b, c])
    e = L.GlobalAveragePooling2D()(d)
    f = L.GlobalMaxPooling2D()(d)
    g = L.Dense(18, activation="sigmoid")(e)
    e = L.Multiply()([e, g, f])
    y = L.Concatenate()([e, f, g])
    return keras.Model(i, L.Dense(5, activation="softmax")(y), name="small_resnet")


def bottleneck(L, x, filters, stride, wide=10):
    y = L.Conv2D(wide, 1, use_bias=stride != 1)(x)
    if stride == 1:  # else it would cancel the beta that the block before ends with
        y = L.BatchNormalization(momentum=0.8)(y)
    y = L.ReLU(6.0)(y)
    if stride != 1:
        y = L.ZeroPadding2D(((0, 1), (0, 1)))(y)
    y = L.DepthwiseConv2D(3, strides=stride, padding="same" if stride == 1 else "valid",
                          use_bias=False)(y)
    y = L.BatchNormalization(momentum=0.8)(y)
    y = L.ReLU(6.0)(y)
    y = L.Conv2D(filters, 1, use_bias=False)(y)
    y = L.BatchNormalization(momentum=0.8)(y)
    return L.Add()([x, y]) if stride == 1 else y


def small_mobilenet(keras, Dropout=None, SpatialDropout2D=None):
    L = keras.layers
    i = keras.Input([13, 11, 3])
    x = L.Rescaling(1 / 127.5, -1.0)(i)
    x = L.Conv2D(6, 3, strides=2, padding="same", use_bias=False)(x)
    x = L.BatchNormalization(momentum=0.8)(x)
    x = L.ReLU(6.0)(x)
    x = bottleneck(L, x, 6, 1)
    x = bottleneck(L, x, 8, 2)
    x = L.SeparableConv2D(9, [3, 2], padding="same", depth_multiplier=2, activation="swish")(x)
    x = (SpatialDropout2D or L.SpatialDropout2D)(0.25)(x)
    x = L.SeparableConv2D(8, 2, strides=2, use_bias=False, depthwise_regularizer="l2",
                          pointwise_regularizer=keras.regularizers.L2(0.02))(x)
    x = L.GlobalAveragePooling2D()(x)
    x = (Dropout or L.Dropout)(0.2)(x)
    return keras.Model(i, L.Softmax()(L.Dense(4)(x)), name="small_mobilenet")


def more_layers(keras, Dropout=None, SpatialDropout2D=None):
    """The other kinds, and every activation that layers-*.json leave out."""
    L = keras.layers
    return keras.Sequential([
        keras.Input([12, 9, 2]),
        L.Rescaling(1 / 64, -2.0),
        L.Conv2D(6, 3, activation="gelu"),
        L.Conv2D(8, [3, 2], groups=2, padding="same", activation="selu"),
        L.LayerNormalization(),
        L.Conv2D(6, [2, 3], dilation_rate=[2, 1], padding="same"),
        L.LeakyReLU(0.1),
        L.DepthwiseConv2D([3, 2], depth_multiplier=2, padding="same", dilation_rate=2,
                          activation="softplus"),
        (SpatialDropout2D or L.SpatialDropout2D)(0.2),
        L.Reshape([5, -1, 24]),
        L.Conv2D(9, 2, groups=3, strides=2, use_bias=False),
        L.ReLU(max_value=1.5, negative_slope=0.1),
        L.LayerNormalization(epsilon=0.01, center=False),
        L.GlobalMaxPooling2D(),
        L.Dense(10, activation="silu"),
        L.ELU(0.7),
        L.LayerNormalization(scale=False),
        L.Dense(9, activation="leaky_relu"),
        L.Reshape([9]),
        L.Dense(8, activation="relu6"),
        L.Dense(4), L.Softmax(),
    ], name="more_layers")


def regularizers(keras, Dropout=None, SpatialDropout2D=None):
    """Every regularizer in every form and place."""
    L, R = keras.layers, keras.regularizers
    return keras.Sequential([
        keras.Input([9, 8, 2]),
        L.Rescaling(1 / 64, -2.0),
        L.Conv2D(6, 3, activation="tanh", kernel_regularizer=R.L1(0.003),
                 bias_regularizer=R.L2(0.05)),
        L.BatchNormalization(momentum=0.8, gamma_regularizer=R.L1(0.02), beta_regularizer="l2"),
        L.DepthwiseConv2D(3, activation="tanh", depthwise_regularizer=R.L1L2(0.004, 0.03),
                          bias_regularizer="l1"),
        L.SeparableConv2D(7, 2, activation="elu", depthwise_regularizer=R.L1L2(l1=0.01),
                          pointwise_regularizer=R.L1L2(l2=0.02), bias_regularizer=R.L1(0.03)),
        L.LayerNormalization(gamma_regularizer="l1", beta_regularizer=R.L1L2(0.01, 0.02)),
        L.GlobalAveragePooling2D(),
        L.Dense(8, activation="tanh", kernel_regularizer="l1", bias_regularizer=R.L1L2(0.01, 0.05)),
        L.Dense(4, activation="softmax", kernel_regularizer=R.L1L2(0.01, 0.01)),
    ], name="regularizers")


def sequences(keras, Dropout=None, SpatialDropout2D=None):
    """The layers of sequences, from a table's row to a gate of two global poolings."""
    L = keras.layers
    i = keras.Input([39])
    x = L.Reshape([13, 3])(i)
    x = L.Conv1D(6, 3, padding="same", activation="tanh")(x)
    a = L.Conv1D(6, 3, padding="causal", dilation_rate=2, use_bias=False,
                 kernel_regularizer="l1")(x)
    a = L.BatchNormalization(momentum=0.8)(a)
    a = L.Activation("elu")(a)
    x = L.Add()([a, x])
    m = L.MaxPooling1D(3, strides=2, padding="same")(x)
    v = L.AveragePooling1D(2, padding="same")(x)
    x = L.Concatenate()([m, v])
    x = L.Conv1D(8, 2, groups=2, strides=2, padding="causal", activation="sigmoid")(x)
    x = (Dropout or L.Dropout)(0.2)(x)
    x = L.LayerNormalization()(x)
    x = L.Conv1D(7, 2, activation="elu")(x)
    g = L.GlobalAveragePooling1D()(x)
    h = L.GlobalMaxPooling1D()(x)
    y = L.Multiply()([g, L.Dense(7, activation="sigmoid")(h)])
    z = L.MaxPooling1D()(L.AveragePooling1D(2, strides=1)(x))
    y = L.Concatenate()([y, L.Flatten()(z)])
    return keras.Model(i, L.Dense(4, activation="softmax")(y), name="sequences")


BUILDERS = {"small-resnet": small_resnet, "small-mobilenet": small_mobilenet,
            "more-layers": more_layers, "regularizers": regularizers, "sequences": sequences}
