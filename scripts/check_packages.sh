#!/usr/bin/env bash
# The packages that cpack makes, in a root with nothing but what their dependencies bring: the program must start there, write a
# checkpoint and export it. That of arm64 is run by the emulator of the processor.
#   scripts/check_packages.sh [build folder of x86-64 [build folder of arm64]]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/debian_root.sh
folders=("${1:-build/release}" "${2:-build/arm64}")

fail() {
  printf 'packages: %s\n' "$*" >&2
  exit 1
}

# in_root ROOT ARCHITECTURE PROGRAM ARGUMENT…: ROOT is the file system of the program, with a /proc of its own.
in_root() {
  local root=$1 architecture=$2 emulator=()
  shift 2
  if [[ $architecture == arm64 ]]; then
    cp "$(command -v qemu-aarch64-static)" "$root/emulator"
    cp "${folders[1]}/emulated_children.so" "$root/emulated_children.so"
    emulator=(/emulator)
  fi
  ARM64_EMULATOR=/emulator QEMU_SET_ENV=LD_PRELOAD=/emulated_children.so QEMU_CPU=max \
    unshare -rmpf bash -c 'mount -t proc none "$0/proc" && exec chroot "$0" "$@"' "$root" "${emulator[@]}" "$@"
}

try_out() {
  local root=$1 architecture=$2 program=$3
  in_root "$root" "$architecture" "$program" --version || fail "$architecture: $program does not start"
  in_root "$root" "$architecture" "$program" make-checkpoint --size tiny --dialect hf --output-dir /model --quiet >/dev/null
  in_root "$root" "$architecture" "$program" export --model-dir /model --output-dir /out --target sm8750 --no-compile --quiet >/dev/null
  [[ -s $root/out/manifest.json ]] || fail "$architecture: $program exports nothing"
  rm -rf "$root/model" "$root/out"
}

check() {
  local architecture=$1 folder=$2 package tarball root=$work/$1
  rm -f "$folder"/fastvlm-npu_*.deb "$folder"/fastvlm-npu-*.tar.gz
  (cd "$folder" && cpack >/dev/null) || fail "$architecture: cpack does not work in $folder"
  package=$(find "$PWD/$folder" -maxdepth 1 -name "fastvlm-npu_*_$architecture.deb")
  tarball=$(find "$PWD/$folder" -maxdepth 1 -name "fastvlm-npu-*-linux-$architecture.tar.gz")
  [[ -f $package && -f $tarball ]] || fail "$architecture: cpack made no package"
  make_root "$architecture" "$root" "$package"
  mkdir -p "$root/tmp" "$root/proc" "$root/opt"
  [[ -s $root/usr/share/man/man1/fastvlm-npu.1 || -s $root/usr/share/man/man1/fastvlm-npu.1.gz ]] || fail "$architecture: no manual page"
  try_out "$root" "$architecture" /usr/bin/fastvlm-npu
  tar -C "$root/opt" -xzf "$tarball"
  try_out "$root" "$architecture" /opt/bin/fastvlm-npu
  echo "packages: $(basename "$package") and $(basename "$tarball") work in a clean root"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
check amd64 "${folders[0]}"
if [[ -x ${folders[1]}/fastvlm-npu ]]; then check arm64 "${folders[1]}"; fi
