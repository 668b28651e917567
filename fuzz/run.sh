#!/usr/bin/env bash
# Runs every fuzz target for a while: fuzz/run.sh [SECONDS]
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:-300}
cargo +nightly fuzz build --fuzz-dir . -O
python3 seeds.py ../guides/tests/data corpus
mkdir -p corpus/grammar
cp ../guides/tests/grammars/*.gbnf ../guides/tests/grammars/*.lark corpus/grammar/
for target in schema regex tags grammar request config tokenizer; do
  mkdir -p "corpus/$target"
  dictionary=()
  if [ -f "dictionaries/$target.txt" ]; then dictionary=("-dict=dictionaries/$target.txt"); fi
  printf '\n== %s for %s s\n' "$target" "$seconds"
  cargo +nightly fuzz run --fuzz-dir . -O "$target" "corpus/$target" "seeds/$target" -- \
    -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -max_len=4096 -print_final_stats=1 "${dictionary[@]}" 2>&1 |
    grep -E 'SUMMARY|ERROR|DONE|stat::|panicked' || { echo "$target failed"; exit 1; }
done
