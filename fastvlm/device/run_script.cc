#include "fastvlm/device/script_templates.h"

namespace fastvlm::device {

const std::string_view kRunScript = R"sh(#!/bin/sh
# Asks the model in this folder about a picture, on the NPU of the machine that the folder lies on.
# Made by fastvlm-npu @PROGRAM@. Tried with the emulated NPU on x86-64, not on hardware.
set -eu

chip=@CHIP@
soc_model=@SOC_MODEL@
compiler=@COMPILER@
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

usage() {
  cat <<'USAGE'
usage: run.sh --image FILE --prompt TEXT [--max-new-tokens N]   answer a question
       run.sh --selftest FOLDER                                run the self-test; its results go into FOLDER
       run.sh --check                                          only look at the files
options: --no-hash   compare sizes only
         --any-chip  go on where the system names another chip
FASTVLM_NPU names the program fastvlm-npu of this machine; default: bin/fastvlm-npu here, or the one on the PATH.
USAGE
}
@SHARED@
@CHECK_CHIP@
find_program() {
  if [ -n "${FASTVLM_NPU:-}" ]; then
    program=$FASTVLM_NPU
  elif [ -x "$here/bin/fastvlm-npu" ]; then
    program=$here/bin/fastvlm-npu
  else
    program=$(command -v fastvlm-npu) ||
      fail "there is no fastvlm-npu here; push it with push.sh --program FILE, or name it in FASTVLM_NPU" 4
  fi
}

# What push.sh brought, where it did; else the program looks for what doctor --fetch brought.
use_runtime() {
  [ -d "$here/runtime" ] || return 0
  qnn=$here/runtime/onnxruntime_qnn
  check_runtime "$qnn/libQnnHtp.so"
  export LD_LIBRARY_PATH="$qnn:$here/runtime${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
  # Where the DSP looks for the skeleton library.
  export ADSP_LIBRARY_PATH="$qnn;/usr/lib/rfsa/adsp;/vendor/lib/rfsa/adsp;/dsp"
  export FASTVLM_NPU_QNN_PLUGIN="$qnn/libonnxruntime_providers_qnn.so"
  for library in "$here"/runtime/libonnxruntime.so.*; do
    [ -f "$library" ] && export FASTVLM_NPU_ORT_LIBRARY="$library"
  done
}

image='' prompt='' results='' check='' hash=hash any_chip='' tokens=256
while [ $# -gt 0 ]; do
  case $1 in
    --image | --prompt | --max-new-tokens | --selftest) [ $# -ge 2 ] || fail "$1 needs a value" 2 ;;
  esac
  case $1 in
    --image) image=$2 && shift ;;
    --prompt) prompt=$2 && shift ;;
    --max-new-tokens) tokens=$2 && shift ;;
    --selftest) results=$2 && shift ;;
    --check) check=yes ;;
    --no-hash) hash='' ;;
    --any-chip) any_chip=yes ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && fail "there is no option $1" 2 ;;
  esac
  shift
done
if [ -z "$check$results" ] && { [ -z "$image" ] || [ -z "$prompt" ]; }; then
  usage >&2
  fail "--image and --prompt are needed" 2
fi

check_files "$hash"
if [ -n "$check" ]; then
  echo "run.sh: all files of the bundle are there and unchanged"
  exit 0
fi
[ -n "$any_chip" ] || check_chip
find_program
use_runtime
if [ -n "$results" ]; then
  exec "$program" selftest --bundle "$here" --results "$results"
fi
exec "$program" chat --output-dir "$here" --runner htp --target "$chip" --image "$image" --prompt "$prompt" --max-new-tokens "$tokens"
)sh";

}  // namespace fastvlm::device
