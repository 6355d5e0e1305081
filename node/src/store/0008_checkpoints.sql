-- What each side signed of its record, for life: of this ledger by this node, of its audit trail by
-- the coordinator.
CREATE TABLE checkpoint (
    id          INTEGER PRIMARY KEY,
    -- own: signed here. held: the coordinator's, checked to extend the one before. refused: the
    -- coordinator's, which contradicts what it signed before. given-up: a person takes the
    -- coordinator's record as it is now.
    kind        TEXT NOT NULL CHECK (kind IN ('own', 'held', 'refused', 'given-up')),
    document    BLOB NOT NULL,
    -- the certificate of the key that signed an own one, DER; empty for others
    certificate BLOB NOT NULL
) STRICT;
CREATE TRIGGER checkpoint_no_update BEFORE UPDATE ON checkpoint BEGIN
    SELECT RAISE(ABORT, 'checkpoints are append-only');
END;
CREATE TRIGGER checkpoint_no_delete BEFORE DELETE ON checkpoint BEGIN
    SELECT RAISE(ABORT, 'checkpoints are append-only');
END;
