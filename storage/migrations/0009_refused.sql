-- Somebody who was not let in stays known for a while, so that asking again changes nothing.
ALTER TABLE accounts DROP CONSTRAINT accounts_state_check;
ALTER TABLE accounts ADD CONSTRAINT accounts_state_check
    CHECK (state IN ('pending', 'active', 'disabled', 'refused'));
