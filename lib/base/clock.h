/* clock - time that only moves forward. Never used for seeds. */
#ifndef HOP_BASE_CLOCK_H
#define HOP_BASE_CLOCK_H

double hop_clock_s(void); /* monotonic seconds since some fixed point */

#endif
