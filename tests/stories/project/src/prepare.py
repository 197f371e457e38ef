"""Writes the breast cancer measurements of scikit-learn, in two parts, to data/."""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

share = 0.25
seed = 0

x, y = load_breast_cancer(return_X_y=True)
x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=share, random_state=seed, stratify=y)

Path("data").mkdir(exist_ok=True)
np.savez("data/train.npz", x=x_train, y=y_train)
np.savez("data/test.npz", x=x_test, y=y_test)
print(f"rows: {len(x_train)}")
