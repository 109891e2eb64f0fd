# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The images that virtual machines boot from, made once: a root file system, and a kernel with its
# modules and first file system. Each is known by the digest of what it is made from, made under a
# temporary name and renamed, so that an interrupted build leaves nothing that would be used.
# Sourced by run.

CACHE=${EGRESS_VM_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/egress-filter/vm}

# shellcheck source=tests/vm/archive.sh
. "$VM_DIR/archive.sh"

# What the suites call. The libraries follow from the programs themselves, see cache_libraries.
CACHE_PACKAGES='bind9-dnsutils ca-certificates curl iproute2 iptables jq kmod nginx-light openssl
    procps slirp4netns strace sudo unbound'
CACHE_FORGET_DAYS=30

# cache_libraries: the packages of the shared libraries that today's programs are linked with.
cache_libraries()
{
    local file
    ldd "$BUILD"/egress-filter "$BUILD"/plain/test_* "$BUILD"/tools/* 2>/dev/null |
        awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | sort -u | while IFS= read -r file; do
        file=$(realpath "$file")
        # As it was packaged, which may be without /usr.
        dpkg-query -S "$file" 2>/dev/null || dpkg-query -S "${file#/usr}"
    done | cut -d: -f1 | sort -u
}

cache_digest()
{
    sha256sum | cut -c 1-16
}

# cache_work: a directory of this process's own, named WORK, gone with it. A process that was
# killed leaves its directory without a lock, and whoever comes next takes it away.
cache_work()
{
    local dir fd
    mkdir -p "$CACHE/work" || return 1
    exec {fd}>"$CACHE/work.lock"
    flock "$fd"
    for dir in "$CACHE"/work/*/; do
        [ ! -d "$dir" ] || ! flock --nonblock "$dir" true || rm -rf "$dir"
    done
    WORK=$(mktemp -d "$CACHE/work/XXXXXX") && exec {WORK_FD}<"$WORK" && flock "$WORK_FD"
    exec {fd}>&-
}

# cache_ext4 TREE FILE EXTRA_MIB: a file system that holds the tree, and so much room.
cache_ext4()
{
    local mib
    mib=$(($(du -s --block-size=1M --apparent-size "$1" | cut -f1) * 5 / 4 + $3))
    mke2fs -q -t ext4 -O ^has_journal -m 0 -E lazy_itable_init=1 -d "$1" "$2" "${mib}M" >/dev/null
}

# cache_confined COMMAND…: what it mounts and starts ends with it, and it with us.
cache_confined()
{
    setpriv --pdeathsig KILL -- unshare --mount --propagation private --pid --fork \
        --kill-child=KILL -- "$@"
}

# cache_root: the name of the root image; made where missing.
cache_root()
{
    local packages digest file fd tree=$WORK/root started=$SECONDS
    packages=$({ cache_libraries; xargs -n 1 <<<"$CACHE_PACKAGES"; } | sort -u | paste -sd,)
    digest=$(cat - "$VM_DIR/cache.sh" "$VM_DIR/archive.sh" "$VM_DIR/guest-init" \
        <<<"$ARCHIVE_SUITE $ARCHIVE_ARCH $packages" | cache_digest)
    file=$CACHE/root-$digest.ext4
    exec {fd}>"$file.lock"
    flock "$fd"
    if [ ! -e "$file" ]; then
        vm_say "making the root image ($(wc -w <<<"${packages//,/ }") packages and what they need)"
        local mirror
        mirror=$(archive_mirror "$ARCHIVE_SUITE") ||
            vm_unable "no archive of Debian is among the machine's package sources"
        archive_proxy
        cache_confined debootstrap --variant=minbase --keyring="$ARCHIVE_KEYS" \
            --include="$packages" "$ARCHIVE_SUITE" "$tree" "$mirror" >"$WORK/log" 2>&1 || {
            tail -n 5 "$WORK/log" >&2
            vm_unable "debootstrap cannot make a root file system"
        }
        rm -rf "$tree"/usr/share/{doc,info,locale,man} "$tree"/var/cache/apt "$tree"/var/lib/apt
        mkdir -p "$tree/project" "$tree/lib/modules"
        install -m 755 "$VM_DIR/guest-init" "$tree/sbin/guest-init"
        echo guest >"$tree/etc/hostname"
        cache_ext4 "$tree" "$WORK/root.ext4" 256 || return 1
        rm -rf "$tree"
        mv "$WORK/root.ext4" "$file"
        find "$CACHE" -maxdepth 1 -name 'root-*' -mtime "+$CACHE_FORGET_DAYS" -exec rm -f {} +
        vm_say "made the root image in $((SECONDS - started)) s"
    fi
    touch "$file"
    exec {fd}>&-
    VM_ROOT=$file
}

# cache_initrd TREE VERSION FILE: no more than what mounts the root image and finds the channel on
# which results are told.
cache_initrd()
{
    local tree=$1 version=$2 to=$WORK/initrd module file
    mkdir -p "$to"/{bin,dev,modules,proc,root,sys}
    cp /bin/busybox "$to/bin/"
    for module in virtio_pci virtio_blk virtio_console ext4; do
        modprobe -d "$tree" -S "$version" --show-depends "$module" 2>/dev/null |
            sed -n 's/^insmod \([^ ]*\).*/\1/p'
    done | awk '!seen[$0]++' >"$WORK/order"
    while IFS= read -r file; do
        module=$(basename "$file" .xz)
        case $file in
        *.xz) xz -dc "$file" >"$to/modules/$module" ;;
        *) cp "$file" "$to/modules/" ;;
        esac
        echo "$module" >>"$to/modules/order"
    done <"$WORK/order"
    cat >"$to/init" <<'INIT'
#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sysfs /sys
$b mount -t devtmpfs dev /dev
while read -r m; do $b insmod "/modules/$m" || echo "cannot load $m"; done </modules/order
$b mount -t ext4 -o noatime /dev/vda /root || $b poweroff -f
$b mount --move /dev /root/dev
$b umount /sys /proc
exec $b switch_root /root /sbin/guest-init
INIT
    chmod 755 "$to/init"
    (cd "$to" && find . | cpio --quiet -o -H newc | gzip -1) >"$3"
    rm -rf "$to" "$WORK/order"
}

# cache_kernel NAME: the directory of that kernel, with vmlinuz, initrd, modules.ext4 and version.
cache_kernel()
{
    local digest dir fd package parts deb version tree=$WORK/kernel made=$WORK/made started=$SECONDS
    digest=$(cat - "$VM_DIR/cache.sh" "$VM_DIR/archive.sh" <<<"$ARCHIVE_SUITE $ARCHIVE_ARCH $1" |
        cache_digest)
    dir=$CACHE/kernel-$1-$digest
    exec {fd}>"$dir.lock"
    flock "$fd"
    if [ ! -e "$dir" ]; then
        vm_say "fetching a kernel $1"
        [ -e "$WORK/apt" ] || archive_open "$WORK/apt" ||
            vm_unable "no archive of Debian is among the machine's package sources"
        package=$(archive_kernel "$WORK/apt" "$1") ||
            vm_unable "no package source offers a kernel $1, or none was reached"
        mkdir -p "$tree" "$made"
        mapfile -t parts < <(archive_parts "$WORK/apt" "$package")
        (cd "$made" && archive_apt "$WORK/apt" apt-get download "${parts[@]}") >&2 ||
            vm_unable "cannot fetch ${parts[*]}"
        for deb in "$made"/*.deb; do
            dpkg-deb -x "$deb" "$tree" || return 1
        done
        rm -f "$made"/*.deb
        # Newer packages have /usr/lib alone.
        [ -d "$tree/lib/modules" ] || ln -s usr/lib "$tree/lib"
        version=$(ls "$tree/lib/modules")
        depmod -b "$tree" "$version" || return 1
        # Since 7.3 it lies with the modules.
        cp "$tree/boot/vmlinuz-$version" "$made/vmlinuz" 2>/dev/null ||
            cp "$tree/lib/modules/$version/vmlinuz" "$made/vmlinuz" || return 1
        cache_initrd "$tree" "$version" "$made/initrd" || return 1
        cache_ext4 "$tree/lib/modules/" "$made/modules.ext4" 8 || return 1
        echo "$version" >"$made/version"
        rm -rf "$tree"
        mv "$made" "$dir"
        find "$CACHE" -maxdepth 1 -name 'kernel-*' -mtime "+$CACHE_FORGET_DAYS" -exec rm -rf {} +
        vm_say "made kernel $1 ($version) in $((SECONDS - started)) s"
    fi
    touch "$dir"
    exec {fd}>&-
    VM_KERNEL=$dir
}
