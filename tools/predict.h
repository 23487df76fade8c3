/* predict - what is on pictures, what follows from the rows of tables: hop-eval --predict. The model
 * file alone says size or columns, classes or targets, and normalisation. */
#ifndef HOP_TOOL_PREDICT_H
#define HOP_TOOL_PREDICT_H

#include "engine/session.h"
#include "net/state.h"

/* tool_predict_info - the data the model was trained on: pictures, or tables whose columns it knows. */
int tool_predict_info(struct hop_model *m, const struct hop_training *t, const char *where,
                      struct hop_dataset_info *info, struct hop_err *e) HOP_MUSTUSE;

/* tool_predict - one prediction/1 line per file: `top` classes, most probable first, of equally
 * probable ones the first in class order; or the targets' values. A table gives one per row, with its number
 * from 1. s: an inference session. */
int tool_predict(const struct hop_training *t, const struct hop_dataset_info *info,
                 struct hop_session *s, int64_t top, int n_files, char **files,
                 struct hop_err *e) HOP_MUSTUSE;

#endif
