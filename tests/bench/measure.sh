# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What is read of processes and of the machine before and after a piece of work. Sourced by run.

# cpu_of PID…: nanoseconds that their living threads have run, as the scheduler counts them.
cpu_of()
{
    local pid
    [ $# -gt 0 ] || { echo 0 && return; }
    for pid; do
        cat /proc/"$pid"/task/*/schedstat 2>/dev/null
    done | awk '{ sum += $1 } END { printf "%.0f\n", sum }'
}

# machine_ns: all that both cores did, the kernel's work for nobody in particular too; in ticks of
# 10 ms, and whatever else the machine does is in it.
machine_ns()
{
    awk -v tick="$(getconf CLK_TCK)" \
        '$1 == "cpu" { printf "%.0f\n", ($2 + $3 + $4 + $7 + $8) * 1e9 / tick }' /proc/stat
}

# memory_of PID…: KiB, with what several map counted in parts (PSS).
memory_of()
{
    local pid
    [ $# -gt 0 ] || { echo 0 && return; }
    for pid; do
        cat "/proc/$pid/smaps_rollup" 2>/dev/null
    done | awk '$1 == "Pss:" { sum += $2 } END { print sum + 0 }'
}

# peak_reset PID…: from now on, by what the kernel calls clear_refs; where it does not, the most ever.
peak_reset()
{
    local pid
    for pid; do
        echo 5 2>/dev/null >"/proc/$pid/clear_refs"
    done
}

# peak_of PID…: KiB, the most that each was resident with since, in sum.
peak_of()
{
    local pid
    for pid; do
        cat "/proc/$pid/status" 2>/dev/null
    done | awk '$1 == "VmHWM:" { sum += $2 } END { print sum + 0 }'
}

# The machine in one line of JSON, for those who compare tables.
machine()
{
    local system
    system=$(. /etc/os-release && echo "${PRETTY_NAME:-}")
    jq -cn --arg system "${system:-unknown}" --arg date "$(date -u +%F)" --arg cpu "$(sed -n 's/^model name\s*: //p' /proc/cpuinfo | head -n 1)" \
        --arg cores "$(nproc)" --arg kernel "$(uname -r)" \
        --arg memory "$(awk '$1 == "MemTotal:" { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo)" \
        --arg load "$(cut -d' ' -f1 /proc/loadavg)" \
        --arg virtual "$(systemd-detect-virt 2>/dev/null || echo unknown)" \
        '{machine: {system: $system, date: $date, cpu: $cpu, cores: $cores, kernel: $kernel, memory: $memory, load: $load,
            virtual: $virtual}}'
}
