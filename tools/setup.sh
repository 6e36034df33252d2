#!/bin/sh
# Installs what aLLM needs, in groups: build (compile and run), test (clang, Python and Node clients), oracle (reference
# implementations), gpu (Vulkan). Usage: tools/setup.sh [build|test|oracle|gpu]...
#
# Debian 14 and newer: apt-get install. Debian 12 and 13: adds the forky suite of the mirror that the machine already
# uses, pinned so low that nothing else is taken from it unasked. Elsewhere: lists what is missing.
# Does nothing when everything is there already. ALLM_NO_SETUP=1 only checks.
set -eu

BUILD="gcc binutils libc6-dev make meson ninja-build pkg-config libllama-dev libggml-dev libuv1-dev libllhttp-dev
 libwslay-dev libssl-dev libsqlite3-dev libyyjson-dev libutf8proc-dev zlib1g-dev libedit-dev libcmocka-dev libwhisper-dev libespeak-ng-dev espeak-ng-data
 libsonic-dev libavformat-dev libavcodec-dev libswresample-dev libswscale-dev libseccomp-dev curl ca-certificates"
TEST="g++ clang-22 clang-format-22 clang-tidy-22 libclang-rt-22-dev python3 python3-openai python3-pytest
 python3-websockets nodejs npm openssl procps ffmpeg
 python3-pil"
ORACLE="python3-torch libopenblas0-pthread python3-transformers python3-tokenizers python3-safetensors python3-gguf
 python3-numpy python3-jinja2 python3-jsonschema python3-rfc3339-validator python3-isoduration python3-fqdn
 python3-ollama llama.cpp-tools whisper.cpp-tools espeak-ng"
GPU="libggml0-backend-vulkan mesa-vulkan-drivers"

packages=""
for group in "${@:-build}"; do
  case $group in
  build) packages="$packages $BUILD" ;;
  test) packages="$packages $BUILD $TEST" ;;
  oracle) packages="$packages $BUILD $TEST $ORACLE" ;;
  gpu) packages="$packages $GPU" ;;
  *) echo "setup: unknown group '$group' (build, test, oracle, gpu)" >&2; exit 2 ;;
  esac
done

# What is missing on a system whose package manager this script does not drive; nothing is printed where all is there.
check_elsewhere() {
  missing=""
  for program in meson ninja curl pkg-config; do
    command -v "$program" >/dev/null || missing="$missing $program"
  done
  command -v cc >/dev/null || command -v gcc >/dev/null || missing="$missing cc"
  for module in llama ggml whisper espeak-ng libavformat libavcodec libswresample libswscale libseccomp libuv libllhttp libwslay openssl \
    sqlite3 yyjson libutf8proc libedit cmocka; do
    pkg-config --exists "$module" 2>/dev/null || missing="$missing $module"
  done
  [ -n "$missing" ] || return 0
  cat >&2 <<'LIST'
aLLM's set-up knows Debian 12, 13 and 14 (and what is newer). On this system please install, by your own means:

  what                               Fedora                        Arch                   Homebrew
  C23 compiler (GCC 16, clang 22)    gcc                           gcc                    gcc
  Meson, Ninja, make, pkg-config     meson ninja-build make        meson ninja make       meson ninja make pkgconf
  libllama 0.7, libggml 0.27         llama-cpp-devel ggml-devel    llama.cpp              llama.cpp ggml
  libwhisper 1.9                     whisper-cpp-devel             whisper.cpp            whisper-cpp
  eSpeak NG                          espeak-ng-devel               espeak-ng              espeak-ng
  libsonic                           sonic-devel                   libsonic (AUR)         libsonic
  FFmpeg 9, libseccomp               ffmpeg-devel libseccomp-devel ffmpeg libseccomp      ffmpeg
  libuv                              libuv-devel                   libuv                  libuv
  llhttp 9                           llhttp-devel                  llhttp                 llhttp
  wslay 1.1                          wslay-devel                   wslay                  wslay
  OpenSSL 3                          openssl-devel                 openssl                openssl@3
  SQLite 3                           sqlite-devel                  sqlite                 sqlite
  yyjson                             yyjson-devel                  yyjson                 yyjson
  utf8proc                           utf8proc-devel                libutf8proc            utf8proc
  libedit                            libedit-devel                 libedit                libedit
  cmocka (tests)                     libcmocka-devel               cmocka                 cmocka
  openai, websockets, pytest (tests) python3-openai python3-pytest python-openai          pip: openai websockets pytest

LIST
  # shellcheck disable=SC2086
  echo "By Debian's names:" $packages >&2
  echo "setup: missing here:$missing" >&2
  return 1
}

id='' version=0 codename=''
[ -r /etc/os-release ] && {
  id=$(. /etc/os-release && echo "${ID:-}")
  version=$(. /etc/os-release && echo "${VERSION_ID:-0}")
  codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
}
if [ "$id" != debian ] || ! command -v apt-get >/dev/null; then
  check_elsewhere
  exit 0
fi

# shellcheck disable=SC2086
installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $packages 2>/dev/null | sed -n 's/ installed$//p' || true)
missing=$(for p in $packages; do
  printf '%s\n' "$installed" | grep -qxF "$p" || echo "$p"
done | sort -u | tr '\n' ' ')
# An older compiler under the right name is missing all the same.
major() { "$1" -dumpversion 2>/dev/null | cut -d. -f1; }
case " $packages " in *" gcc "*) [ "$(major gcc || echo 0)" -ge 15 ] 2>/dev/null || missing="gcc binutils libc6-dev $missing" ;; esac
case " $packages " in *" meson "*)
  meson_version=$(meson --version 2>/dev/null || echo 0)
  [ "$(printf '%s\n1.3.0\n' "$meson_version" | sort -V | head -n 1)" = 1.3.0 ] || missing="meson python3 $missing" ;;
esac
# shellcheck disable=SC2086
missing=$(echo $missing | tr ' ' '\n' | awk '!seen[$0]++' | tr '\n' ' ' | sed 's/ $//')
[ -n "$missing" ] || exit 0
if [ "${ALLM_NO_SETUP:-0}" = 1 ]; then
  echo "setup: missing: $missing" >&2
  exit 1
fi

# Once packages of forky are in, base-files may be one of them and /etc/os-release no longer says 12 or 13.
suite=""
if [ "$version" = 12 ] || [ "$version" = 13 ] || [ -e /etc/apt/sources.list.d/allm-forky.sources ]; then
  suite=forky
fi
as_root=""
if [ "$(id -u)" != 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "setup: installing packages needs root, and there is no sudo. Run as root: $(pwd)/tools/setup.sh ${*:-build}" >&2
    echo "setup: it would install${suite:+, from suite $suite}: $missing" >&2
    exit 1
  fi
  as_root=sudo
fi
echo "setup: Debian ${codename:-$version}: will install${suite:+ from $suite}: $missing" >&2

# The archive that apt already uses; not a third party's, nor the security archive.
debian_mirror() {
  cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
    awk '/^URIs:/ { print $2 } /^deb[ \t]/ { for (i = 2; i <= NF; i++) if ($i ~ /^[a-z+]+:\//) { print $i; break } }' |
    grep -E '/debian/?$|/debian\.list$' | head -n 1
}

if [ -n "$suite" ] && [ ! -e /etc/apt/sources.list.d/allm-$suite.sources ]; then
  mirror=$(debian_mirror)
  [ -n "$mirror" ] || {
    echo "setup: finds no Debian archive among apt's sources; add suite $suite of your mirror yourself, then run this again" >&2
    exit 1
  }
  echo "setup: adds suite $suite of $mirror (/etc/apt/sources.list.d/allm-$suite.sources, priority 100)" >&2
  # The pin comes first: the suite is never there without it.
  printf 'Package: *\nPin: release n=%s\nPin-Priority: 100\n' "$suite" |
    $as_root tee /etc/apt/preferences.d/allm-$suite >/dev/null
  printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n' \
    "$mirror" "$suite" | $as_root tee /etc/apt/sources.list.d/allm-$suite.sources >/dev/null
fi
echo "setup: this takes some minutes" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
run() {
  if ! $as_root env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@" >>"$log" 2>&1; then
    if grep -qE 'Failed to fetch|Could not (resolve|connect)|Temporary failure resolving' "$log"; then
      grep -E 'Failed to fetch' "$log" | head -n 3 >&2
      echo "setup: the Debian mirror could not be reached: check the network (and apt's proxy), then run this again" >&2
    else
      tail -n 30 "$log" >&2
      echo "setup: failed: $*" >&2
    fi
    exit 1
  fi
}
run apt-get -o DPkg::Lock::Timeout=300 update
# force-overwrite: Debian 12's libssl3 and forky's openssl-provider-legacy share a file.
# shellcheck disable=SC2086
set -- apt-get install -y ${suite:+-t $suite} --no-install-recommends -o DPkg::Lock::Timeout=300 \
  -o Dpkg::Options::=--force-overwrite -o Dpkg::Options::=--force-confold $missing
removed=$(LC_ALL=C "$@" -s 2>/dev/null | sed -n 's/^Remv \([^ ]*\).*/\1/p' | tr '\n' ' ')
[ -z "$removed" ] || echo "setup: removes, since they do not fit beside these: $removed" >&2
run "$@"
echo "setup: done" >&2
