-- They carry the list of the findings of one verdict, newest first. One of (verdict, id) would be passed
-- over: the planner takes rows in its order to be scattered over the table, walks down the primary key and
-- drops what has another verdict, however few have the one that is asked for.
CREATE INDEX finding_normal ON finding (id) WHERE verdict = 'normal';
CREATE INDEX finding_pneumonia ON finding (id) WHERE verdict = 'pneumonia';
CREATE INDEX finding_uncertain ON finding (id) WHERE verdict = 'uncertain';
CREATE INDEX finding_rejected ON finding (id) WHERE verdict = 'rejected';
