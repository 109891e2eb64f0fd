# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The servers of the lab's internet: HTTP and HTTPS with certificates of a CA made for this run,
# a resolver that knows one zone and asks nobody, and an echo on TCP and UDP port 7.

# lab_leaf NAME DAYS [ISSUER]: $LAB/ca/NAME.{key,crt}, with the names of $LAB/ca/NAME.san.
lab_leaf()
{
    local at=$LAB/ca/$1 issuer=${3:-}
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=lab $1" \
        -keyout "$at.key" -out "$at.csr" 2>>"$LAB/log/openssl.log" || return 1
    {
        printf 'subjectAltName=%s\n' "$(paste -sd, "$at.san")"
        printf 'basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n'
    } >"$at.ext"
    if [ -n "$issuer" ]; then
        set -- -CA "$LAB/ca/$issuer.crt" -CAkey "$LAB/ca/$issuer.key" -CAcreateserial -days "$2"
    else
        set -- -signkey "$at.key" -days "$2"
    fi
    openssl x509 -req -in "$at.csr" -extfile "$at.ext" "$@" -out "$at.crt" \
        2>>"$LAB/log/openssl.log"
}

lab_ca()
{
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
        -subj "/CN=lab root" -addext "keyUsage=critical,keyCertSign,cRLSign" \
        -keyout "$LAB/ca/root.key" -out "$LAB/ca/root.crt" 2>>"$LAB/log/openssl.log" || return 1
    printf 'DNS:%s\n' allowed.example www.allowed.example alias.example denied.example \
        third.example '*.wild.example' private.example metadata.example loopback.example \
        ech.example dual.example v6.example >"$LAB/ca/good.san"
    printf 'DNS:elsewhere.example\n' >"$LAB/ca/wrong.san"
    printf 'DNS:selfsigned.example\n' >"$LAB/ca/selfsigned.san"
    printf 'DNS:expired.example\n' >"$LAB/ca/expired.san"
    lab_leaf good 2 root && lab_leaf wrong 2 root && lab_leaf selfsigned 2 &&
        lab_leaf expired -1 root || return 1
    rm -f "$LAB/log/openssl.log" # of interest only where one of them failed
    # For every program that looks where the system's certificates are, and for those that ask.
    mkdir -p /etc/ssl/certs
    cp "$LAB/ca/root.crt" /etc/ssl/certs/ca-certificates.crt
    export CURL_CA_BUNDLE=$LAB/ca/root.crt SSL_CERT_FILE=$LAB/ca/root.crt
}

lab_bad_tls()
{
    local name
    for name in expired selfsigned wrong; do
        cat <<CONF
    server {
        listen $BAD_TLS_IP:443 ssl;
        server_name $name.example;
        ssl_certificate $LAB/ca/$name.crt;
        ssl_certificate_key $LAB/ca/$name.key;
    }
CONF
    done
}

lab_nginx_conf()
{
    local temp listen6=
    [ ! -d /proc/sys/net/ipv6 ] || listen6='listen [::]:80; listen [::]:443 ssl http2;'
    cat <<CONF
# One process, so that the log has an order and one pid is all there is to stop.
daemon off;
master_process off;
pid $LAB/nginx.pid;
error_log $LAB/log/nginx-error.log warn;
events { worker_connections 8192; }
worker_rlimit_nofile 16384;
http {
    log_format lab escape=json '{"time":\$msec,"client":"\$remote_addr","client_port":\$remote_port,'
        '"server":"\$server_addr","port":\$server_port,"tls":"\$ssl_protocol",'
        '"sni":"\$ssl_server_name","host":"\$http_host","method":"\$request_method",'
        '"uri":"\$request_uri","protocol":"\$server_protocol","status":\$status}';
    access_log $LAB/log/requests.jsonl lab;
$(for temp in client_body proxy fastcgi uwsgi scgi; do
        printf '    %s_temp_path %s/tmp/%s;\n' "$temp" "$LAB" "$temp"
    done)
    root $LAB/www;
    default_type application/octet-stream;
    client_max_body_size 0;
    server {
        listen 80 default_server backlog=4096;
        listen 443 ssl http2 default_server backlog=4096;
        $listen6
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_certificate $LAB/ca/good.crt;
        ssl_certificate_key $LAB/ca/good.key;
        location /echo {
            default_type text/plain;
            return 200 "\$request_method \$request_uri \$http_host \$remote_addr\n";
        }
    }
$(lab_bad_tls)
    # What a suite adds (registries.sh).
    include $LAB/conf/*.site;
}
CONF
}

lab_zone()
{
    cat <<ZONE
\$ORIGIN example.
\$TTL 300
@            SOA   ns.example. lab.example. 1 3600 600 86400 60
@            NS    ns.example.
ns           A     $RESOLVER_IP
allowed      A     $ALLOWED_IP
www.allowed  A     $ALLOWED_IP
denied       A     $DENIED_IP
third        A     $THIRD_IP
*.wild       A     $ALLOWED_IP
alias        CNAME allowed.example.
expired      A     $BAD_TLS_IP
selfsigned   A     $BAD_TLS_IP
wrong        A     $BAD_TLS_IP
private      A     $GATEWAY_IP
metadata     A     $METADATA_IP
loopback     A     127.0.0.1
dual         A     $ALLOWED_IP
dual         AAAA  $ALLOWED_IP6
v6           AAAA  $ALLOWED_IP6
moment 0     A     $ALLOWED_IP
ech          A     $ALLOWED_IP
ech          HTTPS 1 . alpn=h2,h3 ech="AEX+DQBBAAAgACAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEAAEAAQALZWNoLmV4YW1wbGUAAA=="
$(for i in 1 2 3 4 5 6 7 8; do printf 'long TXT "%0250d"\n' "$i"; done)
ZONE
}

lab_unbound_conf()
{
    cat <<CONF
server:
    directory: "$LAB"
    chroot: ""
    username: ""
    pidfile: ""
    do-daemonize: no
    use-syslog: no
    logfile: "$LAB/log/queries.log"
    log-queries: yes
    num-threads: 1
    interface: $RESOLVER_IP
    interface: $OTHER_RESOLVER_IP
    interface: $RESOLVER_IP@5353
    interface: $RESOLVER_IP@853
    tls-port: 853
    tls-service-key: "$LAB/ca/good.key"
    tls-service-pem: "$LAB/ca/good.crt"
    access-control: 0.0.0.0/0 allow
    module-config: "iterator"
    # Nobody is ever asked: what is not in the zone does not exist.
    local-zone: "." static
    local-zone: "example." transparent
auth-zone:
    name: "example."
    zonefile: "$LAB/conf/example.zone"
    for-downstream: yes
    for-upstream: no
remote-control:
    control-enable: no
CONF
}

lab_answers()
{
    in_net curl -s -o /dev/null http://127.0.0.1/small &&
        in_net dig +short +tries=1 +time=1 @"$RESOLVER_IP" allowed.example | grep -q "$ALLOWED_IP"
}

lab_servers()
{
    lab_ca || return 1
    head -c 1024 /dev/zero | tr '\0' x >"$LAB/www/small"
    truncate -s 64M "$LAB/www/big"
    printf 'the lab\n' >"$LAB/www/index.html"
    : >"$LAB/log/requests.jsonl"
    lab_nginx_conf >"$LAB/conf/nginx.conf"
    lab_zone >"$LAB/conf/example.zone"
    lab_unbound_conf >"$LAB/conf/unbound.conf"
    # A copy: some distributions confine the one in /usr/sbin to its own directories.
    cp "$(command -v unbound)" "$LAB/bin/lab-unbound" || return 1
    lab_start nginx nsenter --net="$LAB/net" -- nginx -e stderr -c "$LAB/conf/nginx.conf"
    lab_start unbound nsenter --net="$LAB/net" -- "$LAB/bin/lab-unbound" -d \
        -c "$LAB/conf/unbound.conf"
    if [ -x "$LAB/bin/echo_server" ]; then
        lab_start echo nsenter --net="$LAB/net" -- "$LAB/bin/echo_server" 7
    fi
    wait_for 10 lab_answers
}
