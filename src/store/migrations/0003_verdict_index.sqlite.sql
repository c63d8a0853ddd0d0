-- Carries the list of the findings of one verdict, newest first.
CREATE INDEX finding_by_verdict ON finding (verdict, id);
