-- When an operator last said that a tenant's history was cut (a backup was restored, a tail was lost). Running nodes look for it.
ALTER TABLE tenants ADD COLUMN restored_at timestamptz;
