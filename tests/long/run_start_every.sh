#!/bin/bash
# SPDX-License-Identifier: MIT
# The start of a run interrupted at every single system call of the kinds that tests/bypass takes
# samples of.
export START_EVERY=1
exec bash "$(dirname "$0")/../bypass/run_start.sh"
