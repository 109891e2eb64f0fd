# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Those that stand beside the filter in `make bench`, each with as little to do as it can be told:
# one worker, no log, no cache, nothing looked at beyond what a name needs. Sourced by run, after
# lab.sh; each listens on $PEER_IP in the namespace that the filter dials from too.

PEER_IP=10.99.1.1
CLIENT_IP=10.99.1.2
ORIGIN_PORT=7000

PEERS=(direct nginx haproxy squid sslsplit mitmproxy dnsmasq unbound egress)

# What is asked for: TLS that passes through, connections of TCP, queries, datagrams; TLS that is
# opened; plain HTTP that is understood.
KINDS=(tls tcp dns udp open http)

# peer_package PEER
peer_package()
{
    case $1 in
    nginx) echo libnginx-mod-stream ;;
    squid) echo squid-openssl ;;
    dnsmasq) echo dnsmasq-base ;;
    *) echo "$1" ;;
    esac
}

# peer_port PEER KIND: where it serves that; fails where it does not.
peer_port()
{
    case $1-$2 in
    # Not opened in this release: its cells stay empty.
    egress-open | egress-http) return 1 ;;
    # The filter is asked nothing: what goes to the server goes through it.
    egress-*) peer_port direct "$2" ;;
    direct-tls | direct-open) echo 443 ;;
    direct-http) echo 80 ;;
    direct-tcp | direct-udp) echo "$ORIGIN_PORT" ;;
    direct-dns) echo 53 ;;
    nginx-tls) echo 4401 ;;
    nginx-tcp) echo 7001 ;;
    nginx-udp) echo 7001 ;;
    nginx-http) echo 8001 ;;
    haproxy-tls) echo 4402 ;;
    haproxy-tcp) echo 7002 ;;
    haproxy-open) echo 4502 ;;
    haproxy-http) echo 8002 ;;
    squid-tls) echo 4403 ;;
    squid-open | squid-http) echo 4503 ;;
    mitmproxy-tls) echo 4404 ;;
    mitmproxy-open | mitmproxy-http) echo 4504 ;;
    sslsplit-open) echo 4505 ;;
    sslsplit-http) echo 8005 ;;
    dnsmasq-dns) echo 5305 ;;
    unbound-dns) echo 5306 ;;
    *) return 1 ;;
    esac
}

# Those that are asked by CONNECT, and for whole URLs.
peer_options()
{
    case $1 in
    squid | mitmproxy) echo --connect ;;
    esac
}

peer_nginx()
{
    local temp
    cat >"$LAB/conf/bench-nginx.conf" <<CONF
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
master_process off;
pid $LAB/bench-nginx.pid;
error_log $LAB/log/bench-nginx.err;
worker_rlimit_nofile $FILES;
events { worker_connections 32768; }
stream {
    map \$ssl_preread_server_name \$origin { allowed.example $ALLOWED_IP:443; }
    server {
        listen $PEER_IP:$(peer_port nginx tls) backlog=4096;
        ssl_preread on;
        proxy_pass \$origin;
    }
    server { listen $PEER_IP:$(peer_port nginx tcp) backlog=4096; proxy_pass $THIRD_IP:$ORIGIN_PORT; }
    server { listen $PEER_IP:$(peer_port nginx udp) udp; proxy_pass $THIRD_IP:$ORIGIN_PORT; }
}
http {
    access_log off;
$(for temp in client_body proxy fastcgi uwsgi scgi; do
        printf '    %s_temp_path %s/tmp/bench-%s;\n' "$temp" "$LAB" "$temp"
    done)
    upstream origin { server $ALLOWED_IP:80; keepalive 64; }
    server {
        listen $PEER_IP:$(peer_port nginx http) backlog=4096;
        keepalive_requests 1000000;
        location / {
            proxy_pass http://origin;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host \$host;
        }
    }
}
CONF
    lab_start bench-nginx nginx -e stderr -c "$LAB/conf/bench-nginx.conf"
}

# Where it opens, a certificate is made for each name, and each session has a connection of its own
# to the server, as with the others.
peer_haproxy()
{
    cat "$LAB/ca/wrong.crt" "$LAB/ca/wrong.key" >"$LAB/ca/haproxy.pem"
    cat >"$LAB/conf/haproxy.cfg" <<CONF
global
    nbthread 1
    maxconn $(((FILES - 200) / 2))
defaults
    mode tcp
    timeout connect 10s
    timeout client 10m
    timeout server 10m
frontend tls
    bind $PEER_IP:$(peer_port haproxy tls) backlog 4096
    tcp-request inspect-delay 5s
    tcp-request content accept if { req.ssl_hello_type 1 }
    use_backend allowed if { req.ssl_sni -i allowed.example }
backend allowed
    server origin $ALLOWED_IP:443
frontend open
    mode http
    bind $PEER_IP:$(peer_port haproxy open) backlog 4096 ssl crt $LAB/ca/haproxy.pem generate-certificates ca-sign-file $LAB/ca/both.pem
    default_backend opened
backend opened
    mode http
    http-reuse never
    server origin $ALLOWED_IP:443 ssl verify required ca-file $LAB/ca/root.crt sni ssl_fc_sni
listen http
    mode http
    http-reuse never
    bind $PEER_IP:$(peer_port haproxy http) backlog 4096
    server origin $ALLOWED_IP:80
listen tcp
    bind $PEER_IP:$(peer_port haproxy tcp) backlog 4096
    server origin $THIRD_IP:$ORIGIN_PORT
CONF
    lab_start haproxy haproxy -db -f "$LAB/conf/haproxy.cfg"
}

# Helpers of its own make the certificates where it opens.
peer_squid()
{
    local made=$LAB/tmp/squid-certs helper=/usr/lib/squid/security_file_certgen
    # What one that was killed has left there would keep the next one from starting.
    rm -rf "$made" /dev/shm/squid-*
    "$helper" -c -s "$made" -M 64MB >/dev/null && chown -R proxy: "$made" || return 1
    cat >"$LAB/conf/squid.conf" <<CONF
http_port $PEER_IP:$(peer_port squid tls) ssl-bump generate-host-certificates=off tls-cert=$LAB/ca/both.pem
http_port $PEER_IP:$(peer_port squid open) name=open ssl-bump generate-host-certificates=on dynamic_cert_mem_cache_size=64MB tls-cert=$LAB/ca/both.pem
tls_outgoing_options cafile=$LAB/ca/root.crt
acl first at_step SslBump1
acl open myportname open
ssl_bump peek first
ssl_bump bump open
ssl_bump splice all
http_access allow all
cache deny all
access_log none
cache_log /dev/null
cache_store_log none
pid_filename none
visible_hostname bench
coredump_dir $LAB/tmp
max_filedescriptors $FILES
dns_nameservers $RESOLVER_IP
pinger_enable off
shutdown_lifetime 0 seconds
sslcrtd_program $helper -s $made -M 64MB
sslcrtd_children 2 startup=2 idle=1
CONF
    lab_start squid squid -N -f "$LAB/conf/squid.conf"
}

# It moves bytes and knows no HTTP; a line for each connection is the least that it prints.
peer_sslsplit()
{
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$LAB/ca/sslsplit.key" \
        2>/dev/null || return 1
    lab_start sslsplit sslsplit -c "$LAB/ca/both.pem" -k "$LAB/ca/both.pem" \
        -K "$LAB/ca/sslsplit.key" \
        ssl "$PEER_IP" "$(peer_port sslsplit open)" "$ALLOWED_IP" 443 \
        tcp "$PEER_IP" "$(peer_port sslsplit http)" "$ALLOWED_IP" 80
}

# One that opens nothing, one that opens everything, by the lab's authority.
peer_mitmproxy()
{
    mkdir -p "$LAB/mitmproxy"
    cat "$LAB/ca/root.key" "$LAB/ca/root.crt" >"$LAB/mitmproxy/mitmproxy-ca.pem"
    mitmproxy_on mitmproxy tls --ignore-hosts '.*'
    mitmproxy_on mitmproxy-open open --set stream_large_bodies=1m \
        --set ssl_verify_upstream_trusted_ca="$LAB/ca/root.crt"
}

# mitmproxy_on NAME KIND OPTION…
mitmproxy_on()
{
    lab_start "$1" mitmdump --quiet --mode regular --listen-host "$PEER_IP" \
        --listen-port "$(peer_port mitmproxy "$2")" --set confdir="$LAB/mitmproxy" \
        --set flow_detail=0 "${@:3}"
}

peer_dnsmasq()
{
    lab_start dnsmasq dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts \
        --server="$RESOLVER_IP" --cache-size=0 --listen-address="$PEER_IP" --bind-interfaces \
        --port="$(peer_port dnsmasq dns)" --user=root --pid-file= --dns-forward-max=1000
}

peer_unbound()
{
    cat >"$LAB/conf/bench-unbound.conf" <<CONF
server:
    directory: "$LAB"
    chroot: ""
    username: ""
    pidfile: ""
    do-daemonize: no
    use-syslog: no
    verbosity: 0
    num-threads: 1
    interface: $PEER_IP@$(peer_port unbound dns)
    access-control: 0.0.0.0/0 allow
    module-config: "iterator"
    msg-cache-size: 0
    rrset-cache-size: 0
    do-not-query-localhost: no
    domain-insecure: "example"
    local-zone: "example." nodefault
forward-zone:
    name: "."
    forward-addr: $RESOLVER_IP
remote-control:
    control-enable: no
CONF
    lab_start bench-unbound "$LAB/bin/lab-unbound" -d -c "$LAB/conf/bench-unbound.conf"
}

# The filter itself, with what it needs to do the same work, and a name among others.
peer_egress()
{
    policy 'allowed.example passthrough' '*.wild.example' "$THIRD_IP:$ORIGIN_PORT" \
        "$THIRD_IP:$ORIGIN_PORT/udp" 'registry.example exe=/usr/bin/node' '*.other.example:80|443' 'deny *.evil.example'
    inside_start --policy "$POLICY" --no-name-limits --loops "${BENCH_LOOPS:-1}" >/dev/null
}

# peer_stop PEER
peer_stop()
{
    case $1 in
    direct) ;;
    egress) inside_stop ;;
    nginx | unbound) lab_stop "bench-$1" ;;
    *) lab_stop "$1" && lab_stop "$1-open" ;;
    esac
}

# peer_start PEER: fails where it does not answer.
peer_start()
{
    [ "$1" = direct ] || "peer_$1" || true
    wait_for 20 peer_answers "$1"
}

# peer_pids PEER KIND: those whose time and memory are its.
peer_pids()
{
    local pid
    case $1-$2 in
    direct-*) return ;;
    # Beside the keeper its roles; its other child is the command's.
    egress-*) echo "$KEEPER" && pgrep -P "$KEEPER" '^egress-p|^egress-d' && return ;;
    nginx-*) pid=${LAB_PIDS["bench-nginx"]} ;;
    unbound-*) pid=${LAB_PIDS["bench-unbound"]} ;;
    mitmproxy-open | mitmproxy-http) pid=${LAB_PIDS["mitmproxy-open"]} ;;
    *) pid=${LAB_PIDS[$1]} ;;
    esac
    echo "$pid" && pgrep -P "$pid"
}

# peer_leaf PEER: the digest of the certificate that a client sees who asks that one to open.
peer_leaf()
{
    # shellcheck disable=SC2046 # words of a command
    client load $(peer_options "$1") leaf "$2" "$(peer_port "$1" open)" allowed.example 2>/dev/null
}

# peer_answers PEER: it serves what it says, and opens what it says it opens.
peer_answers()
{
    local kind leaf
    for kind in "${KINDS[@]}"; do
        [ "$kind" != udp ] || continue
        peer_port "$1" "$kind" >/dev/null || continue
        ask "$1" "$kind" 1 1 | jq -e '.units == 1' >/dev/null || return 1
    done
    peer_port "$1" open >/dev/null && [ "$1" != direct ] || return 0
    leaf=$(peer_leaf "$1" "$PEER_IP") && [ "$leaf" != "$(peer_leaf direct "$ALLOWED_IP")" ]
}
