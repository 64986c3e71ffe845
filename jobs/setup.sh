# Sourced by jobs/quickstart.sh and tests/run.sh: makes .venv in the project root ready and activates it.
# Idempotent; SEM3D_EXTRAS names optional dependencies to install as well (tests need "test").

say() { printf '[set-up] %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

sem3d_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$sem3d_root"

need_packages() {
  local missing=() name
  for name in "$@"; do dpkg -s "$name" >/dev/null 2>&1 || missing+=("$name"); done
  [ ${#missing[@]} -eq 0 ] && return
  local root=()
  if [ "$(id -u)" -ne 0 ]; then
    sudo -n true 2>/dev/null || die "missing system packages: ${missing[*]} (as root: apt-get install ${missing[*]})"
    root=(sudo -n)
  fi
  say "installing system packages: ${missing[*]}"
  { "${root[@]}" apt-get update -qq && DEBIAN_FRONTEND=noninteractive "${root[@]}" apt-get install -y -qq "${missing[@]}"; } \
    >/dev/null 2>&1 || die "could not install system packages: ${missing[*]}"
}

find_python() {
  local name
  for name in "${SEM3D_PYTHON:-python3}" python3.12 python3.11; do
    "$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null && { command -v "$name"; return; }
  done
  die "need Python 3.11 or 3.12; name one in SEM3D_PYTHON"
}

# MinkowskiEngine has no wheel and its last release predates current torch: built CPU-only, sources unmodified,
# against the torch of this environment, and kept outside the tree because it takes minutes.
install_minkowski() {
  python -c 'from importlib.metadata import version; assert version("MinkowskiEngine") == "0.5.4"' 2>/dev/null && return
  local tag cache wheel work
  tag=$(python -c 'import sys, torch, platform; print(f"py{sys.version_info[0]}{sys.version_info[1]}-torch{torch.__version__}-{platform.machine()}")')
  cache=${XDG_CACHE_HOME:-$HOME/.cache}/sem3d/minkowski/$tag
  wheel=$(find "$cache" -name 'MinkowskiEngine-0.5.4-*.whl' 2>/dev/null | head -n 1)
  if [ -z "$wheel" ]; then
    if command -v dpkg >/dev/null; then need_packages g++ libopenblas-dev; fi
    say "building MinkowskiEngine 0.5.4 from its source distribution (3 to 6 minutes, once)"
    work=$(mktemp -d)
    pip download -q --no-deps --no-binary :all: --no-build-isolation -d "$work" MinkowskiEngine==0.5.4 >"$work/log" 2>&1 &&
      tar -xf "$work"/MinkowskiEngine-0.5.4.tar.gz -C "$work" &&
      (cd "$work/MinkowskiEngine-0.5.4" &&
        SETUPTOOLS_USE_DISTUTILS=stdlib MAX_JOBS=$(nproc) python setup.py bdist_wheel --cpu_only --blas=openblas) \
        >>"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; die "MinkowskiEngine did not build; its log is $work/log"; }
    mkdir -p "$cache"
    cp "$work"/MinkowskiEngine-0.5.4/dist/*.whl "$cache/"
    wheel=$(find "$cache" -name '*.whl' | head -n 1)
    rm -rf "$work"
  fi
  pip install -q --no-deps "$wheel"
}

prepare_environment() {
  local stamp=.venv/.sem3d-ready wanted
  wanted=$(cat pyproject.toml jobs/setup.sh | sha256sum | cut -d' ' -f1)
  [ -x .venv/bin/python ] || { say "creating .venv"; "$(find_python)" -m venv .venv; }
  . .venv/bin/activate
  touch "$stamp"
  grep -qx "$wanted ${SEM3D_EXTRAS:-}" "$stamp" && return
  say "installing Python packages (2 to 5 minutes on a fresh machine)"
  pip install -q "torch==2.12.*" "setuptools==80.9.0" wheel ninja 2>&1 | grep -v '^WARNING' || true
  pip install -q -e ".${SEM3D_EXTRAS:+[$SEM3D_EXTRAS]}" || die "pip could not install the packages of pyproject.toml"
  install_minkowski
  python -c 'import torch, pytorch3d, ray, mlflow, sem3d' || die "an installed package does not import"
  echo "$wanted ${SEM3D_EXTRAS:-}" >>"$stamp"
}

export RAY_AUTH_MODE=${RAY_AUTH_MODE:-disabled} RAY_USAGE_STATS_ENABLED=0 MLFLOW_DISABLE_TELEMETRY=true
prepare_environment
