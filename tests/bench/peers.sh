# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Those that stand beside the filter in `make bench`, each with as little to do as it can be told:
# one worker, no log, no cache, nothing looked at beyond what a name needs. Sourced by run, after
# lab.sh; each listens on $PEER_IP in the namespace that the filter dials from too.

PEER_IP=10.99.1.1
CLIENT_IP=10.99.1.2
ORIGIN_PORT=7000

# Name, version as Debian has it, and the ports it serves: tls tcp dns udp, - for none.
PEERS=(direct nginx haproxy squid mitmproxy dnsmasq unbound egress)

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

# peer_port PEER tls|tcp|dns|udp: where it serves that; fails where it does not.
peer_port()
{
    case $1-$2 in
    direct-tls) echo 443 ;;
    direct-tcp | direct-udp) echo "$ORIGIN_PORT" ;;
    direct-dns) echo 53 ;;
    nginx-tls) echo 4401 ;;
    nginx-tcp) echo 7001 ;;
    nginx-udp) echo 7001 ;;
    haproxy-tls) echo 4402 ;;
    haproxy-tcp) echo 7002 ;;
    squid-tls) echo 4403 ;;
    mitmproxy-tls) echo 4404 ;;
    dnsmasq-dns) echo 5305 ;;
    unbound-dns) echo 5306 ;;
    *) return 1 ;;
    esac
}

# Those that are asked by CONNECT.
peer_options()
{
    case $1 in
    squid | mitmproxy) echo --connect ;;
    esac
}

peer_nginx()
{
    cat >"$LAB/conf/bench-nginx.conf" <<CONF
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
master_process off;
pid $LAB/bench-nginx.pid;
error_log $LAB/log/bench-nginx.err;
worker_rlimit_nofile $(ulimit -Hn);
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
CONF
    lab_start bench-nginx nginx -e stderr -c "$LAB/conf/bench-nginx.conf"
}

peer_haproxy()
{
    cat >"$LAB/conf/haproxy.cfg" <<CONF
global
    nbthread 1
    maxconn $((($(ulimit -Hn) - 200) / 2))
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
listen tcp
    bind $PEER_IP:$(peer_port haproxy tcp) backlog 4096
    server origin $THIRD_IP:$ORIGIN_PORT
CONF
    lab_start haproxy haproxy -db -f "$LAB/conf/haproxy.cfg"
}

peer_squid()
{
    cat >"$LAB/conf/squid.conf" <<CONF
http_port $PEER_IP:$(peer_port squid tls) ssl-bump generate-host-certificates=off tls-cert=$LAB/ca/squid.pem
acl first at_step SslBump1
ssl_bump peek first
ssl_bump splice all
http_access allow all
cache deny all
access_log none
cache_log /dev/null
cache_store_log none
pid_filename none
visible_hostname bench
coredump_dir $LAB/tmp
max_filedescriptors $(ulimit -Hn)
dns_nameservers $RESOLVER_IP
pinger_enable off
shutdown_lifetime 0 seconds
sslcrtd_program /bin/false
CONF
    cat "$LAB/ca/root.crt" "$LAB/ca/root.key" >"$LAB/ca/squid.pem"
    chmod 644 "$LAB/ca/squid.pem"
    lab_start squid squid -N -f "$LAB/conf/squid.conf"
}

peer_mitmproxy()
{
    mkdir -p "$LAB/mitmproxy"
    lab_start mitmproxy mitmdump --quiet --mode regular --listen-host "$PEER_IP" \
        --listen-port "$(peer_port mitmproxy tls)" --ignore-hosts '.*' \
        --set confdir="$LAB/mitmproxy" --set flow_detail=0
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

# peer_pids PEER: those whose time and memory are its.
peer_pids()
{
    case $1 in
    direct) ;;
    # Beside the keeper its roles; its other child is the command's.
    egress) echo "$KEEPER" && pgrep -P "$KEEPER" '^egress-p|^egress-d' ;;
    nginx) echo "${LAB_PIDS["bench-nginx"]}" ;;
    unbound) echo "${LAB_PIDS["bench-unbound"]}" ;;
    *) echo "${LAB_PIDS[$1]}" ;;
    esac
}

# peer_answers PEER: it serves what it says.
peer_answers()
{
    local kind port
    for kind in tls tcp dns; do
        port=$(peer_port "$1" "$kind") || continue
        ask "$1" "$kind" 1 1 | jq -e '.units == 1' >/dev/null || return 1
    done
}
