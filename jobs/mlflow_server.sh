#!/usr/bin/env bash
# MLflow server of a cluster's head: it asks for a user and a password, and keeps its database on the head's own disk, since
# SQLite's locks are not safe on a shared one; a copy of it goes to the shared disk every five minutes, and a new head begins
# with that.
#   mlflow_server.sh HERE SHARED    HERE: a folder on this disk; SHARED: the folder of artifacts and of the copy
# User and password (12 letters or more) are MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, else those that cluster.yaml
# gives to every node: made of Ray's token, which cannot be found from them. Needs mlflow[auth].
set -euo pipefail
here="$1" shared="$2" user="${MLFLOW_TRACKING_USERNAME:-sem3d}"
password="${MLFLOW_TRACKING_PASSWORD:-$(sha256sum <"$HOME/.ray/auth_token" | cut -c1-40)}"
program="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/.venv/bin"
umask 077
mkdir -p "$here" "$shared/artifacts"

copy() { # FROM TO: a database in use as it is at one moment, whole or not at all
  [ -e "$1" ] || return 0
  "$program/python" -c 'import contextlib, os, sqlite3, sys
source, target = sys.argv[1:]
with contextlib.closing(sqlite3.connect(source)) as there, contextlib.closing(sqlite3.connect(target + ".new")) as copied:
    there.backup(copied)
os.replace(target + ".new", target)' "$1" "$2"
}

[ -e "$here/mlflow.db" ] || copy "$shared/mlflow.db" "$here/mlflow.db"
rm -f "$here/users.db" # made again with the password of today
cat >"$here/auth.ini" <<END
[mlflow]
default_permission = MANAGE
database_uri = sqlite:///$here/users.db
admin_username = $user
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
END
export MLFLOW_AUTH_CONFIG_PATH="$here/auth.ini" MLFLOW_AUTH_ADMIN_PASSWORD="$password"
MLFLOW_FLASK_SERVER_SECRET_KEY="$(head -c 32 /dev/urandom | base64)"
export MLFLOW_FLASK_SERVER_SECRET_KEY MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false MLFLOW_DISABLE_TELEMETRY=true

"$program/mlflow" server --app-name basic-auth --host "${MLFLOW_HOST:-0.0.0.0}" --port "${MLFLOW_PORT:-5000}" --workers 1 \
  --backend-store-uri "sqlite:///$here/mlflow.db" --artifacts-destination "$shared/artifacts" &
server=$!
trap 'kill "$server" 2>/dev/null' TERM INT
while kill -0 "$server" 2>/dev/null; do
  sleep "${SECONDS_BETWEEN_COPIES:-300}" &
  wait -n "$server" $! || true
  copy "$here/mlflow.db" "$shared/mlflow.db"
done
