"""When too many wrong passwords close a door for a while: the rule, without clock or store."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Attempts:
    """The wrong passwords that count at the moment. Times are epoch seconds."""

    failures: int = 0
    failed_at: float | None = None
    locked_until: float | None = None


@dataclass(frozen=True, slots=True)
class Lockout:
    """How many wrong passwords lock for how long, and after how long they are forgotten."""

    failures_max: int
    lock_s: float
    forget_s: float

    def locked_for(self, attempts: Attempts, now: float) -> float:
        """Seconds until a password is looked at again; 0 where one is looked at now."""
        return max(0.0, (attempts.locked_until or 0.0) - now)

    def failed(self, attempts: Attempts, now: float) -> Attempts:
        """What counts after one more wrong password."""
        stale = attempts.failed_at is None or now - attempts.failed_at > self.forget_s
        failures = (0 if stale else attempts.failures) + 1
        locked_until = now + self.lock_s if failures >= self.failures_max else None
        return Attempts(failures, now, locked_until)

    def left(self, attempts: Attempts) -> int:
        """Wrong passwords that are still allowed."""
        return max(0, self.failures_max - attempts.failures)
