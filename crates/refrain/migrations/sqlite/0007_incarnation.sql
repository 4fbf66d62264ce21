-- Drawn anew when the store is brought back from a backup: what browsers carry says under which number it was
-- given to them, and is over when that is not this one.
ALTER TABLE store ADD COLUMN incarnation INTEGER NOT NULL DEFAULT 0;
