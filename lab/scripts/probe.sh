#!/bin/sh
# probe.sh - tries, in namespaces of its own, what the lab does later. The exit code says what failed (lab/checks.py).
mount -t tmpfs tandem-probe /mnt || exit 11
mkdir /mnt/lower /mnt/upper /mnt/work /mnt/root || exit 11
mount -t overlay overlay -o lowerdir=/mnt/lower,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root || exit 12
ip link add br-probe type bridge && ip link add probe0 type veth peer name probe1 || exit 13
nft -f - <<'EOF' || exit 14
table inet probe {
  set pairs { type ifname . ifname; }
  chain forward { type filter hook forward priority 0; }
  chain postrouting { type nat hook postrouting priority 100; ip saddr 192.0.2.1 masquerade; }
}
table bridge probe {
  chain prerouting { type filter hook prerouting priority 0; arp daddr ip 192.0.2.1 accept; }
}
EOF
