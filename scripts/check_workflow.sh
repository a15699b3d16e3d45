#!/usr/bin/env bash
# Runs workflow/Snakefile with the trained model of the tests: on this machine, and on a Slurm of one node where one job is killed.
# Both must give the ranges of a single run, byte for byte. Needs a release build and the Python package index; for Slurm also root.
#
#   scripts/check_workflow.sh [--here] [PROGRAM]      --here: without Slurm
set -euo pipefail
here=false
if [[ ${1:-} == --here ]]; then
  here=true
  shift
fi
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
program=$(realpath "${1:-$root/build/release/fastvlm-npu}")
work=$root/build/workflow
environment=$root/build/workflow-environment

fail() {
  printf 'check_workflow: %s\n' "$*" >&2
  exit 1
}

rm -rf "$work"
mkdir -p "$work/pictures"
cp "$root"/tests/data/trained/eval/00[0-7].png "$work/pictures/"
head -n 8 "$root/tests/data/trained/eval/eval.jsonl" >"$work/questions.jsonl"
sed -i "s#\"image\": \"#\"image\": \"$root/tests/data/trained/eval/#" "$work/questions.jsonl"
cat >"$work/tiny.yaml" <<YAML
program: $program
model_dir: $root/tests/data/trained/checkpoint
calibration_images: $work/pictures
questions: $work/questions.jsonl
recipes: [w8]
threads: 1
calibrate_options: "--reply-tokens 2"
export_options: "--prefill 32 --context 128"
YAML

if [[ ! -x $environment/bin/snakemake ]]; then
  python3 -m venv "$environment"
  "$environment/bin/pip" install -q snakemake==9.27.1 snakemake-executor-plugin-slurm==2.8.0 kubernetes-validate
fi
run() {
  local folder=$1
  shift
  mkdir -p "$folder"
  "$environment/bin/snakemake" -s "$root/workflow/Snakefile" --configfile "$work/tiny.yaml" --directory "$folder" --quiet rules "$@"
}
# Every chip has a score, and the ranges are those of a single run.
check() {
  cmp "$1/ranges.fvc" "$work/single.fvc" || fail "$1: the merged ranges differ from those of a single run"
  for chip in sm8650 sm8750 x-elite; do
    grep -q '"exact"' "$1/results/$chip-w8.json" || fail "$1: no score for $chip"
    "$program" verify --bundle "$1/bundles/$chip-w8" --quiet >/dev/null || fail "$1: the bundle for $chip is not whole"
  done
}

"$environment/bin/kubernetes-validate" --strict "$root"/workflow/kubernetes/*.yaml || fail "the Kubernetes job does not fit its schema"

"$program" calibrate --model-dir "$root/tests/data/trained/checkpoint" --images "$work/pictures" --reply-tokens 2 --quiet --threads 1 \
  --output "$work/single.fvc" >/dev/null
run "$work/local" -c2
check "$work/local"
echo "check_workflow: on this machine: as a single run"
if $here; then exit 0; fi

"$root/scripts/setup-slurm.sh"
# Kills the first job that is seen running and does not end by itself meanwhile; Snakemake sends it again.
(
  until job=$(squeue -h -t running -o %A | sed -n 1p) && [[ -n $job ]] && scancel --signal=KILL --full "$job"; do sleep 0.2; done
  echo "$job" >"$work/killed"
) &
run "$work/slurm" --executor slurm --slurm-status-command squeue --default-resources slurm_account=none slurm_partition=main --jobs 2 \
  --slurm-init-seconds-before-status-checks 5 >"$work/slurm.log" 2>&1 || {
  tail -n 40 "$work/slurm.log" >&2
  fail "the workflow failed on Slurm"
}
wait
[[ -s $work/killed ]] || fail "no job was killed"
check "$work/slurm"
echo "check_workflow: on Slurm, job $(cat "$work/killed") killed: as a single run"
