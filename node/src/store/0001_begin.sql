CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;

CREATE TABLE protocol (
    digest TEXT PRIMARY KEY,
    bytes  BLOB NOT NULL
) STRICT;

CREATE TABLE job (
    digest     TEXT PRIMARY KEY,
    round      TEXT NOT NULL,
    study      TEXT NOT NULL,
    protocol   TEXT NOT NULL,
    bytes      BLOB NOT NULL,
    state      TEXT NOT NULL,
    offered_at TEXT NOT NULL,
    -- why nothing is released, from the closed list; set together with state rejected-by-site
    refusal    TEXT,
    -- whether the coordinator has acknowledged the refusal
    told       INTEGER NOT NULL DEFAULT 0,
    -- what staff see when the data check or the review says no; never sent
    local_why  TEXT
) STRICT;

-- Computed and reviewed, not approved.
CREATE TABLE preview (
    job      TEXT PRIMARY KEY REFERENCES job (digest),
    id       TEXT NOT NULL,
    digest   TEXT NOT NULL,
    bytes    BLOB NOT NULL,
    items    TEXT NOT NULL,
    findings TEXT NOT NULL
) STRICT;

-- Approved bytes; delivered once the receipt is stored.
CREATE TABLE outbox (
    id      TEXT PRIMARY KEY,
    job     TEXT NOT NULL UNIQUE REFERENCES job (digest),
    digest  TEXT NOT NULL,
    bytes   BLOB NOT NULL,
    receipt BLOB,
    -- why the coordinator will never take these bytes, from the closed list
    refused TEXT
) STRICT;

CREATE TABLE ledger (
    seq  INTEGER PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE,
    body BLOB NOT NULL
) STRICT;
