#!/bin/bash
# SPDX-License-Identifier: MIT
# A hundred random deaths of roles, of which tests/bypass has ten.
export KILLS=${KILLS:-100}
exec bash "$(dirname "$0")/../bypass/run_kills.sh"
