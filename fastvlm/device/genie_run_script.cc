#include "fastvlm/device/script_templates.h"

namespace fastvlm::device {

const std::string_view kGenieRunScript = R"sh(@HEAD@

usage() {
  cat <<'USAGE'
usage: run.sh --image FILE --prompt TEXT [--max-new-tokens N]   answer a question; fastvlm-npu makes the pixels
       run.sh --pixels FILE --prompt TEXT                      the same with pixels that were made elsewhere
       run.sh --selftest FOLDER                                run the self-test; its results go into FOLDER
       run.sh --check                                          only look at the files
options: --no-hash   compare sizes only
         --any-chip  go on where the system names another chip
GENIE_LIBRARY names libGenie.so; default: the one in runtime/, which push.sh brings.
FASTVLM_NPU names the program fastvlm-npu of this machine; default: bin/fastvlm-npu here, or the one on the PATH.
USAGE
}
@SHARED@
@CHECK_CHIP@

@FIND_PROGRAM@

absolute() {
  case $1 in
    /*) printf '%s' "$1" ;;
    *) printf '%s/%s' "$PWD" "$1" ;;
  esac
}

find_genie() {
  library=$(absolute "${GENIE_LIBRARY:-$here/runtime/onnxruntime_qnn/libGenie.so}")
  [ -f "$library" ] || fail "$library is missing; push.sh brings it, or name it in GENIE_LIBRARY" 4
  qnn=$(dirname "$library")
  check_runtime "$qnn/libQnnHtp.so"
  export LD_LIBRARY_PATH="$qnn${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
  # Where the DSP looks for the skeleton library.
  export ADSP_LIBRARY_PATH="$qnn;/usr/lib/rfsa/adsp;/vendor/lib/rfsa/adsp;/dsp"
}

# The kind of machine that an ELF file is for.
machine_of() {
  od -A n -t x1 -j 18 -N 2 "$1"
}

# The program that calls Genie; its source is in the folder. One that was compiled for another machine is passed over.
find_client() {
  client=$here/genie/client
  if [ -x "$client" ] && [ "$(machine_of "$client")" = "$(machine_of "$(command -v sh)")" ]; then return 0; fi
  command -v "${CXX:-c++}" >/dev/null 2>&1 ||
    fail "there is no compiler here; compile genie/client.cc for this machine elsewhere (see README.md) and put it to genie/client" 4
  # Not into the folder, which may go on to another machine.
  source=$(sha256sum "$here/genie/client.cc")
  client=${XDG_CACHE_HOME:-${HOME:-.}/.cache}/fastvlm-npu/genie-client-$(uname -m)-${source%% *}
  [ ! -x "$client" ] || return 0
  mkdir -p "${client%/*}"
  "${CXX:-c++}" -std=c++17 -O2 "$here/genie/client.cc" -o "$client.$$" -ldl || fail "genie/client.cc does not compile here" 4
  mv "$client.$$" "$client"
}

# The configs count their paths from their folder. $1: pixels, the rest: options
ask() {
  pixels=$1
  shift
  (cd "$here/genie" && "$client" "$@" "$library" picture "$pixels" "$prompt")
}

# name, pixels and number of tokens of each answer
list_answers() {
  cat <<'ANSWERS'
@ANSWERS@
ANSWERS
}

run_selftest() {
  [ ! -e "$results" ] || fail "$results is there already; name a new folder" 2
  prompt=$(cat "$here/selftest/question.txt")
  list_answers | while read -r name pixels count; do
    mkdir -p "$results/$name"
    if ! ask "$here/selftest/$pixels" --ids --tokens "$count" --raw "$(absolute "$results")/$name/ids.raw" >"$results/log.txt" 2>&1; then
      reason=$(tail -n 1 "$results/log.txt")
      rm -r "$results"
      fail "Genie did not answer $name: $reason" 4
    fi
    rm "$results/log.txt"
    echo "run.sh: $name answered"
  done
}

image='' pixels='' prompt='' results='' check='' hash=hash any_chip='' tokens=@TOKENS@
@READ_OPTIONS@
if [ -z "$check$results" ] && { [ -z "$image$pixels" ] || [ -z "$prompt" ]; }; then
  usage >&2
  fail "--image (or --pixels) and --prompt are needed" 2
fi

@CHECK_FIRST@
find_genie
find_client
if [ -n "$results" ]; then
  run_selftest
  exit 0
fi
if [ -z "$pixels" ]; then
  find_program
  made=${TMPDIR:-/tmp}/fastvlm-pixels.$$.bin
  trap 'rm -f "$made"' EXIT
  "$program" preprocess --quiet --model-dir "$here" --image-size @SIZES@ --image "$image" --output "$made"
  pixels=$made
fi
ask "$(absolute "$pixels")" --tokens "$tokens"
)sh";

}  // namespace fastvlm::device
