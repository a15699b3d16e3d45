# Sourced by the scripts beside it: runs one part under its name and says how long it took.
part() {
  local name=$1 begin=$SECONDS
  shift
  printf '== %s\n' "$name"
  "$@"
  printf '== %s: %d s\n' "$name" $((SECONDS - begin))
}

# sanitized PRESET [FLOOR…]: builds with a sanitizer and runs the tests of these floors, or of all.
# Vendor code in a process with a sanitizer proves nothing about ours. The tests that load it have "Emulated" in their names;
# they run without one.
sanitized() {
  local preset=$1
  shift
  cmake --preset "$preset" -DFASTVLM_WERROR=ON -DFASTVLM_PRECOMPILED=ON
  cmake --build --preset "$preset" ${*:+--target ${*/%/_test}}
  # A child that crashes on purpose ends by its signal, as without a sanitizer.
  TSAN_OPTIONS=handle_segv=0:handle_abort=0 GTEST_FILTER='-*Emulated*' ctest --test-dir "build/$preset" --output-on-failure --no-tests=error -j2 ${*:+--tests-regex "^($(IFS='|' && echo "$*"))\$"}
}

# What has threads.
readonly threaded=(base process image synthetic)
# What reads bytes that others made.
readonly parsers=(base tensor text image checkpoint bundle)
