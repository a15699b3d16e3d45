#include "fastvlm/device/script_templates.h"

namespace fastvlm::device {

const std::string_view kPushScript = R"sh(#!/bin/sh
# Brings this folder and a runtime to a machine with a @CHIP@. Nothing of Qualcomm's is in the folder: for a Linux board the wheels
# @WHEEL_NAMES@ are fetched from the Python package index (their licence comes along), for Android the
# libraries come out of your own QAIRT SDK.
# Made by fastvlm-npu @PROGRAM@. The commands were tried with --dry-run, not with a device.
set -eu

chip=@CHIP@
soc_model=@SOC_MODEL@
compiler=@COMPILER@
htp=@HTP@
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

usage() {
  cat <<'USAGE'
usage: push.sh --ssh USER@HOST [options]   to a Linux board, with scp
       push.sh --adb [options]             to an Android phone (or a Linux board with --os linux), with adb
options: --to FOLDER      on the machine; default: fastvlm-@CHIP@ (adb: /data/local/tmp/fastvlm-@CHIP@)
         --os NAME        linux or android
         --serial S       which of several machines adb should take
         --sdk FOLDER     unpacked QAIRT SDK, for Android: its libraries are pushed
         --program FILE   fastvlm-npu built for the machine, pushed as bin/fastvlm-npu
         --cache FOLDER   where fetched wheels are kept; default: ~/.cache/fastvlm-npu/aarch64
         --no-runtime     push the bundle only
         --dry-run        print every command and run none
USAGE
}
@SHARED@
quoted() {
  case $1 in
    '' | *[!A-Za-z0-9_./:=@%+,-]*) printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")" ;;
    *) printf '%s' "$1" ;;
  esac
}

run() {
  if [ -z "$dry_run" ]; then
    "$@"
    return
  fi
  line=
  for word in "$@"; do line="$line${line:+ }$(quoted "$word")"; done
  printf '%s\n' "$line"
}

# A line of text into a file.
write_line() {
  if [ -n "$dry_run" ]; then
    printf 'echo %s >%s\n' "$(quoted "$1")" "$(quoted "$2")"
  else
    printf '%s\n' "$1" >"$2"
  fi
}

# Programs of this machine that are called; a dry run calls none.
need() {
  for tool in "$@"; do
    [ -n "$dry_run" ] || command -v "$tool" >/dev/null 2>&1 || fail "there is no $tool on this machine; install it, or see what --dry-run prints" 4
  done
}

# package, version, platform of the wheel, SHA-256
fetch_wheel() {
  folder=$cache/$1-$2
  if [ -d "$folder" ]; then return 0; fi
  run mkdir -p "$cache/.$1"
  write_line "$1==$2 --hash=sha256:$4" "$cache/.$1/requirements.txt"
  run python3 -m pip download --quiet --no-deps --only-binary=:all: --require-hashes --implementation=cp --python-version=3.11 \
    --abi=cp311 "--platform=$3" --dest "$cache/.$1" --requirement "$cache/.$1/requirements.txt"
  wheel=$cache/.$1/$(printf '%s' "$1" | tr - _)-$2-cp311-cp311-$3.whl
  if [ -z "$dry_run" ]; then
    for wheel in "$cache/.$1"/*.whl; do :; done
  fi
  run python3 -m zipfile -e "$wheel" "$cache/.$1/unpacked"
  run mv "$cache/.$1/unpacked" "$folder"
  run rm -r "$cache/.$1"
}

# Lays the runtime out as it will be on the machine, in the folder $stage.
stage_linux() {
@WHEELS@
  if [ -z "$dry_run" ] || [ -d "$qnn_wheel" ]; then check_runtime "$qnn_wheel/onnxruntime_qnn/libQnnHtp.so"; fi
@COPY_ORT@  run cp -R "$qnn_wheel/onnxruntime_qnn" "$stage/onnxruntime_qnn"
  if [ -n "$dry_run" ] || [ -d "$qnn_wheel/onnxruntime_qnn.libs" ]; then run cp -R "$qnn_wheel/onnxruntime_qnn.libs" "$stage/"; fi
}

stage_android() {
  [ -n "$sdk" ] || fail "for Android name your QAIRT SDK with --sdk FOLDER: the libraries of the wheels are for Linux" 2
  run mkdir -p "$stage/onnxruntime_qnn"
  for library in lib/aarch64-android/libQnnHtp.so lib/aarch64-android/libQnnSystem.so @MORE_LIBRARIES@\
    "lib/aarch64-android/libQnnHtpV${htp}Stub.so" "lib/hexagon-v$htp/unsigned/libQnnHtpV${htp}Skel.so"; do
    [ -f "$sdk/$library" ] || fail "$sdk/$library is missing; --sdk must name an unpacked QAIRT SDK with libraries for v$htp" 4
    run cp "$sdk/$library" "$stage/onnxruntime_qnn/"
  done
  check_runtime "$sdk/lib/aarch64-android/libQnnHtp.so"
}

on_machine() {
  if [ "$transport" = adb ]; then
    run adb ${serial:+-s "$serial"} shell "$1"
  else
    run ssh "$host" "$1"
  fi
}

# The content of a folder.
copy_content() {
  if [ "$transport" = adb ]; then
    run adb ${serial:+-s "$serial"} push "$1/." "$2"
  else
    run scp -q -r "$1/." "$host:$2"
  fi
}

transport='' host='' to='' os='' serial='' sdk='' program='' no_runtime='' dry_run=''
cache=${XDG_CACHE_HOME:-${HOME:-.}/.cache}/fastvlm-npu/aarch64
while [ $# -gt 0 ]; do
  case $1 in
    --ssh | --to | --os | --serial | --sdk | --program | --cache)
      [ $# -ge 2 ] || fail "$1 needs a value" 2
      case $2 in
        '' | -*) fail "$1 needs a value, and \"$2\" is none" 2 ;;
      esac
      ;;
  esac
  case $1 in
    --ssh) transport=ssh && host=$2 && shift ;;
    --adb) transport=adb ;;
    --to) to=$2 && shift ;;
    --os) os=$2 && shift ;;
    --serial) serial=$2 && shift ;;
    --sdk) sdk=$2 && shift ;;
    --program) program=$2 && shift ;;
    --cache) cache=$2 && shift ;;
    --no-runtime) no_runtime=yes ;;
    --dry-run) dry_run=yes ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && fail "there is no option $1" 2 ;;
  esac
  shift
done
case $transport in
  ssh) to=${to:-fastvlm-$chip} os=${os:-linux} ;;
  adb) to=${to:-/data/local/tmp/fastvlm-$chip} os=${os:-android} ;;
  *) usage >&2 && fail "say how to reach the machine: --ssh USER@HOST or --adb" 2 ;;
esac
case $os in
  linux | android) ;;
  *) fail "--os $os is neither linux nor android" 2 ;;
esac
case $to in
  *[!A-Za-z0-9_./-]*) fail "--to $to: only letters, digits and _ . / - please, as it is read by the shell of the machine" 2 ;;
esac
if [ -n "$program" ] && [ ! -f "$program" ]; then fail "$program: there is no such file"; fi

if [ "$transport" = adb ]; then need adb; else need ssh scp; fi
check_files hash
stage=${TMPDIR:-/tmp}/fastvlm-runtime.$$
if [ -z "$no_runtime$dry_run" ]; then trap 'rm -rf "$stage"' EXIT; fi
if [ -z "$no_runtime" ]; then
  run mkdir -p "$stage"
  "stage_$os"
fi
on_machine "mkdir -p $to/runtime $to/bin"
copy_content "$here" "$to"
if [ -z "$no_runtime" ]; then copy_content "$stage" "$to/runtime"; fi
if [ -n "$program" ]; then
  if [ "$transport" = adb ]; then
    run adb ${serial:+-s "$serial"} push "$program" "$to/bin/fastvlm-npu"
  else
    run scp -q "$program" "$host:$to/bin/fastvlm-npu"
  fi
  on_machine "chmod 755 $to/bin/fastvlm-npu"
fi
on_machine "sh $to/run.sh --check"
if [ -z "$no_runtime" ]; then run rm -rf "$stage"; fi
)sh";

}  // namespace fastvlm::device
