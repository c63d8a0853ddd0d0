#!/usr/bin/env bash
# A PostgreSQL server for tests, in a folder of its own:
#   postgres.sh init FOLDER               makes FOLDER and an empty database system in it (user xray)
#   postgres.sh run FOLDER [OPTION...]    becomes the server, with its socket in FOLDER, until it is told to stop;
#                                         options as those of `postgres`
#   postgres.sh wait FOLDER [PORT]        until it answers
#   postgres.sh sql FOLDER STATEMENT      what psql prints for it, without decoration
# Exit code 77: PostgreSQL is not installed. The server never runs as root.
set -euo pipefail
folder=$2
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)
[[ -n $bin ]] || bin=$(dirname "$(command -v postgres || echo none/none)")
[[ -x $bin/postgres && -x $bin/initdb ]] || { echo "PostgreSQL is not installed (scripts/setup test)" >&2; exit 77; }

become=()
if ((EUID == 0)); then
  user=$(id -un postgres 2>/dev/null || echo nobody)
  become=(setpriv "--reuid=$user" "--regid=$(id -g "$user")" --clear-groups)
fi

case $1 in
  init)
    mkdir -p "$folder"
    ((EUID != 0)) || chown "$user" "$folder"
    cd "$folder"
    "${become[@]}" "$bin/initdb" --pgdata="$folder/data" --username=xray --auth=trust --encoding=UTF8 --locale=C.UTF-8 \
      --no-sync --no-instructions >/dev/null
    ;;
  run)
    cd "$folder"
    # Whoever started it may be killed: then it goes, too.
    ((EUID != 0)) || become+=(--pdeathsig QUIT)
    exec "${become[@]}" "$bin/postgres" -D "$folder/data" -k "$folder" -c listen_addresses= -c max_connections=60 \
      -c fsync=off -c shared_buffers=32MB "${@:3}"
    ;;
  wait)
    for _ in {1..400}; do
      "$bin/pg_isready" --quiet --host="$folder" --port="${3:-5432}" && exit 0
      sleep 0.05
    done
    echo "the server did not start" >&2
    exit 1
    ;;
  sql) exec "$bin/psql" -X -q -A -t --set=ON_ERROR_STOP=1 --host="$folder" --username=xray --dbname=postgres --command="$3" ;;
  *) exit 2 ;;
esac
