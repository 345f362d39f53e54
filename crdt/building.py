"""Making a replica of a snapshot and the log's rows after it."""

from collections.abc import Sequence

from crdt.bounds import Bounds
from crdt.errors import DocumentBroken, OutOfOrder, UpdateError
from crdt.patience import PatientReplica


def built(
    rows: Sequence[bytes], *, client_id: int, bounds: Bounds, exact: bool, careful: bool
) -> PatientReplica:
    """The replica of rows, in order; heals what waited. See `Document.rebuild` for what it raises.

    `careful`: the rows are known to hold something that comes before its predecessors. `exact`: the
    first update that comes so later raises OutOfOrder.
    """
    if not rows:  # Most blocks that devices push are new: no transaction is needed.
        replica = PatientReplica(client_id, bounds)
        replica.careful = careful
    else:
        try:
            replica = PatientReplica(client_id, bounds)
            results = _apply(replica, rows, careful=careful)
        except OutOfOrder:
            replica = PatientReplica(client_id, bounds)
            results = _apply(replica, rows, careful=True)
        for error in results:
            if error is not None:
                raise error
        replica.settle()
        replica.pendings.bounded = True
    replica.exact = exact
    return replica


def _apply(
    replica: PatientReplica, updates: Sequence[bytes], *, careful: bool
) -> list[UpdateError | None]:
    """Apply stored rows to an empty replica."""
    replica.pendings.bounded = False
    replica.exact, replica.careful = True, careful
    if careful:
        return replica.apply(updates, observe=False, waiting=True)[0]
    # The first row is mostly a snapshot: it need not be compared with those behind it.
    results = replica.apply(updates[:1], observe=False, waiting=True)[0]
    try:
        return results + replica.apply(updates[1:], observe=False, waiting=True)[0]
    except OutOfOrder:
        raise
    except DocumentBroken as broken:
        culprit = None if broken.culprit is None else broken.culprit + 1
        raise DocumentBroken(culprit, broken.cause) from None
