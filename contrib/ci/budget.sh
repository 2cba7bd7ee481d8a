#!/bin/sh
# Run a suite inside its time budget: budget.sh NAME SECONDS COMMAND...
# Prints what it took; a suite that overruns fails, so that the whole stays short.
name=$1 limit=$2
shift 2
start=$(date +%s)
timeout --kill-after=10 "$limit" "$@"
status=$?
took=$(($(date +%s) - start))
if [ "$status" -eq 124 ]; then
    echo "$name: over its budget of $limit s" >&2
else
    echo "$name: $took s of $limit s"
fi
exit "$status"
