-- Gives times that 0.1.0 wrote their nine digits of a second, so that texts compare as times do also
-- within a second. To be run when no Worker of 0.1.0 writes any more:
--
--   npx wrangler d1 execute leasewire --remote --file upgrade/0.1.0-times.sql
--
-- It writes each row that has such a time, once, of `records` and `notices` 200,000 a run at the most;
-- it may be run again, and must be as long as it writes that many.
UPDATE records SET
  occurred_at = substr(rtrim(occurred_at, 'Z') || iif(instr(occurred_at, '.'), '', '.') || '000000000', 1, 29) || 'Z',
  updated_at = substr(rtrim(updated_at, 'Z') || iif(instr(updated_at, '.'), '', '.') || '000000000', 1, 29) || 'Z'
WHERE (source, integration, model, record_id) IN (
  SELECT source, integration, model, record_id FROM records
  WHERE length(occurred_at) < 30 OR length(updated_at) < 30 LIMIT 200000);
UPDATE notices SET
  at = substr(rtrim(at, 'Z') || iif(instr(at, '.'), '', '.') || '000000000', 1, 29) || 'Z'
WHERE (source, integration, seq, kind) IN (
  SELECT source, integration, seq, kind FROM notices WHERE length(at) < 30 LIMIT 200000);
UPDATE integrations SET
  first_synced_at = substr(rtrim(first_synced_at, 'Z') || iif(instr(first_synced_at, '.'), '', '.') || '000000000', 1, 29) || 'Z',
  last_synced_at = substr(rtrim(last_synced_at, 'Z') || iif(instr(last_synced_at, '.'), '', '.') || '000000000', 1, 29) || 'Z',
  last_event_at = substr(rtrim(last_event_at, 'Z') || iif(instr(last_event_at, '.'), '', '.') || '000000000', 1, 29) || 'Z',
  oldest_unconfirmed_at = substr(rtrim(oldest_unconfirmed_at, 'Z') || iif(instr(oldest_unconfirmed_at, '.'), '', '.') || '000000000', 1, 29) || 'Z',
  reported_at = substr(rtrim(reported_at, 'Z') || iif(instr(reported_at, '.'), '', '.') || '000000000', 1, 29) || 'Z'
WHERE length(first_synced_at) < 30 OR length(last_synced_at) < 30 OR length(last_event_at) < 30
   OR length(oldest_unconfirmed_at) < 30 OR length(reported_at) < 30;
UPDATE secrets_used SET
  last_used_at = substr(rtrim(last_used_at, 'Z') || iif(instr(last_used_at, '.'), '', '.') || '000000000', 1, 29) || 'Z'
WHERE length(last_used_at) < 30;
UPDATE sweep SET
  began_at = substr(rtrim(began_at, 'Z') || iif(instr(began_at, '.'), '', '.') || '000000000', 1, 29) || 'Z'
WHERE length(began_at) < 30;
