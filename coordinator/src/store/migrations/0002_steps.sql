-- Exchanges of several steps: a release names its exchange and step, a round keeps what it sent.
ALTER TABLE inbox ADD COLUMN exchange TEXT NOT NULL DEFAULT 'measure';
ALTER TABLE inbox ADD COLUMN step INTEGER NOT NULL DEFAULT 1;

-- The signed input of each step, the same bytes for every site.
CREATE TABLE step (
    round    TEXT NOT NULL REFERENCES round (id),
    exchange TEXT NOT NULL,
    step     INTEGER NOT NULL,
    digest   TEXT NOT NULL,
    bytes    BLOB NOT NULL,
    made_at  INTEGER NOT NULL,
    PRIMARY KEY (round, exchange, step)
) STRICT, WITHOUT ROWID;

-- Exchanges that a site will not go on with; the rest of its job stands.
CREATE TABLE step_declined (
    job      TEXT NOT NULL REFERENCES job (digest),
    exchange TEXT NOT NULL,
    step     INTEGER NOT NULL,
    refusal  TEXT NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (job, exchange)
) STRICT, WITHOUT ROWID;
