-- Patients whom a release spoke about, by their tags; for life.
CREATE TABLE patient (
    id  INTEGER PRIMARY KEY,
    tag BLOB NOT NULL UNIQUE
) STRICT;

-- The groups of patients that releases speak about: of a preview at first, kept once it may leave.
CREATE TABLE spoken (
    id       INTEGER PRIMARY KEY,
    -- digest of the bytes
    digest   TEXT NOT NULL,
    name     TEXT NOT NULL,
    -- the fields that versions are about, a JSON list
    fields   TEXT NOT NULL,
    -- ids of patients, ascending, four bytes each
    members  BLOB NOT NULL,
    -- what each field said of each, eight bytes; only of the whole set of an endpoint
    versions BLOB NOT NULL,
    -- whether the bytes may have left
    released INTEGER NOT NULL,
    -- releases that these groups were compared with; null where the policy compares nothing
    after    INTEGER
) STRICT;
CREATE INDEX spoken_digest ON spoken (digest);
