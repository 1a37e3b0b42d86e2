#!/usr/bin/env bash
# Fails when a crate depends on something that it must not see. Reads `cargo tree`, normal dependencies
# only: tests may use more.
set -euo pipefail
cd "$(dirname "$0")/.."

failed=0

# Direct dependencies of ours that a crate may have: allow CRATE [CRATE…]
allow() {
    local crate=$1 wanted found
    shift
    wanted=$(printf '%s\n' "$@" | sort)
    found=$(cargo tree --locked -p "$crate" -e normal --depth 1 --prefix none |
        tail -n +2 | awk '{print $1}' | grep '^ctr-' | sort -u || true)
    local extra
    extra=$(comm -13 <(echo "$wanted") <(echo "$found"))
    if [ -n "$extra" ]; then
        echo "$crate must not depend on: $extra" >&2
        failed=1
    fi
}

# Packages that must be nowhere below a crate: forbid PACKAGE CRATE…
forbid() {
    local package=$1 crate
    shift
    for crate in "$@"; do
        if cargo tree --locked -p "$crate" -e normal --prefix none | awk '{print $1}' | grep -qx "$package"; then
            echo "$crate must not depend on $package, directly or not" >&2
            failed=1
        fi
    done
}

models=(ctr-lr ctr-base-model ctr-wide-deep ctr-pnn ctr-deepfm ctr-din ctr-gru ctr-bst)

allow ctr-core
allow ctr-metrics ctr-core
# The simulator states what its true probabilities reach, by the metrics that models are measured with;
# those are functions of plain slices.
allow ctr-dataset-prep ctr-core ctr-metrics
allow ctr-nn ctr-core
for model in "${models[@]}"; do
    allow "$model" ctr-core ctr-nn
done
allow ctr-mpi ctr-nn
allow ctr-train ctr-core ctr-metrics ctr-nn
allow ctr-export ctr-core ctr-nn
allow ctr-report ctr-core ctr-metrics
# A model of one's own needs nothing that is not meant for others.
allow ctr-example-model ctr-core ctr-nn ctr-runner

forbid dfdx ctr-core ctr-metrics ctr-dataset-prep ctr-report
forbid polars ctr-core ctr-metrics ctr-nn "${models[@]}" ctr-train ctr-export ctr-report

[ "$failed" = 0 ] && echo "dependencies flow one way"
exit "$failed"
