/* Every device is held to ref: layers, shapes, losses, optimizers, masks; and to the laws of state:
 * load and store are exact, a split run is the whole run, byte for byte.
 * To cover a new layer, add a row. */
#include "base/log.h"
#include "engine_test.h"
#include "tap.h"

static const struct hop_device_ops *ref, *dev;
static bool has_bf16; /* dev, on this machine */

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
    {"conv stride, groups, batch 64", "9,9,4",
     LAYER("Conv2D", "\"filters\":8,\"kernel_size\":3,\"strides\":2,\"groups\":2")
         LAYER("DepthwiseConv2D", "\"kernel_size\":3,\"padding\":\"same\"") FLATTEN, 64, 64, 0, 0,
     4},
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

static const struct hop_pass a_pass = {.shuffle_key = 11, .dropout_key = 12, .visit = 3};

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
    ok(d <= 1e-5, "%s: forward (%.1e)", r->name, d);
    ok(fabs(ra.loss - rb.loss) <= 1e-5 * fabs(ra.loss) && ra.n_correct == rb.n_correct &&
           rb.n_examples == r->n,
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
    ok(d <= 1e-4 * (r->loose_gradient ? r->loose_gradient : 1), "%s: gradient (%.1e %s)", r->name,
       d, where);
    ok(fabs(la - lb) <= 1e-5 * fabs(la), "%s: loss in training (%.7g, %.7g)", r->name, la, lb);
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

    some_steps(&a, n, &s, &ra);
    some_steps(&b, n, &t, &rb);
    d = worst(spec->net, t.weights, s.weights, &where);
    ok(d <= tolerance && s.step == t.step && ra.n_steps == rb.n_steps && ra.lr == rb.lr,
       "%s: %d steps (%.1e %s)", name, n, d, where);
    clear_state(&s);
    clear_state(&t);
    stop(&a);
    stop(&b);
}

/* bfloat16 keeps 8 bits, so what is held to ref is the gradient as a whole, which one element whose
 * sign flips at a kink hardly moves, not each tensor. `loose` rows have many kinks or tiny batches. */
static void
compare_bf16(const struct row *r, const struct hop_net *net, const struct test_data *x,
             const struct hop_state *s)
{
    struct hop_plan_spec spec = loss_spec(r, net, "sgd", "{}");
    struct test_run a = start(ref, &spec, x), b;
    struct hop_err e = {0};
    float *p = hop_alloc_floats(net->n_params, &e), *q = hop_alloc_floats(net->n_params, &e);
    bool is_loose = r->loose > 1 || r->loose_gradient > 1;
    double la, lb, d;

    spec.precision = "bf16";
    b = start(dev, &spec, x);
    if (a.ops->load(a.p, s, &e) || b.ops->load(b.p, s, &e) ||
        a.ops->gradient(a.p, a.x, &a_pass, p, &la, &e) ||
        b.ops->gradient(b.p, b.x, &a_pass, q, &lb, &e))
        die(r->name, &e);
    d = distance(q, p, net->n_params, 0);
    ok(d <= (is_loose ? 0.4 : 0.08) && !strcmp(dev->precision(b.p), "bf16"),
       "bf16: %s: gradient (%.1e)", r->name, d);
    ok(fabs(la - lb) <= (is_loose ? 0.05 : 0.01) * fabs(la), "bf16: %s: loss (%.7g, %.7g)", r->name,
       la, lb);
    free(p);
    free(q);
    stop(&a);
    stop(&b);
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
        compare_bf16(r, net, x, &s);
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

static const struct {
    const char *name, *hyper;
} optims[] = {
    {"sgd", "{\"lr\":0.05}"},
    {"sgd", "{\"lr\":0.05,\"decay\":0.1}"},
    {"sgd", "{\"lr\":0.05,\"momentum\":0.9}"},
    {"sgd", "{\"lr\":0.05,\"momentum\":0.9,\"nesterov\":true,\"decay\":0.01}"},
    {"rmsprop", "{\"lr\":0.001}"},
    {"rmsprop", "{\"lr\":0.001,\"rho\":0.8,\"decay\":0.1}"},
    {"adam", "{\"lr\":0.001}"},
    {"adam", "{\"lr\":0.001,\"beta_1\":0.8,\"beta_2\":0.99,\"decay\":0.1}"},
    {"adamw", "{\"lr\":0.001,\"weight_decay\":0.1}"},
    {"nadam", "{\"lr\":0.001}"},
    {"adagrad", "{\"lr\":0.01}"},
    {"adadelta", "{\"lr\":0.5}"},
    {"sgd", "{\"lr\":0.05,\"momentum\":0.9,\"weight_decay\":0.01,\"global_clipnorm\":0.1}"},
    {"sgd", "{\"lr\":0.05,\"clipnorm\":0.05}"},
    {"sgd", "{\"lr\":0.05,\"clipvalue\":0.001}"},
    {"lion", "{\"lr\":0.001,\"clipnorm\":1.0}"},
};

#define SMOOTH                                                                                     \
    CONV(8, 3, 3, 1, same, elu)                                                                    \
    BNORM POOL("AveragePooling2D", 2, 2, valid) DROPOUT(0.3) CONV(17, 3, 3, 1, valid, tanh)        \
        FLATTEN DENSE(12, sigmoid)

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

/* ---- 3 state ---- */

static bool
equal(const struct hop_state *a, const struct hop_state *b)
{
    bool is_equal =
        a->step == b->step && !memcmp(a->weights, b->weights, a->net->n_params * sizeof(float));

    for (int i = 0; i < HOP_MAX_SLOTS; i++)
        is_equal =
            is_equal && !memcmp(a->slots[i], b->slots[i], a->net->n_trainable * sizeof(float));
    return is_equal;
}

/* Passes first..last of visits 1 and 2 (two passes each). */
static void
run_passes(struct test_run *t, int first, int last)
{
    struct hop_pass pass = {.shuffle_key = 4, .dropout_key = 5};
    struct hop_result r;
    struct hop_err e = {0};

    for (int i = first; i <= last; i++) {
        pass.visit = 1 + i / 2;
        pass.i_pass = i % 2;
        if (t->ops->train(t->p, t->x, &pass, &r, &e))
            die("train", &e);
    }
}

/* What runs on one device only, or graphs of many kinds of layer: the same laws hold. */
#define GRAPH                                                                                      \
    NCONV(a, in, 16, 3, gelu)                                                                      \
    NODE(b, "DepthwiseConv2D", FROM(a), "\"kernel_size\":3,\"padding\":\"same\"")                  \
    NODE(bn, "BatchNormalization", FROM(b), "") NACT(br, bn, relu)                                 \
    NODE(s, "Add", FROM(a) "," FROM(br), "") NODE(d, "SpatialDropout2D", FROM(s), "\"rate\":0.3")   \
    NODE(c, "Concatenate", FROM(d) "," FROM(in), "") NODE(l, "LayerNormalization", FROM(c), "")    \
    NODE(top, "GlobalAveragePooling2D", FROM(l), "")

static void
compare_split(const struct hop_device_ops *ops, const char *name, const char *more,
              const struct hop_plan_spec *spec, const struct test_data *x)
{
    const struct hop_net *net = spec->net;
    struct hop_state whole = make_state(net, spec->optim, 5);
    struct hop_state split = make_state(net, spec->optim, 5);
    struct hop_state before = make_state(net, spec->optim, 5);
    struct test_run t = start(ops, spec, x);
    struct hop_err e = {0};

    if (ops->load(t.p, &whole, &e))
        die("load", &e);
    run_passes(&t, 0, 3);
    if (ops->store(t.p, &whole, &e))
        die("store", &e);
    stop(&t);
    for (int k = 0; k < 4; k++) { /* a new device, plan and binding for every pass */
        t = start(ops, spec, x);
        if (ops->load(t.p, &split, &e))
            die("load", &e);
        run_passes(&t, k, k);
        if (ops->store(t.p, &split, &e))
            die("store", &e);
        stop(&t);
    }
    ok(equal(&whole, &split), "%s %s %s %s: split run = whole run, byte for byte", ops->name,
       spec->precision, name, more);
    ok(!equal(&whole, &before) && whole.step == 16, "%s %s: it trained", ops->name, name);
    clear_state(&whole);
    clear_state(&split);
    clear_state(&before);
}

static void
test_split(const struct hop_device_ops *ops, const char *precision, const char *layers, size_t i)
{
    struct hop_net *net = make_net("8,8,3", layers);
    struct hop_plan_spec spec = make_spec(net, 8, optims[i].name, optims[i].hyper);
    struct test_data x = make_data(net, 27, 22);

    spec.precision = precision;
    compare_split(ops, optims[i].name, optims[i].hyper, &spec, &x);
    clear_data(&x);
    hop_net_free(net);
}

static void
test_loss_split(const struct hop_device_ops *ops, const struct loss_row *l)
{
    struct hop_net *net = make_net_to("7", DENSE(9, tanh) DROPOUT(0.2), l->units, l->act);
    struct hop_plan_spec spec = make_spec(net, 8, "adam", "{\"lr\":0.01}");
    struct test_data x = make_loss_data(l, net, 27, 22);

    set_loss(l->loss, &spec);
    compare_split(ops, l->name, "adam", &spec, &x);
    clear_data(&x);
    hop_net_free(net);
}

/* Any bits that a float may hold come back as they went in. */
static void
test_load_store(const struct hop_device_ops *ops)
{
    static const uint32_t odd[] = {0x80000000u, 1u,          0x7F800000u,
                                   0x7FC12345u, 0xFF812345u, 0x807FFFFFu};
    struct hop_net *net = make_net("8,8,3", CONV(17, 3, 2, 1, same, elu) SMOOTH);
    struct hop_plan_spec spec = make_spec(net, 8, "adam", "{}");
    struct test_data x = make_data(net, 3, 22);
    struct hop_state in = make_state(net, spec.optim, 5), out = make_state(net, spec.optim, 6);
    struct test_run t = start(ops, &spec, &x);
    struct hop_err e = {0};

    for (size_t i = 0; i < net->n_trainable; i++)
        for (int k = 0; k < 2; k++)
            in.slots[k][i] = uniform(31 + (uint64_t)k, i);
    for (size_t i = 0; i < net->n_params; i += 7)
        memcpy(&in.weights[i], &odd[i / 7 % HOP_LEN(odd)], 4);
    in.step = 123456789012;
    if (ops->load(t.p, &in, &e) || ops->store(t.p, &out, &e))
        die("load and store", &e);
    ok(equal(&in, &out), "%s: store after load changes no byte", ops->name);
    stop(&t);
    clear_state(&in);
    clear_state(&out);
    clear_data(&x);
    hop_net_free(net);
}

/* Loss, hits and predictions of evaluate are those of predict's. */
static void
test_evaluate(const struct hop_device_ops *ops)
{
    struct hop_net *net = make_net("8,8,3", SMOOTH);
    struct hop_plan_spec spec = make_spec(net, 8, NULL, NULL);
    struct test_data x = make_data(net, 43, 22);
    struct hop_state s = make_state(net, NULL, 5);
    struct test_run t = start(ops, &spec, &x);
    float p[43 * N_CLASSES], q[43 * N_CLASSES];
    int64_t n_correct = 0;
    struct hop_result r;
    struct hop_err e = {0};
    double loss = 0;
    int best;

    if (ops->load(t.p, &s, &e) || ops->predict(t.p, t.x, p, &e) ||
        ops->evaluate(t.p, t.x, q, &r, &e))
        die("evaluate", &e);
    for (int i = 0; i < 43; i++) {
        loss -= log((double)p[i * N_CLASSES + x.y[i]]) / 43;
        best = 0;
        for (int k = 1; k < N_CLASSES; k++)
            best = p[i * N_CLASSES + k] > p[i * N_CLASSES + best] ? k : best;
        n_correct += best == x.y[i];
    }
    ok(fabs(loss - r.loss) <= 1e-6 * loss && r.n_correct == n_correct && !memcmp(p, q, sizeof p) &&
           r.n_examples == 43 && r.lr == 0 && !r.is_diverged,
       "%s: evaluate says what predict says (%.8g, %.8g)", ops->name, loss, r.loss);
    stop(&t);
    clear_state(&s);
    clear_data(&x);
    hop_net_free(net);
}

/* ---- 4 masks: exactly the same elements, in any layout, at any step ---- */

/* The dense kernel's gradient has zero rows exactly where dropout put zeros. */
static void
test_mask(const char *input, const char *layers, int64_t step, double rate)
{
    struct hop_net *net = make_net(input, layers);
    struct hop_plan_spec spec = make_spec(net, 1, "sgd", "{}");
    struct test_data x = make_data(net, 1, 22);
    struct hop_state s = make_state(net, spec.optim, 5);
    struct test_run a = start(ref, &spec, &x), b = start(dev, &spec, &x);
    const struct hop_weight *w;
    struct hop_err e = {0};
    float *p = hop_alloc_floats(net->n_params, &e), *q = hop_alloc_floats(net->n_params, &e);
    int64_t n_zero = 0, n_different = 0, n_rows, i;
    double loss;

    w = &net->weights[net->n_weights - 2];
    n_rows = w->shape.d[0];
    s.step = step;
    if (ref->load(a.p, &s, &e) || dev->load(b.p, &s, &e) ||
        ref->gradient(a.p, a.x, &a_pass, p, &loss, &e) ||
        dev->gradient(b.p, b.x, &a_pass, q, &loss, &e))
        die("mask", &e);
    for (i = 0; i < n_rows; i++) {
        n_zero += p[w->offset + (size_t)(i * N_CLASSES)] == 0;
        n_different += (p[w->offset + (size_t)(i * N_CLASSES)] == 0) !=
                       (q[w->offset + (size_t)(i * N_CLASSES)] == 0);
    }
    ok(!n_different && fabs((double)n_zero / (double)n_rows - rate) < 3 / sqrt((double)n_rows),
       "dropout after %s, step %lld: the same mask (%lld of %lld zero)", input, (long long)step,
       (long long)n_zero, (long long)n_rows);
    free(p);
    free(q);
    stop(&a);
    stop(&b);
    clear_state(&s);
    clear_data(&x);
    hop_net_free(net);
}

static void
test_masks(void)
{
    static const int64_t steps[] = {0, 1, 4294967296};

    for (size_t i = 0; i < HOP_LEN(steps); i++) {
        test_mask("401", DROPOUT(0.3), steps[i], 0.3);
        test_mask("7,9,3", CONV(16, 3, 3, 1, same, linear) DROPOUT(0.5) FLATTEN, steps[i], 0.5);
        test_mask("7,9,3", CONV(17, 3, 3, 1, same, linear) DROPOUT(0.2) FLATTEN, steps[i], 0.2);
        test_mask("1,1,3",
                  CONV(300, 1, 1, 1, same, linear) LAYER("SpatialDropout2D", "\"rate\":0.4") FLATTEN,
                  steps[i], 0.4);
    }
}

/* ---- 5 edges ---- */

/* What L1 adds to a gradient is its factor with the weight's sign, and nothing where that is 0. */
static void
test_sign(const struct hop_device_ops *ops)
{
    struct hop_net *net[2] = {make_net("6,6,3", CONV(17, 3, 3, 1, same, elu) FLATTEN),
                              make_net("6,6,3",
                                       LAYER("Conv2D", "\"filters\":17,\"kernel_size\":3,"
                                             "\"padding\":\"same\",\"activation\":\"elu\","
                                             "\"kernel_regularizer\":{\"class_name\":\"L1\","
                                             "\"config\":{\"l1\":0.5}}") FLATTEN)};
    struct test_data x = make_data(net[0], 4, 22);
    struct hop_state s = make_state(net[0], NULL, 5);
    struct hop_err e = {0};
    float *g[2];
    double loss[2], penalty = 0, want;
    size_t i, n = (size_t)net[0]->weights[0].n, n_bad = 0;

    for (i = 0; i < n; i += 3)
        s.weights[i] = i % 2 ? -0.0f : 0.0f;
    for (int k = 0; k < 2; k++) {
        struct hop_plan_spec spec = make_spec(net[k], 4, "sgd", "{}");
        struct test_run t = start(ops, &spec, &x);

        g[k] = hop_alloc_floats(net[k]->n_params, &e);
        s.net = net[k];
        if (t.ops->load(t.p, &s, &e) || t.ops->gradient(t.p, t.x, &a_pass, g[k], &loss[k], &e))
            die("sign", &e);
        stop(&t);
    }
    for (i = 0; i < n; i++) {
        want = s.weights[i] > 0 ? 0.5 : s.weights[i] < 0 ? -0.5 : 0;
        penalty += 0.5 * fabs((double)s.weights[i]);
        n_bad += !(fabs((double)g[1][i] - (double)g[0][i] - want) <= 1e-6);
    }
    ok(!n_bad && fabs(loss[1] - loss[0] - penalty) <= 1e-6 * penalty,
       "%s: L1 adds its factor with the sign, 0 at 0 (%zu of %zu wrong)", ops->name, n_bad, n);
    s.net = net[0];
    for (int k = 0; k < 2; k++)
        free(g[k]);
    clear_state(&s);
    clear_data(&x);
    hop_net_free(net[0]);
    hop_net_free(net[1]);
}

static void
test_refusals(void)
{
    struct hop_net *net = make_net("7", "");
    struct hop_plan_spec spec = make_spec(net, 4, "sgd", "{}");
    const struct hop_device_ops *ops;
    struct hop_plan *p;
    struct hop_device *d;
    struct hop_err e = {0};
    int index;

    spec.precision = "fp8";
    if (dev->open(0, 1, &d, &e))
        die("open", &e);
    ok(dev->compile(d, &spec, &p, &e) == HOP_EARG && !p, "unknown precision: %s", e.what);
    dev->close(d);
    hop_err_clear(&e);
    ok(dev->open(3, 1, &d, &e) == HOP_EDEV && !d, "device number 3: %s", e.what);
    hop_err_clear(&e);
    ok(hop_device_find("tpu", &ops, &index, &e) == HOP_EARG, "unknown device: %s", e.what);
    hop_net_free(net);
}

/* Numbers that break are a result, not an accident. */
static void
test_divergence(const struct hop_device_ops *ops)
{
    struct hop_net *net = make_net("8,8,3", CONV(8, 3, 3, 1, same, relu) FLATTEN);
    struct hop_plan_spec spec = make_spec(net, 8, "sgd", "{\"lr\":1e6}");
    struct test_data x = make_data(net, 8, 22);
    struct hop_state s = make_state(net, spec.optim, 5);
    struct test_run t = start(ops, &spec, &x);
    struct hop_pass pass = a_pass;
    struct hop_result r = {0};
    struct hop_err e = {0};

    if (ops->load(t.p, &s, &e))
        die("load", &e);
    for (; pass.i_pass < 30 && !r.is_diverged; pass.i_pass++)
        if (ops->train(t.p, t.x, &pass, &r, &e))
            die("train", &e);
    ok(r.is_diverged && !isfinite(r.loss), "%s: divergence is seen", ops->name);
    s.weights[0] = NAN; /* of a kernel before a ReLU, which may turn NaN into 0 */
    if (ops->load(t.p, &s, &e) || ops->train(t.p, t.x, &pass, &r, &e))
        die("train", &e);
    ok(r.is_diverged, "%s: a broken weight behind a ReLU is seen", ops->name);
    stop(&t);
    clear_state(&s);
    clear_data(&x);
    hop_net_free(net);
}

/* bf16 where the CPU has it, a refusal with the reason where not; "auto" always is something. */
static bool
can_bf16(void)
{
    struct hop_net *net = make_net("7", "");
    struct hop_plan_spec spec = make_spec(net, 4, "sgd", "{}");
    struct hop_device *d;
    struct hop_plan *p;
    struct hop_err e = {0};
    int rc;

    if (dev->open(0, 1, &d, &e))
        die("open", &e);
    spec.precision = "bf16";
    rc = dev->compile(d, &spec, &p, &e);
    ok(rc ? rc == HOP_EDEV && strstr(e.what, "no bf16") : !strcmp(dev->precision(p), "bf16"),
       "bf16: %s", rc ? e.what : "this CPU has it");
    dev->plan_free(p);
    hop_err_clear(&e);
    spec.precision = "auto";
    ok(!dev->compile(d, &spec, &p, &e) && !strcmp(dev->precision(p), rc ? "fp32" : "bf16"),
       "auto: the device's fastest");
    dev->plan_free(p);
    dev->close(d);
    hop_net_free(net);
    return !rc;
}

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

int
main(void)
{
    const struct hop_device_ops *both[2];
    struct hop_err e = {0};
    int index;

    if (hop_device_find("ref", &ref, &index, &e))
        die("ref", &e);
    if (hop_device_find("cpu", &dev, &index, &e)) {
        hop_err_clear(&e);
        dev = ref; /* the laws of state hold for ref alone, too */
        printf("# device cpu is not built in: ref against itself\n");
    }
    has_bf16 = dev != ref && can_bf16();
    hop_log_set(count_slow);
    both[0] = ref;
    both[1] = dev;
    for (size_t i = 0; i < HOP_LEN(rows); i++)
        test_row(&rows[i]);
    for (size_t i = 0; i < HOP_LEN(loss_rows); i++) {
        test_loss(&loss_rows[i]);
        test_loss_split(ref, &loss_rows[i]);
        if (dev != ref)
            test_loss_split(dev, &loss_rows[i]);
    }
    for (size_t i = 0; i < HOP_LEN(optims); i++) {
        test_optimizer(i);
        test_split(ref, "fp32", SMOOTH, i);
        if (dev != ref)
            test_split(dev, "fp32", SMOOTH, i);
        if (has_bf16)
            test_split(dev, "bf16", SMOOTH, i);
    }
    test_split(ref, "fp32", GRAPH, 2);
    if (dev != ref)
        test_split(dev, "fp32", GRAPH, 2);
    if (has_bf16)
        test_split(dev, "bf16", GRAPH, 2);
    for (size_t i = 0; i < (dev == ref ? 1 : HOP_LEN(both)); i++) {
        test_load_store(both[i]);
        test_evaluate(both[i]);
        test_divergence(both[i]);
        test_sign(both[i]);
    }
    test_masks();
    test_refusals();
    ok(dev == ref || (n_logged > 500 && !n_slow), "%d of %d primitives are slow ones", n_slow,
       n_logged);
    return tap_end();
}
