/* Every device is held to ref: layers, shapes, losses, optimizers, in float32 and bfloat16. (The laws
 * of state, masks and edges: t_device.c.) To cover a new layer, add a row. The device cuda runs on
 * checked host memory here (driver_host.h), and no bit may differ. */
#include "base/log.h"
#include "engine/cuda/driver_host.h"
#include "engine_test.h"
#include "tap.h"

static const struct hop_device_ops *ref, *dev;
static bool has_bf16, has_tf32; /* dev, on this machine */
static bool is_exact; /* dev keeps ref's order of operations: no bit may differ */

/* ---- 1 layers: forward, gradients, ten steps ---- */

/* clang-format off */
static const struct row {
    const char *name, *input, *layers; /* input NULL: layers names a net of the zoo */
    int64_t batch, n; /* n % batch is the tail */
    double loose;     /* times the tolerance: nets with kinks or long sums; 0 = 1 */
    double loose_gradient; /* the same for the gradient */
    int n_steps;           /* 0: ten */
    const char *loss;      /* NULL: the softmax's */
} rows[] = {
    {"dense", "7", "", 4, 11, 0},
    {"dense, one input", "1", "", 3, 7, 0},
    {"dense 17 relu", "13", DENSE(17, relu), 5, 11, 0},
    {"dense 512 elu", "37", DENSE(512, elu), 8, 9, 0},
    {"dense without bias", "7", LAYER("Dense", "\"units\":9,\"use_bias\":false"), 4, 5, 0},
    {"dense L2", "7",
     LAYER("Dense", "\"units\":9,\"kernel_regularizer\":{\"class_name\":\"L2\",\"config\":"
                    "{\"l2\":0.03}}"), 4, 11, 0},
    {"dense L1, bias L1L2", "7",
     LAYER("Dense", "\"units\":9,\"kernel_regularizer\":\"l1\",\"bias_regularizer\":"
                    "{\"class_name\":\"L1L2\",\"config\":{\"l1\":0.05,\"l2\":0.03}}"), 4, 11, 0},
    {"conv L1L2, bias L2, batch norm L1", "5,5,3",
     LAYER("Conv2D", "\"filters\":17,\"kernel_size\":3,\"activation\":\"tanh\","
                     "\"kernel_regularizer\":\"l1_l2\",\"bias_regularizer\":\"l2\"")
         LAYER("BatchNormalization", "\"gamma_regularizer\":\"l1\",\"beta_regularizer\":\"l2\"")
             FLATTEN, 4, 11, 10},
    {"dense tanh, sigmoid", "7", DENSE(6, tanh) DENSE(11, sigmoid), 4, 11, 0},
    {"dense softmax inside", "7", DENSE(6, softmax), 4, 11, 0},
    {"activations alone", "7", ACT(linear) ACT(elu) ACT(tanh) ACT(relu) ACT(sigmoid), 4, 11, 0},
    {"dropout flat", "29", DROPOUT(0.3) DENSE(19, relu) DROPOUT(0.5), 4, 11, 0},
    {"dropout over tanh", "29", DENSE(8, tanh) DROPOUT(0.5) ACT(elu) DROPOUT(0), 4, 11, 0},
    {"batch norm flat", "13", BNORM DENSE(16, linear) BNORM ACT(elu), 6, 15, 0},
    {"batch norm flat 17", "3", DENSE(17, linear) BNORM ACT(tanh), 6, 15, 0},
    {"conv 3x3 same relu", "8,8,3", CONV(16, 3, 3, 1, same, relu) FLATTEN, 4, 11, 0},
    {"conv 3x3 valid", "9,7,1", CONV(8, 3, 3, 1, valid, linear) FLATTEN, 4, 11, 0},
    {"conv twice", "11,11,3",
     CONV(16, 3, 3, 1, same, relu) CONV(24, 3, 3, 1, valid, elu) FLATTEN, 4, 9, 10},
    {"conv 17 channels", "7,7,17",
     CONV(17, 3, 3, 1, same, tanh) CONV(3, 3, 3, 1, valid, sigmoid) FLATTEN, 3, 7, 0},
    {"conv 1 channel", "7,5,1", CONV(1, 3, 3, 1, same, elu) CONV(1, 2, 2, 1, valid, tanh) FLATTEN,
     3, 7, 0},
    {"conv 1x1 image", "1,1,3", CONV(8, 1, 1, 1, valid, elu) CONV(5, 3, 3, 1, same, elu) FLATTEN,
     3, 4, 0},
    {"conv 1x1 kernel", "5,5,8", CONV(16, 1, 1, 1, same, elu) CONV(8, 1, 1, 1, same, elu) FLATTEN,
     3, 7, 0},
    {"conv strides, odd padding", "13,11,3",
     CONV(8, 3, 3, 2, same, elu)
         LAYER("Conv2D", "\"filters\":16,\"kernel_size\":[4,2],\"strides\":[2,1],"
                         "\"padding\":\"same\",\"activation\":\"elu\"")
              CONV(8, 2, 3, 2, valid, elu)
         FLATTEN, 3, 7, 0},
    {"conv 5x5 prime sizes", "17,13,3", CONV(19, 5, 5, 1, same, elu) FLATTEN, 2, 5, 0},
    {"conv without bias, L2", "8,8,3",
     LAYER("Conv2D", "\"filters\":8,\"kernel_size\":3,\"use_bias\":false,\"kernel_regularizer\":"
                     "{\"class_name\":\"L2\",\"config\":{\"l2\":0.01}}") FLATTEN, 4, 11, 0},
    {"conv softmax over channels", "4,4,3", CONV(8, 3, 3, 1, same, softmax) FLATTEN, 3, 7, 0},
    {"max pooling", "8,8,3", CONV(8, 3, 3, 1, same, tanh) POOL("MaxPooling2D", 2, 2, valid) FLATTEN,
     4, 11, 0},
    {"max pooling of the input, odd", "7,5,3", POOL("MaxPooling2D", 2, 2, valid) FLATTEN, 4, 11, 0},
    {"max pooling same, overlapping", "7,9,3",
     CONV(17, 3, 3, 1, same, tanh) POOL("MaxPooling2D", 3, 2, same) FLATTEN, 4, 11, 0},
    {"average pooling", "8,8,3",
     CONV(16, 3, 3, 1, same, elu) POOL("AveragePooling2D", 2, 2, valid) FLATTEN, 4, 11, 0},
    {"average pooling same, overlapping", "7,9,1",
     CONV(3, 3, 3, 1, same, elu) POOL("AveragePooling2D", 3, 2, same) FLATTEN, 4, 11, 0},
    {"average pooling 17 channels", "5,5,17",
     LAYER("AveragePooling2D", "\"pool_size\":[3,2],\"strides\":1,\"padding\":\"same\"")
         CONV(8, 1, 1, 1, same, elu) FLATTEN, 4, 11, 0},
    {"global average pooling", "6,7,3", CONV(24, 3, 3, 1, same, elu) GLOBAL, 4, 11, 0},
    {"global average pooling 17", "6,7,3", CONV(17, 3, 3, 1, same, elu) GLOBAL DENSE(8, elu), 4,
     11, 0},
    {"batch norm images", "6,6,3", CONV(16, 3, 3, 1, same, linear) BNORM ACT(elu) FLATTEN, 4, 11,
     10},
    {"batch norm of the input", "6,6,3", BNORM CONV(8, 3, 3, 1, same, elu) FLATTEN, 4, 11, 10},
    {"batch norm 17 channels", "5,5,3", CONV(17, 3, 3, 1, same, elu) BNORM FLATTEN, 4, 11, 10},
    {"batch norm 1 channel", "5,5,1", CONV(1, 3, 3, 1, same, elu) BNORM FLATTEN, 4, 11, 10},
    {"batch norm without scale", "6,6,3",
     CONV(8, 3, 3, 1, same, elu) LAYER("BatchNormalization", "\"scale\":false,\"momentum\":0.7")
         FLATTEN, 4, 11, 10},
    {"batch norm without center", "6,6,3",
     CONV(8, 3, 3, 1, same, elu) LAYER("BatchNormalization", "\"center\":false,\"epsilon\":0.1")
         FLATTEN, 4, 11, 10},
    {"batch norm bare", "6,6,3",
     CONV(8, 3, 3, 1, same, elu) LAYER("BatchNormalization", "\"center\":false,\"scale\":false")
         FLATTEN, 4, 11, 10},
    {"dropout in blocks", "6,6,3",
     CONV(16, 3, 3, 1, same, relu) DROPOUT(0.4) CONV(24, 3, 3, 1, same, elu) DROPOUT(0.2) FLATTEN,
     4, 11, 10},
    {"dropout 17 channels", "5,7,3", CONV(17, 3, 3, 1, same, elu) DROPOUT(0.5) GLOBAL, 3, 8, 0},
    {"dropout of the input", "5,7,3", DROPOUT(0.25) CONV(8, 3, 3, 1, same, elu) FLATTEN, 3, 8, 0},
    {"rescaling", "6,6,3",
     LAYER("Rescaling", "\"scale\":0.5,\"offset\":-0.25") CONV(8, 3, 3, 1, same, elu) FLATTEN, 4,
     11, 0},
    {"rescaling inside", "6,6,3",
     CONV(8, 3, 3, 1, same, elu) LAYER("Rescaling", "\"scale\":1.5,\"offset\":0.25") FLATTEN, 4, 11,
     0},
    {"normalization", "6,6,3",
     LAYER("Normalization", "\"mean\":[0.1,0.2,0.3],\"variance\":[0.5,0.7,0.9]")
         CONV(8, 3, 3, 1, same, elu) FLATTEN, 4, 11, 0},
    {"the talk's net 1, small", "12,12,3",
     CONV(8, 3, 3, 1, same, relu) CONV(8, 3, 3, 1, valid, relu) POOL("MaxPooling2D", 2, 2, valid)
         DROPOUT(0.25) CONV(16, 3, 3, 1, same, relu) POOL("MaxPooling2D", 2, 2, valid) DROPOUT(0.25)
         FLATTEN DENSE(32, relu) DROPOUT(0.5), 8, 19, 30},
    {"the talk's net 2, small", "12,12,3",
     CONV(8, 3, 3, 1, same, elu) BNORM CONV(8, 3, 3, 1, same, elu) BNORM
         POOL("MaxPooling2D", 2, 2, valid) DROPOUT(0.2) CONV(16, 3, 3, 1, same, elu) BNORM
         POOL("MaxPooling2D", 2, 2, valid) DROPOUT(0.3) FLATTEN DENSE(32, elu) BNORM, 8, 19, 30},
    /* activations */
    {"leaky, selu, softplus", "7",
     LAYER("LeakyReLU", "\"alpha\":0.2") DENSE(9, selu) DENSE(8, softplus), 4, 11, 0},
    {"gelu, swish", "7", DENSE(9, gelu) DENSE(8, swish), 4, 11, 0},
    {"input-reading activations alone", "7", ACT(gelu) ACT(swish) ACT(softplus) ACT(selu), 4, 11, 0},
    {"relu6", "5,5,3",
     CONV(17, 3, 3, 1, same, linear) LAYER("ReLU", "\"max_value\":0.5")
         CONV(8, 3, 3, 1, same, linear) LAYER("ReLU", "\"max_value\":0.7,\"negative_slope\":0.1")
             FLATTEN, 4, 11, 0},
    {"conv leaky", "5,5,3",
     CONV(17, 3, 3, 1, same, linear) LAYER("LeakyReLU", "") CONV(1, 1, 1, 1, same, linear)
         LAYER("ReLU", "\"negative_slope\":0.3") FLATTEN, 4, 11, 0},
    {"conv gelu, swish, softplus, selu", "5,7,3",
     CONV(17, 3, 3, 1, same, gelu) CONV(3, 3, 3, 1, same, swish) CONV(17, 3, 3, 1, same, softplus)
         CONV(8, 3, 3, 1, same, selu) FLATTEN, 3, 7, 10},
    {"softmax and ELU layers", "7", DENSE(6, linear) LAYER("Softmax", "") LAYER("ELU", "\"alpha\":0.5"),
     4, 11, 0},
    /* convolutions */
    {"groups 2", "7,7,4",
     CONV(8, 3, 3, 1, same, elu)
         LAYER("Conv2D", "\"filters\":6,\"kernel_size\":3,\"groups\":2,\"activation\":\"elu\"")
             FLATTEN, 4, 11, 0},
    {"groups 4 of 16", "7,5,16",
     LAYER("Conv2D", "\"filters\":32,\"kernel_size\":3,\"groups\":4,\"padding\":\"same\","
                     "\"strides\":2,\"activation\":\"tanh\"") FLATTEN, 3, 8, 0},
    {"groups 3 of 3", "5,5,3",
     LAYER("Conv2D", "\"filters\":9,\"kernel_size\":3,\"groups\":3,\"use_bias\":false") ACT(elu)
         FLATTEN, 3, 8, 0},
    {"dilation", "11,9,3",
     LAYER("Conv2D", "\"filters\":8,\"kernel_size\":3,\"dilation_rate\":2,\"padding\":\"same\","
                     "\"activation\":\"elu\"")
         LAYER("Conv2D", "\"filters\":17,\"kernel_size\":[2,3],\"dilation_rate\":[3,2],"
                         "\"activation\":\"elu\"") FLATTEN, 3, 7, 0},
    {"depthwise 3", "7,5,3", DEPTHWISE(3, 1, 1, elu) FLATTEN, 4, 11, 0},
    {"depthwise 1", "7,5,1", DEPTHWISE(3, 1, 1, elu) FLATTEN, 4, 11, 0},
    {"depthwise 17, strides", "7,5,3", CONV(17, 1, 1, 1, same, elu) DEPTHWISE(3, 2, 1, tanh) FLATTEN,
     4, 11, 0},
    {"depthwise 16, twice", "8,8,16", DEPTHWISE(3, 1, 1, relu) BNORM DEPTHWISE(3, 2, 1, elu) FLATTEN,
     4, 11, 10},
    {"depthwise multiplier 2", "7,5,3",
     DEPTHWISE(3, 1, 2, elu) CONV(8, 1, 1, 1, same, elu) DEPTHWISE(3, 2, 2, elu) FLATTEN, 4, 11, 0},
    {"depthwise 5x5 of 1x1", "1,1,8", DEPTHWISE(5, 1, 1, elu) FLATTEN, 4, 11, 0},
    {"depthwise dilation", "9,7,8",
     LAYER("DepthwiseConv2D", "\"kernel_size\":3,\"dilation_rate\":2,\"activation\":\"elu\"")
         FLATTEN, 4, 7, 0},
    {"separable", "7,7,3",
     LAYER("SeparableConv2D", "\"filters\":17,\"kernel_size\":3,\"depth_multiplier\":2,"
                              "\"activation\":\"elu\"")
         LAYER("SeparableConv2D", "\"filters\":8,\"kernel_size\":3,\"padding\":\"same\"") FLATTEN, 4,
     11, 0},
    /* shapes */
    {"zero padding", "5,3,3",
     LAYER("ZeroPadding2D", "\"padding\":[[1,2],[0,3]]") CONV(17, 3, 3, 1, valid, elu)
         LAYER("ZeroPadding2D", "\"padding\":1") CONV(8, 3, 3, 2, valid, elu) FLATTEN, 4, 11, 0},
    {"reshape", "60",
     LAYER("Reshape", "\"target_shape\":[4,5,3]") CONV(8, 3, 3, 1, same, elu)
         LAYER("Reshape", "\"target_shape\":[2,10,-1]") CONV(3, 2, 2, 1, valid, elu) FLATTEN, 4, 11, 0},
    {"global max pooling", "5,7,3", CONV(17, 3, 3, 1, same, elu) LAYER("GlobalMaxPooling2D", ""), 4,
     11, 0},
    {"global max pooling, ties", "3,3,8",
     CONV(16, 3, 3, 1, same, relu) LAYER("GlobalMaxPooling2D", "") DENSE(8, elu), 4, 11, 10},
    {"layer norm flat", "13", DENSE(17, elu) LAYER("LayerNormalization", "") DENSE(6, tanh), 4, 11, 0},
    {"layer norm images", "5,5,3",
     CONV(17, 3, 3, 1, same, elu) LAYER("LayerNormalization", "\"epsilon\":0.1") FLATTEN, 4, 11, 10},
    {"layer norm bare, of the input", "4,5,8",
     LAYER("LayerNormalization", "\"center\":false,\"scale\":false") CONV(8, 3, 3, 1, same, elu)
         LAYER("LayerNormalization", "\"center\":false") CONV(3, 3, 3, 1, same, elu)
             LAYER("LayerNormalization", "\"scale\":false") FLATTEN, 4, 11, 10},
    {"layer norm of 1 channel", "4,5,3",
     CONV(1, 3, 3, 1, same, elu) LAYER("LayerNormalization", "") FLATTEN, 4, 11, 0},
    {"spatial dropout", "5,5,3",
     CONV(17, 3, 3, 1, same, elu) LAYER("SpatialDropout2D", "\"rate\":0.4")
         CONV(24, 3, 3, 1, same, relu) LAYER("SpatialDropout2D", "\"rate\":0.3") FLATTEN, 4, 11, 10},
    {"spatial dropout, many channels", "3,3,3",
     LAYER("SpatialDropout2D", "\"rate\":0.2") CONV(150, 3, 3, 1, same, elu)
         LAYER("SpatialDropout2D", "\"rate\":0.4") GLOBAL, 3, 7, 0},
    {"batch norm relu", "6,6,3",
     CONV(17, 3, 3, 1, same, linear) BNORM ACT(relu) CONV(8, 3, 3, 1, same, linear) BNORM ACT(relu)
         DROPOUT(0.3) FLATTEN DENSE(16, linear) BNORM ACT(relu), 6, 15, 30},
    {"frozen", "6,6,3",
     CONV(8, 3, 3, 1, same, elu)
         LAYER("Conv2D", "\"filters\":8,\"kernel_size\":3,\"activation\":\"elu\",\"trainable\":false")
             LAYER("BatchNormalization", "\"trainable\":false") ACT(relu)
                 LAYER("LayerNormalization", "\"trainable\":false")
                     CONV(17, 3, 3, 1, same, elu) FLATTEN, 4, 11, 10},
    {"frozen at the start", "6,6,3",
     LAYER("Conv2D", "\"filters\":8,\"kernel_size\":3,\"activation\":\"elu\",\"trainable\":false")
         LAYER("BatchNormalization", "\"trainable\":false") CONV(17, 3, 3, 1, same, elu) BNORM FLATTEN,
     4, 11, 10},
    {"augmentation", "9,7,3",
     LAYER("RandomFlip", "") LAYER("RandomTranslation", "\"height_factor\":0.2,\"width_factor\":0.2")
         LAYER("RandomRotation", "\"factor\":0.1") LAYER("RandomZoom", "\"height_factor\":0.2")
             LAYER("RandomContrast", "\"factor\":0.3")
                 LAYER("RandomCrop", "\"height\":6,\"width\":5") CONV(17, 3, 3, 1, same, elu) FLATTEN,
     4, 11, 0},
    /* sequences */
    {"conv 1d", "30",
     SEQ(10, 3) CONV1(17, 3, same, tanh, "") CONV1(3, 2, valid, tanh, ",\"strides\":2") FLATTEN, 4, 11, 10},
    {"conv 1d causal, dilation, groups", "44",
     SEQ(11, 4) CONV1(6, 3, causal, tanh, ",\"dilation_rate\":3,\"groups\":2")
         CONV1(8, [2], causal, tanh, ",\"strides\":[3],\"use_bias\":false") FLATTEN, 4, 11, 10},
    {"conv 1d of one value", "3", SEQ(1, 3) CONV1(5, 4, same, tanh, "") FLATTEN, 4, 11, 10},
    {"pooling 1d", "39",
     SEQ(13, 3) CONV1(17, 3, same, tanh, "") POOL("MaxPooling1D", 3, 2, same)
         POOL("AveragePooling1D", 2, 1, same) LAYER("AveragePooling1D", "") FLATTEN, 4, 11, 10},
    {"global pooling 1d", "24",
     NODE(s, "Reshape", FROM(in), "\"target_shape\":[-1,2]")
         NODE(a, "Conv1D", FROM(s), "\"filters\":17,\"kernel_size\":3,\"activation\":\"tanh\"")
             NODE(p, "GlobalAveragePooling1D", FROM(a), "") NODE(q, "GlobalMaxPooling1D", FROM(a), "")
                 NODE(top, "Concatenate", FROM(p) "," FROM(q), ""), 4, 11, 10},
    {"batch norm, layer norm, dropout of sequences", "24",
     SEQ(8, 3) CONV1(17, 3, same, linear, "") BNORM ACT(tanh) DROPOUT(0.3)
         LAYER("LayerNormalization", "\"epsilon\":0.1") CONV1(4, 1, same, softmax, "") FLATTEN, 4, 11, 10},
    {"images as sequences", "6,4,3",
     CONV(5, 3, 3, 1, same, tanh) LAYER("Reshape", "\"target_shape\":[24,5]")
         CONV1(8, 5, causal, tanh, "") FLATTEN, 4, 11, 10},
    /* graphs */
    {"a residual block", "6,6,3",
     NCONV(a, in, 16, 3, elu) NCONV(b, a, 16, 3, elu) NCONV(c, b, 16, 3, linear)
         NODE(d, "Add", FROM(a) "," FROM(c), "") NACT(e, d, relu) NODE(top, "Flatten", FROM(e), ""),
     4, 11, 10},
    {"residual blocks with batch norm", "8,8,3",
     NCONV(a, in, 17, 3, linear) NODE(an, "BatchNormalization", FROM(a), "") NACT(ar, an, relu)
         NCONV(b, ar, 17, 3, linear) NODE(bn, "BatchNormalization", FROM(b), "") NACT(br, bn, relu)
             NCONV(c, br, 17, 3, linear) NODE(cn, "BatchNormalization", FROM(c), "")
                 NODE(d, "Add", FROM(ar) "," FROM(cn), "") NACT(dr, d, relu)
                     NODE(f, "Conv2D", FROM(dr), "\"filters\":8,\"kernel_size\":1,\"strides\":2")
                         NODE(h, "Conv2D", FROM(dr), "\"filters\":8,\"kernel_size\":3,\"strides\":2,"
                                                     "\"padding\":\"same\"")
                             NODE(hn, "BatchNormalization", FROM(h), "")
                                 NODE(s, "Add", FROM(f) "," FROM(hn), "") NACT(sr, s, relu)
                                     NODE(top, "GlobalAveragePooling2D", FROM(sr), ""),
     4, 11, 30},
    {"a value read three times", "5,5,3",
     NCONV(a, in, 8, 3, elu) NCONV(b, a, 8, 3, elu) NCONV(c, a, 8, 1, tanh)
         NODE(d, "Add", FROM(a) "," FROM(b) "," FROM(c), "") NODE(top, "Flatten", FROM(d), ""), 4, 11,
     10},
    {"Add(x,x), Add(x,y,x)", "7",
     NODE(a, "Dense", FROM(in), "\"units\":9,\"activation\":\"tanh\"")
         NODE(b, "Add", FROM(a) "," FROM(a), "")
             NODE(c, "Dense", FROM(b), "\"units\":9,\"activation\":\"elu\"")
                 NODE(top, "Add", FROM(b) "," FROM(c) "," FROM(b), ""), 4, 11, 0},
    {"an activation beside its input", "5,5,3",
     NCONV(a, in, 8, 3, linear) NACT(b, a, relu) NACT(c, a, tanh) NACT(l, a, linear)
         NODE(s, "Add", FROM(b) "," FROM(c), "") NODE(dr, "Dropout", FROM(l), "\"rate\":0.3")
             NODE(d, "Add", FROM(dr) "," FROM(s) "," FROM(a), "") NODE(top, "Flatten", FROM(d), ""),
     4, 11, 10},
    {"Multiply", "5,5,3",
     NCONV(a, in, 8, 3, elu) NCONV(b, a, 8, 3, sigmoid) NCONV(c, in, 8, 1, tanh)
         NODE(d, "Multiply", FROM(a) "," FROM(b), "") NODE(f, "Multiply", FROM(d) "," FROM(c) "," FROM(a), "")
             NODE(top, "Flatten", FROM(f), ""), 4, 11, 10},
    {"Multiply(x,x)", "7",
     NODE(a, "Dense", FROM(in), "\"units\":9,\"activation\":\"tanh\"")
         NODE(top, "Multiply", FROM(a) "," FROM(a), ""), 4, 11, 0},
    {"Concatenate of three widths", "5,5,3",
     NCONV(a, in, 8, 3, elu) NCONV(b, a, 17, 3, elu) NCONV(c, in, 1, 1, elu)
         NODE(d, "Concatenate", FROM(a) "," FROM(b) "," FROM(c), "") NCONV(f, d, 3, 3, elu)
             NODE(top, "Flatten", FROM(f), ""), 4, 11, 10},
    {"Concatenate of blocks, with the input, flat", "5,5,3",
     NCONV(a, in, 16, 3, elu) NCONV(b, a, 8, 3, elu) NODE(c, "Concatenate", FROM(b) "," FROM(a), "")
         NCONV(d, c, 8, 3, elu) NODE(f, "Concatenate", FROM(in) "," FROM(d), "")
             NODE(p, "GlobalAveragePooling2D", FROM(f), "") NODE(q, "GlobalMaxPooling2D", FROM(a), "")
                 NODE(top, "Concatenate", FROM(p) "," FROM(q), ""), 4, 11, 10},
    {"Concatenate(x,x)", "7",
     NODE(a, "Dense", FROM(in), "\"units\":9,\"activation\":\"tanh\"")
         NODE(top, "Concatenate", FROM(a) "," FROM(a), ""), 4, 11, 0},
    {"squeeze and excite", "5,5,3",
     NCONV(a, in, 16, 3, swish) NODE(p, "GlobalAveragePooling2D", FROM(a), "")
         NODE(q, "Dense", FROM(p), "\"units\":4,\"activation\":\"relu\"")
             NODE(r, "Dense", FROM(q), "\"units\":16,\"activation\":\"sigmoid\"")
                 NODE(m, "GlobalMaxPooling2D", FROM(a), "")
                     NODE(top, "Multiply", FROM(m) "," FROM(r), ""), 4, 11, 10},
    /* whole nets, with very many kinks */
    {"resnet20", NULL, "resnet20", 3, 5, 30, 10, 2},
    {"mobilenet-small", NULL, "mobilenet-small", 3, 5, 30, 10, 2},
    /* Winograd in all passes where the CPU has it */
    {"conv 32 channels, batch 50 and a tail", "13,11,32",
     CONV(32, 3, 3, 1, same, elu) CONV(48, 3, 3, 1, valid, tanh) FLATTEN, 50, 71, 0, 0, 4},
    {"conv 33 channels, batch 96", "9,9,33", CONV(35, 3, 3, 1, same, elu) FLATTEN, 96, 96, 0, 0, 4},
    {"conv 176 channels: a kernel in scratch memory", "7,5,16",
     CONV(176, 3, 3, 1, same, elu) CONV(170, 3, 3, 1, valid, relu) GLOBAL, 26, 29, 0, 0, 4},
    {"conv stride, groups, batch 64", "9,9,4",
     LAYER("Conv2D", "\"filters\":8,\"kernel_size\":3,\"strides\":2,\"groups\":2")
         LAYER("DepthwiseConv2D", "\"kernel_size\":3,\"padding\":\"same\"") FLATTEN, 64, 64, 0, 0,
     4},
    /* What goes through in slices, or its convolutions in parts, with tails of either kind. */
    {"slices: dropouts, L2", "5,5,3",
     CONV(7, 3, 3, 1, same, tanh) DROPOUT(0.3) LAYER("SpatialDropout2D", "\"rate\":0.3") FLATTEN
         LAYER("Dense", "\"units\":9,\"kernel_regularizer\":\"l2\"") DROPOUT(0.4), 61, 104, 0, 0, 4},
    {"slices: augmentation, layer norm", "7,6,3",
     LAYER("RandomFlip", "") LAYER("RandomTranslation", "\"height_factor\":0.3,\"width_factor\":0.3")
         LAYER("LayerNormalization", "") FLATTEN DENSE(9, elu), 128, 151, 0, 0, 4},
    {"slices: frozen batch norm", "5,5,3",
     LAYER("BatchNormalization", "\"trainable\":false") CONV(9, 3, 3, 1, same, elu) FLATTEN, 100, 137,
     0, 0, 4},
    {"parts: batch norm before", "13,13,32",
     BNORM CONV(32, 3, 3, 1, same, elu) CONV(35, 3, 3, 1, same, elu) GLOBAL, 64, 115, 0, 0, 4},
    {"parts: without bias, relu", "13,15,33",
     LAYER("Conv2D", "\"filters\":32,\"kernel_size\":3,\"use_bias\":false,\"activation\":\"relu\"")
         BNORM GLOBAL, 32, 32, 10, 10, 4},
};
/* clang-format on */

/* ||a - b|| / max(||b||, floor). */
static double
distance(const float *a, const float *b, size_t n, double floor)
{
    double diff = 0, norm = 0;
    size_t i;

    for (i = 0; i < n; i++) {
        diff += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        norm += (double)b[i] * b[i];
    }
    norm = sqrt(norm);
    return sqrt(diff) / (norm > floor ? norm : floor > 0 ? floor : 1);
}

/* How many floats differ in their bits; an exact device may have none. */
static size_t
n_different(const float *a, const float *b, size_t n)
{
    size_t i, n_bad = 0;

    for (i = 0; i < n; i++)
        n_bad += memcmp(&a[i], &b[i], sizeof *a) != 0;
    return n_bad;
}

/* The worst tensor's distance; a tensor whose values cancel to nothing (the gradient of a bias
 * before batch norm) counts against a part of the whole. */
static double
worst(const struct hop_net *net, const float *a, const float *b, const char **name)
{
    double whole = 0, d, max = 0;
    size_t k;
    int i;

    for (k = 0; k < net->n_params; k++)
        whole += (double)b[k] * b[k];
    *name = "";
    for (i = 0; i < net->n_weights; i++) {
        const struct hop_weight *w = &net->weights[i];

        d = distance(a + w->offset, b + w->offset, (size_t)w->n, 1e-2 * sqrt(whole));
        if (!(d <= max)) {
            max = d;
            *name = w->name;
        }
    }
    return max;
}

static struct hop_plan_spec
loss_spec(const struct row *r, const struct hop_net *net, const char *optim, const char *hyper)
{
    struct hop_plan_spec spec = make_spec(net, r->batch, optim, hyper);

    if (r->loss)
        set_loss(r->loss, &spec);
    return spec;
}

static void
compare_forward(const struct row *r, const struct hop_net *net, const struct test_data *x,
                const struct hop_state *s)
{
    struct hop_plan_spec spec = loss_spec(r, net, NULL, NULL);
    struct test_run a = start(ref, &spec, x), b = start(dev, &spec, x);
    size_t n = (size_t)(r->n * net->output.d[0]);
    struct hop_result ra, rb;
    struct hop_err e = {0};
    float *p = hop_alloc_floats(n, &e), *q = hop_alloc_floats(n, &e);
    double d;

    if (a.ops->load(a.p, s, &e) || b.ops->load(b.p, s, &e) || a.ops->predict(a.p, a.x, p, &e) ||
        b.ops->predict(b.p, b.x, q, &e) || a.ops->evaluate(a.p, a.x, NULL, &ra, &e) ||
        b.ops->evaluate(b.p, b.x, NULL, &rb, &e))
        die(r->name, &e);
    d = distance(q, p, n, 0);
    ok(is_exact ? !n_different(p, q, n) : d <= 1e-5, "%s: forward (%.1e)", r->name, d);
    ok(fabs(ra.loss - rb.loss) <= (is_exact ? 0 : 1e-5) * fabs(ra.loss) &&
           ra.n_correct == rb.n_correct && rb.n_examples == r->n,
       "%s: evaluation (%.7g, %.7g)", r->name, ra.loss, rb.loss);
    free(p);
    free(q);
    stop(&a);
    stop(&b);
}

static void
compare_gradient(const struct row *r, const struct hop_net *net, const struct test_data *x,
                 const struct hop_state *s)
{
    struct hop_plan_spec spec = loss_spec(r, net, "sgd", "{}");
    struct test_run a = start(ref, &spec, x), b = start(dev, &spec, x);
    struct hop_err e = {0};
    float *p = hop_alloc_floats(net->n_params, &e), *q = hop_alloc_floats(net->n_params, &e);
    double la, lb, d;
    const char *where;

    if (a.ops->load(a.p, s, &e) || b.ops->load(b.p, s, &e) ||
        a.ops->gradient(a.p, a.x, &a_pass, p, &la, &e) ||
        b.ops->gradient(b.p, b.x, &a_pass, q, &lb, &e))
        die(r->name, &e);
    d = worst(net, q, p, &where);
    ok(is_exact ? !n_different(p, q, net->n_params)
                : d <= 1e-4 * (r->loose_gradient ? r->loose_gradient : 1),
       "%s: gradient (%.1e %s)", r->name, d, where);
    ok(fabs(la - lb) <= (is_exact ? 0 : 1e-5) * fabs(la), "%s: loss in training (%.7g, %.7g)", r->name, la, lb);
    free(p);
    free(q);
    stop(&a);
    stop(&b);
}

/* Train until at least n steps are done. */
static void
some_steps(struct test_run *t, int n, struct hop_state *s, struct hop_result *last)
{
    struct hop_pass pass = a_pass;
    struct hop_err e = {0};
    int64_t n_steps = 0;

    if (t->ops->load(t->p, s, &e))
        die("load", &e);
    for (pass.i_pass = 0; n_steps < n; pass.i_pass++) {
        if (t->ops->train(t->p, t->x, &pass, last, &e))
            die("train", &e);
        n_steps += last->n_steps;
    }
    if (t->ops->store(t->p, s, &e))
        die("store", &e);
}

static void
compare_training(const char *name, const struct hop_plan_spec *spec, const struct test_data *x,
                 int n, double tolerance)
{
    struct test_run a = start(ref, spec, x), b = start(dev, spec, x);
    struct hop_state s = make_state(spec->net, spec->optim, 5);
    struct hop_state t = make_state(spec->net, spec->optim, 5);
    struct hop_result ra, rb;
    const char *where;
    double d;
    size_t n_bad;
    int i;

    some_steps(&a, n, &s, &ra);
    some_steps(&b, n, &t, &rb);
    d = worst(spec->net, t.weights, s.weights, &where);
    n_bad = n_different(t.weights, s.weights, spec->net->n_params);
    for (i = 0; i < HOP_MAX_SLOTS; i++)
        n_bad += n_different(t.slots[i], s.slots[i], spec->net->n_trainable);
    ok((is_exact ? !n_bad && ra.loss == rb.loss && ra.n_correct == rb.n_correct : d <= tolerance) &&
           s.step == t.step && ra.n_steps == rb.n_steps && ra.lr == rb.lr,
       "%s: %d steps (%.1e %s)", name, n, d, where);
    clear_state(&s);
    clear_state(&t);
    stop(&a);
    stop(&b);
}

/* A precision of fewer bits: what is held to ref is the gradient as a whole, which one element whose
 * sign flips at a kink hardly moves, not each tensor. `loose` rows have many kinks or tiny batches. */
struct rough {
    const char *name;
    double gradient, loss, loose_gradient, loose_loss;
};
static const struct rough bf16 = {"bf16", 0.08, 0.01, 0.4, 0.05}; /* 8 bits */
static const struct rough tf32 = {"tf32", 0.01, 0.001, 0.2, 0.01}; /* 11 bits */

/* Predictions and evaluation; of a shorter shard as well, whose tail is another. */
static void
compare_rough_forward(const struct row *r, const struct hop_net *net, const struct test_data *x,
                      const struct hop_state *s, const struct rough *k)
{
    struct hop_plan_spec spec = loss_spec(r, net, NULL, NULL);
    struct test_run a = start(ref, &spec, x), b;
    size_t n = (size_t)(r->n * net->output.d[0]);
    bool is_loose = r->loose > 1 || r->loose_gradient > 1;
    struct hop_result ra, rb;
    struct hop_err e = {0};
    float *p = hop_alloc_floats(n, &e), *q = hop_alloc_floats(n, &e);
    double d;

    spec.precision = k->name;
    b = start(dev, &spec, x);
    if (a.ops->load(a.p, s, &e) || b.ops->load(b.p, s, &e) ||
        a.ops->evaluate(a.p, a.x, p, &ra, &e) || b.ops->evaluate(b.p, b.x, q, &rb, &e))
        die(r->name, &e);
    d = distance(q, p, n, 0);
    ok(d <= (is_loose ? k->loose_gradient : k->gradient) &&
           fabs(ra.loss - rb.loss) <= (is_loose ? k->loose_loss : k->loss) * fabs(ra.loss) &&
           rb.n_examples == r->n,
       "%s: %s: evaluation (%.1e, %.7g, %.7g)", k->name, r->name, d, ra.loss, rb.loss);
    free(p);
    free(q);
    stop(&a);
    stop(&b);
}

static void
compare_rough(const struct row *r, const struct hop_net *net, const struct test_data *x,
              const struct hop_state *s, const struct rough *k)
{
    struct hop_plan_spec spec = loss_spec(r, net, "sgd", "{}");
    struct test_run a = start(ref, &spec, x), b;
    struct hop_err e = {0};
    float *p = hop_alloc_floats(net->n_params, &e), *q = hop_alloc_floats(net->n_params, &e);
    bool is_loose = r->loose > 1 || r->loose_gradient > 1;
    double la, lb, d;

    spec.precision = k->name;
    b = start(dev, &spec, x);
    if (a.ops->load(a.p, s, &e) || b.ops->load(b.p, s, &e) ||
        a.ops->gradient(a.p, a.x, &a_pass, p, &la, &e) ||
        b.ops->gradient(b.p, b.x, &a_pass, q, &lb, &e))
        die(r->name, &e);
    d = distance(q, p, net->n_params, 0);
    ok(d <= (is_loose ? k->loose_gradient : k->gradient) && !strcmp(dev->precision(b.p), k->name),
       "%s: %s: gradient (%.1e)", k->name, r->name, d);
    ok(fabs(la - lb) <= (is_loose ? k->loose_loss : k->loss) * fabs(la), "%s: %s: loss (%.7g, %.7g)",
       k->name, r->name, la, lb);
    free(p);
    free(q);
    stop(&a);
    stop(&b);
    compare_rough_forward(r, net, x, s, k);
}

static void
compare_all(const struct row *r, const struct hop_net *net, const struct test_data *x)
{
    struct hop_state s = make_state(net, NULL, 5);
    struct hop_plan_spec spec = loss_spec(r, net, "sgd", "{\"lr\":0.05,\"momentum\":0.5}");

    compare_forward(r, net, x, &s);
    compare_gradient(r, net, x, &s);
    compare_training(r->name, &spec, x, r->n_steps ? r->n_steps : 10,
                     1e-4 * (r->loose ? r->loose : 1));
    if (has_bf16)
        compare_rough(r, net, x, &s, &bf16);
    if (has_tf32)
        compare_rough(r, net, x, &s, &tf32);
    clear_state(&s);
}

static void
test_row(const struct row *r)
{
    struct hop_net *net = r->input ? make_net(r->input, r->layers) : read_net(r->layers);
    struct test_data x = make_data(net, r->n, 21);

    compare_all(r, net, &x);
    clear_data(&x);
    hop_net_free(net);
}

/* The losses: behind a dense layer, and as all there is of the net. Absolute errors have kinks. */
static void
test_loss(const struct loss_row *l)
{
    const char *layers[] = {DENSE(9, tanh), ""};
    struct test_data x;
    struct hop_net *net;

    for (size_t i = 0; i < HOP_LEN(layers); i++) {
        struct row r = {.name = l->name, .batch = 4, .n = 11, .loss = l->loss, .loose = 10};

        net = make_net_to("7", layers[i], l->units, l->act);
        x = make_loss_data(l, net, r.n, 21);
        compare_all(&r, net, &x);
        clear_data(&x);
        hop_net_free(net);
    }
}

/* ---- 2 optimizers, on a smooth net ---- */

static void
test_optimizer(size_t i)
{
    struct hop_net *net = make_net("8,8,3", SMOOTH);
    struct hop_plan_spec spec = make_spec(net, 8, optims[i].name, optims[i].hyper);
    struct test_data x = make_data(net, 43, 22);
    char name[200];

    snprintf(name, sizeof name, "%s %s", optims[i].name, optims[i].hyper);
    /* Adam and RMSprop divide by the gradient's size: where it is all rounding, so is the step. */
    compare_training(name, &spec, &x, 10, 1e-3);
    clear_data(&x);
    hop_net_free(net);
}

/* ---- 3 implementations ---- */

/* The device logs each primitive's implementation; "ref" there is the library's plain loops, tens
 * of times slower than the rest. */
static int n_logged, n_slow;

static void
count_slow(int level, const char *line)
{
    (void)level;
    if (strncmp(line, "device cpu:", 11))
        return;
    n_logged++;
    if (strstr(line, ": ref")) {
        n_slow++;
        printf("# %s\n", line);
    }
}

static void
test_device(void)
{
    for (size_t i = 0; i < HOP_LEN(rows); i++)
        test_row(&rows[i]);
    for (size_t i = 0; i < HOP_LEN(loss_rows); i++)
        test_loss(&loss_rows[i]);
    for (size_t i = 0; i < HOP_LEN(optims); i++)
        test_optimizer(i);
}

int
main(void)
{
    struct hop_err e = {0};
    int index;

    if (hop_device_find("ref", &ref, &index, &e))
        die("ref", &e);
    if ((dev = asked_device())) {
        has_bf16 = dev != ref && can_bf16(dev);
        has_tf32 = has_bf16 && !strcmp(dev->name, "cuda");
        is_exact = strcmp(dev->name, "cpu");
        test_device();
        return tap_end();
    }
    if (hop_device_find("cpu", &dev, &index, &e)) {
        hop_err_clear(&e);
        dev = ref;
        printf("# device cpu is not built in: ref against itself\n");
    }
    has_bf16 = dev != ref && can_bf16(dev);
    hop_log_set(count_slow);
    test_device();
    ok(dev == ref || (n_logged > 500 && !n_slow), "%d of %d primitives are slow ones", n_slow,
       n_logged);
    dev = hop_cuda_device(hop_cuda_host_driver());
    has_bf16 = has_tf32 = can_bf16(dev);
    ok(has_bf16, "device %s has bf16", dev->name);
    is_exact = true;
    printf("# device %s\n", dev->name);
    test_device();
    return tap_end();
}
