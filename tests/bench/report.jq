# SPDX-License-Identifier: MIT
# results.jsonl of tests/bench/run as tables in Markdown.

def median: sort | if length == 0 then null elif length % 2 == 1 then .[length / 2 | floor]
    else (.[length / 2 - 1] + .[length / 2]) / 2 end;
# Three digits, whatever the size.
def short: if . == null then "–" elif . >= 100 then round | tostring
    elif . >= 10 then . * 10 | round / 10 | tostring else . * 100 | round / 100 | tostring end;
def spread: "\(min | short)–\(max | short)";

# What a unit is called, how many of it make the unit shown, and the goal.
def works: [
    {work: "tls-new", title: "passthrough, a new connection with one 1 KiB request", unit: "µs", of: 1e3, goal: 200},
    {work: "tls-bulk", title: "passthrough, bulk", unit: "s a GiB", of: (1e9 / 1024), goal: 0.5},
    {work: "tcp-new", title: "raw TCP, a new connection with one line", unit: "µs", of: 1e3},
    {work: "tcp-bulk", title: "raw TCP, bulk", unit: "s a GiB", of: (1e9 / 1024)},
    {work: "dns", title: "DNS, forwarded query", unit: "µs", of: 1e3, goal: 15},
    {work: "udp-flow", title: "UDP, a new flow with one datagram there and back", unit: "µs", of: 1e3},
    {work: "udp-datagram", title: "UDP, a datagram there and back on a flow", unit: "µs", of: 1e3}
];

def peer_order: ["egress", "nginx", "haproxy", "squid", "mitmproxy", "dnsmasq", "unbound", "direct"];

. as $all
| ($all | map(select(.machine)) | first.machine) as $machine
| ($all | map(select(.work == "version") | {(.peer): .version}) | add // {}) as $versions
| ($all | map(select(.units != null and .work != "version"))) as $rows
| def at($work; $peer): $rows | map(select(.work == $work and .peer == $peer and .units > 0));
  "Taken on \($machine.cores) cores of \($machine.cpu) (\($machine.virtual)), \($machine.memory), kernel \($machine.kernel), load \($machine.load) at the start, \($rows | map(.round) | max) rounds. " +
  "Peers: \($versions | to_entries | map("\(.key) \(.value)") | join(", ")).",
  (works[] | . as $w | ($rows | map(select(.work == $w.work))) | select(length > 0)
    | (at($w.work; "egress") | map(.cpu_ns / .units / $w.of) | median) as $ours
    | (at($w.work; "direct") | map(.machine_ns / .units / $w.of) | median) as $floor
    | "", "**\($w.title)**" + (if $w.goal then " (goal \($w.goal) \($w.unit))" else "" end), "",
      "| by | CPU, \($w.unit) | least–most | ratio to ours | machine over direct, \($w.unit) | a second | failed |",
      "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
      (peer_order[] as $p | at($w.work; $p) | select(length > 0)
        | (map(.cpu_ns / .units / $w.of)) as $cpu
        | if $p == "direct" then
            "| direct | | | | \($floor | short) in all | \(map(.units / .seconds) | median | short) | \(map(.failed) | add) |"
          else
            "| \(if $p == "egress" then "**egress-filter**" else $p end) | \($cpu | median | short) | \($cpu | spread) | " +
            "\(if $ours and $ours > 0 then ($cpu | median) / $ours | short else "–" end) | " +
            "\(if $floor then (map(.machine_ns / .units / $w.of) | median) - $floor | short else "–" end) | " +
            "\(map(.units / .seconds) | median | short) | \(map(.failed) | add) |"
          end)),
  (("memory-1000", "memory-9000") as $m | $rows | map(select(.work == $m)) | select(length > 0)
    | "", "**memory of \($m | ltrimstr("memory-")) idle passthrough connections** (goal 4 KiB each)", "",
      "| by | KiB each | least–most | held |", "| --- | ---: | ---: | ---: |",
      (peer_order[] as $p | at($m; $p) | select(length > 0)
        | "| \(if $p == "egress" then "**egress-filter**" else $p end) | \(map(.kib / .units) | median | short) | \(map(.kib / .units) | spread) | \(map(.units) | median) |")),
  (at("start"; "egress") | select(length > 0)
    | "", "**start**: the command begins after \(map(.begun_us / 1e3) | median | short) ms (\(map(.begun_us / 1e3) | spread)), `run -- date` is over after \(map(.ended_us / 1e3) | median | short) ms; goal 1,000 ms"),
  (at("gap"; "egress") | select(length > 0)
    | "", "**gap when the proxy is killed**: \(map(.longest * 1e3) | median | short) ms (\(map(.longest * 1e3) | spread)), goal 200 ms; \(map(.failed) | add) connections of \(map(.units) | add) were reset"),
  ($rows | map(select(.peer == "egress" and .peak_kib)) | select(length > 0)
    | "", "Most resident memory of all processes of the filter: \(map(.peak_kib) | max / 1024 | short) MiB.")
