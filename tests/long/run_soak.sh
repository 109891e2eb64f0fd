#!/bin/bash
# SPDX-License-Identifier: MIT
# Mixed load for half an hour (SOAK_S seconds): memory, descriptors and entries of maps are the same
# in the second half as in the first.
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/inside.sh
. "$LAB_DIR/inside.sh"

soak=${SOAK_S:-1800}
samples=40
# A flow of UDP stands for three minutes, and so many records of processes are kept.
warm=200 records=4500
policy=$LAB/work/policy.rules
printf '%s:53/udp\nallowed.example\nthird.example:7\n*.wild.example\n%s:7/udp\n%s:80\n' \
    "$RESOLVER_IP" "$ALLOWED_IP" "$THIRD_IP" >"$policy"
chmod 644 "$policy"
inside_start --quiet --policy "$policy" || exit 1
wait_for 10 run_ready proxy && wait_for 10 run_ready packet
declare -A who=([keeper]=$KEEPER [proxy]=$(run_pid proxy) [packet]=$(run_pid packet))
inside 'dig +short third.example' >/dev/null

# Many short processes among them: each has a record in the keeper and in the proxy.
cat >"$INSIDE/mixed.sh" <<MIXED
n=0
while [ ! -e stop ]; do
    curl -sS -m 20 -o /dev/null https://allowed.example/small && echo tls >>done
    curl -sS -m 20 -o /dev/null http://$THIRD_IP/small && echo http >>done
    curl -sS -m 5 --resolve denied.example:443:$DENIED_IP -o /dev/null https://denied.example/
    dig +tries=1 +time=2 third.example >/dev/null && echo dns >>done
    dig +tries=1 +time=2 \$((n % 50)).wild.example >/dev/null
    dig +tries=1 +time=2 denied.example >/dev/null
    connect_once -q -u -r -t 2000 $ALLOWED_IP 7 5 && echo udp >>done
    connect_once -q -u -r -t 100 $DENIED_IP 7 5
    for i in 1 2 3 4 5 6 7 8 9 10; do
        connect_once -q -r -t 5000 $THIRD_IP 7 1 && echo tcp >>done
    done
    [ \$((++n % 20)) -ne 0 ] || curl -sS -m 60 -o /dev/null https://allowed.example/big
done
: >stopped
MIXED
inside 'bash mixed.sh >/dev/null 2>&1 &'
inside "load 100 $INSIDE/stop $THIRD_IP 7 $DENIED_IP 7 >load.out 2>&1 &"

# Entries of the maps that the keeper holds, by name.
maps()
{
    local id name
    grep -h '^map_id:' "/proc/$KEEPER/fdinfo/"* 2>/dev/null | cut -f 2 | sort -u | while read -r id; do
        bpftool -j map show id "$id" | jq -r 'select(.type | test("hash")) | "\(.id) \(.name)"'
    done | while read -r id name; do
        echo "map-$name $(bpftool -j map dump id "$id" 2>/dev/null | jq length)"
    done
}
sample()
{
    local role
    for role in "${!who[@]}"; do
        awk -v role="$role" '$1 == "RssAnon:" { print role "-KiB", $2 }
            $1 == "RssShmem:" { print role "-shared-KiB", $2 }' "/proc/${who[$role]}/status"
        echo "$role-pipes $(find "/proc/${who[$role]}/fd" -mindepth 1 -lname 'pipe:*' | wc -l)"
        echo "$role-descriptors $(find "/proc/${who[$role]}/fd" -mindepth 1 ! -lname 'pipe:*' | wc -l)"
    done
    maps
}
inside "(for part in 1 2 3 4; do
        for ((i = 0; i < $((records / 4)); i++)); do connect_once -q -r -t 5000 $THIRD_IP 7 1; done &
    done; wait
    : >warm) >/dev/null 2>&1 &"
is_warm() { [ -e "$INSIDE/warm" ] && [ $((SECONDS - begin)) -ge $warm ]; }
begin=$SECONDS
check - "it has begun" wait_for 1800 is_warm
begin=$SECONDS
for ((i = 0; i < samples; i++)); do
    until [ $((SECONDS - begin)) -ge $((soak * (i + 1) / samples)) ]; do
        sleep 1
    done
    sample | sed "s/^/$i /"
done >"$LAB/log/samples"
: >"$INSIDE/stop"
ended() { [ -e "$INSIDE/stopped" ] && [ -s "$INSIDE/load.out" ]; }
check - "the load has ended" wait_for 90 ended
check - "and was no idling: $(sort "$INSIDE/done" | uniq -c | xargs), $(paste -sd' ' "$INSIDE/load.out")" \
    test "$(sort -u "$INSIDE/done" | wc -l)" -eq 5

# The mean of each half; entries and descriptors come and go with connections.
halves()
{
    awk -v samples=$samples '{ half = $1 >= samples / 2; n[$2, half]++; sum[$2, half] += $3
            if ($3 > max[$2]) max[$2] = $3; names[$2] = 1 }
        END { for (name in names) if (n[name, 0] && n[name, 1])
            print name, int(sum[name, 0] / n[name, 0]), int(sum[name, 1] / n[name, 1]), max[name] }' "$LAB/log/samples" | sort
}
halves >"$LAB/work/halves"
check - "there is something to compare" test "$(wc -l <"$LAB/work/halves")" -ge 7
while read -r name first second max; do
    case $name in
    # The numbers of connections (attribution/once.h) come into 2 MiB page by page, and begin anew.
    *-shared-KiB) room=2048 ;;
    *-KiB) room=$((first / 20 + 1024)) ;;
    *-pipes) room=$((first / 5 + 128)) ;; # 64 are kept when they are empty, once they were needed
    *-descriptors) room=$((first / 5 + 32)) ;;
    *) room=$((first / 5 + 256)) ;;
    esac
    check R07 "$name is as before: $first, then $second, $max at most" test "$second" -le $((first + room))
done <"$LAB/work/halves"

for role in proxy packet; do
    check_equal R01 "the $role is the first one still" "${who[$role]}" "$(run_pid $role)"
done
check_equal R01 "not one packet of what is denied arrived" 0 "$(lab_packets "$DENIED_IP" all)"
inside_stop
check_equal R01 "the run ends well" 0 "$RUN_STATUS"
check_equal R01 "and the log of $(wc -l <"$LOG") records is whole" 0 "$("$EGRESS" verify --quiet "$LOG"; echo $?)"
