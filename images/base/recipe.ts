/**
 * What the base image is made of. All of it goes into the image's tag, so any change here makes another image.
 * Package versions are left to the distribution: a rebuild is how its security updates come in.
 */
export const recipe = {
  /** Raise it when the way of building changes what comes out. */
  revision: 2,

  /** Asked for by name; what they depend on comes along. */
  packages: [
    'base-files',
    'busybox',
    'ca-certificates',
    'caddy',
    'coreutils',
    'dash',
    'grep',
    'libc-bin',
    'netbase',
    'postgresql',
    'redis-server',
    'sed',
    'tzdata',
    'util-linux',
  ],

  /**
   * Dependencies that no server here runs: what configures a whole machine, the Perl around it, PostgreSQL's
   * just-in-time compiler. Regular expressions over package names.
   */
  without: [
    'adduser|passwd|debconf|ucf|sensible-utils|debianutils|init-system-helpers|sysvinit-utils|lsb-base|usrmerge',
    'dpkg|tar|libmd0|mawk|util-linux-extra|readline-common|media-types',
    'perl.*|libperl.*|lib.*-perl',
    'locales(-all)?|libc-l10n',
    'libllvm.*|libz3-.*',
    'postgresql|postgresql-(client-)?common|ssl-cert',
    'libpam-(modules|modules-bin|runtime)|libsemanage.*|libsepol.*|libdb5.*',
    'libnss3.*|libnspr4|libsqlite3-.*',
  ],

  /** Not unpacked. Patterns of GNU tar, `*` crosses slashes. */
  leftOut: [
    './boot/*',
    './etc/caddy*',
    './etc/cron*',
    './etc/default*',
    './etc/init.d*',
    './etc/logrotate*',
    './etc/postgresql*',
    './etc/redis*',
    './etc/systemd*',
    './lib/systemd*',
    './usr/lib/systemd*',
    './lib/*/gconv*',
    './usr/lib/*/gconv*',
    './usr/lib/postgresql/*/lib/bitcode*',
    './usr/lib/postgresql/*/lib/llvmjit*',
    './usr/share/bash-completion*',
    './usr/share/caddy*',
    './usr/share/doc-base*',
    './usr/share/i18n*',
    './usr/share/info*',
    './usr/share/lintian*',
    './usr/share/locale*',
    './usr/share/man*',
    './usr/share/postgresql/*/man*',
    './usr/share/zoneinfo/right*',
  ],

  /** Official binaries, as npm's packages `node-linux-<architecture>` carry them; the digests are of `bin/node`. */
  node: {
    version: '24.21.0',
    sha256: {
      x64: '7fde7b8afa198da66257f42ee2001d874c7355631e6d1579a5fb5ef1f246df4c',
      arm64: '0f8949d1028f6d61506b2d5bc57e7e6fe893d7b1997509b7847294fc9c616584',
    },
  },

  /** The one account besides root: every server of the kit runs as it. */
  account: { name: 'kit', id: 10001 },
} as const;

export type Architecture = keyof typeof recipe.node.sha256;
