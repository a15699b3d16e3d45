#include "fastvlm/device/script_templates.h"

namespace fastvlm::device {

const std::string_view kSharedFunctions = R"sh(
fail() {
  printf '%s: %s\n' "${0##*/}" "$1" >&2
  exit "${2:-3}"
}

# The build of QAIRT that a library or a context names: v2.51.0.260929181845
build_of() {
  grep -a -o -m 1 'v[0-9][0-9]*\.[0-9][0-9]*\.[0-9][0-9]*\.[0-9]\{9,\}' "$1" 2>/dev/null | head -n 1
}

# Whether build $1 is as new as $2: the first three numbers count.
as_new_as() {
  left=${1#v} right=${2#v}
  for _ in 1 2 3; do
    a=${left%%.*} b=${right%%.*}
    [ "$a" -gt "$b" ] && return 0
    [ "$a" -lt "$b" ] && return 1
    left=${left#*.} right=${right#*.}
  done
  return 0
}

# A context of a newer QAIRT than the runtime is refused by the runtime, with a number and no reason.
check_runtime() {
  found=$(build_of "$1")
  [ -n "$found" ] || fail "$1: names no build of QAIRT, so it is no library of it"
  as_new_as "$found" "$compiler" ||
    fail "$1: is of QAIRT $found, but the contexts were compiled with the newer $compiler; take a runtime that is as new" 4
}

# bytes, SHA-256 and name of each file but the scripts
list_files() {
  cat <<'FILES'
@FILES@
FILES
}

check_size() {
  [ "$((size))" = "$bytes" ] || fail "$name has $((size)) bytes in the place of $bytes, so it was cut off; copy the bundle again"
}

# $1: hash, or nothing to compare sizes only.
check_files() {
  list_files | while read -r bytes sha256 name; do
    [ -f "$here/$name" ] || fail "$name is missing; copy the bundle again"
    size=$(wc -c <"$here/$name")
    # What is another file says why it is; what was cut off names nothing.
    case $name in
      *_ctx.onnx)
        note=$(grep -a -o -m 1 'v2:[0-9]*:[^:]*:[^:]*:[0-9]*:[0-9]*:' "$here/$name" | head -n 1)
        case $note in
          *":$soc_model:") ;;
          '') check_size && fail "$name is not for $chip; copy the bundle again" ;;
          *) fail "$name is not for $chip; copy the bundle again" ;;
        esac
        ;;
      *_qnn.bin | genie/vision*.bin | genie/decoder*.bin)
        build=$(build_of "$here/$name")
        [ -n "$build" ] || check_size
        [ "$build" = "$compiler" ] ||
          fail "$name was compiled with QAIRT ${build:-(none named)}, the bundle with $compiler; copy the bundle again"
        ;;
    esac
    check_size
    [ "$1" = hash ] || continue
    sum=$(sha256sum "$here/$name")
    [ "${sum%% *}" = "$sha256" ] || fail "$name was changed: its SHA-256 is another; copy the bundle again"
  done
}
)sh";

}  // namespace fastvlm::device
