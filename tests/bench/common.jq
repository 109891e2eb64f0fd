# SPDX-License-Identifier: MIT
# What report.jq and plot.jq share: the works, in which units and with which goals they are shown,
# and how numbers are written.

def median: sort | if length == 0 then null elif length % 2 == 1 then .[length / 2 | floor]
    else (.[length / 2 - 1] + .[length / 2]) / 2 end;
# Three digits, whatever the size.
def short: if . == null then "–" elif . >= 100 or . <= -100 then round | tostring
    elif . >= 10 or . <= -10 then . * 10 | round / 10 | tostring
    else . * 100 | round / 100 | tostring end;
def spread: "\(min | short)–\(max | short)";

def peer_order:
    ["egress", "nginx", "haproxy", "squid", "sslsplit", "mitmproxy", "dnsmasq", "unbound", "direct"];
def peer_name: if . == "egress" then "egress-filter" else . end;
def not_opened: "not opened in this release";

# Processor time for each unit of work: what a unit is called, how many ns of one are one of the
# unit shown, and the goal in that.
def works: [
    {work: "tls-new", title: "passthrough, a new connection with one 1 KiB request", unit: "µs", of: 1e3, goal: 200},
    {work: "tls-bulk", title: "passthrough, bulk", unit: "s a GiB", of: (1e9 / 1024), goal: 0.5},
    {work: "tcp-new", title: "raw TCP, a new connection with one line", unit: "µs", of: 1e3},
    {work: "tcp-bulk", title: "raw TCP, bulk", unit: "s a GiB", of: (1e9 / 1024)},
    {work: "dns", title: "DNS, forwarded query", unit: "µs", of: 1e3, goal: 15},
    {work: "udp-flow", title: "UDP, a new flow with one datagram there and back", unit: "µs", of: 1e3},
    {work: "udp-datagram", title: "UDP, a datagram there and back on a flow", unit: "µs", of: 1e3},
    {work: "open-new", title: "opened TLS, a new connection with one 1 KiB request", unit: "µs", of: 1e3, goal: 750},
    {work: "open-name", title: "opened TLS, the same by a name not seen before", unit: "µs", of: 1e3, goal: 1000},
    {work: "open-kept", title: "opened TLS, a request on a kept connection", unit: "µs", of: 1e3, goal: 20},
    {work: "open-bulk", title: "opened TLS, bulk", unit: "s a GiB", of: (1e9 / 1024), goal: 1.45},
    {work: "http-kept", title: "plain HTTP, a request on a kept connection", unit: "µs", of: 1e3, goal: 18}
];

# Memory for each connection that idles, in KiB.
def idles: [
    {work: "memory-1000", title: "memory of an idle passthrough connection, of 1,000", unit: "KiB", goal: 4},
    {work: "memory-9000", title: "memory of an idle passthrough connection, of 9,000", unit: "KiB", goal: 4},
    {work: "memory-open-1000", title: "memory of an idle opened connection, of 1,000", unit: "KiB", goal: 38}
];

# What the filter does within itself, part by part, in ns.
def alone: [
    {work: "judge", title: "judging one event, by policy", clock: "on the wall, warm memory"},
    {work: "record", title: "a record of the log", clock: "processor time"},
    {work: "owner", title: "from a flow to its owner", clock: "on the wall"},
    {work: "hooks", title: "hooks in the kernel", clock: "processor time for each"}
];
def part_goal($work; $part):
    if $work == "judge" and $part == "mixed-10000" then 1000
    elif $work == "owner" and ($part | endswith("known to the proxy")) then 5000
    elif $work == "hooks" and ($part | startswith("connect")) then 1000
    elif $work == "hooks" then 300
    else null end;

def start_goal_ms: 1000;
def gap_goal_ms: 200;
