#!/usr/bin/env bash
# Checks and measures the CUDA backend on a machine with an NVIDIA GPU that can't build it: bare but for a driver, CUDA 13, Python with
# torch and transformers.
#
#   backends/cuda/check-gpu.sh build [FOLDER]   on a machine with Rust: everything that is needed goes to FOLDER (default: gpu-check)
#   FOLDER/check-gpu.sh run [MODEL]             there: operations, golden models, conformance kit, compute-sanitizer, figures
#
# MODEL is a directory for a model of Mistral-7B's shape with random weights, made if it is not there. Within ten minutes.
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
  cp -r backends/transformer/golden/values backends/cuda/bench/compare.py backends/cuda/check-gpu.sh "$folder/"
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

sanitizer() {
  if ! command -v compute-sanitizer >/dev/null; then
    echo "skipped: there is no compute-sanitizer in PATH"
    return 0
  fi
  timeout 120 compute-sanitizer --tool memcheck --error-exitcode 1 ./check_gpu short
  timeout 60 compute-sanitizer --tool racecheck --error-exitcode 1 ./check_gpu short
}

run() {
  local model=${1:-/tmp/jig-mistral-7b-random}
  cd "$(dirname "$0")"
  export JIG_GOLDEN_VALUES=$PWD/values
  step "backends" ./jig backends --backend-dir .
  step "checks" timeout 180 ./check_gpu checks
  step "compute-sanitizer" sanitizer
  step "speed" timeout 330 python3 compare.py ./check_gpu "$model"
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
