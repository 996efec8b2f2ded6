/** What a second box is made of. All of it goes into the tag of its images, so any change here makes others. */
export const recipe = {
  /** What a minimal installation of Debian or Ubuntu Server has, without the kernel. */
  bare: [
    ...['apt', 'apt-utils', 'ca-certificates', 'debconf', 'init-system-helpers', 'passwd', 'procps', 'tzdata'],
    ...['systemd-sysv', 'dbus', 'libpam-systemd', 'openssh-server', 'sudo', 'iproute2', 'nftables', 'netbase'],
    'usr-is-merged', // or apt takes its alternative, which brings all of Perl
  ],
  /** What can be installed on it later on: its archive, in a folder, so that a test needs no network for it. */
  archive: ['docker.io', 'iptables', 'unattended-upgrades', 'systemd-timesyncd'],
  /** Of that, what the box with an engine has. */
  engine: ['docker.io', 'iptables'],
} as const;

/** Where the box keeps its archive. */
export const archiveFolder = '/var/lib/second-box/archive';

/**
 * Runs in a machine that has all packages unpacked and none installed: installs the bare ones into another root, and
 * writes that to standard output.
 */
export const installBare = `
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin
exec 3>&1 1>&2
mkdir -p /etc/apt /var/lib/dpkg/updates /var/lib/apt/lists/partial /var/cache/apt/archives/partial
rm -rf /etc/apt/sources.list.d /etc/apt/sources.list
: >/var/lib/dpkg/status
echo 'deb [trusted=yes] file:${archiveFolder} ./' >/etc/apt/sources.list
apt-get -q -o APT::Sandbox::User=root update
names=$(apt-get -s --no-install-recommends install '?essential' ${recipe.bare.join(' ')} | sed -n 's/^Inst \\([^ ]*\\) .*/\\1/p')
target=/target
mkdir -p $target
for folder in bin sbin lib lib64; do mkdir -p $target/usr/$folder; ln -s usr/$folder $target/$folder; done
files=
for name in $names; do
  for file in ${archiveFolder}/\${name}_*.deb; do
    dpkg-deb --fsys-tarfile $file | tar -x -C $target --keep-directory-symlink
    files="$files $file"
  done
done
mkdir -p $target${archiveFolder} $target/proc $target/sys $target/dev
cp -a ${archiveFolder}/. $target${archiveFolder}/
cp -a /dev/null $target/dev/null
: >$target/var/lib/dpkg/status
for file in passwd group; do cp $target/usr/share/base-passwd/$file.master $target/etc/$file; done
mkdir -p $target/usr/sbin $target/usr/local
printf '#!/bin/sh\\nexit 101\\n' >$target/usr/sbin/policy-rc.d
chmod 755 $target/usr/sbin/policy-rc.d
chroot $target dpkg --force-depends --force-unsafe-io --force-confnew --install $files
rm -rf $target/etc/apt/sources.list.d
cp /etc/apt/sources.list $target/etc/apt/sources.list
chroot $target apt-get -q update
rm -f $target/usr/sbin/policy-rc.d $target/etc/ssh/ssh_host_* $target/etc/machine-id
: >$target/etc/machine-id
tar -C $target -c . >&3
`;

/** Runs in the bare box: its engine, which the first start of the box starts. */
export const installEngine = `
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
apt-get -q --yes --no-install-recommends install ${recipe.engine.join(' ')}
rm -f /usr/sbin/policy-rc.d
useradd --create-home --shell /bin/bash --groups docker deploy
`;
