#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# docs/examples/Snakefile as it stands, one of its shards killed on the way: the joined store is that of one process.
# Status 77 where Snakemake is not installed (scripts/setup --cluster).
#   snakemake_test.sh PROJECT PROGRAM
set -euo pipefail
project=$1 program=$2
if ! command -v snakemake >/dev/null; then
  echo "skipped: there is no snakemake (scripts/setup --cluster)"
  exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"
cp "$project/docs/examples/Snakefile" "$work"
cat >"$work/sweep.yaml" <<'YAML'
format: bitstrata-sweep-1
networks: [resnet18]
parameters: {rows: [16, 32, 48, 64], columns: [32, 64], weight_depth: [512, 3]}
plans: [{bits: [2, 4, 6, 8]}]
technologies: [ad-pim]
YAML
cd "$work"
"$program" sweep sweep.yaml --store whole.sqlite --quiet >/dev/null
# The first start of shard 2 fails when it has something, as on a machine that goes away.
cat >bin/bitstrata <<EOF2
#!/usr/bin/env bash
if [[ " \$* " == *" --shard 2/4 "* && ! -e broken ]]; then
  touch broken
  "$program" "\$@" >/dev/null &
  until [[ -s points-2.sqlite ]]; do sleep 0.01; done
  kill -KILL \$!
  exit 9
fi
exec "$program" "\$@"
EOF2
chmod +x bin/bitstrata
export PATH=$work/bin:$PATH
run() { snakemake --cores 2 --snakefile Snakefile >>snakemake.log 2>&1; }
if run; then
  echo "the killed shard was not noticed" && cat snakemake.log
  exit 1
fi
[[ -e points-2.sqlite ]] || { echo "the killed shard's store is gone" && cat snakemake.log && exit 1; }
run || { cat snakemake.log && exit 1; }
[[ $(wc -l <fronts/front.csv) -gt 1 ]] || { echo "fronts/front.csv has no front" && exit 1; }
"$project/scripts/compare_stores" whole.sqlite points.sqlite
