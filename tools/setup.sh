#!/bin/sh
# Installs what aLLM needs, in groups: build (compile and run), test (clang, Python and Node clients), oracle (reference
# implementations), gpu (Vulkan). Usage: tools/setup.sh [build|test|oracle|gpu]...
#
# Debian 14 and newer: apt-get install. Debian 12 and 13: adds the forky suite of the mirror that the machine already
# uses, pinned so low that nothing else is taken from it unasked. Elsewhere: lists what is missing.
# Does nothing when everything is there already. ALLM_NO_SETUP=1 only checks.
set -eu

BUILD="gcc binutils libc6-dev make meson ninja-build pkg-config libllama-dev libggml-dev libuv1-dev libllhttp-dev
 libssl-dev libyyjson-dev libutf8proc-dev libedit-dev libcmocka-dev curl ca-certificates"
TEST="g++ clang-22 clang-format-22 clang-tidy-22 libclang-rt-22-dev python3 python3-openai python3-pytest nodejs npm
 openssl procps"
ORACLE="python3-torch libopenblas0-pthread python3-transformers python3-tokenizers python3-safetensors python3-gguf
 python3-numpy python3-jinja2 llama.cpp-tools"
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

list_elsewhere() {
  cat >&2 <<'LIST'
aLLM's set-up knows Debian 12, 13 and 14 (and what is newer). On this system please install, by your own means:

  what                               Fedora                        Arch                   Homebrew
  C23 compiler (GCC 16, clang 22)    gcc                           gcc                    gcc
  Meson, Ninja, make, pkg-config     meson ninja-build make        meson ninja make       meson ninja make pkgconf
  libllama 0.7, libggml 0.27         llama-cpp-devel ggml-devel    llama.cpp              llama.cpp ggml
  libuv                              libuv-devel                   libuv                  libuv
  llhttp 9                           llhttp-devel                  llhttp                 llhttp
  OpenSSL 3                          openssl-devel                 openssl                openssl@3
  yyjson                             yyjson-devel                  yyjson                 yyjson
  utf8proc                           utf8proc-devel                libutf8proc            utf8proc
  libedit                            libedit-devel                 libedit                libedit
  cmocka (tests)                     libcmocka-devel               cmocka                 cmocka
  openai for Python, pytest (tests)  python3-openai python3-pytest python-openai          pip: openai pytest

LIST
  missing=""
  for module in llama ggml libuv libllhttp openssl yyjson libutf8proc libedit cmocka; do
    pkg-config --exists "$module" 2>/dev/null || missing="$missing $module"
  done
  [ -z "$missing" ] && return 0
  echo "pkg-config does not find:$missing" >&2
  return 1
}

id= version=0 codename=
[ -r /etc/os-release ] && {
  id=$(. /etc/os-release && echo "${ID:-}")
  version=$(. /etc/os-release && echo "${VERSION_ID:-0}")
  codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
}
if [ "$id" != debian ] || ! command -v apt-get >/dev/null; then
  list_elsewhere
  exit $?
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
[ -n "$missing" ] || exit 0
if [ "${ALLM_NO_SETUP:-0}" = 1 ]; then
  echo "setup: missing: $missing" >&2
  exit 1
fi

as_root=""
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || { echo "setup: run as root, or install: $missing" >&2; exit 1; }
  as_root=sudo
fi
suite=""
if [ "$version" = 12 ] || [ "$version" = 13 ]; then
  suite=forky
fi
echo "setup: Debian $version${codename:+ ($codename)}; will install${suite:+ from $suite}: $missing" >&2

if [ -n "$suite" ] && [ ! -e /etc/apt/sources.list.d/allm-$suite.sources ]; then
  mirror=$(cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null |
    awk '/^URIs:/ { print $2; exit } /^deb[ \t]/ { for (i = 2; i <= NF; i++) if ($i ~ /^[a-z]+:/) { print $i; exit } }')
  [ -n "$mirror" ] || { echo "setup: no Debian mirror is configured in /etc/apt" >&2; exit 1; }
  echo "setup: adds suite $suite of the mirror already in use (/etc/apt/sources.list.d/allm-$suite.sources, priority 100)" >&2
  printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n' \
    "$mirror" "$suite" | $as_root tee /etc/apt/sources.list.d/allm-$suite.sources >/dev/null
  printf 'Package: *\nPin: release n=%s\nPin-Priority: 100\n' "$suite" |
    $as_root tee /etc/apt/preferences.d/allm-$suite >/dev/null
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
run() {
  if ! $as_root env DEBIAN_FRONTEND=noninteractive "$@" >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    echo "setup: failed: $*" >&2
    exit 1
  fi
}
run apt-get -o DPkg::Lock::Timeout=300 update
# force-overwrite: Debian 12's libssl3 and forky's openssl-provider-legacy share a file.
# shellcheck disable=SC2086
run apt-get install -y ${suite:+-t $suite} --no-install-recommends -o DPkg::Lock::Timeout=300 \
  -o Dpkg::Options::=--force-overwrite -o Dpkg::Options::=--force-confold $missing
echo "setup: done" >&2
