#!/usr/bin/env bash
# What the tests that open pages in a browser need: Node, Chromium, and the packages of studio/.
# Installs what is missing, from Debian's packages as root or by sudo, and from npm.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
command -v node >/dev/null && command -v npm >/dev/null || missing+=(nodejs npm)
command -v chromium >/dev/null || command -v chromium-browser >/dev/null ||
  command -v google-chrome >/dev/null || missing+=(chromium)
if ((${#missing[@]})); then
  if ! command -v apt-get >/dev/null; then
    echo "missing: ${missing[*]}; install them and run this again" >&2
    exit 1
  fi
  root=""
  ((EUID == 0)) || root="sudo"
  $root apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $root apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi
npm ci --prefix studio --no-audit --no-fund --silent
