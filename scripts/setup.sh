#!/usr/bin/env bash
# Brings what the build needs onto a Debian 12 (or newer) machine: system packages, and the ONNX Runtime headers.
# Safe to run again; does nothing when everything is there.
#
#   scripts/setup.sh          for the program, its tests and benchmarks
#   scripts/setup.sh --ci     clang 19 with its tools as well, for the sanitizers, the fuzz targets and the style
#   scripts/setup.sh --arm64  a cross compiler, an emulator of the processor, and the libraries of arm64 under
#                             build/deps/arm64, for the preset arm64; the machine's own packages stay as they are
#
# ONNXRUNTIME_ROOT may name an unpacked release of ONNX Runtime; then its headers are used.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
deps=$root/build/deps
source "$root/scripts/debian_root.sh"

packages=(
  build-essential cmake ninja-build pkg-config ccache git
  libonnx-dev libprotobuf-dev protobuf-compiler nlohmann-json3-dev libcli11-dev libfmt-dev libutf8proc-dev
  libjpeg62-turbo-dev libpng-dev libssl-dev zlib1g-dev
  libwebp7 libtiff6 libheif1
  libgtest-dev libgmock-dev libbenchmark-dev
  python3 python3-pip
  zsh fish
)

# The headers may be older than the library (API 22 brought the plug-in calls), never newer: fetch.cc pins 1.29.0.
readonly oldest_api=22 newest_api=29
readonly header_package=libonnxruntime-dev
readonly header_version=1.23.2+dfsg-6.1
declare -rA header_sha256=(
  [amd64]=4630a94adb36dc056feb124e51c6e952e2cab5188bc093a25bee8a7e1ac5196d
  [arm64]=bcdadd1c4d95abb0dca27bdcad3d35b93883ac6bf1d9ffe27e882d8c2c59376b
)

# What the cross build links, and what the program opens at run time where it is there.
arm64_packages=(
  libc6-dev libstdc++-12-dev
  libonnx-dev libprotobuf-dev nlohmann-json3-dev libcli11-dev libfmt-dev libutf8proc-dev
  libjpeg62-turbo-dev libpng-dev libssl-dev zlib1g-dev
  libwebp7 libtiff6 libheif1
  libgtest-dev libgmock-dev
)

say() { printf 'setup: %s\n' "$*"; }
fail() {
  printf 'setup: %s\n' "$*" >&2
  exit 4
}

is_installed() { [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

install_packages() {
  local missing=() package as_root=()
  for package in "$@"; do is_installed "$package" || missing+=("$package"); done
  if [[ ${#missing[@]} -eq 0 ]]; then
    say "all system packages are installed"
    return
  fi
  if [[ $(id -u) -ne 0 ]]; then
    command -v sudo >/dev/null || fail "not root and no sudo; install by hand: ${missing[*]}"
    as_root=(sudo)
  fi
  say "installing ${missing[*]}"
  "${as_root[@]}" apt-get -q update || say "apt-get update reported a problem; going on with what it has"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends "${missing[@]}" ||
    fail "apt-get could not install: ${missing[*]}"
}

# The API number of a folder of ONNX Runtime headers, or nothing.
api_of() { sed -n 's/^#define ORT_API_VERSION \([0-9]*\).*/\1/p' "$1/onnxruntime_c_api.h" 2>/dev/null; }

usable() {
  local api
  api=$(api_of "$1")
  [[ -f $1/onnxruntime_cxx_api.h && -n $api && $api -ge $oldest_api && $api -le $newest_api ]]
}

# The folder below $1 that holds the headers, wherever the packager put them.
header_folder() { find "$1" -name onnxruntime_cxx_api.h -printf '%h\n' -quit 2>/dev/null || true; }

# Runs apt-get with lists and sources of its own below $1, so that the machine's own package choice stays untouched.
private_apt() {
  local state=$1
  shift
  apt-get -q \
    -o Dir::Etc::SourceList="$state/headers.sources" -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null \
    -o Dir::State::Lists="$state/lists" -o Dir::Cache="$state/cache" \
    -o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false \
    -o APT::Update::Post-Invoke-Success::= -o APT::Sandbox::User="$(id -un)" "$@"
}

# Downloads the header package from suite $2 of the mirror that the machine already uses; prints the file.
download_headers() {
  local state=$1 suite=$2 mirror
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v -e security -e '^file:' | sed -n 1p)
  [[ -n $mirror ]] || return 1
  mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
  printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' "$mirror" "$suite" \
    /usr/share/keyrings/debian-archive-keyring.gpg >"$state/headers.sources"
  private_apt "$state" update >&2 || return 1
  (
    cd "$state"
    private_apt "$state" download "$header_package=$header_version" >&2 || private_apt "$state" download "$header_package" >&2
  ) || return 1
  find "$state" -maxdepth 1 -name '*.deb' -print -quit
}

# apt has checked the archive's signature; the pinned sum says in addition that it is the very file we tried.
check_package() {
  local file=$1 version architecture
  version=$(dpkg-deb -f "$file" Version)
  architecture=$(dpkg-deb -f "$file" Architecture)
  [[ $version == "$header_version" && -n ${header_sha256[$architecture]:-} ]] || {
    say "using $header_package $version of $architecture in place of $header_version"
    return
  }
  echo "${header_sha256[$architecture]}  $file" | sha256sum --check --status ||
    fail "$header_package: the SHA-256 differs from the pinned one"
}

# Puts the headers at build/deps/onnxruntime/include in one step, so that a killed run leaves nothing half.
place_headers() {
  local from=$1 fresh=$deps/onnxruntime.new.$$
  rm -rf "$fresh"
  mkdir -p "$fresh/include"
  cp "$from"/*.h "$fresh/include/"
  rm -rf "$deps/onnxruntime"
  mv "$fresh" "$deps/onnxruntime"
  say "ONNX Runtime headers (API $(api_of "$deps/onnxruntime/include")) are in build/deps/onnxruntime/include"
}

provide_headers() {
  local state suite file folder
  if [[ -n ${ONNXRUNTIME_ROOT:-} ]]; then
    folder=$(header_folder "$ONNXRUNTIME_ROOT")
    [[ -n $folder ]] && usable "$folder" ||
      fail "ONNXRUNTIME_ROOT=$ONNXRUNTIME_ROOT holds no headers with an API from $oldest_api to $newest_api"
    place_headers "$folder"
    return
  fi
  if usable "$deps/onnxruntime/include"; then
    say "the ONNX Runtime headers are there"
    return
  fi
  mkdir -p "$deps"
  state=$(mktemp -d "$deps/apt.XXXXXX")
  trap "rm -rf '$state'" EXIT
  for suite in sid forky; do
    file=$(download_headers "$state" "$suite") && [[ -n $file ]] || continue
    check_package "$file"
    dpkg-deb -x "$file" "$state/unpacked"
    folder=$(header_folder "$state/unpacked")
    if [[ -n $folder ]] && usable "$folder"; then
      place_headers "$folder"
      return
    fi
    say "$suite has headers of API $(api_of "${folder:-/nowhere}"), not $oldest_api to $newest_api"
    rm -rf "$state"/unpacked "$state"/*.deb
  done
  fail "no ONNX Runtime headers to be had from apt; unpack a release of ONNX Runtime and set ONNXRUNTIME_ROOT to it"
}

# What of arm64 is there is known by the list of packages that it was made from.
provide_sysroot() {
  local wanted="${arm64_packages[*]}" fresh=$deps/arm64.new.$$
  if [[ -f $deps/arm64/packages && $(<"$deps/arm64/packages") == "$wanted" ]]; then
    say "the libraries of arm64 are there"
    return
  fi
  make_root arm64 "$fresh" "${arm64_packages[@]}" || fail "apt-get could not fetch the libraries of arm64"
  printf '%s\n' "$wanted" >"$fresh/packages"
  rm -rf "$deps/arm64"
  mv "$fresh" "$deps/arm64"
  say "the libraries of arm64 ($(du -sh "$deps/arm64" | cut -f 1)) are in build/deps/arm64"
}

arm64=false
for argument in "$@"; do
  case $argument in
    --ci) packages+=(clang-19 libclang-rt-19-dev clang-format-19 clang-tidy-19) ;;
    --arm64)
      packages+=(g++-aarch64-linux-gnu qemu-user-static)
      arm64=true
      ;;
    *) printf 'usage: scripts/setup.sh [--ci] [--arm64]\n' >&2; exit 2 ;;
  esac
done
install_packages "${packages[@]}"
provide_headers
if $arm64; then provide_sysroot; fi
