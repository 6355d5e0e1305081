-- What each side signed of its record, for life.
CREATE TABLE checkpoint (
    id       INTEGER PRIMARY KEY,
    -- absent for trail-given-up
    site     TEXT REFERENCES site (slug),
    -- held: a site's word on its ledger, checked to extend the one before. refused: one that
    -- contradicts it. given-up: the site may start from the ledger it has.
    -- given: the coordinator's word on its audit trail to a site. contradicted: such a word, shown by
    -- a site, that the trail does not match. trail-given-up: that is explained.
    kind     TEXT NOT NULL CHECK (kind IN
             ('held', 'refused', 'given-up', 'given', 'contradicted', 'trail-given-up')),
    document BLOB NOT NULL,
    at       INTEGER NOT NULL
) STRICT;
CREATE INDEX checkpoint_site ON checkpoint (site, kind, id);
CREATE TRIGGER checkpoint_no_update BEFORE UPDATE ON checkpoint BEGIN
    SELECT RAISE(ABORT, 'checkpoints are append-only');
END;
CREATE TRIGGER checkpoint_no_delete BEFORE DELETE ON checkpoint BEGIN
    SELECT RAISE(ABORT, 'checkpoints are append-only');
END;
