-- Who has approved which bytes so far stands in the ledger, and nowhere else.
DROP TABLE endorsement;
