"""Tries model.pkl on data/test.npz."""

import json
import pickle
from pathlib import Path

import click
import numpy as np


@click.command()
@click.option("--threshold", default=0.5, help="Probability from which a case counts as benign.")
@click.option("--report", type=click.Choice(["json", "none"]), default="json", help="What is written.")
def main(threshold: float, report: str) -> None:
    """Prints the accuracy, and writes it to report.json."""
    data = np.load("data/test.npz")
    model = pickle.loads(Path("model.pkl").read_bytes())
    right = (model.predict_proba(data["x"])[:, 1] >= threshold) == data["y"]
    print(f"accuracy: {right.mean():.4f}")
    if report == "json":
        Path("report.json").write_text(json.dumps({"accuracy": right.mean(), "wrong": int((~right).sum())}))


if __name__ == "__main__":
    main()
