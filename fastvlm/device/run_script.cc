#include "fastvlm/device/script_templates.h"

namespace fastvlm::device {

const std::string_view kRunScript = R"sh(@HEAD@

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

@FIND_PROGRAM@

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
    if [ -f "$library" ]; then export FASTVLM_NPU_ORT_LIBRARY="$library"; fi
  done
}

image='' prompt='' results='' check='' hash=hash any_chip='' tokens=256
@READ_OPTIONS@
if [ -z "$check$results" ] && { [ -z "$image" ] || [ -z "$prompt" ]; }; then
  usage >&2
  fail "--image and --prompt are needed" 2
fi

@CHECK_FIRST@
find_program
use_runtime
if [ -n "$results" ]; then
  exec "$program" selftest --bundle "$here" --results "$results"
fi
exec "$program" chat --output-dir "$here" --runner htp --target "$chip" --image "$image" --prompt "$prompt" --max-new-tokens "$tokens"
)sh";

}  // namespace fastvlm::device
