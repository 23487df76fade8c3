#!/usr/bin/env python3
"""Write what Keras 3 makes of the nets of nets.py: NAME.keras3.json, as to_json() gives it.

    venv/bin/pip install keras==3.15.1 jax
    KERAS_BACKEND=jax venv/bin/python test/golden/keras/keras3.py [NAME...]
"""
import os
import sys

import keras
from nets import BUILDERS

for name, build in BUILDERS.items():
    if sys.argv[1:] and name not in sys.argv[1:]:
        continue
    keras.backend.clear_session()
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), name + ".keras3.json"), "w") as f:
        f.write(build(keras).to_json() + "\n")
