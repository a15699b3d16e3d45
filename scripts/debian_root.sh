# Sourced by the scripts beside it: folders with packages of Debian that are unpacked and not installed.

# apt-get for a machine of architecture $1 that has no packages yet; its lists are below $2.
foreign_apt() {
  local architecture=$1 state=$2
  shift 2
  apt-get -q -o APT::Architecture="$architecture" -o APT::Architectures="$architecture" \
    -o Dir::State="$state" -o Dir::State::status="$state/status" -o Dir::Cache="$state/cache" \
    -o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false \
    -o APT::Update::Post-Invoke-Success::= -o APT::Sandbox::User="$(id -un)" "$@"
}

# make_root ARCHITECTURE FOLDER PACKAGE…: these packages (names, or files ./NAME.deb) and all that they depend on, unpacked into
# FOLDER. Links that begin at the root of the system would leave the folder, so they are made relative.
make_root() {
  local architecture=$1 folder=$2 state file link target
  shift 2
  state=$(mktemp -d "${TMPDIR:-/tmp}/debian_root.XXXXXX")
  mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$folder"
  : >"$state/status"
  if ! {
    foreign_apt "$architecture" "$state" update &&
      foreign_apt "$architecture" "$state" -y --no-install-recommends --download-only install "$@"
  } >"$state/log" 2>&1; then
    tail -n 5 "$state/log" >&2
    rm -rf "$state"
    return 1
  fi
  for file in "$state"/cache/archives/*.deb "$@"; do
    if [[ $file == *.deb ]]; then dpkg-deb -x "$file" "$folder"; fi
  done
  while IFS= read -r -d '' link; do
    target=$(readlink "$link")
    ln -sfnr "$folder$target" "$link"
  done < <(find "$folder" -type l -lname '/*' -print0)
  rm -rf "$state"
}
