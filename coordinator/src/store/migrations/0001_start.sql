-- Never edited once landed; a change is a new file with the next number.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE site (
    slug       TEXT PRIMARY KEY,
    standing   TEXT NOT NULL CHECK (standing IN ('invited', 'joined', 'approved', 'suspended', 'revoked')),
    contact    TEXT,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE invitation (
    secret     TEXT PRIMARY KEY,
    site       TEXT NOT NULL REFERENCES site (slug),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE enrolment (
    secret       TEXT PRIMARY KEY REFERENCES invitation (secret),
    site         TEXT NOT NULL REFERENCES site (slug),
    csr          BLOB NOT NULL,
    words        TEXT NOT NULL,
    remote       TEXT NOT NULL,
    requested_at INTEGER NOT NULL,
    serial       TEXT REFERENCES certificate (serial)
) STRICT, WITHOUT ROWID;

CREATE TABLE certificate (
    serial        TEXT PRIMARY KEY,
    site          TEXT NOT NULL REFERENCES site (slug),
    public_key    TEXT NOT NULL,
    der           BLOB NOT NULL,
    issued_at     INTEGER NOT NULL,
    not_after     INTEGER NOT NULL,
    first_used_at INTEGER,
    superseded_at INTEGER,
    revoked_at    INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX certificate_site ON certificate (site);

CREATE TABLE protocol (
    digest   TEXT PRIMARY KEY,
    study    TEXT NOT NULL,
    version  TEXT NOT NULL,
    bytes    BLOB NOT NULL,
    added_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE protocol_site (
    protocol TEXT NOT NULL REFERENCES protocol (digest),
    site     TEXT NOT NULL,
    PRIMARY KEY (protocol, site)
) STRICT, WITHOUT ROWID;

CREATE TABLE round (
    id          TEXT PRIMARY KEY,
    study       TEXT NOT NULL,
    protocol    TEXT NOT NULL REFERENCES protocol (digest),
    state       TEXT NOT NULL,
    launched_at INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE left_out (
    round TEXT NOT NULL REFERENCES round (id),
    site  TEXT NOT NULL,
    PRIMARY KEY (round, site)
) STRICT, WITHOUT ROWID;

CREATE TABLE job (
    digest     TEXT PRIMARY KEY,
    round      TEXT NOT NULL REFERENCES round (id),
    site       TEXT NOT NULL,
    bytes      BLOB NOT NULL,
    state      TEXT NOT NULL,
    refusal    TEXT,
    offered_at INTEGER,
    changed_at INTEGER NOT NULL,
    UNIQUE (round, site)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_site ON job (site);

CREATE TABLE inbox (
    release     TEXT NOT NULL,
    digest      TEXT NOT NULL,
    job         TEXT NOT NULL REFERENCES job (digest),
    site        TEXT NOT NULL,
    bytes       BLOB NOT NULL,
    fingerprint TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    status      TEXT NOT NULL CHECK (status IN ('accepted', 'quarantined')),
    findings    TEXT NOT NULL,
    PRIMARY KEY (release, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX inbox_job ON inbox (job);

CREATE TABLE receipt (
    release TEXT NOT NULL,
    digest  TEXT NOT NULL,
    bytes   BLOB NOT NULL,
    PRIMARY KEY (release, digest),
    FOREIGN KEY (release, digest) REFERENCES inbox (release, digest)
) STRICT, WITHOUT ROWID;

CREATE TABLE ledger (
    site       TEXT PRIMARY KEY REFERENCES site (slug),
    entries    INTEGER NOT NULL,
    hash       TEXT NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE presence (
    site     TEXT PRIMARY KEY REFERENCES site (slug),
    heard_at INTEGER NOT NULL,
    state    TEXT NOT NULL,
    software TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    seq  INTEGER PRIMARY KEY,
    prev TEXT NOT NULL,
    hash TEXT NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only');
END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only');
END;
