# Sourced by the scripts beside it: runs one part under its name and says how long it took.
part() {
  local name=$1 begin=$SECONDS
  shift
  printf '== %s\n' "$name"
  "$@"
  printf '== %s: %d s\n' "$name" $((SECONDS - begin))
}
