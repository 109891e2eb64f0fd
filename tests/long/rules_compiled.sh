#!/bin/bash
# SPDX-License-Identifier: MIT
# The compiled matcher and the plain one on ten million pairs more, from other random numbers than
# `make test` takes.
export EGRESS_PAIRS=10000000 EGRESS_SEED=1000000
exec "${BUILD:-build}/unit/test_rules_matcher"
