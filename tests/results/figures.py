#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Derives a figure of each study in results/ again, by the command that made it, and compares.

  figures.py FOLDER [--programs build/release/bin]

FOLDER is a folder of results, or `commits`: that every commit named there exists and no result is of a changed tree. Studies
that train for hours are held by what their tables say of cycles, and by their tables against their own cells. Exits with 1
where a figure differs, or where none was compared.
"""
import argparse
import csv
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import re
import subprocess
import sys
import tomllib
import tempfile

root = pathlib.Path(__file__).resolve().parent.parent.parent
results = root / "results"


class Figures:
    """What was compared."""

    def __init__(self, programs):
        self.programs, self.compared, self.failed = programs, 0, 0

    def same(self, what, recorded, derived):
        self.compared += 1
        if recorded != derived:
            self.failed += 1
            print(f"{what}: recorded {recorded}, now {derived}")

    def near(self, what, recorded, derived, digits):
        """A figure that is recorded with so many digits behind the point."""
        self.compared += 1
        if abs(float(recorded) - derived) > 0.501 * 10.0**-digits:
            self.failed += 1
            print(f"{what}: recorded {recorded}, now {derived}")

    def run(self, *words, program="bitstrata"):
        done = subprocess.run([self.programs / program, *map(str, words)], capture_output=True, text=True, cwd=root)
        if done.returncode != 0:
            sys.exit(f"{program} {' '.join(map(str, words))}: {done.stderr}")
        return done.stdout

    def json_of(self, *words):
        return json.loads(self.run("run", "--json", "--quiet", *words))

    def points(self, parameters, plan_bits, fpga=None):
        """The points of a sweep over the parameters of pim-64x64 on LeNet-5."""
        text = "format: bitstrata-sweep-1\nnetworks: [lenet5]\narchitectures: [pim-64x64]\ntechnologies: [ad-pim]\nplans:\n"
        text += f"  - bits: [{plan_bits}]\nparameters:\n" + "".join(f"  {key}: [{v}]\n" for key, v in parameters.items())
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "sweep.yaml"
            path.write_text(text)
            self.run("sweep", path, "--store", f"{folder}/points.sqlite", "--out", f"{folder}/out", "--quiet",
                     *(("--fpga", fpga) if fpga else ()))
            with open(f"{folder}/out/points.csv", newline="") as stream:
                return list(csv.DictReader(stream))

    def cycles(self, network, architecture, weight_bits, activation_bits):
        return self.json_of("--network", network, "--architecture", architecture, "--weight-bits", weight_bits,
                            "--activation-bits", activation_bits)["cycles"]


def rows(path):
    with open(results / path, newline="") as stream:
        return list(csv.DictReader(stream))


def script(name):
    """A script of ours as a module: its tables are made by its own functions."""
    sys.path.insert(0, str(root / "scripts"))
    loader = importlib.machinery.SourceFileLoader(name, str(root / "scripts" / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


def agreement(f):
    """All but golden's columns: its scales come of sums of floats, whose last bits depend on the processor."""
    if not (f.programs / "onnx_agreement").exists() or not (root / "build/onnx_runtime/node_modules").exists():
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        f.run("--graphs", 1, "--seed", 1, "--csv", f"{folder}/files.csv", program="onnx_agreement")
        with open(f"{folder}/files.csv", newline="") as stream:
            now = list(csv.DictReader(stream))
    recorded = {row["file"]: row for row in rows("agreement/files.csv")}
    for row in now:
        for column in [column for column in row if not column.startswith("golden")]:
            f.same(f"{row['file']}, {column}", recorded[row["file"]][column], row[column])


def arrays(f):
    cells = rows("arrays/cells.csv")
    for name in sorted({row["array"] for row in cells if row["array"]})[:4]:
        point = f.points(dict(pair.split("=") for pair in name.split()), 8)[0]
        for bits in {row["bits_on_chip"] for row in cells if row["array"] == name}:
            f.same(f"bits on chip of {name}", bits, point["bits_on_chip"])
    study = script("study_arrays")
    f.same("table.md", (results / "arrays/table.md").read_text(), study.table(cells))


def codesign(f):
    """Shares from cycles; cycles of 8/8 by the study's array, from which rows of earlier commits differ by less than 0.1 %."""
    networks = {"fashion": "resnet8_small", "colour": "mobilenetv1_cifar", "resnet8": "resnet8"}
    full = {part: f.cycles(network, results / "codesign/array.yaml", 8, 8) for part, network in networks.items()}
    for row in rows("codesign/cells.csv"):
        if row["kept"] != "1":
            continue
        name = f"{row['part']}, {row['method']}, {row['limit']}"
        f.near(f"share of {name}", row["share_of_8_8"], int(row["cycles"]) / int(row["cycles_of_8_8"]), 4)
        if row["part"] in full and row["method"] != "codesign, channels first":  # what that leaves is another network
            f.same(f"cycles of 8/8 of {name}, nearly", True, abs(int(row["cycles_of_8_8"]) / full[row["part"]] - 1) < 0.001)
        if row["measured_systemc"]:
            f.same(f"cycles of {name}", row["cycles"], row["measured_systemc"])


def cosimulation(f):
    """The smallest array's line: what was drawn and compared, cycles included."""
    lines = (results / "cosimulation/arrays.txt").read_text().splitlines()
    options = dict(word.split("=") for word in lines[1].split()[:-1])
    done = subprocess.run([f.programs / "cosim_test", "--gtest_filter=*EnginesAgree/0"], capture_output=True, text=True,
                          env=os.environ | options)
    f.same("the array's line", lines[2], "".join(line for line in done.stdout.splitlines() if line.startswith("[ seed")))
    for line in lines:
        if "differ" in line:
            f.same(line.split(":")[0], "0 differ", line.rsplit("; ", 1)[1])


def demo(f):
    for row in rows("demo/report.csv"):
        plan = results / f"demo/plan_{row['run'].removeprefix('cost_')}.yaml"
        if not plan.exists() or not row["cycles"]:
            continue
        now = f.json_of("--network", row["network"], "--architecture", row["architecture"], "--plan", plan)
        f.same(f"cycles of {row['run']}", int(row["cycles"]), now["cycles"])
        for technology in ("ad-pim", "45nm-mac-memory"):
            f.near(f"{technology} of {row['run']} (pJ)", row[f"energy_{technology}_pj"],
                   now["energy"][technology]["energy_pj"], 3)


def energy(f):
    """The energy of a MAC of LeNet-5, random weights, one image."""
    for line in (results / "energy/energy.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) < 6 or cells[0] not in ("osu018-pim-64-gated", "osu018-overlay-64-gated") or cells[1] != "all":
            continue
        architecture = "pim-64x64-gated" if "pim" in cells[0] else "overlay-8x64x8-gated"
        for column, bits in ((2, 2), (4, 8)):
            now = f.json_of("--network", "lenet5", "--engine", "systemc", "--architecture", architecture, "--technology",
                            cells[0], "--weight-bits", bits, "--activation-bits", bits, "--images", 1)
            f.near(f"{cells[0]} at {bits}/{bits} (pJ a MAC)", cells[column],
                   now["energy"][cells[0]]["energy_pj"] / now["macs"], 2)


def families(f):
    """Errors that a family's technology states against its table, and its price of a built-in architecture."""
    for file in sorted((results / "families").glob("*.csv")):
        table = rows(f"families/{file.name}")
        text = (root / f"model/technologies/{file.stem}.yaml").read_text()
        f.same(f"{file.stem}: architectures", int(re.search(r"architectures: (\d+)", text)[1]), len(table))
        for key in ("area", "leakage", "clock"):
            said = re.search(rf"{key}: {{mean_percent: ([0-9.]+), worst_percent: ([0-9.]+), worst: ([^}}]+)}}", text)
            errors = {r["architecture"]: abs(float(r[f"{key}_error_percent"])) for r in table}
            f.near(f"{file.stem}: {key}, mean", said[1], sum(errors.values()) / len(errors), 1)
            f.near(f"{file.stem}: {key}, worst", said[2], errors[said[3]], 1)
            f.same(f"{file.stem}: {key}, worst of", said[3], max(errors, key=errors.get))
        said = re.search(r" error: {runs: (\d+), r2: [0-9.]+, mean_percent: ([0-9.]+), worst_percent: ([0-9.]+)", text)
        f.same(f"{file.stem}: runs", int(said[1]), sum(int(r["runs"]) for r in table))
        f.near(f"{file.stem}: energy, mean", said[2], sum(float(r["energy_mean_error_percent"]) for r in table) / len(table), 1)
        f.near(f"{file.stem}: energy, worst", said[3], max(float(r["energy_worst_error_percent"]) for r in table), 1)
        now = f.json_of("--network", "lenet5", "--architecture", "pim-64x64-gated", "--technology", file.stem)
        rules = now["energy"][file.stem]["rules"]
        f.same(f"{file.stem}: pim-64x64-gated lies outside", [], [r for r in rules if r.startswith("OUTSIDE")])


def energy_of_plans(f):
    for row in rows("energy_of_plans/plans.csv"):
        error = 100 * (float(row["energy_uj"]) / float(row["energy_counted_uj"]) - 1)
        f.same(f"error of {row['network']}, {row['technology']}, {row['seed']}", True,
               abs(error - float(row["energy_error_percent"])) < 0.011)


def fpga(f):
    """Predictions of the model; the C++ model's own test covers all rows and columns."""
    for row in [r for r in rows("fpga/resources.csv") if int(r["max_activation_bits"]) >= 16][:3]:
        keys = list(row)[list(row).index("style"):]
        now = f.points({key: row[key].lower() for key in keys}, row["max_weight_bits"], row["family"])[0]
        # A carry is made of two LUTs on ECP5, and of cells of its own on Xilinx 7.
        luts = int(row["predicted_lut"]) + int(row["predicted_lut_ram"])
        luts += 2 * int(row["predicted_carry"]) if row["family"] == "ecp5" else 0
        f.same(f"LUTs of {row['point']} on {row['family']}", luts, int(float(now["luts"])))


def ice40(f):
    """Cycles, which do not depend on weights; cells and clock take a synthesis."""
    recorded = json.loads((results / "ice40/ice40.json").read_text())
    now = f.json_of("--network", recorded["network"], "--architecture", recorded["architecture"], "--weight-bits", 2,
                    "--activation-bits", 2, "--output-bits", 2)
    f.same("cycles an inference", recorded["cycles"], now["cycles"])
    for what, most in recorded["of"].items():
        f.same(f"{what} that the device has", True, 0 < recorded[what] <= most)


def mutations(f):
    """The table's counts against its rows; every fault can still be put in."""
    for name, fault in tomllib.loads((root / "scripts/mutations.toml").read_text()).items():
        f.same(f"places of {name} in {fault['file']}", 1, (root / fault["file"]).read_text().count(fault["old"]))
    faults = rows("mutations/faults.csv")
    head = (results / "mutations/table.md").read_text().splitlines()[2]
    for outcome in sorted({row["now"] for row in faults}):
        count = sum(row["now"] == outcome for row in faults)
        f.same(f"faults that are {outcome}", True, f"{count} {outcome}" in head)


def networks(f):
    for style in ("pim-64x64", "overlay-8x64x8"):
        for widths in ("8", "mixed"):
            recorded = json.loads((results / f"networks/lenet5-{style}-{widths}.json").read_text())
            options = ("--plan", "mixed") if widths == "mixed" else ("--weight-bits", 8, "--activation-bits", 8)
            now = f.json_of("--network", "lenet5", "--architecture", style, *options)
            for old, new in zip(recorded["layers"], now["layers"], strict=True):
                for engine, cycles in old["cycles"].items():
                    f.same(f"{style}, {widths}, {old['layer']} on {engine}", cycles, new["events"]["cycles"])


def quantizers(f):
    """Means of the table, of all that was trained."""
    cells = rows("quantizers/accuracy.csv")
    for line in (results / "quantizers/table.md").read_text().splitlines():
        shown = [cell.strip().split(" ")[0] for cell in line.strip("|").split("|")]
        if len(shown) < 7 or "/" not in shown[1] or not shown[1][0].isdigit():
            continue
        arms = [(quantizer, distilled) for quantizer in ("range", "lsq") for distilled in ("0", "0.5")]
        for (quantizer, distilled), mean in zip(arms, shown[3:]):
            values = [100 * float(row["validation"]) for row in cells
                      if (row["network"], row["bits"], row["quantizer"], row["distillation"]) ==
                      (shown[0], shown[1].split("/")[0], quantizer, distilled)]
            f.near(f"{shown[0]} at {shown[1]} by {quantizer}, {distilled}", mean, sum(values) / len(values), 2)


def fuzzing(f):
    """The page against the counts."""
    table = (results / "fuzzing/table.md").read_text()
    for row in rows("fuzzing/readers.csv"):
        f.same(f"row of {row['reader']}", True, "| " + " | ".join(row.values()) + " |" in table)


def sensitivities(f):
    """Of the first cell: tau of one score against all recorded losses, from the recorded curves."""
    study = script("sensitivities")
    recorded = {(r["network"], r["narrowest"], r["channel_choices"], r["training"], r["score"], r["center"]): r["tau"]
                for r in rows("sensitivities/taus.csv")}
    plans = rows("sensitivities/plans.csv")
    folder = results / "sensitivities/cells"
    for network in ("fashion", "kws"):
        curves, _, kinds = study.read_curves(folder, network)
        part = [r for r in plans if (r["network"], r["narrowest"], r["channel_choices"], r["training"]) ==
                (network, "2", "0", "before")]
        points = [[int(value) for value in row["values"].split()] for row in part]
        predicted = study.predictions(curves, kinds, points)
        for key in predicted:
            f.near(f"tau of {network}, {' '.join(key)}", recorded[network, "2", "0", "before", *key],
                   study.tau_of(predicted[key], [float(row["loss"]) for row in part]), 3)


def speed(f):
    engines = json.loads((results / "speed/speed.json").read_text())["engines"]
    now = f.cycles("resnet18", "pim-64x64", 8, 8)
    for engine, row in engines.items():
        if "cycles" in row:
            f.same(f"cycles of ResNet-18 on {engine}", row["cycles"], now)


def styles(f):
    study = script("compare_styles")
    recorded = [row for row in rows("styles/styles.csv") if row["network"] == "mobilenetv2_96"]
    now = [row for row in study.measure(("mobilenetv2_96",)) if row["network"] == "mobilenetv2_96"]
    for old, new in zip(recorded, now, strict=True):
        f.same(f"{old['kind']} at {old['weight_bits']}/{old['activation_bits']} on {old['architecture']}", old["cycles"],
               str(new["cycles"]))


def sweep(f):
    for row in rows("sweep/front.csv")[::6]:
        keys = ("rows", "data_bits", "post_lanes", "psum_depth", "weight_depth", "outstanding")
        style = {"pim-64x64": "pim", "overlay-8x64x8": "overlay"}[row["architecture"]]
        text = f"style: {style}\n" + ("" if style == "pim" else "vectors: 8\ncolumns: 8\n")
        text += "".join(f"{key}: {row[key]}\n" for key in keys)
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "point.yaml"
            path.write_text(text)
            bits = re.fullmatch(r"w(\d+)a(\d+)", row["plan"])
            now = f.cycles(row["network"], path, bits[1], bits[2])
        f.same(f"cycles of {' '.join(row[key] for key in keys)}, {row['network']} {row['plan']}", row["cycles"], str(now))


def zero_planes(f):
    for row in rows("zero_planes/cycles.csv"):
        plan = results / f"demo/plan_{row['network']}.yaml"
        if plan.exists():
            architecture = {"pim": "pim-64x64", "overlay": "overlay-8x64x8"}[row["style"]]
            now = f.json_of("--network", "vgg_small", "--architecture", architecture, "--plan", plan)
            f.same(f"cycles of {row['network']} on {row['style']}", row["cycles"], str(now["cycles"]))


def commits(f):
    """Commits that results name exist, and none is of a changed tree (a + or -dirty behind it)."""
    git = subprocess.run(["git", "-C", str(root), "rev-parse", "--is-shallow-repository"], capture_output=True, text=True)
    if git.stdout.strip() != "false":
        sys.exit(77)  # no history to look at
    named = {}
    for path in sorted(results.rglob("*")):
        if path.suffix in (".csv", ".txt", ".json", ".md"):
            text = path.read_text()
            changed = re.findall(r"\b[0-9a-f]{12}(?:\+|-dirty|-changed)", text)
            f.same(f"{path.relative_to(root)} of a changed tree", [], changed)
            for commit in re.findall(r"(?:bitstrata 0\.1\.0 \(|commit\": \"|,)([0-9a-f]{12})\b", text):
                named.setdefault(commit, path)
    for commit, path in named.items():
        done = subprocess.run(["git", "-C", str(root), "cat-file", "-e", commit], capture_output=True)
        f.same(f"{path.relative_to(root)}: commit {commit} exists", 0, done.returncode)


def main():
    studies = {study.__name__: study for study in (
        agreement, arrays, codesign, commits, cosimulation, demo, energy, energy_of_plans, families, fpga, fuzzing, ice40, mutations, networks,
        quantizers, sensitivities, speed, styles, sweep, zero_planes)}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", choices=studies)
    parser.add_argument("--programs", type=pathlib.Path, default=root / "build/release/bin")
    options = parser.parse_args()
    figures = Figures(options.programs.resolve())
    studies[options.folder](figures)
    print(f"{options.folder}: {figures.compared} figures compared, {figures.failed} differ")
    return int(figures.failed != 0 or figures.compared == 0)


if __name__ == "__main__":
    sys.exit(main())
