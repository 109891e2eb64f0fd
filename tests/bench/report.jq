# SPDX-License-Identifier: MIT
# results.jsonl of tests/bench/run as tables in Markdown.
include "common";

def by: if . == "egress" then "**egress-filter**" else . end;

def head($machine; $versions; $rounds):
    "Taken on \($machine.date) on \($machine.cores) cores of \($machine.cpu) (\($machine.virtual)), \($machine.memory), " +
    "\($machine.system), kernel \($machine.kernel), load \($machine.load) at the start, " +
    "\($rounds) round\(if $rounds == 1 then "" else "s" end). " +
    "Peers: \($versions | to_entries | map("\(.key) \(.value)") | join(", ")).";

# A failed unit is none that was done; some are done at the second try only.
def failures: (map(.failed) | add | tostring) +
    ((map(.again // 0) | add) as $n | if $n > 0 then ", \($n) at a second try" else "" end);

# Rows of one work: $rows are its results, of all peers.
def work_table($w; $rows):
    def at($peer): $rows | map(select(.peer == $peer and .units > 0));
    (at("egress") | map(.cpu_ns / .units / $w.of) | median) as $ours
    | (at("direct") | map(.machine_ns / .units / $w.of) | median) as $floor
    | "", "**\($w.title)**" + (if $w.goal then " (goal \($w.goal) \($w.unit))" else "" end), "",
      "| by | CPU, \($w.unit) | least–most | ratio to ours | machine over direct, \($w.unit) | a second | peak, MiB | failed |",
      "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
      (if $rows | any(.peer == "egress") then empty
       else "| \("egress" | by) | \(not_opened) | | | | | | |" end),
      (peer_order[] as $p | $rows | map(select(.peer == $p)) | select(length > 0)
        | failures as $failed
        | map(select(.units > 0)) as $done
        | ($done | map(.cpu_ns / .units / $w.of)) as $cpu
        | ($done | map(.units / .seconds) | median | short) as $rate
        | if $done == [] then "| \($p | by) | – | | | | | | \($failed) |"
          elif $p == "direct" then
            "| direct | | | | \($floor | short) in all | \($rate) | | \($failed) |"
          else
            "| \($p | by) | \($cpu | median | short) | \($cpu | spread) | " +
            "\(if $ours and $ours > 0 then ($cpu | median) / $ours | short else "–" end) | " +
            "\(if $floor then ($done | map(.machine_ns / .units / $w.of) | median) - $floor | short else "–" end) | " +
            "\($rate) | \($done | map(.peak_kib) | max / 1024 | short) | \($failed) |"
          end);

def idle_table($w; $rows):
    "", "**\($w.title)** (goal \($w.goal) \($w.unit))", "",
    "| by | \($w.unit) each | least–most | held |", "| --- | ---: | ---: | ---: |",
    (if $rows | any(.peer == "egress") then empty else "| \("egress" | by) | \(not_opened) | | |" end),
    (peer_order[] as $p | $rows | map(select(.peer == $p and .units > 0)) | select(length > 0)
      | map(.kib / .units) as $kib
      | "| \($p | by) | \($kib | median | short) | \($kib | spread) | \(map(.units) | min)" +
        (map(.loops // 1) | max | if . > 1 then ", by \(.) loops" else "" end) + " |");

# One column more where any of the parts has it.
def column($rows; $part; $key):
    $rows | map(select(.part == $part) | .[$key] // empty) | if . == [] then "" else median | short end;

def alone_table($w; $rows):
    "", "**\($w.title)** (\($w.clock))", "",
    (if $w.work == "judge" then
        "| policy | median, ns | least–most | 99 %, ns | goal, ns | load, ms | bytes a rule |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
     else
        "| part | median, ns | least–most | 99 %, ns | goal, ns |",
        "| --- | ---: | ---: | ---: | ---: |"
     end),
    # In the order in which they were measured.
    (reduce $rows[].part as $p ([]; if any(.[]; . == $p) then . else . + [$p] end) | .[] as $part
      | ($rows | map(select(.part == $part) | .ns)) as $ns
      | "| \($part) | \($ns | median | short) | \($ns | spread) | \(column($rows; $part; "p99_ns")) | " +
        "\(part_goal($w.work; $part) // "") |" +
        (if $w.work != "judge" then ""
         else " \(column($rows; $part; "load_ms")) | \(column($rows; $part; "bytes_a_rule")) |" end));

. as $all
| ($all | map(select(.machine)) | first.machine) as $machine
| ($all | map(select(.work == "version") | {(.peer): .version}) | add // {}) as $versions
| ($all | map(select(.round and .work != "version"))) as $rows
| def of($w): $rows | map(select(.work == $w.work)) | select(length > 0);
  head($machine; $versions; $rows | map(.round) | max // 0),
  (works[] | . as $w | of($w) | . as $r | work_table($w; $r)),
  (idles[] | . as $w | of($w) | . as $r | idle_table($w; $r)),
  ($rows | map(select(.work == "start")) | select(length > 0)
    | "", "**start**: the command begins after \(map(.begun_us / 1e3) | median | short) ms (\(map(.begun_us / 1e3) | spread)), " +
      "`run -- date` is over after \(map(.ended_us / 1e3) | median | short) ms; goal \(start_goal_ms) ms"),
  ($rows | map(select(.work == "gap")) | select(length > 0)
    | "", "**gap when the proxy is killed**: \(map(.longest * 1e3) | median | short) ms (\(map(.longest * 1e3) | spread)), " +
      "goal \(gap_goal_ms) ms; \(map(.failed) | add) connections of \(map(.units) | add) were reset"),
  (alone[] | . as $w | of($w) | . as $r | alone_table($w; $r)),
  ($rows | map(select(.peer == "egress" and .peak_kib)) | select(length > 0)
    | "", "Most resident memory of all processes of the filter: \(map(.peak_kib) | max / 1024 | short) MiB.")
