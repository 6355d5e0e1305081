-- The numbers by which two sites' releases are compared, sealed, so that nothing is read twice.
ALTER TABLE inbox ADD COLUMN sketch BLOB NOT NULL DEFAULT x'';
