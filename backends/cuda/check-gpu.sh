#!/usr/bin/env bash
# Checks and measures the CUDA backend on a machine with an NVIDIA GPU that can't build it: bare but for a driver, CUDA 13, Python with
# torch and transformers.
#
#   backends/cuda/check-gpu.sh build [FOLDER [TOKENIZER]]   on a machine with Rust: all that is needed goes to FOLDER (gpu-check)
#   FOLDER/check-gpu.sh run [MODEL]                         there: operations, golden models, conformance kit, sanitizer, figures
#
# MODEL is a directory for a model of Mistral-7B's shape with random weights, made if it is not there. TOKENIZER is a directory with a
# tokenizer.json of at most 32000 tokens, Mistral's for one: with it, what JSON guides cost is measured too. Within ten minutes.
set -euo pipefail

build() {
  cd "$(dirname "$0")/../.."
  local folder=${1:-gpu-check}
  cargo build --release -p jig --bin jig
  cargo build --release -p jig-backend-cuda --lib --example check_gpu
  local built=${CARGO_TARGET_DIR:-target}/release
  mkdir -p "$folder"
  cp "$built/examples/check_gpu" "$built/jig" "$built/libjig_backend_cuda.so" "$folder/"
  strip "$folder/check_gpu" "$folder/jig" "$folder/libjig_backend_cuda.so"
  cp -r backends/transformer/golden/values backends/cuda/bench/*.py backends/cuda/check-gpu.sh "$folder/"
  if [ -n "${2:-}" ]; then
    mkdir -p "$folder/tokenizer"
    cp "$2"/*.json "$folder/tokenizer/"
  fi
  du -sh "$folder"
}

# A step with its time; what fails is told at the end, so that one failure doesn't hide the others.
failed=()
step() {
  local name=$1 start=$SECONDS
  shift
  printf '\n== %s\n' "$name"
  "$@" || failed+=("$name")
  printf '(%s s)\n' $((SECONDS - start))
}

checks() {
  timeout 120 ./check_gpu checks && return
  printf '\nagain, kernels one after the other: whether it is those that overlap that are wrong, or others\n'
  timeout 120 ./check_gpu --option overlap=off checks
  return 1
}

sanitizer() {
  if ! command -v compute-sanitizer >/dev/null; then
    echo "skipped: there is no compute-sanitizer in PATH"
    return 0
  fi
  timeout 60 compute-sanitizer --tool memcheck --error-exitcode 1 ./check_gpu short &&
    timeout 40 compute-sanitizer --tool racecheck --error-exitcode 1 ./check_gpu short
}

guided() {
  if [ ! -d tokenizer ]; then
    echo "skipped: no tokenizer was given to build"
    return 0
  fi
  timeout 100 python3 guided.py ./jig "$1" --seconds 6 -- --backend cuda --backend-dir . --tokenizer tokenizer
}

run() {
  local model=${1:-/tmp/jig-mistral-7b-random}
  cd "$(dirname "$0")"
  export JIG_GOLDEN_VALUES=$PWD/values
  step "backends" ./jig backends --backend-dir .
  step "checks" checks
  step "compute-sanitizer" sanitizer
  step "operations" timeout 60 ./check_gpu operations
  step "speed" timeout 240 python3 compare.py ./check_gpu "$model"
  step "guided" guided "$model"
  if [ ${#failed[@]} -gt 0 ]; then
    printf '\nfailed: %s\n' "${failed[*]}"
    exit 1
  fi
  printf '\nall passed\n'
}

case ${1:-} in
  build | run) "$@" ;;
  *)
    sed -n '2,9p' "$0" >&2
    exit 2
    ;;
esac
