"""Fits the model that config.yaml describes to data/train.npz, and writes it to model.pkl."""

import pickle
from pathlib import Path

import numpy as np
import yaml
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

config = yaml.safe_load(Path("config.yaml").read_text())
data = np.load("data/train.npz")

model = make_pipeline(*([StandardScaler()] if config["scale"] else []), LogisticRegression(**config["model"]))
model.fit(data["x"], data["y"])

Path("model.pkl").write_bytes(pickle.dumps(model))
print(f"accuracy: {model.score(data['x'], data['y']):.4f}")
