#!/bin/sh
# start-host.sh LAB RUN_DIR NAME BRIDGE IMAGE BASE CGROUP2
# Becomes one host: runs in a mount namespace of its own, so that its mounts end with its last process.
set -eu
lab=$1 run=$2 name=$3 bridge=$4 image=$5 base=$6 cgroup2=$7
trap 'touch "$run/failed"' EXIT
mkdir -p "$run/disk" "$run/root" "$run/cgroup"

# Late commits: what was not synced is really lost when the power goes.
mount -o loop,commit=30,noatime "$image" "$run/disk"
if [ ! -d "$run/disk/upper" ]; then
  rm -rf "$run/disk/upper.new" "$run/disk/work"
  mkdir "$run/disk/upper.new" "$run/disk/work"
  cp -a "$run/seed-once/." "$run/disk/upper.new/"
  mv "$run/disk/upper.new" "$run/disk/upper"
fi
cp -a "$run/seed-always/." "$run/disk/upper/"
sync -f "$run/disk"
mount -t overlay overlay -o "lowerdir=$base,upperdir=$run/disk/upper,workdir=$run/disk/work" "$run/root"

# The host sees pure cgroup2, whatever the machine has. A bind mount, because options of a new cgroup2 mount
# would change the machine's own.
mount --bind "$cgroup2" "$run/cgroup"
umount -R /sys/fs/cgroup
mount --move "$run/cgroup" /sys/fs/cgroup
mkdir -p "/sys/fs/cgroup/$lab/$name"
echo $$ > "/sys/fs/cgroup/$lab/$name/cgroup.procs"
export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1

echo $$ > "$run/pid"
exec nsenter --net="/run/netns/$lab" systemd-nspawn --quiet --directory="$run/root" --machine="$name" --boot \
  --register=no --keep-unit --network-bridge="$bridge" --resolv-conf=off --timezone=off --link-journal=no \
  --console=read-only --kill-signal=SIGRTMIN+4 --system-call-filter=bpf
