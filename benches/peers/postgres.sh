#!/usr/bin/env bash
# The same insert and update, by 32 clients of a PostgreSQL on this machine, each with a commit of its
# own that is durable (`synchronous_commit = on`), over a socket. Needs the server's binaries and
# `pgbench`; as root, also `setpriv` and a user `postgres`.
#
#     bash benches/peers/postgres.sh [seconds]
set -euo pipefail
seconds=${1:-10}
bin=$(dirname "$(readlink -f "$(command -v initdb)")")
folder=$(mktemp -d)
as=()
if [ "$(id -u)" = 0 ]; then
    chown postgres "$folder"
    as=(setpriv --reuid=postgres --regid=postgres --clear-groups env HOME="$folder")
fi
cd "$folder"
run() { "${as[@]}" "$bin/$1" "${@:2}"; }
run initdb -D data -A trust -U postgres > /dev/null
run pg_ctl -D data -w -l log -o "-c listen_addresses= -c unix_socket_directories=$folder" start > /dev/null
trap 'run pg_ctl -D data -m immediate stop > /dev/null; rm -rf "$folder"' EXIT

run psql -qh "$folder" -U postgres <<'SQL'
CREATE TABLE meter (org uuid, customer int, feature text, used bigint, max bigint,
    PRIMARY KEY (org, customer, feature));
INSERT INTO meter SELECT '00000000-0000-0000-0000-000000000000', n, 'ai_credits', 0, 1000000000
    FROM generate_series(1, 1000) n;
CREATE TABLE usage_event (org uuid, id uuid, customer int, feature text, quantity bigint,
    source text, kind text, at timestamptz, before bigint, key text, product text,
    PRIMARY KEY (org, id));
CREATE INDEX ON usage_event (org, customer, feature, at);
CREATE TABLE outbox (id bigserial PRIMARY KEY, org uuid, name text, customer int, data jsonb,
    at timestamptz);
SQL
cat > track.sql <<'SQL'
\set customer random(1, 1000)
WITH counted AS (
    UPDATE meter SET used = used + 1
    WHERE org = '00000000-0000-0000-0000-000000000000' AND customer = :customer
        AND feature = 'ai_credits' AND used < max
    RETURNING used
), entry AS (
    INSERT INTO usage_event
    SELECT '00000000-0000-0000-0000-000000000000', gen_random_uuid(), :customer, 'ai_credits', 1,
        'api', 'increment', now(), used - 1, md5(random()::text), 'default' FROM counted
)
INSERT INTO outbox (org, name, customer, data, at)
SELECT '00000000-0000-0000-0000-000000000000', 'entitlement.consumed', :customer,
    jsonb_build_object('feature', 'ai_credits', 'quantity', 1, 'used', used), now() FROM counted;
SQL
for clients in 1 32; do
    echo "== $clients clients"
    run pgbench -h "$folder" -U postgres -n -M prepared -f track.sql -c "$clients" \
        -j "$((clients < 4 ? clients : 4))" -T "$seconds" postgres | grep -E 'latency average|tps'
done
