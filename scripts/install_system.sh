#!/usr/bin/env bash
# Installs what pip cannot bring: Tesseract, which reads scans, and with `--browser` Chromium, in which the tests look at the
# web app. Where it cannot, it says what is missing and goes on: everything but scans, and those tests, works without.
# Languages beside English: LECTERN_OCR_LANGUAGES="deu fra" scripts/install_system.sh
set -euo pipefail

browser="${1:-}"
languages="eng ${LECTERN_OCR_LANGUAGES:-}"

missing() {
  [ "$browser" != --browser ] || command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || echo "chromium"
  command -v tesseract >/dev/null || { echo "tesseract-ocr"; return; }
  local known; known="$(tesseract --list-langs 2>/dev/null | tail -n +2)"
  for language in $languages; do
    grep -qx "$language" <<<"$known" || echo "tesseract-ocr-${language//_/-}"
  done
}

packages="$(missing | sort -u | tr '\n' ' ')"
[ -n "${packages// /}" ] || exit 0

if command -v apt-get >/dev/null && [ "$(id -u)" -eq 0 ]; then
  echo "Installing ${packages}..."
  if { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends -y $packages; } >/dev/null 2>&1; then
    exit 0
  fi
  echo "apt-get could not install ${packages}"
fi

case "$packages" in *tesseract*) echo "Scans will be refused as no-text-layer until these are installed: ${packages}" ;; esac
case "$packages" in *chromium*) echo "The browser's tests (tests/browser) will fail until chromium is installed" ;; esac
if command -v apt-get >/dev/null; then echo "  sudo apt-get install ${packages}"
elif command -v brew >/dev/null; then echo "  brew install tesseract tesseract-lang && brew install --cask chromium"
elif command -v dnf >/dev/null; then echo "  sudo dnf install tesseract chromium"
else echo "  see https://tesseract-ocr.github.io/tessdoc/Installation.html"
fi
