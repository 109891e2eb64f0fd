# SPDX-License-Identifier: MIT
# results.jsonl of tests/bench/run as a script for gnuplot: processor time per unit of work, medians
# with the least and the most, one row of bars for each work, in multiples of the filter's own.

def median: sort | if length % 2 == 1 then .[length / 2 | floor]
    else (.[length / 2 - 1] + .[length / 2]) / 2 end;
def order: ["egress", "nginx", "haproxy", "squid", "mitmproxy", "dnsmasq", "unbound"];

map(select(.cpu_ns and .units > 0 and .peer != "direct")) as $rows
| ($rows | map(.work) | unique) as $works
| ($works | map(. as $w
    | ($rows | map(select(.work == $w and .peer == "egress") | .cpu_ns / .units) | median) as $ours
    | order | map(. as $p | $rows | map(select(.work == $w and .peer == $p) | .cpu_ns / .units / $ours)
        | select(length > 0) | {label: "\($w), \($p)", ours: ($p == "egress"), mid: median, min: min, max: max})
    | . + [null]) | add | .[:-1]) as $bars
| "set terminal svg size 900,\(60 + 20 * ($bars | length)) font 'sans-serif,12' background 'white'",
  "set title 'Processor time per unit of work, in multiples of what the filter takes (log scale)' noenhanced",
  "set logscale x; set xrange [0.1:*]; set yrange [\($bars | length):-1]; set grid x; unset key",
  "set style fill solid 0.8; set lmargin 26; set bars 0.4",
  "$bars << EOD",
  ($bars | to_entries[] | select(.value) | "\(.key) \(.value.mid) \(.value.min) \(.value.max) \(if .value.ours then 1 else 0 end) \"\(.value.label)\""),
  "EOD",
  "plot $bars using ($2/2):1:($2/2):(0.36):($5 > 0 ? 0x2a6f97 : 0xa9a9a9):ytic(6) with boxxyerror lc rgb variable, '' using 2:1:3:4 with xerrorbars pt 0 lc rgb 'black'"
