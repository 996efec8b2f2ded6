# Part of scripts/bundle: what a bundle does on the box that it was carried to. POSIX sh and the tools that any Debian or
# Ubuntu has; what is above this line was put there when the bundle was made, and what is below it is checked by it.

usage="sh $self [options] [directory]

Installs conversation-kit $version ($commit), or updates what an earlier bundle
has installed there. Needs no network and no Node.js. Everything is checked before anything is placed; state, passphrase,
configuration and files of your own stay. It may be interrupted at any moment and run again.

  directory     default: ./conversation-kit
  --verify      only check the file, each part against its SHA-256
  --contents    only show what is in it
  --help

Exit: 0 done, 1 failed, 2 misused."

say() { printf '%s\n' "$*" >&2; }

# $1: what is wrong, $2: what to do about it
refuse() {
  printf '%s\n→ %s\n' "$1" "$2" >&2
  exit 1
}

# --- the file -------------------------------------------------------------------------------------------------------

check_size() {
  found=$(wc -c <"$self")
  [ "$found" -eq "$total" ] ||
    refuse "$self has $found bytes and should have $total: it was cut off, or something was added" 'Copy it again.'
}

# The bytes of a part. $1: offset, $2: size
part() { tail -c "+$(($1 + 1))" -- "$self" | head -c "$2"; }

check_parts() {
  say "▸ Checking $((total / 1000000)) MB"
  while read -r name offset size sum _ _; do
    found=$(part "$offset" "$size" | sha256sum)
    [ "${found%% *}" = "$sum" ] ||
      refuse "$name in $self is damaged (SHA-256 ${found%% *}, and $sum is expected). Nothing was placed." 'Copy it again.'
    say "  ✓ $name"
  done <<END
$parts
END
}

show_contents() {
  printf 'conversation-kit %s, commit %s, for Linux %s with glibc %s or newer\n' "$version" "$commit" "$machine" "$glibc"
  printf '%12s %12s  %-64s  %s\n' bytes unpacked SHA-256 part
  while read -r name _ size sum unpacked _; do
    printf '%12s %12s  %s  %s\n' "$size" "$unpacked" "$sum" "$name"
  done <<END
$parts
END
}

# --- the machine ----------------------------------------------------------------------------------------------------

check_machine() {
  for tool in tar gzip sha256sum head tail flock df find sort comm cmp; do
    command -v "$tool" >/dev/null || refuse "There is no $tool on this machine" \
      'It is part of every Debian and Ubuntu: install its package (tar, gzip, coreutils, util-linux, findutils, diffutils).'
  done
  [ "$(uname -s)" = Linux ] || refuse "This is $(uname -s), and the kit runs on Linux" 'Use a Linux machine.'
  [ "$(uname -m)" = "$machine" ] || refuse "This machine is a $(uname -m), and the bundle was made for $machine" \
    "Make it on a $(uname -m) machine: npm run bundle"
  here=$(getconf GNU_LIBC_VERSION 2>/dev/null) || here=''
  here=${here#glibc }
  [ -n "$here" ] || refuse 'This machine has no glibc' 'Use Debian 12, Ubuntu 22.04, or newer ones of theirs.'
  oldest=$(printf '%s\n%s\n' "$here" "$glibc" | sort -V | head -n 1)
  [ "$oldest" = "$glibc" ] || refuse "This machine has glibc $here, and $glibc is the oldest that works" \
    'Use Debian 12, Ubuntu 22.04, or newer ones of theirs.'
}

check_space() {
  place=$directory
  while [ ! -d "$place" ]; do place=$(dirname -- "$place"); done
  needed=0
  while read -r _ _ _ _ unpacked _; do needed=$((needed + unpacked)); done <<END
$parts
END
  needed=$((needed / 1024 * 11 / 10))
  free=$(df -Pk -- "$place" | awk 'NR == 2 { print $4 }')
  [ "$free" -ge "$needed" ] || refuse \
    "There is not enough disk space: $((needed / 1000)) MB are needed and $((free / 1000)) MB are free where $place lies" \
    'Free some, or name a directory elsewhere; then run this again.'
}

# --- the directory --------------------------------------------------------------------------------------------------

open_directory() {
  if [ -d "$directory" ] && [ ! -e "$directory/.kit/bundle/files" ] && [ ! -e "$directory/.kit/incoming/placing" ]; then
    for entry in "$directory"/* "$directory"/.[!.]*; do
      case $entry in "$directory/.kit" | "$directory/*" | "$directory/.[!.]*") continue ;; esac
      refuse "$directory holds something that no bundle has installed (${entry##*/})" 'Name another directory. If it is a checkout of the kit with a stack that is to be kept, have its files known first, in there:
  mkdir -p .kit/bundle && git ls-files -z | LC_ALL=C sort -z | xargs -0 sha256sum >.kit/bundle/files'
    done
  fi
  mkdir -p -- "$directory/.kit" 2>/dev/null || refuse "$directory can't be made, or not be written to" 'Name another directory, or become its owner.'
  directory=$(cd -- "$directory" && pwd)
  kit=$directory/.kit
  incoming=$kit/incoming
  tree=$incoming/tree
  replaced=$incoming/replaced
  # The lock of set-up: no command of the kit prepares anything meanwhile.
  exec 9>>"$kit/lock" || refuse "$kit can't be written to" 'Become the owner of the directory.'
  flock --nonblock 9 || refuse "Something else is at work in $directory: $(cat "$kit/lock")" 'Wait for it, then run this again.'
  check_idle
}

# An update of a stack works with the files that are about to be replaced.
check_idle() {
  [ -d "$kit/state/.pulumi/locks" ] || return 0
  find "$kit/state/.pulumi/locks" -name '*.json' | while read -r lock; do
    process=$(sed -n 's/.*"pid": *\([0-9]*\).*/\1/p' "$lock")
    [ -n "$process" ] && [ -d "/proc/$process" ] || continue
    refuse "A stack is being updated from $directory (process $process)" 'Wait for it, then run this again.'
  done
}

# --- unpacking, beside what is there --------------------------------------------------------------------------------

unpack() {
  mkdir -p "$tree/.kit/bundle" "$replaced"
  # In a pipe, sh knows of the last program's end only.
  broken=$incoming/broken
  while read -r name offset size _ _ kind; do
    say "▸ Unpacking $name"
    case $kind in
      tar.gz) part "$offset" "$size" | { gzip -dc || : >"$broken"; } | tar -xpf - -C "$tree" --no-same-owner ;;
      tar.zst) part "$offset" "$size" | { zstd_of_node || : >"$broken"; } | tar -xpf - -C "$tree" --no-same-owner ;;
      tar) part "$offset" "$size" | tar -xpf - -C "$tree" --no-same-owner ;;
      file) part "$offset" "$size" >"$tree/.kit/bundle/$name" ;;
    esac && [ ! -e "$broken" ] || refuse "$name could not be unpacked; what says why is above. Nothing was placed." 'Mend it, then run this again.'
    [ "$kind" != tar.gz ] || check_node
  done <<END
$parts
END
}

# A bare Debian has no zstd. The kit's Node.js does, and it comes first.
zstd_of_node() {
  "$tree/.kit/bin/node" --no-warnings -e '
    const { createZstdDecompress } = require("node:zlib");
    require("node:stream").pipeline(process.stdin, createZstdDecompress(), process.stdout, (error) => {
      if (error && error.code !== "EPIPE") { console.error(error.message); process.exit(1); }
    });'
}

check_node() {
  "$tree/.kit/bin/node" --version >/dev/null || refuse 'The Node.js of the bundle does not start here; what says why is above' \
    'Where a library is missing, install its package (libstdc++6); where the directory may not hold programs (noexec), name another.'
}

# What the person has made or changed among the files that are about to be replaced. Configuration stays as it is;
# files of their own come along; changed files of the program are kept aside.
carry_over() {
  [ -e "$kit/bundle/files" ] || return 0
  LC_ALL=C
  export LC_ALL
  sed 's/^[0-9a-f]* [ *]//' "$kit/bundle/files" | sort >"$incoming/known"
  (cd "$directory" && sha256sum --check --quiet .kit/bundle/files 2>/dev/null) | sed -n 's/: FAILED$//p' >"$incoming/changed"
  { sed -n 's|/.*||p' "$incoming/known"; (cd "$tree" && find . -mindepth 1 -maxdepth 1 -type d | sed 's|^\./||'); } |
    sort -u | grep -vx -e '\.git' -e '\.kit' -e node_modules >"$incoming/folders" || true
  while read -r folder; do
    [ -d "$directory/$folder" ] || continue
    (cd "$directory" && find "$folder" \( -type f -o -type l \))
  done <"$incoming/folders" | sort | comm -23 - "$incoming/known" >"$incoming/own"
  (cd "$tree" && find . -maxdepth 1 -type f | sed 's|^\./||') | sort | comm -23 - "$incoming/known" >>"$incoming/own"
  while read -r file; do
    [ -n "$file" ] || continue # nothing was changed
    [ -e "$directory/$file" ] || [ -L "$directory/$file" ] || continue
    ! cmp -s "$directory/$file" "$tree/$file" || continue
    case $file in
      Pulumi.*.yaml) copy "$directory/$file" "$tree/$file" ;;
      *)
        if [ -e "$tree/$file" ] || grep -Fqx -- "$file" "$incoming/changed"; then
          copy "$directory/$file" "$kit/replaced/$commit/$file"
          say "! $file was changed here: the bundle's takes its place, yours is kept in .kit/replaced/$commit"
        else
          copy "$directory/$file" "$tree/$file"
        fi
        ;;
    esac
  done <<END
$(cat "$incoming/changed" "$incoming/own")
END
}

copy() {
  mkdir -p -- "$(dirname -- "$2")"
  cp -pP -- "$1" "$2"
}

# --- placing --------------------------------------------------------------------------------------------------------

# Nothing but renames, of whole folders, each of which may be the last before somebody pulls the plug: what is still in
# the tree has still to be placed. `.kit/bundle` says what is installed, and so it comes last.
place() {
  if [ -d "$tree/.git" ] && [ -d "$directory/.git" ]; then place_history; fi
  if [ -e "$incoming/gone" ]; then
    while read -r entry; do
      [ -n "$entry" ] || continue
      swap "$entry"
    done <"$incoming/gone"
  fi
  for entry in "$tree"/* "$tree"/.[!.]*; do
    case $entry in "$tree/*" | "$tree/.[!.]*" | "$tree/.kit") continue ;; esac
    swap "${entry##*/}"
  done
  for entry in "$tree"/.kit/toolchain/* "$tree"/.kit/pulumi-home/plugins/* "$tree"/.kit/bin \
    "$tree"/.kit/image-source "$tree"/.kit/bundle; do
    [ -e "$entry" ] || continue
    swap ".kit/${entry#"$tree"/.kit/}"
  done
  rm -f -- "$incoming/placing"
  rm -rf -- "$incoming"
}

# Takes what is there away, and puts what is in the tree (if anything) in its place.
swap() {
  if [ -e "$directory/$1" ] || [ -L "$directory/$1" ]; then
    mkdir -p -- "$(dirname -- "$replaced/$1")"
    rm -rf -- "${replaced:?}/$1"
    mv -- "$directory/$1" "$replaced/$1"
  fi
  if [ -e "$tree/$1" ] || [ -L "$tree/$1" ]; then
    mkdir -p -- "$(dirname -- "$directory/$1")"
    mv -- "$tree/$1" "$directory/$1"
  fi
}

# Adds the bundle's commits to the history that is there, which holds what releases were made of.
place_history() {
  git=$directory/.git
  for pack in "$tree"/.git/objects/pack/*; do
    [ -e "$git/objects/pack/${pack##*/}" ] || cp -p -- "$pack" "$git/objects/pack/"
  done
  if [ -e "$tree/.git/shallow" ]; then
    cat "$tree/.git/shallow" "$git/shallow" 2>/dev/null | sort -u >"$git/shallow.new"
    mv -- "$git/shallow.new" "$git/shallow"
  fi
  ours=$(cat "$tree/.git/refs/heads/main")
  theirs=$(cat "$git/refs/heads/main" 2>/dev/null) || theirs=$ours
  if [ "$theirs" != "$ours" ]; then
    mkdir -p "$git/refs/heads/before"
    printf '%s\n' "$theirs" >"$git/refs/heads/before/$ours"
  fi
  mkdir -p "$git/refs/heads"
  printf '%s\n' "$ours" >"$git/main.new" && mv -- "$git/main.new" "$git/refs/heads/main"
  printf 'ref: refs/heads/main\n' >"$git/HEAD.new" && mv -- "$git/HEAD.new" "$git/HEAD"
  mv -- "$tree/.git/index" "$git/index"
  rm -rf -- "$tree/.git"
}

tidy() {
  [ -n "${incoming:-}" ] && [ ! -e "$incoming/placing" ] || return 0
  rm -rf -- "$incoming"
  [ -n "${made:-}" ] && rm -f -- "$kit/lock" && rmdir -- "$kit" "$directory" 2>/dev/null || true
}

install() {
  check_space
  [ -d "$directory" ] || made=1
  open_directory
  trap tidy EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  if [ -e "$incoming/placing" ]; then
    say '▸ Finishing an installation that was interrupted'
    place
  fi
  rm -rf -- "$incoming"
  unpack
  carry_over
  if [ -e "$incoming/known" ]; then
    sed 's|/.*||' "$incoming/known" | sort -u | while read -r entry; do
      [ -e "$tree/$entry" ] || printf '%s\n' "$entry"
    done >"$incoming/gone"
  fi
  say '▸ Placing'
  sync -f "$incoming" 2>/dev/null || sync
  : >"$incoming/placing"
  place
  made=''
  printf '%s\n' "conversation-kit $version ($commit) is in $directory. Go on with:" \
    "  cd '$directory' && PATH=\"\$PWD/.kit/bin:\$PATH\" npm run up$stack"
  command -v git >/dev/null || say '! There is no git here: updates work without, rollbacks do not. docs/air-gapped.md tells how to install the bundle’s.'
}

action=install
directory=''
for argument; do
  case $argument in
    --help | -h) printf '%s\n' "$usage" && exit 0 ;;
    --verify) action=verify ;;
    --contents) action=contents ;;
    -* | '') say "There is no option $argument" '' "$usage" && exit 2 ;;
    *)
      [ -z "$directory" ] || { say 'Only one directory can be named' '' "$usage" && exit 2; }
      directory=$argument
      ;;
  esac
done
case ${directory:=conversation-kit} in -*) directory=./$directory ;; esac
umask 022

case $action in
  contents) show_contents ;;
  verify)
    check_size
    check_parts
    printf '%s\n' "Whole: conversation-kit $version ($commit), $total bytes"
    ;;
  install)
    check_machine
    check_size
    check_parts
    install
    ;;
esac
exit 0
