/* predict - what is on pictures: hop-eval --predict. The model file alone says size, classes and
 * normalisation. */
#ifndef HOP_TOOL_PREDICT_H
#define HOP_TOOL_PREDICT_H

#include "engine/session.h"
#include "net/state.h"

/* tool_predict_info - the data the model was trained on, if they were pictures. */
int tool_predict_info(struct hop_model *m, const struct hop_training *t, const char *where,
                      struct hop_dataset_info *info, struct hop_err *e) HOP_MUSTUSE;

/* tool_predict - one prediction/1 line per file: `top` classes, most probable first, of equally
 * probable ones the first in class order; or the targets' values. s: an inference session with batch 1. */
int tool_predict(const struct hop_training *t, const struct hop_dataset_info *info,
                 struct hop_session *s, int64_t top, int n_files, char **files,
                 struct hop_err *e) HOP_MUSTUSE;

#endif
