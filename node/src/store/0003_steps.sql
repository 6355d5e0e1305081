-- Exchanges of several steps. A step is kept as it came; its release beside it, once reviewed.
CREATE TABLE step (
    job      TEXT NOT NULL REFERENCES job (digest),
    exchange TEXT NOT NULL,
    step     INTEGER NOT NULL,
    input    TEXT NOT NULL,
    document BLOB NOT NULL,
    id       TEXT,
    digest   TEXT,
    bytes    BLOB,
    receipt  BLOB,
    PRIMARY KEY (job, exchange, step)
) STRICT;

-- Exchanges that are over at this site; the rest of the job stands.
CREATE TABLE exchange_end (
    job       TEXT NOT NULL REFERENCES job (digest),
    exchange  TEXT NOT NULL,
    step      INTEGER NOT NULL,
    -- from the closed list; absent when the coordinator said that it is over
    refusal   TEXT,
    -- whether the coordinator has acknowledged the refusal
    told      INTEGER NOT NULL,
    local_why TEXT,
    PRIMARY KEY (job, exchange)
) STRICT;

-- Under a policy that asks for two people: who has approved which bytes so far.
CREATE TABLE endorsement (
    job      TEXT NOT NULL REFERENCES job (digest),
    digest   TEXT NOT NULL,
    approver TEXT NOT NULL,
    PRIMARY KEY (job, digest, approver)
) STRICT;
