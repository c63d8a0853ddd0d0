#!/usr/bin/env bash
# What is installed works where it is put: another folder, no build tree, a bare
# environment. usage: install_test.sh BUILD_FOLDER PICTURE
set -euo pipefail
build=$1
picture=$(realpath "$2")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cmake --install "$build" --prefix "$folder/first" >/dev/null
mv "$folder/first" "$folder/second"
cd /
answer=$(env -i PATH=/usr/bin:/bin "$folder/second/bin/xray" predict --json "$picture")
grep -q '"verdict":' <<<"$answer"
grep -q '"model":"pediatric ' <<<"$answer"
# None of its own libraries may come from the place it was built in.
if ldd "$folder/second/bin/xray" | grep -E 'openvino|tbb' | grep -v "$folder/second"; then
  echo 'a library of the build tree is still in use' >&2
  exit 1
fi
