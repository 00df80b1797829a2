"""PostgreSQL by psycopg, in the ways of connecting that libpq 18 has: prints {what: result}."""
import json
import threading

import psycopg

COMMON = (
    "host=sql.example user=postgres password=right-password dbname=postgres connect_timeout=10 "
    "sslrootcert=/var/run/exeat/trust/bundle.crt"
)
DIRECT = "port=5433 sslmode=verify-full sslnegotiation=direct"
ASKED = "port=5432 sslmode=verify-full"


def value(options, statement):
    with psycopg.connect(f"{COMMON} {options}") as connection:
        return connection.execute(statement).fetchone()[0]


def cancelled(options):
    with psycopg.connect(f"{COMMON} {options}") as connection:
        threading.Timer(1, connection.cancel_safe).start()
        try:
            connection.execute("select pg_sleep(60)")
        except psycopg.errors.QueryCanceled:
            return True
    return False


SUM = "select sum(n)::int8 from generate_series(1, 10000) n"
JOBS = {
    "direct": lambda: value(DIRECT, SUM),
    "direct, large": lambda: len(value(DIRECT, "select repeat('x', 5000000)")),
    "asked for": lambda: value(ASKED, SUM),
    "in the clear": lambda: value("port=5432 sslmode=disable", SUM),
    "cancelled": lambda: cancelled(ASKED),
    "cancelled, direct": lambda: cancelled(DIRECT),
}


def result(job):
    try:
        return job()
    except psycopg.Error as error:
        return f"!! {error}"


print(json.dumps({what: result(job) for what, job in JOBS.items()}))
