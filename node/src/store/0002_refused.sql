-- Offered jobs that were refused before anything of them was believed: a wrong signature, an
-- unlisted study, another site's job. Kept so that the ledger names each once.
CREATE TABLE refused (
    job     TEXT PRIMARY KEY,
    refusal TEXT NOT NULL,
    at      TEXT NOT NULL
) STRICT;
