#!/bin/bash
# SPDX-License-Identifier: MIT
# tests/integration/run_dns_flood.sh with a million names.
export FLOOD_NAMES=1000000
exec bash "$(dirname "$0")/../integration/run_dns_flood.sh"
