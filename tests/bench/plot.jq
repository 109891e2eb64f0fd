# SPDX-License-Identifier: MIT
# results.jsonl of tests/bench/run as a script for gnuplot: each work a group of bars, ours beside
# the peers', in multiples of the goal, which is one line through all; where a work has no goal, the
# best peer's figure stands in. Medians with the least and the most.
include "common";

# A bar: its name, and its values in the unit that is shown.
def bar($name; $values; $ours): select($values | length > 0) | {name: $name, values: $values, ours: $ours};

def bars_by_peer($rows; value):
    [peer_order[] | select(. != "direct") as $p
      | bar($p | peer_name; $rows | map(select(.peer == $p and .units > 0) | value); $p == "egress")];

# A group: its title, unit, what counts as one, and bars; ours is empty where others do it alone.
def group($w; $bars): select($bars | length > 0)
    | ($bars | if any(.ours) then . else [{name: ("egress" | peer_name), values: [], ours: true}] + . end) as $bars
    | ($bars | map(select(.ours | not) | .values | median) | min) as $best
    | {title: ($w.title + (if $w.goal then ", goal \($w.goal) \($w.unit)" else ", no goal: 1 is the best peer" end)),
       unit: $w.unit, one: ($w.goal // $best), bars: $bars};

def groups: . as $rows
    | def of($work): $rows | map(select(.work == $work));
      def single($work; $title; $goal; value):
        group({title: $title, unit: "ms", goal: $goal}; [bar("egress-filter"; of($work) | map(value); true)]);
      (works[] | . as $w | group($w; bars_by_peer(of($w.work); .cpu_ns / .units / $w.of))),
      (idles[] | . as $w | group($w; bars_by_peer(of($w.work); .kib / .units))),
      single("start"; "start until the command runs"; start_goal_ms; .begun_us / 1e3),
      single("gap"; "gap when the proxy is killed"; gap_goal_ms; .longest * 1e3),
      (alone[] | . as $w | of($w.work) | map(select(part_goal($w.work; .part)))
        | group_by(.part)[] | .[0].part as $part
        | group({title: "\($w.title): \($part)", unit: "ns", goal: part_goal($w.work; $part)};
            [bar("egress-filter"; map(.ns); true)]));

# What is nothing, or less by the noise, ends at the edge.
def least: 0.03;
def shown($one): if . == null then least else [. / $one, least] | max end;
def told($unit): if . == null then not_opened else "\(short) \($unit)" end;
def plain: gsub("[\"\\\\]"; "");

[map(select(.round))  | groups | select(.one and .one > 0)] as $groups
# A row for each title and each bar, from the top.
| (reduce $groups[] as $g ({y: 0, titles: [], bars: []};
    .titles += [{y, text: $g.title}] | .y += 1
    | reduce $g.bars[] as $b (.; .bars += [$b + {y, one: $g.one, unit: $g.unit}] | .y += 1)
    | .y += 0.4)) as $rows
| "set terminal svg size 900,\(90 + 17 * $rows.y | round) font 'sans-serif,11' background 'white'",
  "set title 'Each work in multiples of its goal (log scale): left of the line is within it' noenhanced",
  "set logscale x; set xrange [\(least):*]; set yrange [\($rows.y):-1]; set grid x; unset key; set tics nomirror",
  "set style fill solid 0.85 noborder; set lmargin 16; set rmargin 12",
  "set arrow 1 from first 1, graph 0 to first 1, graph 1 nohead front lw 2 lc rgb '#c1121f'",
  ($rows.titles[] | "set label \"\(.text | plain)\" at first \(least * 1.05), first \(.y) left front noenhanced font ',11'"),
  "$bars << EOD",
  ($rows.bars[] | .one as $one
    | "\(.y) \(.values | median | shown($one)) \(.values | min | shown($one)) \(.values | max | shown($one)) " +
      "\(if .ours then 1 else 0 end) \"\(.name)\" \"\(.unit as $unit | .values | median | told($unit))\""),
  "EOD",
  "plot $bars using 2:1:(\(least)):2:($1-0.38):($1+0.38):($5 > 0 ? 0x2a6f97 : 0xb8b8b8):ytic(6) with boxxyerror lc rgb variable, " +
  "'' using 2:1:3:4 with xerrorbars pt 0 lc rgb '#444444', " +
  "'' using ($4*1.06):1:7 with labels left noenhanced font ',9'"
