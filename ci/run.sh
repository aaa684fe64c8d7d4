#!/usr/bin/env bash
# The jobs of continuous integration. Without arguments: measures and gates every target on this machine, and merges the
# results into one report. With a part: the job of one of several machines. It runs `cargo xtask ci`, and so does `--help`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec cargo xtask ci "$@"
