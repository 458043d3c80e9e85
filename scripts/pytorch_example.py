#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Trains a small residual network on Fashion-MNIST in PyTorch, exports it to ONNX, and lets bitstrata run it quantized:
accuracy in float and in integers at several widths, cycles, and all engines compared. Needs Debian's python3-torch
(apt-get install python3-torch), which nothing else here does.

    scripts/pytorch_example.py --program build/release/bin/bitstrata --out out/pytorch
"""
import argparse
import gzip
import os
import subprocess
import sys

try:
    import numpy
    import torch
    from torch import nn
except ImportError as error:
    print(f"{sys.argv[0]}: {error}: apt-get install python3-torch", file=sys.stderr)
    sys.exit(77)  # what tests take for "skipped"

FOLDER = os.environ.get("BITSTRATA_FASHION_MNIST") or "/usr/share/datasets/fashion-mnist"


class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.a = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm_a = nn.BatchNorm2d(channels)
        self.b = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm_b = nn.BatchNorm2d(channels)

    def forward(self, x):
        y = torch.relu(self.norm_a(self.a(x)))
        return torch.relu(self.norm_b(self.b(y)) + x)


def network(residual):
    def down(inputs, outputs):
        return [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]

    blocks = [Block(32)] if residual else [nn.MaxPool2d(2)]
    side = 7 if residual else 3
    return nn.Sequential(*down(1, 16), *down(16, 32), *blocks, nn.Flatten(), nn.Linear(32 * side * side, 10))


def idx(name, header):
    for suffix, opener in ((".gz", gzip.open), ("", open)):
        path = os.path.join(FOLDER, name + suffix)
        if os.path.exists(path):
            with opener(path, "rb") as file:
                return path, numpy.frombuffer(file.read(), numpy.uint8, offset=header)
    sys.exit(f"{sys.argv[0]}: {FOLDER}/{name} is missing: apt-get install dataset-fashion-mnist")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/release/bin/bitstrata")
    parser.add_argument("--out", default="out/pytorch")
    parser.add_argument("--train-images", type=int, default=20000)
    parser.add_argument("--test-images", type=int, default=2000)
    parser.add_argument("--plain", action="store_true", help="without the residual block")
    arguments = parser.parse_args()
    os.makedirs(arguments.out, exist_ok=True)
    torch.manual_seed(1)
    torch.set_num_threads(2)

    image_path, pixels = idx("train-images-idx3-ubyte", 16)
    label_path, answers = idx("train-labels-idx1-ubyte", 8)
    count = arguments.train_images
    images = torch.tensor(pixels.reshape(-1, 1, 28, 28)[:count].astype(numpy.float32) / 255)
    labels = torch.tensor(answers[:count].astype(numpy.int64))
    model = network(not arguments.plain)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(2):
        order = torch.randperm(len(images))
        for first in range(0, len(order), 100):
            batch = order[first:first + 100]
            loss = nn.functional.cross_entropy(model((images[batch] - 0.286) / 0.353), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch + 1}: loss {loss.item():.3f}", flush=True)
    model.eval()
    file = os.path.join(arguments.out, "residual.onnx" if not arguments.plain else "plain.onnx")
    torch.onnx.export(model, torch.zeros(1, 1, 28, 28), file)

    test_images, _ = idx("t10k-images-idx3-ubyte", 16)
    test_labels, _ = idx("t10k-labels-idx1-ubyte", 8)
    dataset = os.path.join(arguments.out, "dataset.yaml")
    with open(dataset, "w") as yaml:
        yaml.write("format: bitstrata-dataset-1\nname: fashion-mnist\nkind: idx\n"
                   f"scale: {1 / 255}\nmean: 0.286\nstd: 0.353\n"
                   f"test: {{images: {test_images}, labels: {test_labels}, count: {arguments.test_images}}}\n"
                   f"train: {{images: {image_path}, labels: {label_path}, count: 1000}}\n")

    def bitstrata(*words):
        print("$ bitstrata", *words, flush=True)
        subprocess.run([arguments.program, *words, "--quiet"], check=True)

    for widths in (8, 4):
        bitstrata("evaluate", "--network", file, "--dataset", dataset, "--calibration", "mse", "--weight-bits",
                  str(widths), "--activation-bits", str(widths))
    bitstrata("export", file, "--dataset", dataset, "--format", "qonnx", "--out", os.path.join(arguments.out, "qonnx"))
    bitstrata("verify", "--network", file, "--dataset", dataset, "--architecture", "pim-16x16", "--rtl-images", "0")


if __name__ == "__main__":
    main()
