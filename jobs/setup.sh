# Sourced by jobs/quickstart.sh and tests/run.sh: makes .venv in the project root ready and activates it.
# Idempotent; SEM3D_EXTRAS names what to install as well: "minkowski" (MinkowskiEngine, built here) and optional dependencies of
# pyproject.toml, for example "test,minkowski", which tests need.

say() { printf '[set-up] %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# Runs a command that may say nothing for minutes, and says now and then that it is still at work. What sleeps meanwhile holds no
# stream open: who reads them would wait for it.
waited_for() {
  local what=$1 began=$SECONDS clock code=0
  shift
  (while sleep 15 >/dev/null 2>&1 && kill -0 $$ 2>/dev/null; do say "$what: $((SECONDS - began)) s so far"; done) &
  clock=$!
  "$@" || code=$?
  kill "$clock" 2>/dev/null || true
  wait "$clock" 2>/dev/null || true
  return $code
}

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
  say "installing system packages (about a minute): ${missing[*]}"
  waited_for "system packages" install_packages "${missing[@]}" >/dev/null || die "could not install system packages: ${missing[*]}"
}

install_packages() {
  "${root[@]}" apt-get update -qq >/dev/null 2>&1 || return 1
  DEBIAN_FRONTEND=noninteractive "${root[@]}" apt-get install -y -qq "$@" >/dev/null 2>&1
}

find_python() {
  local name
  for name in "${SEM3D_PYTHON:-python3}" python3.12 python3.11; do
    if "$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null; then
      command -v "$name"
      return
    fi
  done
  die "need Python 3.11 or 3.12; name one in SEM3D_PYTHON"
}

make_environment() {
  local python
  python=$(find_python) || exit 1
  say "creating .venv (10 s)"
  rm -rf .venv
  "$python" -c 'import ensurepip, venv' 2>/dev/null || need_packages python3-venv
  "$python" -m venv .venv || { rm -rf .venv; die "$python could not make a virtual environment"; }
}

# MinkowskiEngine has no wheel and its last release predates current torch: built CPU-only, sources unmodified,
# against the torch of this environment, and kept outside the tree because it takes minutes.
minkowski_imports() { python -c 'from sem3d.networks.sparse.minkowski_backend import engine; assert engine()' 2>/dev/null; }

minkowski_sdist=b1879c00d0b0b1d30ba622cce239886a7e3c78ee9da1064cdfe2f64c2ab15f94  # sha256 of its source distribution

# The cache may be a disk that others write to: only a wheel of this user's own, that nobody else may change, is taken from it,
# and only with the digest that it had when it was put there.
cached_minkowski() {
  local wheel
  wheel=$(find "$1" -maxdepth 1 -iname 'minkowskiengine-0.5.4-*.whl' -user "$(id -u)" ! -perm /022 | head -n 1)
  [ -n "$wheel" ] || return 0
  [ -f "$wheel.sha256" ] || sha256sum <"$wheel" >"$wheel.sha256"
  if [ "$(sha256sum <"$wheel")" = "$(cat "$wheel.sha256")" ]; then
    printf '%s\n' "$wheel"
  else
    say "$wheel is not what it was when it was built"
  fi
}

install_minkowski() {
  if minkowski_imports; then return; fi
  local tag cache wheel work
  if command -v dpkg >/dev/null; then need_packages libopenblas-dev; fi
  tag=$(python -c 'import sys, torch, platform; print(f"py{sys.version_info[0]}{sys.version_info[1]}-torch{torch.__version__}-{platform.machine()}")')
  cache=${XDG_CACHE_HOME:-$HOME/.cache}/sem3d/minkowski/$tag
  mkdir -p "$cache"
  wheel=$(cached_minkowski "$cache")
  if [ -z "$wheel" ]; then
    if command -v dpkg >/dev/null; then
      command -v g++ >/dev/null || need_packages g++
      python -c 'import sysconfig, os, sys; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' ||
        need_packages python3-dev
    fi
    say "building MinkowskiEngine 0.5.4 from its source distribution (3 to 6 minutes, once)"
    work=$(mktemp -d)
    if ! waited_for "MinkowskiEngine" build_logged "$work"; then
      tail -n 20 "$work/log" >&2
      die "MinkowskiEngine did not build; the whole log is $work/log"
    fi
    rm -f "$cache"/*.whl "$cache"/*.sha256
    chmod go-w "$work"/MinkowskiEngine-0.5.4/dist/*.whl
    cp "$work"/MinkowskiEngine-0.5.4/dist/*.whl "$cache/"
    rm -rf "$work"
    wheel=$(cached_minkowski "$cache")
    [ -n "$wheel" ] || die "the wheel of MinkowskiEngine could not be kept in $cache"
  fi
  pip install -q --no-deps --force-reinstall "$wheel" || die "pip could not install $wheel"
  minkowski_imports || die "MinkowskiEngine is installed but does not import: remove $cache and run this again"
}

build_logged() { build_minkowski "$1" >"$1/log" 2>&1; }

build_minkowski() {
  pip install -q "setuptools==80.9.0" wheel ninja || return 1
  echo "MinkowskiEngine==0.5.4 --hash=sha256:$minkowski_sdist" >"$1/wanted"
  pip download -q --no-deps --no-binary :all: --no-build-isolation --require-hashes -d "$1" -r "$1/wanted" || return 1
  tar -xf "$1"/MinkowskiEngine-0.5.4.tar.gz -C "$1" || return 1
  cd "$1/MinkowskiEngine-0.5.4" || return 1
  SETUPTOOLS_USE_DISTUTILS=stdlib MAX_JOBS=$(nproc) python setup.py bdist_wheel --cpu_only --blas=openblas || return 1
  cd "$sem3d_root"
}

# uv installs in a quarter of pip's time but reads none of pip's settings: where packages come from is handed on to it, and pip
# installs where it was told more than that. Fails where pip should install. Its cache is not verified: never one that is shared.
install_by_uv() (
  settings=$(pip config list) || return 1
  if grep -qvE '^$|^[^=]*\.(index-url|extra-index-url|find-links|constraint|cert|(default-)?timeout|retries|(no-)?cache-dir|disable-pip-version-check|root-user-action|progress-bar|no-input|quiet|verbose)=' <<<"$settings"; then
    return 1
  fi
  [ -x .venv/bin/uv ] || pip install -q "uv>=0.9" || return 1
  hand_on UV_DEFAULT_INDEX index-url
  hand_on UV_INDEX extra-index-url
  hand_on UV_FIND_LINKS find-links ,
  hand_on UV_CONSTRAINT constraint
  hand_on SSL_CERT_FILE cert
  UV_CACHE_DIR=${HOME:-$sem3d_root}/.cache/uv .venv/bin/uv pip install -q --index-strategy unsafe-best-match "$@"
)

# Exports in $1 what pip was told in $2, in its variables or files, with $3 between parts.
hand_on() {
  local section value parts IFS
  for section in :env: install global; do
    if value=$(grep "^$section\.$2=" <<<"$settings"); then
      value=${value#*=\'}
      value=${value%\'}
      IFS=' ' read -ra parts <<<"${value//\\n/ }"
      IFS=${3:- }
      export "$1=${parts[*]}"
      return
    fi
  done
}

install_packages_of_python() { install_by_uv "$@" || pip install -q "$@"; }

prepare_environment() {
  local stamp=.venv/.sem3d-ready sources wanted extras minkowski=
  sources=$(cat pyproject.toml jobs/setup.sh | sha256sum | cut -d' ' -f1)
  wanted="$sources ${SEM3D_EXTRAS:-}"
  if [ ! -f .venv/bin/activate ] || [ ! -x .venv/bin/pip ]; then make_environment; fi
  . .venv/bin/activate
  if grep -qsxF "$wanted" "$stamp" || { [ -z "${SEM3D_EXTRAS:-}" ] && grep -qs "^$sources " "$stamp"; }; then return; fi
  case ",${SEM3D_EXTRAS:-}," in *,minkowski,*) minkowski=yes ;; esac
  extras=$(tr ',' '\n' <<<"${SEM3D_EXTRAS:-}" | grep -vx minkowski | paste -sd,) || true
  say "installing Python packages (1 to 3 minutes on a fresh machine, 10 s where they are there)"
  waited_for "Python packages" install_packages_of_python -e ".${extras:+[$extras]}" || die "pip could not install the packages of pyproject.toml"
  if [ -n "$minkowski" ]; then install_minkowski; fi
  unset PYTHONDONTWRITEBYTECODE  # uv leaves compiling to the first import
  say "trying the packages (10 to 30 s)"
  python -c 'import torch, torchvision, pytorch3d, ray, mlflow, sem3d' || die "an installed package does not import"
  echo "$wanted" >>"$stamp"
}

export RAY_USAGE_STATS_ENABLED=0 MLFLOW_DISABLE_TELEMETRY=true
prepare_environment
