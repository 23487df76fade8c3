#!/bin/sh
# Training speed of the three nets of the talk, ResNet-20 and a small MobileNet, one thread, random data: JSON lines.
# BENCH_DEVICE (cpu), BENCH_BATCHES (128), BENCH_THREADS (1), BENCH_REPEATS (5).
cd "$(dirname "$0")/../.." || exit 1
for net in cifar10-cnn1 cifar10-cnn2 cifar10-cnn3 resnet20 mobilenet-small; do
    for batch in ${BENCH_BATCHES:-128}; do
        "${HOP_BUILD:-build}/bench/bench_train" "share/nets/$net.json" "$net" \
            "${BENCH_DEVICE:-cpu}" "$batch" "${BENCH_THREADS:-1}" "${BENCH_REPEATS:-5}" || exit 1
    done
done
