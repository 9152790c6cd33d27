-- As with streams: a 404 asks whether the id is another tenant's.
CREATE INDEX communities_id_idx ON communities (id);
