-- Masked sums: what this site added, as long as it is kept for audit.
CREATE TABLE masked (
    job        TEXT PRIMARY KEY REFERENCES job (digest),
    -- the one secret that all keys of the exchange follow from
    secret     BLOB NOT NULL,
    -- the plain numbers, 8 bytes each; they never leave
    vector     BLOB NOT NULL,
    -- the commitment to the table they were counted on
    dataset    TEXT NOT NULL,
    -- unix seconds after which secret and numbers are removed
    keep_until INTEGER NOT NULL,
    -- the hospitals whose sum this site has signed, JSON; it stays for life
    survivors  TEXT
) STRICT;
