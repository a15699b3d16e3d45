#include "fastvlm/device/script_templates.h"

namespace fastvlm::device {

const std::string_view kRunHead = R"sh(#!/bin/sh
# Asks the model in this folder about a picture, @THROUGH@on the NPU of the machine that the folder lies on.
# Made by fastvlm-npu @PROGRAM@. Tried with the emulated NPU on x86-64, not on hardware.
set -eu

chip=@CHIP@
soc_model=@SOC_MODEL@
compiler=@COMPILER@
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd))sh";

const std::string_view kCheckChip = R"sh(# Where the system says what it is, it must be what the contexts were compiled for.
check_chip() {
  machine=
  if [ -r /sys/devices/soc0/machine ]; then machine=$(cat /sys/devices/soc0/machine); fi
  if command -v getprop >/dev/null 2>&1; then machine=$(getprop ro.soc.model); fi
  # Only names of chips are compared; others are those of boards.
  case $(printf '%s' "$machine" | tr '[:upper:]' '[:lower:]') in
    @CHIP_NAMES@) ;;
    sm[0-9][0-9][0-9][0-9]* | qc[ms][0-9][0-9]* | s[ac][0-9][0-9][0-9][0-9]* | sxr[0-9][0-9]* | sar[0-9][0-9]* | qrb[0-9][0-9]* | x[0-9][ep]*)
      fail "this machine has a $machine, but the contexts are for $chip; make a bundle for it (or say --any-chip)" 4
      ;;
  esac
})sh";

const std::string_view kFindProgram = R"sh(find_program() {
  if [ -n "${FASTVLM_NPU:-}" ]; then
    program=$FASTVLM_NPU
  elif [ -x "$here/bin/fastvlm-npu" ]; then
    program=$here/bin/fastvlm-npu
  else
    program=$(command -v fastvlm-npu) ||
      fail "there is no fastvlm-npu here; @NO_PROGRAM@" 4
  fi
})sh";

const std::string_view kReadOptions = R"sh(while [ $# -gt 0 ]; do
  case $1 in
    --image | @MORE_OPTIONS@--prompt | --max-new-tokens | --selftest) [ $# -ge 2 ] || fail "$1 needs a value" 2 ;;
  esac
  case $1 in
    --image) image=$2 && shift ;;
@READ_MORE@    --prompt) prompt=$2 && shift ;;
    --max-new-tokens)
      case $2 in
        '' | *[!0-9]* | 0*) fail "--max-new-tokens $2: must be a whole number from 1" 2 ;;
      esac
      tokens=$2 && shift
      ;;
    --selftest) results=$2 && shift ;;
    --check) check=yes ;;
    --no-hash) hash='' ;;
    --any-chip) any_chip=yes ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && fail "there is no option $1" 2 ;;
  esac
  shift
done)sh";

const std::string_view kCheckFirst = R"sh(check_files "$hash"
if [ -n "$check" ]; then
  echo "run.sh: all files of the bundle are there and unchanged"
  exit 0
fi
[ -n "$any_chip" ] || check_chip)sh";

}  // namespace fastvlm::device
