#!/usr/bin/env bash
# What continuous integration runs. Alone: every target measured and gated one after the other, merged into one report,
# on this machine. With a part: what one of several machines does. All of it is `cargo xtask ci`, and so is `--help`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec cargo xtask ci "$@"
