-- Privacy losses under differential privacy: what was asked of whom, what it spent, and what was
-- drawn for it. A row is written before noise is drawn, and never removed.
CREATE TABLE privacy (
    id       INTEGER PRIMARY KEY,
    -- the ledger's entry of the spending
    seq      INTEGER NOT NULL UNIQUE,
    -- digest of the canonical question
    question TEXT NOT NULL UNIQUE,
    -- decimal texts
    epsilon  TEXT NOT NULL,
    delta    TEXT NOT NULL,
    -- ids of the table's patients, ascending, four bytes each
    members  BLOB NOT NULL,
    -- counts with noise, canonical JSON; null until they are drawn
    noisy    BLOB
) STRICT;
