# SPDX-License-Identifier: Apache-2.0
"""Another reader of Liberty files, to hold sim/gates against: leakages and internal energies, looked up without it.

liberty_lookup.py FILE LOAD SLEW prints, for load (F) and slew (s), lines of
  leakage CELL WATTS
  energy CELL PIN JOULES    (of one transition: mean over conditions, then over edges, supplies added)
  several CELL              (whose leakage is told by supply, or for states and for all of them)
"""
import re
import sys

TOKEN = re.compile(r'"([^"]*)"|([(){};:,])|([^\s(){};:,"]+)', re.S)
PREFIX = {"f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3}


class Group:
    def __init__(self, name, arguments):
        self.name, self.arguments, self.attributes, self.groups = name, arguments, {}, []

    def all(self, name):
        return [group for group in self.groups if group.name == name]

    def get(self, name, absent=""):
        return self.attributes.get(name, [absent])[0]


def parse(text):
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S).replace("\\\n", " ")
    tokens = [match.groups() for match in TOKEN.finditer(text)]
    at = 0

    def is_mark(i, mark):
        return i < len(tokens) and tokens[i][1] == mark

    def word(i):
        return tokens[i][0] if tokens[i][0] is not None else tokens[i][2]

    def body(group):
        nonlocal at
        while at < len(tokens) and not is_mark(at, "}"):
            if is_mark(at, ";"):
                at += 1
                continue
            name = word(at)
            at += 1
            if is_mark(at, ":"):
                at += 1
                value = []
                # A value without a semicolon ends where the next statement begins.
                while not (is_mark(at, ";") or is_mark(at, "}")):
                    if value and (is_mark(at + 1, ":") or is_mark(at + 1, "(")):
                        break
                    value.append(word(at) if tokens[at][1] is None else tokens[at][1])
                    at += 1
                group.attributes.setdefault(name, [" ".join(value)])
                continue
            at += 1
            arguments = []
            while not is_mark(at, ")"):
                if not is_mark(at, ","):
                    arguments.append(word(at))
                at += 1
            at += 1
            if is_mark(at, "{"):
                at += 1
                inner = Group(name, arguments)
                body(inner)
                at += 1
                group.groups.append(inner)
            else:
                group.attributes.setdefault(name, arguments)

    outer = Group("", [])
    body(outer)
    return outer.groups[0]


def numbers(values):
    return [float(word) for value in values for word in re.split(r"[\s,]+", value) if word]


def unit(text):
    number, name = re.match(r"\s*([-+0-9.eE]+)\s*(\w+)", text).groups()
    return float(number) * (PREFIX[name[0].lower()] if len(name) > 1 else 1)


def interpolate(axis, x):
    """Two neighbouring points and how far x is between (or beyond) them."""
    if len(axis) == 1:
        return 0, 0, 0.0
    low = 0
    while low + 2 < len(axis) and axis[low + 1] <= x:
        low += 1
    return low, low + 1, (x - axis[low]) / (axis[low + 1] - axis[low])


def look_up(table, templates, scale, load, slew):
    values = numbers(table.attributes["values"])
    shape = templates.get(table.arguments[0]) if table.arguments else None
    if len(values) == 1 or shape is None:
        return values[0]
    axes = []
    for i in (1, 2):
        variable = shape.get(f"variable_{i}")
        if variable:
            points = numbers(table.attributes.get(f"index_{i}", shape.attributes[f"index_{i}"]))
            x = load / scale["load"] if "capacitance" in variable else slew / scale["time"]
            axes.append((points, x))
    if len(axes) == 1:
        a, b, share = interpolate(*axes[0])
        return values[a] * (1 - share) + values[b] * share
    (rows, x), (columns, y) = axes
    r0, r1, p = interpolate(rows, x)
    c0, c1, q = interpolate(columns, y)
    at = lambda r, c: values[r * len(columns) + c]
    return (at(r0, c0) * (1 - p) * (1 - q) + at(r1, c0) * p * (1 - q) + at(r0, c1) * (1 - p) * q + at(r1, c1) * p * q)


def mean(values):
    return sum(values) / len(values)


def energy(pin, templates, scale, load, slew):
    supplies = {}
    for power in pin.all("internal_power"):
        edges = supplies.setdefault(power.get("related_pg_pin"), ([], []))
        for table in power.groups:
            value = look_up(table, templates, scale, load, slew)
            if table.name in ("rise_power", "power"):
                edges[0].append(value)
            if table.name in ("fall_power", "power"):
                edges[1].append(value)
    return sum(mean([mean(edge) for edge in edges if edge]) for edges in supplies.values() if edges[0] or edges[1])


def leakage(cell, absent):
    if "cell_leakage_power" in cell.attributes:
        return float(cell.get("cell_leakage_power"))
    supplies = {}
    for power in cell.all("leakage_power"):
        supplies.setdefault(power.get("related_pg_pin"), ([], []))["when" not in power.attributes].append(
            float(power.get("value")))
    return sum(mean(states or always) for states, always in supplies.values()) if supplies else absent


def main():
    file, load, slew = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
    with open(file, encoding="latin-1") as stream:
        library = parse(stream.read())
    number, name = library.attributes["capacitive_load_unit"]
    volt = unit(library.get("voltage_unit", "1V"))
    scale = {"load": float(number) * PREFIX[name[0].lower()], "time": unit(library.get("time_unit", "1ns"))}
    watt = unit(library.get("leakage_power_unit", "1W"))
    templates = {group.arguments[0]: group for group in library.all("power_lut_template")}
    for cell in library.all("cell"):
        groups = [(group.get("related_pg_pin"), "when" in group.attributes) for group in cell.all("leakage_power")]
        if len(set(groups)) > 1:
            print("several", cell.arguments[0])
        print("leakage", cell.arguments[0], leakage(cell, float(library.get("default_cell_leakage_power", "0"))) * watt)
        for pin in cell.all("pin"):
            at = load if pin.get("direction") == "output" else 0
            value = energy(pin, templates, scale, at, slew) * scale["load"] * volt * volt
            for pin_name in pin.arguments:
                print("energy", cell.arguments[0], pin_name, value)


main()
