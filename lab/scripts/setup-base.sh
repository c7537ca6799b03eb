#!/bin/sh
# setup-base.sh ROOT - what every lab host has beyond its packages. Runs at the end of mmdebstrap, outside the chroot.
set -eu
root=$1

# An unprivileged user with sudo, as on any host that Ansible manages.
chroot "$root" useradd --create-home --uid 1000 --user-group --shell /bin/bash ansible
install -d -m 0700 -o 1000 -g 1000 "$root/home/ansible/.ssh"
printf 'ansible ALL=(ALL) NOPASSWD:ALL\n' > "$root/etc/sudoers.d/ansible"
chmod 0440 "$root/etc/sudoers.d/ansible"

# Many connections come from one address here: do not take them for an attack.
printf 'PerSourcePenalties no\nMaxStartups 200:30:400\n' > "$root/etc/ssh/sshd_config.d/tandem-lab.conf"

# Each boot puts that program there, with the lab's address in it.
rm -f "$root/etc/apt/apt.conf.d/99mmdebstrap"
cat > "$root/etc/apt/apt.conf.d/90tandem-lab" <<'EOF'
Acquire::http::Proxy-Auto-Detect "/usr/local/sbin/tandem-lab-apt-proxy";
Acquire::Check-Valid-Until "false";
Acquire::Check-Date "false";
Acquire::Languages "none";
APT::Keep-Downloaded-Packages "false";
EOF

# Lists stay, so that check mode knows packages; so does the cache made from them, which takes a second to build.
chroot "$root" apt-cache gencaches
rm -f "$root/var/cache/apt/archives"/*.deb

chroot "$root" systemctl enable systemd-networkd.service ssh.service
chroot "$root" systemctl mask systemd-networkd-wait-online.service
chroot "$root" systemctl disable apt-daily.timer apt-daily-upgrade.timer

# Each host gets its own.
rm -f "$root"/etc/ssh/ssh_host_* "$root/etc/hostname" "$root/etc/resolv.conf" "$root/usr/sbin/policy-rc.d"
: > "$root/etc/machine-id"
